"""Who is invited to a conference, and which calendar object each person gets.

The members of a group and a session's substitutes get the session, a requester only the 20 minutes of the own case, an
audience the webinar; where its places are limited, the link comes with the place. Who is wanted is read from the group,
the roster, the allocations, the webinar request and its registrations each time; the ledger knows who holds what, and
the difference is what goes out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from typing import cast
from uuid import UUID

from conference_orchestrator.flows import attending, delivering, entering, registering
from conference_orchestrator.flows.delivering import draft, message_id, to_clinician
from conference_orchestrator.flows.hosting import issue_later, issue_series_later, tell_of_series
from conference_orchestrator.kernel import ports, times
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations, series_calendars
from conference_orchestrator.ledger.invitations import REPAIRED, UNREGISTERED, Content, Method, Step
from conference_orchestrator.ledger.messages import Draft
from conference_orchestrator.ledger.series_content import SeriesContent
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import MemberRole
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import (
    conferences,
    requests,
    rosters,
    series,
    sessions,
    webinar_registrations,
    webinar_requests,
)
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.sessions import Session
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest


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
    materials_url: str | None = None
    # Who is told of it as a date of the series, and what these answered to the date already.
    carried: Mapping[UUID, str | None] = field(default_factory=dict)


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
        if conference.webinar_request_id is not None:
            registering.settle(conference.webinar_request_id)
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
            if conference.session_id is not None and uid == session_uid(conference.session_id):
                steps = _by_themselves(steps, event, uid, at=tx.now)
            drafts += _drafts(steps, conference, event, at=tx.now)
            if any(step.invitation.role == "speaker" and step.method == Method.REQUEST for step in steps):
                tx.after(attending.invite_panellists_later(conference.id))
        if conference.session_id is not None:
            session = sessions.get(conference.session_id)
            tell_of_series(tx, session.series_id, group_id=session.group_id)
        delivering.tell(tx, *drafts)


def _by_themselves(steps: Sequence[Step], event: Event | None, uid: str, *, at: datetime) -> list[Step]:
    """The steps without those of who is told by the series; an answer to the date holds for the session."""
    carried = event.carried if event else {}
    for step in steps:
        if step.is_new and (said := carried.get(step.invitation.clinician_id)):
            step.invitation.answer, step.invitation.answered_at = said, at
    return invitations.carry(uid, steps, carried.keys(), at=at)


def tell_materials(tx: Transaction, request: WebinarRequest) -> None:
    """Send everybody who has the link to the webinar one update with the new materials; nothing before there is one."""
    if request.conference is None:
        return
    conference = conferences.get(request.conference.id, visible_to=SYSTEM)
    steps = invitations.repeat(webinar_uid(request.id), "materials", at=tx.now) if conference.link_for_people else []
    told = _drafts(steps, conference, _webinar(conference, request.id), at=tx.now)
    delivering.tell(tx, *told)


def repaired(clinician_id: UUID, *, now: datetime) -> list[Draft]:
    """The mails that send the person again the objects that the person holds."""
    found: list[Draft] = []
    for step in invitations.repair(clinician_id, at=now):
        conference = conferences.get(step.invitation.conference_id, visible_to=SYSTEM)
        events = {event.uid: event for event in events_of(conference)}
        found += _drafts([step], conference, events.get(step.invitation.uid), at=now)
    return found


def refresh_group(group_id: UUID) -> None:
    """The members of a group changed: look again at every coming conference of its sessions."""
    with transaction() as tx:
        for conference_id in conferences.coming_of_group(group_id, now=tx.now):
            tx.after(issue_later(conference_id))
        # Who was the last to hold a series as one object has to lose it.
        tx.after(*(issue_series_later(one.id) for one in series.of_group(group_id)))


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
    places = expert_groups.members(group.id)
    members = [m.clinician_id for m in places if m.role != MemberRole.SUBSTITUTE]
    substitutes = [one.clinician_id for one in rosters.substitutes_of([session.id]).get(session.id, ())]
    events = [
        Event(
            uid=session_uid(session.id),
            starts_at=session.starts_at,
            ends_at=session.ends_at,
            people=dict.fromkeys([*members, *substitutes], "expert"),
            group_name=group.name,
            carried=_carried(session, expert_groups.series_holders(places)),
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


def _carried(session: Session, holders: Collection[UUID]) -> dict[UUID, str | None]:
    """Who of the holders of series is told of the session as a date of it, with the answer to that date."""
    if not holders or not _is_of_a_series(session):
        return {}
    key = (session.series_id, session.occurrence_on)
    said = series_calendars.answers_to([key]).get(key, {})
    return {person: said.get(person) for person in holders}


def _is_of_a_series(session: Session) -> bool:
    """Whether the rule gives its date, the present one or one that held before, and a calendar can express it."""
    of = series.get(session.series_id)
    if times.clock_rule(of.time_zone) is not None and of.has_date(session.occurrence_on):
        return True
    objects = series_calendars.open_of_series(of.id)
    return any(SeriesContent.from_json(one.content).covers(session.occurrence_on) for one in objects)


def _webinar(conference: Conference, request_id: UUID) -> Event:
    request = webinar_requests.get(request_id, visible_to=SYSTEM)
    networks = [n.id for n in request.hospital.networks]
    chosen = request.audience
    audience = clinicians.audience(
        [UUID(n) for n in chosen.get("networks", [])] or networks,
        countries=chosen.get("countries", []),
        specialties=chosen.get("specialties", []),
    )
    states = webinar_registrations.states_of(request.id)
    invited = dict.fromkeys([*audience, *states], "audience")
    if request.capacity is not None:
        registered = webinar_registrations.State.REGISTERED
        invited |= {person: UNREGISTERED for person in invited if states.get(person) != registered}
    return Event(
        uid=webinar_uid(request.id),
        starts_at=conference.starts_at,
        ends_at=conference.ends_at,
        people=invited | {UUID(one): "speaker" for one in request.speakers},
        topic=conference.title,
        materials_url=request.materials_url,
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


def _drafts(steps: Sequence[Step], conference: Conference, event: Event | None, *, at: datetime) -> list[Draft]:
    materials_url = event.materials_url if event else None
    known = clinicians.by_ids(step.invitation.clinician_id for step in steps)
    return [
        _draft(step, known[step.invitation.clinician_id], conference, materials_url=materials_url, at=at)
        for step in steps
        if step.invitation.clinician_id in known
    ]


def _draft(step: Step, person: Clinician, conference: Conference, *, materials_url: str | None, at: datetime) -> Draft:
    invitation = step.invitation
    # What is sent again without another SEQUENCE is another message all the same.
    repeated = f":{invitation.number}" if step.changed in {("materials",), (REPAIRED,)} else ""
    message = draft(
        _facts(step, conference, materials_url=materials_url, at=at),
        to=to_clinician(person),
        cause=f"{invitation.uid}:{step.sequence}:{step.method}{repeated}",
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


def _facts(step: Step, conference: Conference, *, materials_url: str | None, at: datetime) -> kinds.EventFacts:
    if step.method == Method.CANCEL:
        kind: type[kinds.EventFacts] = kinds.InvitationCancel
    else:
        kind = kinds.Invitation if step.is_new else kinds.InvitationUpdate
    name, address = parseaddr(ports.settings().reply_to)
    said, role = step.invitation.answer, step.invitation.role
    has_link = step.method == Method.REQUEST and role != UNREGISTERED
    is_personal = has_link and entering.has_personal_links(conference.provider)
    return kind(
        uid=step.object.uid,
        sequence=step.sequence,
        dtstamp=at,
        starts_at=step.object.starts_at,
        ends_at=step.object.ends_at,
        time_zone=conference.time_zone,
        role=cast("kinds.Role", "audience" if role == UNREGISTERED else role),
        group_name=step.object.group_name,
        topic=step.object.topic,
        case_reference=step.object.case_reference,
        join_url=step.object.join_url if has_link and not is_personal else None,
        has_personal_link=is_personal,
        organizer_name=name or "Helpdesk",
        organizer_address=address,
        what_changed=step.changed,
        previous_starts_at=step.previous_start,
        reason=None if conference.is_wanted else conference.reason,
        attendee_status=cast("kinds.Answer", said.upper()) if said else "NEEDS-ACTION",
        materials_url=materials_url if has_link else None,
        needs_registration=role == UNREGISTERED,
    )
