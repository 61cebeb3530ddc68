"""/offers: a slot that is held for a waiting request until a time, to be accepted or refused."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import offering
from conference_orchestrator.flows.offering import OfferView
from conference_orchestrator.scheduling.allocations import Offer
from conference_orchestrator.web.fields import Instant
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Json, Nothing, Resource, expected, versioned
from conference_orchestrator.web.policy import allow, principal

offers_api = Resource("offers", "Slots that are held for waiting requests until a time.")


class OfferSchema(Schema):
    """An offer. `starts_at` and `ends_at` are those of the slot, `time_zone` is where its session is set."""

    id = fields.UUID(attribute="offer.id")
    request = fields.UUID(attribute="request.id")
    case_reference = fields.String(attribute="request.case_reference")
    group = fields.UUID(attribute="request.group_id")
    slot = fields.UUID(attribute="offer.slot_id")
    session = fields.UUID(attribute="session.id")
    starts_at = Instant(attribute="offer.slot.starts_at")
    ends_at = Instant(attribute="offer.slot.ends_at")
    time_zone = fields.String(attribute="session.time_zone")
    state = fields.String(metadata={"enum": [str(state) for state in Offer]})
    expires_at = Instant(attribute="offer.expires_at")
    answered_at = Instant(attribute="offer.answered_at", allow_none=True)
    reasons = fields.List(
        fields.String(), attribute="offer.reasons", metadata={"description": "Why this request is offered this slot."}
    )


@offers_api.get("/offers/<uuid:offer_id>")
@allow("offer.read")
@offers_api.response(200, OfferSchema)
def one(offer_id: UUID) -> OfferView:
    """Read one offer."""
    return _answer(offering.view(offer_id, by=principal()))


@offers_api.post("/offers/<uuid:offer_id>/acceptance")
@allow("offer.answer")
@once
@offers_api.arguments(Nothing)
@offers_api.response(200, OfferSchema)
def accept(_nothing: Json, offer_id: UUID) -> OfferView:
    """Accept an offer: the request has the slot."""
    return _answer(offering.accept(offer_id, by=principal(), expected=expected()))


@offers_api.post("/offers/<uuid:offer_id>/refusal")
@allow("offer.answer")
@once
@offers_api.arguments(Nothing)
@offers_api.response(200, OfferSchema)
def refuse(_nothing: Json, offer_id: UUID) -> OfferView:
    """Refuse an offer: the request waits on in its place, and the next in line is offered the slot."""
    return _answer(offering.refuse(offer_id, by=principal(), expected=expected()))


def _answer(view: OfferView) -> OfferView:
    return versioned(view, view.request)
