"""/contact: anybody writes to the helpdesk of a network; the helpdesk sees what waits for an answer."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import contacting
from conference_orchestrator.network.contact_messages import ContactMessage, State
from conference_orchestrator.web import captcha
from conference_orchestrator.web.api.registrations import ReceivedSchema
from conference_orchestrator.web.fields import Choice, FreeText, Instant, OneLine, Reference
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Nothing, Paged, Resource, items, listing, paging
from conference_orchestrator.web.limits import limited
from conference_orchestrator.web.policy import allow, principal

contact_api = Resource("contact", "Questions to the helpdesk of a network.")
LONGEST = 5000


class ContactEntry(Form):
    """A question, and the address to answer to."""

    network = Reference(required=True)
    name = OneLine(required=True)
    email = OneLine(254, required=True)
    message = FreeText(LONGEST, required=True)
    altcha = fields.String(metadata={"description": "The solution of the challenge of /api/v1/captcha."})


class ContactSchema(Schema):
    """A question as it was entered."""

    id = fields.UUID()
    network = fields.UUID(attribute="network_id")
    name = fields.String()
    email = fields.String()
    message = fields.String()
    state = fields.String(metadata={"enum": [str(state) for state in State]})
    created_at = Instant()
    resolved_at = Instant(allow_none=True)


class ContactQuery(Paged):
    """Which questions; `state=open` are those that wait for an answer."""

    state = Choice(State)


@contact_api.post("/contact")
@allow("contact.write")
@limited("contact", most=30, within=timedelta(hours=1))
@once
@contact_api.arguments(ContactEntry)
@contact_api.response(202, ReceivedSchema)
def write(entered: Json) -> Json:
    """Write to the helpdesk. It answers by mail."""
    captcha.check(entered.pop("altcha", None))
    contacting.write(entered)
    return {"status": "received"}


@contact_api.get("/contact")
@allow("contact.read")
@contact_api.query(ContactQuery)
@contact_api.response(200, listing(ContactSchema))
def listed(query: Json) -> Json:
    """List the questions in the order in which they came."""
    return items(contacting.listed(paging(query), state=query.get("state"), by=principal()))


@contact_api.post("/contact/<uuid:message_id>/resolution")
@allow("contact.resolve")
@contact_api.arguments(Nothing)
@contact_api.response(200, ContactSchema)
def resolve(_entered: Json, message_id: UUID) -> ContactMessage:
    """Be done with a question."""
    return contacting.resolve(message_id, by=principal())
