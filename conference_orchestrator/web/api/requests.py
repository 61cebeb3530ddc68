"""/consultation-requests: a hospital asks an expert group to discuss a case."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Length

from conference_orchestrator.flows import panels, standing
from conference_orchestrator.flows.fields import pattern
from conference_orchestrator.flows.standing import RequestView
from conference_orchestrator.scheduling.checklists import LONGEST_TEXT
from conference_orchestrator.scheduling.requests import State, Urgency
from conference_orchestrator.web.fields import (
    Choice,
    Count,
    Day,
    Flag,
    FreeLine,
    FreeText,
    Instant,
    ItemCode,
    Reference,
    Whole,
    read,
)
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import (
    Form,
    Json,
    Nothing,
    Paged,
    Resource,
    expected,
    items,
    listing,
    paging,
    versioned,
)
from conference_orchestrator.web.policy import allow, principal

requests_api = Resource("consultation-requests", "A hospital asks an expert group to discuss a case.")

CASE_REFERENCE = "[A-Z0-9][A-Z0-9._/-]{2,40}"


class Decision(StrEnum):
    """What the group says to a request."""

    ACCEPT = "accept"
    RETURN = "return"
    DECLINE = "decline"


class CaseReference(fields.String):
    """An opaque pointer into CPMS, never a patient's data."""

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> Any:
        return read(pattern(CASE_REFERENCE, "3 to 41 capital letters, digits and . _ / -"), value)


class ItemValue(fields.Raw):
    """What a check-list item is answered with: a flag, a text, a date, a count, an option or a file reference.

    Which of them, the group's check list says, and refuses the others.
    """

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> Any:
        return read(FreeText(LONGEST_TEXT).reader, value) if isinstance(value, str) and value else value


class ImagingEntry(Form):
    """One series of images that the requester holds."""

    modality = FreeLine(40, required=True)
    acquired_on = Day(required=True)
    image_count = Count(1, required=True)

    @post_load
    def _storable(self, values: dict[str, Any], **_more: Any) -> dict[str, Any]:
        """As it is kept: in JSON a date is a text."""
        on = values.get("acquired_on")
        return values | ({"acquired_on": on.isoformat()} if isinstance(on, date) else {})


class RequestCorrection(Form):
    """What the requester may say, first or later.

    `identifiers_reason` says what a number is that looks like somebody's national number; only the audit keeps it.
    """

    case_reference = CaseReference(required=True, metadata={"pattern": f"^{CASE_REFERENCE}$"})
    question = FreeText(4000, required=True)
    urgency = Choice(Urgency, required=True)
    consent_confirmed = Flag()
    checklist = fields.Dict(
        keys=ItemCode(),
        values=ItemValue(allow_none=True),
        metadata={"description": "Answers by the code of the item. A change keeps the others; null takes one back."},
    )
    imaging = fields.List(Whole(ImagingEntry), validate=Length(max=50))
    earliest_on = Day(allow_none=True)
    latest_on = Day(allow_none=True)
    attendees = fields.List(Reference(), validate=Length(max=20))
    identifiers_reason = FreeText(500)


class RequestEntry(RequestCorrection):
    """A request to a group; the requester of a clinician's request is the clinician."""

    group = Reference(required=True)
    requester = Reference()


class RequestSchema(Schema):
    """A request. `missing` are the check-list items that still lack, `waiting_position` begins with 1.

    A slot that is only offered stands in `offer`, not in `slot`.
    """

    id = fields.UUID(attribute="request.id")
    group = fields.UUID(attribute="request.group_id")
    case_reference = fields.String(attribute="request.case_reference")
    question = fields.String(attribute="request.question")
    urgency = fields.String(attribute="request.urgency")
    consent_confirmed = fields.Boolean(attribute="request.consent_confirmed")
    checklist = fields.Dict(attribute="request.checklist")
    imaging = fields.List(fields.Dict(), attribute="request.imaging")
    requester = fields.UUID(attribute="request.requester_id")
    hospital = fields.UUID(attribute="request.hospital_id", allow_none=True)
    attendees = fields.List(fields.String(), attribute="request.attendees")
    earliest_on = fields.Date(attribute="request.earliest_on", allow_none=True)
    latest_on = fields.Date(attribute="request.latest_on", allow_none=True)
    state = fields.String(attribute="request.state", metadata={"enum": [str(state) for state in State]})
    missing = fields.List(fields.String())
    missing_labels = fields.List(fields.String(), metadata={"description": "The same in the requester's language."})
    slot = fields.UUID(attribute="given.slot_id", dump_default=None, allow_none=True)
    session = fields.UUID(attribute="given.slot.session_id", dump_default=None, allow_none=True)
    offer = fields.UUID(attribute="offered.id", dump_default=None, allow_none=True)
    offer_expires_at = Instant(attribute="offered.expires_at", dump_default=None, allow_none=True)
    reasons = fields.List(fields.String(), metadata={"description": "Why it has, is offered, or waits for a slot."})
    waiting_position = fields.Integer(attribute="position", allow_none=True)
    standing = fields.String(allow_none=True, metadata={"description": "The place in line, explained."})
    reason = fields.String(attribute="request.reason", allow_none=True)
    created_at = Instant(attribute="request.created_at")
    submitted_at = Instant(attribute="request.submitted_at", allow_none=True)
    decided_at = Instant(attribute="request.decided_at", allow_none=True)
    waiting_since = Instant(attribute="request.waiting_since", allow_none=True)
    advised_on = fields.Date(attribute="request.advised_on", allow_none=True)


class RequestQuery(Paged):
    """Which requests."""

    state = Choice(State)
    group = Reference()


class TriageEntry(Form):
    """The group's word; to return or to decline needs a reason."""

    decision = Choice(Decision, required=True)
    reason = FreeText(2000, allow_none=True)


class AllocationEntry(Form):
    """The slot that is wanted; without it the group's policy chooses."""

    slot = fields.UUID(allow_none=True)


class OutcomeEntry(Form):
    """When the advice was given, or that the session did not reach the case."""

    advised_on = Day(allow_none=True)
    reached = Flag()

    @validates_schema
    def _one_of_both(self, values: dict[str, Any], **_more: Any) -> None:
        if (values.get("advised_on") is None) == values.get("reached", True):
            raise ValidationError("Say when the advice was given, or `reached`: false.", "advised_on")


@requests_api.get("/consultation-requests")
@allow("request.read")
@requests_api.query(RequestQuery)
@requests_api.response(200, listing(RequestSchema))
def listed(query: Json) -> Json:
    """List the requests within the asker's scope, oldest first."""
    return items(standing.listed(paging(query), by=principal(), **query))


@requests_api.post("/consultation-requests")
@allow("request.submit")
@once
@requests_api.arguments(RequestEntry)
@requests_api.response(201, RequestSchema)
def submit(entered: Json) -> RequestView:
    """Ask a group to discuss a case; what lacks is answered at once."""
    return _answer(panels.submit(entered, by=principal()))


@requests_api.get("/consultation-requests/<uuid:request_id>")
@allow("request.read")
@requests_api.response(200, RequestSchema)
def one(request_id: UUID) -> RequestView:
    """Read one request."""
    return _answer(standing.read(request_id, by=principal()))


@requests_api.patch("/consultation-requests/<uuid:request_id>")
@allow("request.submit")
@requests_api.arguments(RequestCorrection(partial=True))
@requests_api.response(200, RequestSchema)
def change(changes: Json, request_id: UUID) -> RequestView:
    """Complete or correct a request; a returned one is submitted again."""
    return _answer(panels.change(request_id, changes, by=principal(), expected=expected(required=True)))


@requests_api.post("/consultation-requests/<uuid:request_id>/triage")
@allow("request.triage")
@requests_api.arguments(TriageEntry)
@requests_api.response(200, RequestSchema)
def triage(entered: Json, request_id: UUID) -> RequestView:
    """Accept, send back or decline a request."""
    decision, reason = entered["decision"], entered.get("reason")
    return _answer(panels.triage(request_id, decision, reason, by=principal(), expected=expected()))


@requests_api.post("/consultation-requests/<uuid:request_id>/allocation")
@allow("request.allocate")
@once
@requests_api.arguments(AllocationEntry)
@requests_api.response(200, RequestSchema)
def allocate(wish: Json, request_id: UUID) -> RequestView:
    """Allocate a slot: the one named, or the one that the group's policy chooses; with none free the request waits."""
    return _answer(panels.allocate(request_id, slot_id=wish.get("slot"), by=principal(), expected=expected()))


@requests_api.delete("/consultation-requests/<uuid:request_id>/allocation")
@allow("request.allocate")
@requests_api.response(200, RequestSchema)
def release(request_id: UUID) -> RequestView:
    """Take the slot, or the place on the waiting list, back."""
    return _answer(panels.release(request_id, by=principal(), expected=expected()))


@requests_api.post("/consultation-requests/<uuid:request_id>/withdrawal")
@allow("request.withdraw")
@requests_api.arguments(Nothing)
@requests_api.response(200, RequestSchema)
def withdraw(_nothing: Json, request_id: UUID) -> RequestView:
    """Withdraw a request; a slot that it held is free."""
    return _answer(panels.withdraw(request_id, by=principal(), expected=expected()))


@requests_api.post("/consultation-requests/<uuid:request_id>/outcome")
@allow("request.triage")
@requests_api.arguments(OutcomeEntry)
@requests_api.response(200, RequestSchema)
def outcome(entered: Json, request_id: UUID) -> RequestView:
    """Record the date of the advice, which closes the request; or that it was not reached: it waits first in line."""
    if entered.get("reached", True):
        return _answer(panels.advised(request_id, entered["advised_on"], by=principal(), expected=expected()))
    return _answer(panels.not_reached(request_id, by=principal(), expected=expected()))


def _answer(view: RequestView) -> RequestView:
    return versioned(view, view.request)
