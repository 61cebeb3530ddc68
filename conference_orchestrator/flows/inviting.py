"""Who is invited to a conference, and which calendar object each person gets.

The members of a group and a session's substitutes get the session, a requester only the 20 minutes of the own case, an
audience the webinar. Who is wanted is read from the group, the roster, the allocations and the webinar request each
time; the ledger knows who holds what, and the difference is what goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import cast
from uuid import UUID

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.delivering import draft, message_id, to_clinician
from conference_orchestrator.flows.hosting import issue_later
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import Content, Method, Step
from conference_orchestrator.ledger.messages import Draft
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import MemberRole
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import conferences, requests, rosters, sessions, webinar_requests
from conference_orchestrator.scheduling.conferences import Conference


@dataclass(frozen=True, kw_only=True)
class Event:
    """One calendar object of a conference and the people who should hold it, with the role of each."""

    uid: str
    starts_at: datetime
    ends_at: datetime
    people: dict[UUID, str]
    slot_id: UUID | None = None
    group_name: str | None = None
    topic: str | None = None
    case_reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Invited:
    """One person of a conference: the role, the slot (None for the whole), the answer so far."""

    clinician: Clinician
    role: str
    slot_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    answer: str | None


def session_uid(session_id: UUID) -> str:
    """The UID that the experts of a session hold."""
    return f"session-{session_id}"


def request_uid(request_id: UUID) -> str:
    """The UID that the requester of a case holds: another slot is an update of it."""
    return f"request-{request_id}"


def webinar_uid(request_id: UUID) -> str:
    """The UID that the audience of a webinar or web conference holds."""
    return f"webinar-{request_id}"


def issue(conference_id: UUID) -> None:
    """Send everyone concerned the calendar object that differs from what the person holds, and nobody else anything.

    Nothing is sent about a conference that is over. Before the meeting has a link nobody is invited, but whoever is
    not wanted any more is told at once.
    """
    with transaction() as tx:
        conference = conferences.get(conference_id, visible_to=SYSTEM, lock=True)
        if conference.ends_at <= tx.now:
            return
        events = {event.uid: event for event in events_of(conference)}
        known = clinicians.by_ids({person for event in events.values() for person in event.people})
        drafts: list[Draft] = []
        for uid in sorted(events.keys() | set(invitations.uids_of(conference.id))):
            event = events.get(uid)
            if event is None and _is_invited_elsewhere(uid, conference):
                continue
            # Who was erased is invited to nothing, and what the person held is taken back in the ledger alone.
            wanted = {person: role for person, role in event.people.items() if person in known} if event else {}
            steps = invitations.issue(uid, _content(event, conference), wanted, conference_id=conference.id, at=tx.now)
            drafts += _drafts(steps, conference, at=tx.now)
        delivering.tell(tx, *drafts)


def refresh_group(group_id: UUID) -> None:
    """The members of a group changed: look again at every coming conference of its sessions."""
    with transaction() as tx:
        for conference_id in conferences.coming_of_group(group_id, now=tx.now):
            tx.after(issue_later(conference_id))


def events_of(conference: Conference) -> list[Event]:
    """The calendar objects of the conference as they should be; none when it is not wanted."""
    if not conference.is_wanted:
        return []
    if conference.session_id is not None:
        return _panel(conference.session_id)
    assert conference.webinar_request_id is not None
    return [_webinar(conference, conference.webinar_request_id)]


def people(conference_id: UUID, *, by: Principal) -> list[Invited]:
    """Who should be at the conference, and what each answered."""
    conference = conferences.get(conference_id, visible_to=by)
    events = events_of(conference)
    known = clinicians.by_ids({person for event in events for person in event.people})
    answers = invitations.answers_by_person([event.uid for event in events])
    return [
        Invited(
            clinician=known[person],
            role=role,
            slot_id=event.slot_id,
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            answer=answers.get((event.uid, person)),
        )
        for event in events
        for person, role in event.people.items()
        if person in known
    ]


def _panel(session_id: UUID) -> list[Event]:
    session = sessions.get(session_id)
    group = expert_groups.get(session.group_id, visible_to=SYSTEM)
    members = [m.clinician_id for m in expert_groups.members(group.id) if m.role != MemberRole.SUBSTITUTE]
    substitutes = [one.clinician_id for one in rosters.substitutes_of([session.id]).get(session.id, ())]
    events = [
        Event(
            uid=session_uid(session.id),
            starts_at=session.starts_at,
            ends_at=session.ends_at,
            people=dict.fromkeys([*members, *substitutes], "expert"),
            group_name=group.name,
        )
    ]
    for request in requests.holding_slots_of(session.id):
        assert request.allocation is not None
        slot = request.allocation.slot
        attending = [request.requester_id, *(UUID(one) for one in request.attendees)]
        events.append(
            Event(
                uid=request_uid(request.id),
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
                people=dict.fromkeys(attending, "requester"),
                slot_id=slot.id,
                group_name=group.name,
                case_reference=request.case_reference,
            )
        )
    return events


def _webinar(conference: Conference, request_id: UUID) -> Event:
    request = webinar_requests.get(request_id, visible_to=SYSTEM)
    networks = [n.id for n in request.hospital.networks]
    chosen = request.audience
    audience = clinicians.audience(
        [UUID(n) for n in chosen.get("networks", [])] or networks,
        countries=chosen.get("countries", []),
        specialties=chosen.get("specialties", []),
    )
    return Event(
        uid=webinar_uid(request.id),
        starts_at=conference.starts_at,
        ends_at=conference.ends_at,
        people=dict.fromkeys(audience, "audience") | {UUID(one): "speaker" for one in request.speakers},
        topic=conference.title,
    )


def _content(event: Event | None, conference: Conference) -> Content | None:
    link = conference.link_for_people
    if event is None or link is None:
        return None
    return Content(
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        join_url=link,
        group_name=event.group_name,
        topic=event.topic,
        case_reference=event.case_reference,
    )


def _is_invited_elsewhere(uid: str, conference: Conference) -> bool:
    """Whether the request behind the UID has a slot of another session that people can be told of already."""
    request_id = uid.removeprefix("request-")
    if request_id == uid:
        return False
    other = conferences.of_request(UUID(request_id))
    return other is not None and other.id != conference.id and other.link_for_people is not None


def _drafts(steps: Sequence[Step], conference: Conference, *, at: datetime) -> list[Draft]:
    known = clinicians.by_ids(step.invitation.clinician_id for step in steps)
    return [
        _draft(step, known[step.invitation.clinician_id], conference, at=at)
        for step in steps
        if step.invitation.clinician_id in known
    ]


def _draft(step: Step, person: Clinician, conference: Conference, *, at: datetime) -> Draft:
    invitation = step.invitation
    message = draft(
        _facts(step, conference, at=at),
        to=to_clinician(person),
        cause=f"{invitation.uid}:{step.sequence}:{step.method}",
        conference_id=conference.id,
        link_subject=invitation.id,
        chain=f"{invitation.uid}:{person.id}",
        number=invitation.number,
        references=invitation.first_message,
        rank=Rank.URGENT,
    )
    if invitation.first_message is None:
        invitation.first_message = message_id(message.id)
    return message


def _facts(step: Step, conference: Conference, *, at: datetime) -> kinds.EventFacts:
    if step.method == Method.CANCEL:
        kind: type[kinds.EventFacts] = kinds.InvitationCancel
    else:
        kind = kinds.Invitation if step.is_new else kinds.InvitationUpdate
    name, address = parseaddr(ports.settings().reply_to)
    said = step.invitation.answer
    return kind(
        uid=step.object.uid,
        sequence=step.sequence,
        dtstamp=at,
        starts_at=step.object.starts_at,
        ends_at=step.object.ends_at,
        time_zone=conference.time_zone,
        role=cast("kinds.Role", step.invitation.role),
        group_name=step.object.group_name,
        topic=step.object.topic,
        case_reference=step.object.case_reference,
        join_url=None if step.method == Method.CANCEL else step.object.join_url,
        organizer_name=name or "Helpdesk",
        organizer_address=address,
        what_changed=step.changed,
        previous_starts_at=step.previous_start,
        reason=None if conference.is_wanted else conference.reason,
        attendee_status=cast("kinds.Answer", said.upper()) if said else "NEEDS-ACTION",
    )
