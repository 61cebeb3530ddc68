"""/registrations and /captcha: clinicians apply to a network, the helpdesk decides."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import joining
from conference_orchestrator.network import registrations
from conference_orchestrator.network.registrations import Registration, State
from conference_orchestrator.web import captcha
from conference_orchestrator.web.api.people import PersonEntry
from conference_orchestrator.web.fields import Choice, FreeText, Instant, OneLine, Reference
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
from conference_orchestrator.web.limits import limited
from conference_orchestrator.web.policy import allow, principal

registrations_api = Resource("registrations", "Clinicians apply to a network; the helpdesk activates or refuses.")


class RegistrationEntry(PersonEntry):
    """An application. `privacy_version` is the version of the privacy statement that the applicant accepted."""

    network = Reference(required=True)
    privacy_version = OneLine(100, required=True)
    altcha = fields.String(metadata={"description": "The solution of the challenge of /api/v1/captcha."})


class ReceivedSchema(Schema):
    """The same answer for a known address and an unknown one."""

    status = fields.String()


class RegistrationSchema(Schema):
    """An application until it is decided, as it was entered."""

    id = fields.UUID()
    network = fields.UUID(attribute="network_id")
    given_name = fields.String()
    family_name = fields.String()
    email = fields.String()
    phone = fields.String(allow_none=True)
    hospital = fields.UUID(attribute="hospital_id", allow_none=True)
    hospital_name = fields.String()
    country = fields.String()
    profession = fields.String()
    specialties = fields.List(fields.String())
    language = fields.String()
    time_zone = fields.String()
    share = fields.List(fields.String())
    state = fields.String()
    submitted_at = Instant()
    confirmed_at = Instant(allow_none=True)
    due_at = Instant(allow_none=True)
    decided_at = Instant(allow_none=True)
    reason = fields.String(allow_none=True)
    clinician = fields.UUID(attribute="clinician_id", allow_none=True)


class RegistrationQuery(Paged):
    """Which applications."""

    state = Choice(State)


class RefusalEntry(Form):
    """Why the application is refused; the applicant is told."""

    reason = FreeText(2000, required=True)


@registrations_api.get("/captcha")
@allow("captcha.read")
@registrations_api.response(200, description="The challenge, for the altcha widget.")
def challenge() -> Json:
    """Get a challenge; its solution goes into `altcha` of an anonymous form."""
    return captcha.challenge()


@registrations_api.post("/registrations")
@allow("registration.submit")
@limited("registration", most=30, within=timedelta(hours=1))
@once
@registrations_api.arguments(RegistrationEntry)
@registrations_api.response(202, ReceivedSchema)
def submit(entered: Json) -> Json:
    """Apply to a network. The next step comes by mail, whether the address is known or not."""
    captcha.check(entered.pop("altcha", None))
    joining.register(entered)
    return {"status": "check-your-mail"}


@registrations_api.get("/registrations")
@allow("registration.read")
@registrations_api.query(RegistrationQuery)
@registrations_api.response(200, listing(RegistrationSchema))
def listed(query: Json) -> Json:
    """List the applications, oldest first."""
    return items(registrations.listed(paging(query), visible_to=principal(), state=query.get("state")))


@registrations_api.get("/registrations/<uuid:registration_id>")
@allow("registration.read")
@registrations_api.response(200, RegistrationSchema)
def one(registration_id: UUID) -> Registration:
    """Read one application."""
    return versioned(registrations.get(registration_id, visible_to=principal()))


@registrations_api.post("/registrations/<uuid:registration_id>/activation")
@allow("registration.decide")
@once
@registrations_api.arguments(Nothing)
@registrations_api.response(200, RegistrationSchema)
def activate(_nothing: Json, registration_id: UUID) -> Registration:
    """Let the applicant in; the instructions and the participant list go out."""
    return versioned(joining.activate(registration_id, by=principal(), expected=expected()))


@registrations_api.post("/registrations/<uuid:registration_id>/refusal")
@allow("registration.decide")
@once
@registrations_api.arguments(RefusalEntry)
@registrations_api.response(200, RegistrationSchema)
def refuse(entered: Json, registration_id: UUID) -> Registration:
    """Turn the applicant down and tell why."""
    return versioned(joining.refuse(registration_id, entered["reason"], by=principal(), expected=expected()))
