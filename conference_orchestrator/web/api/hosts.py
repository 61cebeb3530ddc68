"""/host-accounts: the licences at providers, each hosting a few meetings at a time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from flask import Response, jsonify
from marshmallow import Schema, ValidationError, fields

from conference_orchestrator.flows import hosting
from conference_orchestrator.flows.hosting import Reassignment
from conference_orchestrator.kernel import ports
from conference_orchestrator.providers import registry
from conference_orchestrator.scheduling import host_pool
from conference_orchestrator.scheduling.conferences import Kind
from conference_orchestrator.scheduling.host_pool import Holding, HostAccount
from conference_orchestrator.web.api.sessions import Look
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
from conference_orchestrator.web.policy import allow, principal

hosts_api = Resource("host-accounts", "A provider licence that can host a few meetings at a time.")


def _installed(name: str) -> None:
    if name not in registry.names():
        raise ValidationError(f"There is no provider {name!r}; known: {', '.join(registry.names())}.")


class HostChange(Form):
    """What of an account may change; `kinds` empty: it hosts every kind."""

    capacity = Count(1, 50)
    kinds = fields.List(Choice(Kind))
    is_active = Flag()
    reserve = Flag(attribute="is_reserve", metadata={"description": "Kept back for urgent calls."})


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
    reserve = fields.Boolean(attribute="is_reserve")


class HoldingSchema(Schema):
    """That a conference holds a host account; of one outside of the asker's network only the time is told."""

    conference = fields.UUID()
    title = fields.String()
    starts_at = fields.String(metadata={"format": "date-time", "description": "With the time to join beforehand."})
    ends_at = fields.String(metadata={"format": "date-time"})
    host = fields.String(allow_none=True)


class ReassignmentSchema(Schema):
    """What a change would do to the coming conferences that the account holds."""

    reassigned = fields.List(fields.Nested(HoldingSchema), metadata={"description": "With the account that they get."})
    without_host = fields.List(fields.Nested(HoldingSchema), metadata={"description": "No other account is free."})


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
    return versioned(hosting.add_host(entered, by=principal()))


@hosts_api.get("/host-accounts/<uuid:account_id>")
@allow("host.read")
@hosts_api.response(200, HostSchema)
def one(account_id: UUID) -> HostAccount:
    """Read one account."""
    return versioned(host_pool.get(account_id))


@hosts_api.patch("/host-accounts/<uuid:account_id>")
@allow("host.change")
@hosts_api.arguments(HostChange)
@hosts_api.query(Look)
@hosts_api.response(200, HostSchema, description="With preview=true: what would become of its conferences.")
def change(changes: Json, query: Json, account_id: UUID) -> HostAccount | Response:
    """Change the account; coming conferences that it cannot host any more get another one, or wait for one."""
    look = query.get("preview", False)
    seen = expected(required=not look)
    changed = hosting.change_host(account_id, changes, by=principal(), expected=seen, preview=look)
    return _previewed(changed) if isinstance(changed, Reassignment) else versioned(changed)


def _previewed(found: Reassignment) -> Response:
    shown = {"reassigned": _shown(found.moved), "without_host": _shown(found.without_host)}
    return jsonify(ReassignmentSchema().dump(shown))


@hosts_api.get("/host-accounts/<uuid:account_id>/bookings")
@allow("host.read")
@hosts_api.query(Paged)
@hosts_api.response(200, listing(HoldingSchema))
def bookings(query: Json, account_id: UUID) -> Json:
    """List who holds the account from now on, by start."""
    held = host_pool.bookings(account_id, paging(query), now=ports.clock().now())
    return items(held, lambda one: one.shown_to(principal()))


def _shown(held: Sequence[Holding]) -> list[dict[str, str | None]]:
    return [one.shown_to(principal()) for one in held]
