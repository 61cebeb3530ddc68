"""/conferences: our record of each video meeting, who is invited and what they answered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import access, conferencing, host_keys, inviting, moving
from conference_orchestrator.flows.access import Known
from conference_orchestrator.flows.conferencing import ConferenceView
from conference_orchestrator.flows.host_keys import HostKey
from conference_orchestrator.flows.inviting import Invited
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.paging import part
from conference_orchestrator.kernel.principal import Role
from conference_orchestrator.scheduling.conferences import State
from conference_orchestrator.web.fields import Choice, FreeText, Instant, OneLine
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

conferences_api = Resource("conferences", "The video meeting wanted for a session, a webinar or a web conference.")


class InvitationsSchema(Schema):
    """How many hold an invitation, and what they answered."""

    sent = fields.Integer()
    accepted = fields.Integer()
    declined = fields.Integer()
    tentative = fields.Integer()
    none = fields.Integer()


class ConferenceSchema(Schema):
    """A conference. `join_url` is null for who may not join, and before the meeting is ready."""

    id = fields.UUID()
    kind = fields.String(metadata={"enum": ["session", "webinar", "web-conference"]})
    title = fields.String()
    network = fields.UUID()
    session = fields.UUID(allow_none=True)
    webinar_request = fields.UUID(allow_none=True)
    state = fields.String(metadata={"enum": [str(state) for state in State]})
    provider = fields.String()
    host = fields.String(allow_none=True)
    join_url = fields.String(allow_none=True)
    starts_at = Instant()
    ends_at = Instant()
    time_zone = fields.String()
    audience_size = fields.Integer()
    invitations = fields.Nested(InvitationsSchema)
    problem = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)


class InvitedSchema(Schema):
    """One person of a conference; `slot` is null for the whole of it, `answer` until there is one."""

    clinician = fields.UUID()
    name = fields.String()
    email = fields.String(allow_none=True)
    role = fields.String()
    slot = fields.UUID(allow_none=True)
    starts_at = Instant()
    ends_at = Instant()
    answer = fields.String(allow_none=True)


class ConferenceQuery(Paged):
    """Which conferences; without from and to those that have not ended."""

    from_at = Instant(data_key="from")
    until_at = Instant(data_key="to")
    state = Choice(State)


class ConferenceCancellation(Form):
    """Why; everyone invited is told."""

    reason = FreeText(2000, required=True)


class OtherProvider(Form):
    """The provider, by its entry-point name, at which the conference is to be held from now on."""

    provider = OneLine(64, required=True)


class HostKeySchema(Schema):
    """The host account and its key for this meeting."""

    host = fields.String(allow_none=True)
    host_key = fields.String()


@conferences_api.get("/conferences")
@allow("conference.read")
@conferences_api.query(ConferenceQuery)
@conferences_api.response(200, listing(ConferenceSchema))
def listed(query: Json) -> Json:
    """List the conferences by start; without from and to those that have not ended."""
    return items(conferencing.listed(paging(query), by=principal(), **query), _shown)


@conferences_api.get("/conferences/<uuid:conference_id>")
@allow("conference.read")
@conferences_api.response(200, ConferenceSchema)
def one(conference_id: UUID) -> Json:
    """Read one conference."""
    return _answer(conferencing.conference(conference_id, by=principal()))


@conferences_api.get("/conferences/<uuid:conference_id>/participants")
@allow("conference.read")
@conferences_api.query(Paged)
@conferences_api.response(200, listing(InvitedSchema))
def participants(query: Json, conference_id: UUID) -> Json:
    """List who should be there, and what each answered."""
    known = access.knowledge_of(principal())
    invited = inviting.people(conference_id, by=principal())
    page = part(invited, paging(query), key=lambda each: f"{each.clinician.id} {each.slot_id}")
    return items(page, lambda each: _invited(each, known(each.clinician)))


@conferences_api.post("/conferences/<uuid:conference_id>/cancellation")
@allow("conference.change")
@conferences_api.arguments(ConferenceCancellation)
@conferences_api.response(200, ConferenceSchema)
def cancel(entered: Json, conference_id: UUID) -> Json:
    """Give a webinar's or web conference's meeting up; that of a session goes with the session."""
    return _answer(conferencing.cancel(conference_id, entered["reason"], by=principal(), expected=expected()))


@conferences_api.post("/conferences/<uuid:conference_id>/retry")
@allow("conference.change")
@conferences_api.arguments(Nothing)
@conferences_api.response(200, ConferenceSchema)
def retry(_nothing: Json, conference_id: UUID) -> Json:
    """Try again what was given up at the provider."""
    return _answer(conferencing.retry(conference_id, by=principal(), expected=expected()))


@conferences_api.post("/conferences/<uuid:conference_id>/provider")
@allow("conference.change")
@conferences_api.arguments(OtherProvider)
@conferences_api.response(200, ConferenceSchema)
def move_to_provider(entered: Json, conference_id: UUID) -> Json:
    """Hold the conference at another provider; everyone gets the new link as an update of the invitation."""
    moved = moving.move_to_provider(conference_id, entered["provider"], by=principal(), expected=expected())
    return _answer(moved)


@conferences_api.get("/conferences/<uuid:conference_id>/host-key")
@allow("conference.host-key")
@conferences_api.response(200, HostKeySchema)
def host_key(conference_id: UUID) -> HostKey:
    """Read what makes its reader host of the meeting; a coordinator from an hour before the start until the end."""
    return host_keys.host_key(conference_id, by=principal())


def _answer(view: ConferenceView) -> Json:
    return versioned(_shown(view), view.conference)


def _shown(view: ConferenceView) -> dict[str, Any]:
    found = view.conference
    return {
        **{name: getattr(found, name) for name in ("id", "kind", "title", "state", "provider", "host", "reason")},
        **{name: getattr(found, name) for name in ("starts_at", "ends_at", "time_zone")},
        "network": found.network_id,
        "session": found.session_id,
        "webinar_request": found.webinar_request_id,
        "join_url": _join_url(view),
        "audience_size": view.audience_size,
        "invitations": view.answers,
        "problem": found.problem if principal().role == Role.HELPDESK else None,
    }


def _join_url(view: ConferenceView) -> str | None:
    """The helpdesk sees the link always, the auditor never, others of their own while it is of use."""
    role, found = principal().role, view.conference
    if role == Role.HELPDESK:
        return found.join_url
    is_over = found.ends_at <= ports.clock().now()
    return None if role == Role.AUDITOR or is_over else found.link_for_people


def _invited(each: Invited, known: Known) -> dict[str, Any]:
    return {
        "clinician": each.clinician.id,
        "name": known.name,
        "email": known.email,
        "role": each.role,
        "slot": each.slot_id,
        "starts_at": each.starts_at,
        "ends_at": each.ends_at,
        "answer": each.answer,
    }
