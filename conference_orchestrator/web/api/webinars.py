"""/webinar-requests: a reference centre asks for a webinar or a web conference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length

from conference_orchestrator.flows import registering, webinars
from conference_orchestrator.flows.registering import Registrations
from conference_orchestrator.kernel.principal import Role
from conference_orchestrator.scheduling.webinar_requests import Kind, State, WebinarRequest
from conference_orchestrator.web.fields import (
    Choice,
    Count,
    Country,
    Flag,
    FreeLine,
    FreeText,
    Instant,
    Item,
    Language,
    Link,
    Number,
    Reference,
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


# Who runs the webinar hands the registration link on.
ORGANIZERS = {Role.REFERENCE_CENTRE, Role.HELPDESK}


def _open_to_all(url: str) -> None:
    """The address goes to the whole audience: encrypted, and with nobody's credentials in it."""
    try:
        parts = urlsplit(url)
        has_credentials = "@" in parts.netloc
    except ValueError as error:
        raise ValidationError("Must be an address that begins with https://.") from error
    if parts.scheme != "https" or not parts.hostname:
        raise ValidationError("Must be an address that begins with https://.")
    if has_credentials:
        raise ValidationError("Must not contain a user name or password: it is sent to everybody who attends.")


class AudienceEntry(Form):
    """Whom it is for, within the hospital's networks; an empty list narrows nothing."""

    networks = fields.List(Reference())
    countries = fields.List(Country())
    specialties = fields.List(Item())


class WebinarEntry(Form):
    """A webinar or a web conference to be held; language, length and audience default to the network's usual ones."""

    hospital = Reference(required=True)
    kind = Choice(Kind, required=True)
    topic = FreeLine(required=True)
    language = Language()
    duration_minutes = Count(10, 1439)
    preferred = fields.List(Instant(), validate=Length(max=10))
    expected_audience = Count(1, 100_000)
    audience = fields.Nested(AudienceEntry)
    speakers = fields.List(Reference(), validate=Length(max=50))
    credits = Number(allow_none=True)
    capacity = Count(1, 100_000, allow_none=True)
    materials_url = Link(allow_none=True, validate=_open_to_all)


class WebinarChanges(Form):
    """How many may attend (null: all who are invited), and where the materials are."""

    capacity = Count(1, 100_000, allow_none=True)
    materials_url = Link(allow_none=True, validate=_open_to_all)


class AudienceSchema(Schema):
    """Whom it is for."""

    networks = fields.List(fields.String())
    countries = fields.List(fields.String())
    specialties = fields.List(fields.String())


class RegistrationsSchema(Schema):
    """How the places stand; `capacity` is null without a limit."""

    registered = fields.Integer()
    waiting = fields.Integer()
    capacity = fields.Integer(allow_none=True)


@dataclass(frozen=True)
class Shown:
    """A request as it is answered to one asker."""

    request: WebinarRequest
    registrations: Registrations
    registration_url: str | None


class WebinarSchema(Schema):
    """A request for a webinar or a web conference. `registration_url` is null before the approval."""

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
    capacity = fields.Integer(allow_none=True)
    materials_url = fields.String(allow_none=True)
    registration_url = fields.String(allow_none=True)
    registrations = fields.Nested(RegistrationsSchema)
    state = fields.String(metadata={"enum": [str(state) for state in State]})
    starts_at = Instant(allow_none=True)
    reason = fields.String(allow_none=True)
    conference = fields.UUID(attribute="conference.id", dump_default=None, allow_none=True)
    created_at = Instant()
    decided_at = Instant(allow_none=True)

    def get_attribute(self, obj: Shown, attr: str, default: Any) -> Any:
        """All but what is about registering is the request's own."""
        is_own = attr in {"registrations", "registration_url"}
        return super().get_attribute(obj if is_own else obj.request, attr, default)


class WebinarQuery(Paged):
    """Which requests."""

    state = Choice(State)


class ApprovalEntry(Form):
    """When it is held; an urgent one may take a host account of the reserve."""

    starts_at = Instant(required=True)
    urgent = Flag()


class WebinarRefusal(Form):
    """Why it is not held; the centre is told."""

    reason = FreeText(2000, required=True)


@webinars_api.get("/webinar-requests")
@allow("webinar.read")
@webinars_api.query(WebinarQuery)
@webinars_api.response(200, listing(WebinarSchema))
def listed(query: Json) -> Json:
    """List the requests within the asker's scope, oldest first."""
    page = webinars.listed(paging(query), by=principal(), **query)
    standing = registering.registrations(page.items)
    return items(page, lambda request: _shown(request, standing[request.id]))


@webinars_api.post("/webinar-requests")
@allow("webinar.submit")
@once
@webinars_api.arguments(WebinarEntry)
@webinars_api.response(201, WebinarSchema)
def submit(entered: Json) -> Shown:
    """Ask for a webinar or a web conference; only a reference centre may."""
    return _answer(webinars.submit(entered, by=principal()))


@webinars_api.get("/webinar-requests/<uuid:request_id>")
@allow("webinar.read")
@webinars_api.response(200, WebinarSchema)
def one(request_id: UUID) -> Shown:
    """Read one request."""
    return _answer(webinars.get(request_id, by=principal()))


@webinars_api.patch("/webinar-requests/<uuid:request_id>")
@allow("webinar.change")
@webinars_api.arguments(WebinarChanges)
@webinars_api.response(200, WebinarSchema)
def change(entered: Json, request_id: UUID) -> Shown:
    """Change the number of places or the materials, until it is over."""
    return _answer(webinars.change(request_id, entered, by=principal(), expected=expected(required=True)))


@webinars_api.post("/webinar-requests/<uuid:request_id>/approval")
@allow("webinar.decide")
@once
@webinars_api.arguments(ApprovalEntry)
@webinars_api.response(200, WebinarSchema)
def approve(entered: Json, request_id: UUID) -> Shown:
    """Hold it at that time; 409 with `next_free` when every host account is busy then."""
    urgent = entered.get("urgent", False)
    return _answer(
        webinars.approve(request_id, entered["starts_at"], urgent=urgent, by=principal(), expected=expected())
    )


@webinars_api.post("/webinar-requests/<uuid:request_id>/refusal")
@allow("webinar.decide")
@once
@webinars_api.arguments(WebinarRefusal)
@webinars_api.response(200, WebinarSchema)
def refuse(entered: Json, request_id: UUID) -> Shown:
    """Turn the request down, with the reason that the centre is told."""
    return _answer(webinars.refuse(request_id, entered["reason"], by=principal(), expected=expected()))


def _answer(request: WebinarRequest) -> Shown:
    return versioned(_shown(request, registering.registrations([request])[request.id]), request)


def _shown(request: WebinarRequest, standing: Registrations) -> Shown:
    return Shown(request, standing, registering.url(request) if principal().role in ORGANIZERS else None)
