"""/webinar-requests: a reference centre asks for a webinar or a web conference."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields
from marshmallow.validate import Length

from conference_orchestrator.flows import webinars
from conference_orchestrator.scheduling.webinar_requests import Kind, State, WebinarRequest
from conference_orchestrator.web.fields import (
    Choice,
    Count,
    Country,
    Instant,
    Item,
    Language,
    Number,
    OneLine,
    Reference,
    Text,
)
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

webinars_api = Resource("webinar-requests", "A reference centre asks for a webinar or a web conference.")


class AudienceEntry(Form):
    """Whom it is for, within the hospital's networks; an empty list narrows nothing."""

    networks = fields.List(Reference())
    countries = fields.List(Country())
    specialties = fields.List(Item())


class WebinarEntry(Form):
    """A webinar or a web conference to be held; language, length and audience default to the network's usual ones."""

    hospital = Reference(required=True)
    kind = Choice(Kind, required=True)
    topic = OneLine(required=True)
    language = Language()
    duration_minutes = Count(10, 1439)
    preferred = fields.List(Instant(), validate=Length(max=10))
    expected_audience = Count(1, 100_000)
    audience = fields.Nested(AudienceEntry)
    speakers = fields.List(Reference(), validate=Length(max=50))
    credits = Number(allow_none=True)


class AudienceSchema(Schema):
    """Whom it is for."""

    networks = fields.List(fields.String())
    countries = fields.List(fields.String())
    specialties = fields.List(fields.String())


class WebinarSchema(Schema):
    """A request for a webinar or a web conference."""

    id = fields.UUID()
    hospital = fields.UUID(attribute="hospital_id")
    hospital_code = fields.String(attribute="hospital.code")
    kind = fields.String()
    topic = fields.String()
    language = fields.String()
    duration_minutes = fields.Integer()
    preferred = fields.List(fields.String(metadata={"format": "date-time"}))
    expected_audience = fields.Integer()
    audience = fields.Nested(AudienceSchema)
    speakers = fields.List(fields.String())
    credits = fields.Float(allow_none=True)
    state = fields.String(metadata={"enum": [str(state) for state in State]})
    starts_at = Instant(allow_none=True)
    reason = fields.String(allow_none=True)
    conference = fields.UUID(attribute="conference.id", dump_default=None, allow_none=True)
    created_at = Instant()
    decided_at = Instant(allow_none=True)


class WebinarQuery(Paged):
    """Which requests."""

    state = Choice(State)


class ApprovalEntry(Form):
    """When it is held."""

    starts_at = Instant(required=True)


class WebinarRefusal(Form):
    """Why it is not held; the centre is told."""

    reason = Text(2000, required=True)


@webinars_api.get("/webinar-requests")
@allow("webinar.read")
@webinars_api.query(WebinarQuery)
@webinars_api.response(200, listing(WebinarSchema))
def listed(query: Json) -> Json:
    """List the requests within the asker's scope, oldest first."""
    return items(webinars.listed(paging(query), by=principal(), **query))


@webinars_api.post("/webinar-requests")
@allow("webinar.submit")
@once
@webinars_api.arguments(WebinarEntry)
@webinars_api.response(201, WebinarSchema)
def submit(entered: Json) -> WebinarRequest:
    """Ask for a webinar or a web conference; only a reference centre may."""
    return versioned(webinars.submit(entered, by=principal()))


@webinars_api.get("/webinar-requests/<uuid:request_id>")
@allow("webinar.read")
@webinars_api.response(200, WebinarSchema)
def one(request_id: UUID) -> WebinarRequest:
    """Read one request."""
    return versioned(webinars.get(request_id, by=principal()))


@webinars_api.post("/webinar-requests/<uuid:request_id>/approval")
@allow("webinar.decide")
@once
@webinars_api.arguments(ApprovalEntry)
@webinars_api.response(200, WebinarSchema)
def approve(entered: Json, request_id: UUID) -> WebinarRequest:
    """Hold it at that time; 409 with `next_free` when every host account is busy then."""
    return versioned(webinars.approve(request_id, entered["starts_at"], by=principal(), expected=expected()))


@webinars_api.post("/webinar-requests/<uuid:request_id>/refusal")
@allow("webinar.decide")
@once
@webinars_api.arguments(WebinarRefusal)
@webinars_api.response(200, WebinarSchema)
def refuse(entered: Json, request_id: UUID) -> WebinarRequest:
    """Turn the request down, with the reason that the centre is told."""
    return versioned(webinars.refuse(request_id, entered["reason"], by=principal(), expected=expected()))
