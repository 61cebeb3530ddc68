"""/inbound-mails: what came into the mailbox for answers and bounces, and what became of it."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import reading_post
from conference_orchestrator.ledger.inbound import InboundMail, Kind, State
from conference_orchestrator.web.fields import Choice, Instant
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, items, listing, paging
from conference_orchestrator.web.policy import allow, principal

inbound_api = Resource("inbound-mails", "Mail that came in: answers, bounces, and what the helpdesk has to look at.")


class InboundSchema(Schema):
    """A mail that came in. `address` is what it says who sent it; the mail itself stays in the mailbox."""

    id = fields.UUID()
    kind = fields.String(metadata={"enum": [str(kind) for kind in Kind]})
    state = fields.String(metadata={"enum": [str(state) for state in State]})
    address = fields.String(allow_none=True)
    subject = fields.String()
    detail = fields.String(metadata={"description": "What became of it, and why."})
    message_id = fields.String(allow_none=True)
    clinician = fields.UUID(attribute="clinician_id", allow_none=True)
    conference = fields.UUID(attribute="conference_id", allow_none=True)
    proposed_starts_at = Instant(allow_none=True)
    proposed_ends_at = Instant(allow_none=True)
    read_at = Instant(attribute="created_at")
    resolved_at = Instant(allow_none=True)


class InboundQuery(Paged):
    """Which mails; `state=open` are those that the helpdesk has to look at."""

    state = Choice(State)
    kind = Choice(Kind)


class Action(StrEnum):
    """What the helpdesk says of an open mail."""

    DONE = "done"


class InboundResolution(Form):
    """That the mail was seen to."""

    action = Choice(Action, required=True)


@inbound_api.get("/inbound-mails")
@allow("inbound.read")
@inbound_api.query(InboundQuery)
@inbound_api.response(200, listing(InboundSchema))
def listed(query: Json) -> Json:
    """List the mails in the order in which they were read."""
    return items(reading_post.listed(paging(query), state=query.get("state"), kind=query.get("kind"), by=principal()))


@inbound_api.get("/inbound-mails/<uuid:mail_id>")
@allow("inbound.read")
@inbound_api.response(200, InboundSchema)
def one(mail_id: UUID) -> InboundMail:
    """Read one mail."""
    return reading_post.get(mail_id, by=principal())


@inbound_api.post("/inbound-mails/<uuid:mail_id>/resolution")
@allow("inbound.resolve")
@inbound_api.arguments(InboundResolution)
@inbound_api.response(200, InboundSchema)
def resolve(_entered: Json, mail_id: UUID) -> InboundMail:
    """Be done with an open mail."""
    return reading_post.resolve(mail_id, by=principal())
