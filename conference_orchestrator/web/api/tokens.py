"""/tokens: ways in for one role each."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import access
from conference_orchestrator.network.tokens import ApiToken
from conference_orchestrator.web.fields import Choice, Count, Instant, OneLine, Reference
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, items, listing, paging
from conference_orchestrator.web.policy import allow, principal

tokens_api = Resource("tokens", "Ways in for one role each.")


class Granted(StrEnum):
    """The roles that a token may have."""

    HELPDESK = "helpdesk"
    COORDINATOR = "coordinator"
    REFERENCE_CENTRE = "reference-centre"
    CLINICIAN = "clinician"
    AUDITOR = "auditor"


class TokenEntry(Form):
    """A token to be made; a coordinator's needs its group, a reference centre's its hospital, a clinician's itself."""

    role = Choice(Granted, required=True)
    network = Reference(allow_none=True)
    group = Reference(allow_none=True)
    hospital = Reference(allow_none=True)
    clinician = Reference(allow_none=True)
    name = OneLine(allow_none=True)
    days = Count(1, 3650, allow_none=True)


class TokenSchema(Schema):
    """A token, without the word itself."""

    id = fields.UUID()
    role = fields.String()
    name = fields.String(allow_none=True)
    network = fields.UUID(attribute="network_id", allow_none=True)
    group = fields.UUID(attribute="group_id", allow_none=True)
    hospital = fields.UUID(attribute="hospital_id", allow_none=True)
    clinician = fields.UUID(attribute="clinician_id", allow_none=True)
    created_at = Instant()
    expires_at = Instant(allow_none=True)
    revoked_at = Instant(allow_none=True)


class NewTokenSchema(TokenSchema):
    """A token just made: `token` is the word to send, shown this once."""

    token = fields.String()


@tokens_api.get("/tokens")
@allow("token.read")
@tokens_api.query(Paged)
@tokens_api.response(200, listing(TokenSchema))
def listed(query: Json) -> Json:
    """List the tokens, oldest first."""
    return items(access.listed(paging(query), by=principal()))


@tokens_api.post("/tokens")
@allow("token.change")
@once
@tokens_api.arguments(TokenEntry)
@tokens_api.response(201, NewTokenSchema)
def make(entered: Json) -> Json:
    """Make a token; its word is in this answer only."""
    days = entered.pop("days", None)
    token, secret = access.create(**entered, valid_for=timedelta(days=days) if days else None, by=principal())
    return _made(token, secret)


@tokens_api.delete("/tokens/<uuid:token_id>")
@allow("token.change")
@tokens_api.empty("The token is useless from now on.")
def revoke(token_id: UUID) -> None:
    """Revoke a token at once."""
    access.revoke(token_id, by=principal())


def _made(token: ApiToken, secret: str) -> Json:
    columns = ("id", "role", "name", "network_id", "group_id", "hospital_id", "clinician_id")
    times = ("created_at", "expires_at", "revoked_at")
    return {**{name: getattr(token, name) for name in (*columns, *times)}, "token": secret}
