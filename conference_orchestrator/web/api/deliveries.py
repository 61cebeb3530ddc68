"""/deliveries: one e-mail to one person, its attempts and fate."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import access, resending
from conference_orchestrator.insight import deliveries
from conference_orchestrator.kernel.principal import Role
from conference_orchestrator.ledger.messages import Message, State
from conference_orchestrator.web.fields import Choice, Instant
from conference_orchestrator.web.kit import Json, Nothing, Paged, Resource, expected, items, listing, paging, versioned
from conference_orchestrator.web.policy import allow, principal

deliveries_api = Resource("deliveries", "One e-mail to one person, its attempts and fate.")


class DeliverySchema(Schema):
    """A delivery. `last_answer` is what the mail server said last."""

    id = fields.UUID()
    kind = fields.String()
    conference = fields.UUID(allow_none=True)
    clinician = fields.UUID(allow_none=True)
    address = fields.String()
    language = fields.String()
    state = fields.String(metadata={"enum": [str(state) for state in State]})
    attempts = fields.Integer()
    last_answer = fields.String(allow_none=True)
    created_at = Instant()
    due_at = Instant()
    sent_at = Instant(allow_none=True)


class DeliveryQuery(Paged):
    """Which deliveries."""

    conference = fields.UUID()
    clinician = fields.UUID()
    state = Choice(State)


@deliveries_api.get("/deliveries")
@allow("delivery.read")
@deliveries_api.query(DeliveryQuery)
@deliveries_api.response(200, listing(DeliverySchema))
def listed(query: Json) -> Json:
    """List the deliveries within the asker's scope, in the order in which they were written."""
    page = deliveries.listed(
        paging(query),
        visible_to=principal(),
        conference_id=query.get("conference"),
        clinician_id=query.get("clinician"),
        state=query.get("state"),
    )
    return items(page, _shown)


@deliveries_api.get("/deliveries/<uuid:message_id>")
@allow("delivery.read")
@deliveries_api.response(200, DeliverySchema)
def one(message_id: UUID) -> Json:
    """Read one delivery."""
    return _answer(deliveries.get(message_id, visible_to=principal()))


@deliveries_api.post("/deliveries/<uuid:message_id>/retry")
@allow("delivery.retry")
@deliveries_api.arguments(Nothing)
@deliveries_api.response(200, DeliverySchema)
def retry(_nothing: Json, message_id: UUID) -> Json:
    """Send a mail again that failed, was held back, is in doubt or is not found, to the address as it is now.

    It keeps its Message-ID.
    """
    visible = deliveries.get(message_id, visible_to=principal())
    return _answer(resending.retry(visible.id, by=principal(), expected=expected()))


def _answer(message: Message) -> Json:
    return versioned(_shown(message), message)


def _shown(message: Message) -> dict[str, Any]:
    names = ("id", "kind", "language", "state", "attempts", "created_at", "due_at", "sent_at")
    is_masked = principal().role == Role.AUDITOR
    return {
        **{name: getattr(message, name) for name in names},
        "conference": message.conference_id,
        "clinician": message.clinician_id,
        "address": access.masked_address(message.address) if is_masked else message.address,
        # A mail server repeats the address in its answer.
        "last_answer": None if is_masked else message.last_answer,
    }
