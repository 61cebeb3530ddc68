"""/suppressions: addresses that get no mail, or no reminders."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import suppressing
from conference_orchestrator.ledger.suppressions import Reason, Scope, Suppression
from conference_orchestrator.web.fields import Choice, Email, Instant, OneLine
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, items, listing, paging
from conference_orchestrator.web.policy import allow, principal

suppressions_api = Resource("suppressions", "Addresses that get no mail, or no reminders.")


class SuppressionQuery(Paged):
    """Of which address; without one all."""

    address = Email()


class SuppressionEntry(Form):
    """Which address gets no mail at all (`all`), or no reminders, and for whose eyes why."""

    address = Email(required=True)
    scope = Choice(Scope, required=True)
    detail = OneLine(300, allow_none=True)


class SuppressionSchema(Schema):
    """A suppression. `delivery` is the mail that came back, where one did."""

    id = fields.UUID()
    address = fields.String()
    scope = fields.String(metadata={"enum": [str(scope) for scope in Scope]})
    reason = fields.String(metadata={"enum": [str(reason) for reason in Reason]})
    detail = fields.String(allow_none=True)
    delivery = fields.UUID(attribute="message_id", allow_none=True)
    created_at = Instant()


@suppressions_api.get("/suppressions")
@allow("suppression.read")
@suppressions_api.query(SuppressionQuery)
@suppressions_api.response(200, listing(SuppressionSchema))
def listed(query: Json) -> Json:
    """List the suppressions, the oldest first."""
    return items(suppressing.listed(paging(query), address=query.get("address"), by=principal()))


@suppressions_api.post("/suppressions")
@allow("suppression.change")
@once
@suppressions_api.arguments(SuppressionEntry)
@suppressions_api.response(201, SuppressionSchema)
def add(entered: Json) -> Suppression:
    """Have an address get no mail, or no reminders."""
    return suppressing.add(entered, by=principal())


@suppressions_api.delete("/suppressions/<uuid:suppression_id>")
@allow("suppression.change")
@suppressions_api.empty("The address gets its mail again.")
def lift(suppression_id: UUID) -> None:
    """Have the address get its mail again, once it is mended."""
    suppressing.lift(suppression_id, by=principal())
