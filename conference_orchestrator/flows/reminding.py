"""Reminders before the start: once for each person and start, and nothing about what is over.

A group says how many hours before its sessions people are reminded; webinars and web conferences have fixed hours.
Whoever holds the calendar object is reminded of the start that it shows, unless the person declined or wants no
reminders at all (see `suppressing`). The row that says so and the message are written together. Of several reminders
that are due at once, as after a downtime, only the latest is sent; the others are written down as dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import structlog
from sqlalchemy import and_, or_, select

from conference_orchestrator.flows import delivering, entering, suppressing
from conference_orchestrator.flows.delivering import draft, to_clinician
from conference_orchestrator.flows.entries import MOST_REMINDER_HOURS
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import reminders, series_calendars
from conference_orchestrator.ledger.invitations import Answer, CalendarObject, Invitation
from conference_orchestrator.ledger.messages import Draft
from conference_orchestrator.ledger.series_calendars import SeriesInvitation
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import sessions, webinar_requests
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.sessions import Session

log = structlog.get_logger()

HOURS_OF_WEBINARS = (24, 1)
LOOKS_AHEAD = timedelta(hours=MOST_REMINDER_HOURS)
# So far back it is told in the log which reminders a downtime has cost.
LOOKS_BACK = timedelta(days=7)


@dataclass(frozen=True)
class Coming:
    """A calendar object whose conference stands as it says, and how many hours before it people are reminded."""

    object: CalendarObject
    conference: Conference
    hours: Collection[int]

    def due(self, now: datetime) -> list[int]:
        """The reminders whose time has come, the latest first."""
        return sorted(hours for hours in self.hours if self.time_of(hours) <= now)

    def time_of(self, hours: int) -> datetime:
        """When the reminder of so many hours before the start is due."""
        return self.object.starts_at - timedelta(hours=hours)

    def has_begun(self, now: datetime) -> bool:
        """Whether nobody needs to be reminded any more."""
        return self.object.starts_at <= now


def remind() -> None:
    """The timer's work: look at every calendar object near its start, each in a transaction of its own."""
    now = ports.clock().now()
    near: dict[int, list[str]] = defaultdict(list)
    for coming in _coming(now):
        if due := coming.due(now):
            near[due[0]].append(coming.object.uid)
    for hours, uids in sorted(near.items()):
        for uid in reminders.lacking(uids, hours_before=hours):
            _remind_of(uid)


def _remind_of(uid: str) -> None:
    """Remind those who were not yet. Asked again under the lock: another timer, or a move, may have been faster."""
    with transaction() as tx:
        for coming in _coming(tx.now, uid=uid):
            due = coming.due(tx.now)
            held = {row.clinician_id: row for row in reminders.holders(uid)}
            new = reminders.write_down(uid, held, starts_at=coming.object.starts_at, hours=due, at=tx.now)
            worth = [(held[person], hours) for person, hours in new if _is_worth(held[person], hours, coming)]
            begun = coming.has_begun(tx.now)
            told = [row for row, hours in worth if hours == due[0] and not begun]
            if dropped := len(worth) - len(told):
                reason = "it has begun" if begun else "a later reminder is due as well"
                log.warning("reminders are dropped", uid=uid, number=dropped, reason=reason)
            if told:
                delivering.tell(tx, *_drafts(told, coming, hours=due[0]))


def _is_worth(row: Invitation, hours: int, coming: Coming) -> bool:
    """Not for who declined, nor for who was sent the object itself since: that mail told the same."""
    return row.answer != Answer.DECLINED and row.sent_at <= coming.time_of(hours)


def _coming(now: datetime, *, uid: str | None = None) -> list[Coming]:
    """The objects that lie near, or the one of that UID, locked against those who would change it.

    One whose conference was moved is left out until the object says so too: people would be reminded of a time that
    is not so any more.
    """
    within = and_(CalendarObject.starts_at > Conference.starts_at, CalendarObject.starts_at < Conference.ends_at)
    of_a_slot = and_(CalendarObject.uid.startswith("request-"), within)
    statement = (
        select(CalendarObject, Conference, ExpertGroup.reminder_hours)
        .join(Conference, Conference.id == CalendarObject.conference_id)
        .outerjoin(Session, Session.id == Conference.session_id)
        .outerjoin(ExpertGroup, ExpertGroup.id == Session.group_id)
        .where(CalendarObject.starts_at > now - LOOKS_BACK, CalendarObject.starts_at <= now + LOOKS_AHEAD)
        .where(Conference.is_wanted, or_(CalendarObject.starts_at == Conference.starts_at, of_a_slot))
    )
    if uid is not None:
        statement = statement.where(CalendarObject.uid == uid).with_for_update(of=CalendarObject)
    return [
        Coming(found, conference, HOURS_OF_WEBINARS if conference.session_id is None else hours)
        for found, conference, hours in db.session.execute(statement)
    ]


def _drafts(rows: Sequence[Invitation], coming: Coming, *, hours: int) -> list[Draft]:
    known = clinicians.by_ids(row.clinician_id for row in rows)
    silent = suppressing.not_reminded([person.email for person in known.values()])
    facts, held = _facts(coming), _series_held(rows, coming)
    return [
        _draft(row, known[row.clinician_id], coming, told=held.get(row.clinician_id, row), facts=facts, hours=hours)
        for row in rows
        if row.clinician_id in known and known[row.clinician_id].email not in silent
    ]


def _series_held(rows: Sequence[Invitation], coming: Coming) -> dict[UUID, SeriesInvitation]:
    """Who of them holds it as a date of a series, and the invitation to that."""
    people = {row.clinician_id for row in rows if row.carried}
    if not people or coming.conference.session_id is None:
        return {}
    session = sessions.get(coming.conference.session_id)
    return series_calendars.of_date(session.series_id, session.occurrence_on, people)


def _facts(coming: Coming) -> kinds.Reminder:
    """As everybody in the audience is told. A link that does not work at the moment is told nobody."""
    conference, link = coming.conference, coming.conference.link_for_people
    is_personal = link is not None and entering.has_personal_links(conference.provider)
    return kinds.Reminder(
        name=coming.object.group_name or coming.object.topic or "",
        starts_at=coming.object.starts_at,
        ends_at=coming.object.ends_at,
        time_zone=conference.time_zone,
        role="audience",
        case_reference=coming.object.case_reference,
        join_url=None if is_personal else link,
        has_personal_link=is_personal,
        materials_url=_materials(conference.webinar_request_id),
    )


def _materials(request_id: UUID | None) -> str | None:
    return webinar_requests.get(request_id, visible_to=SYSTEM).materials_url if request_id else None


def _draft(
    row: Invitation,
    person: Clinician,
    coming: Coming,
    *,
    told: Invitation | SeriesInvitation,
    facts: kinds.Reminder,
    hours: int,
) -> Draft:
    """`told` is what the person was told of it by: the invitation itself, or that to the series."""
    status = cast("kinds.Answer", row.answer.upper()) if row.answer else "NEEDS-ACTION"
    return draft(
        replace(facts, role=cast("kinds.Role", row.role), attendee_status=status),
        to=to_clinician(person),
        cause=f"{row.uid}:reminder:{rfc3339(coming.object.starts_at)}:{hours}",
        conference_id=coming.conference.id,
        link_subject=row.id,
        # In the chain of the object that it tells of: a cancellation goes after it, not before.
        chain=f"{told.uid}:{person.id}",
        number=told.number,
        references=told.first_message,
    )
