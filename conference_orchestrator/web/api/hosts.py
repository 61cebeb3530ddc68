"""/host-accounts: the licences at providers, each hosting a few meetings at a time."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, ValidationError, fields

from conference_orchestrator.flows import hosting
from conference_orchestrator.providers import registry
from conference_orchestrator.scheduling import host_pool
from conference_orchestrator.scheduling.conferences import Kind
from conference_orchestrator.scheduling.host_pool import HostAccount
from conference_orchestrator.web.fields import Choice, Count, Email, Flag, OneLine
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import (
    Form,
    Json,
    Paged,
    Resource,
    expected,
    items,
    listing,
    paging,
    versioned,
)
from conference_orchestrator.web.policy import allow

hosts_api = Resource("host-accounts", "A provider licence that can host a few meetings at a time.")


def _installed(name: str) -> None:
    if name not in registry.names():
        raise ValidationError(f"There is no provider {name!r}; known: {', '.join(registry.names())}.")


class HostChange(Form):
    """What of an account may change; `kinds` empty: it hosts every kind."""

    capacity = Count(1, 50)
    kinds = fields.List(Choice(Kind))
    is_active = Flag()


class HostEntry(HostChange):
    """An account to be entered."""

    provider = OneLine(40, required=True, validate=_installed)
    email = Email(required=True)


class HostSchema(Schema):
    """A host account."""

    id = fields.UUID()
    provider = fields.String()
    email = fields.String()
    capacity = fields.Integer()
    kinds = fields.List(fields.String())
    is_active = fields.Boolean()


@hosts_api.get("/host-accounts")
@allow("host.read")
@hosts_api.query(Paged)
@hosts_api.response(200, listing(HostSchema))
def listed(query: Json) -> Json:
    """List the accounts, by provider and e-mail."""
    return items(host_pool.listed(paging(query)))


@hosts_api.post("/host-accounts")
@allow("host.change")
@once
@hosts_api.arguments(HostEntry)
@hosts_api.response(201, HostSchema)
def enter(entered: Json) -> HostAccount:
    """Enter an account; conferences that wait for a host are tried again."""
    return versioned(hosting.add_host(entered))


@hosts_api.get("/host-accounts/<uuid:account_id>")
@allow("host.read")
@hosts_api.response(200, HostSchema)
def one(account_id: UUID) -> HostAccount:
    """Read one account."""
    return versioned(host_pool.get(account_id))


@hosts_api.patch("/host-accounts/<uuid:account_id>")
@allow("host.change")
@hosts_api.arguments(HostChange)
@hosts_api.response(200, HostSchema)
def change(changes: Json, account_id: UUID) -> HostAccount:
    """Change capacity, kinds or activity; bookings that it has stay."""
    return versioned(hosting.change_host(account_id, changes, expected=expected(required=True)))
