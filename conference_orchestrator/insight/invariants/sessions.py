"""Whether sessions agree with their slots, their series and their conferences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from conference_orchestrator.insight.invariants.violation import Violation, span
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.scheduling.allocations import FIRM, Allocation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.sessions import Session, Slot, State

# The timer closes past sessions every five minutes.
PATIENCE = timedelta(hours=1)


def beside_slots(_now: datetime) -> Iterator[Violation]:
    """A session begins with its first slot and ends with its last one."""
    first, last = func.min(Slot.starts_at), func.max(Slot.ends_at)
    differs = or_(first != Session.starts_at, last != Session.ends_at)
    statement = _with_slots(Session.starts_at, Session.ends_at, first.label("first"), last.label("last"))
    for row in db.session.execute(statement.having(differs)):
        said = f"session {row.id} is held {span(row.starts_at, row.ends_at)}, its slots {span(row.first, row.last)}"
        yield Violation("session-beside-its-slots", said)


def slots_overlapping(_now: datetime) -> Iterator[Violation]:
    """The slots of a session follow each other in the order of their numbers."""
    earlier, later = aliased(Slot), aliased(Slot)
    statement = (
        select(earlier.session_id, earlier.number, later.number.label("next"))
        .join(later, and_(later.session_id == earlier.session_id, later.number > earlier.number))
        .join(Session, Session.id == earlier.session_id)
        .where(Session.state != State.CANCELLED, earlier.withdrawn.is_(False), later.withdrawn.is_(False))
        .where(earlier.ends_at > later.starts_at)
        .order_by(earlier.session_id, earlier.number, later.number)
    )
    for row in db.session.execute(statement):
        said = f"slot {row.number} of session {row.session_id} ends after the begin of slot {row.next}"
        yield Violation("slots-overlap", said)


def slots_misnumbered(_now: datetime) -> Iterator[Violation]:
    """The slots of a session are numbered from 1 without a gap, and there is one at least."""
    number = func.count(Slot.id)
    wrong = or_(number == 0, func.min(Slot.number) != 1, func.max(Slot.number) != number)
    for row in db.session.execute(
        _with_slots(number.label("slots"), func.max(Slot.number).label("last")).having(wrong)
    ):
        said = f"session {row.id} has {row.slots} slots, the last of which has the number {row.last or 'none'}"
        yield Violation("slots-misnumbered", said)


def not_closed(now: datetime) -> Iterator[Violation]:
    """A session whose time has passed is not planned any more."""
    late = select(Session.id, Session.ends_at).where(Session.state == State.PLANNED, Session.ends_at < now - PATIENCE)
    for row in db.session.execute(late.order_by(Session.ends_at, Session.id)):
        yield Violation("session-not-closed", f"session {row.id} is planned and ended at {rfc3339(row.ends_at)}")


def on_one_date(_now: datetime) -> Iterator[Violation]:
    """A series has one session on a date of its rule."""
    date = (Session.series_id, Session.occurrence_on)
    statement = select(*date, func.count()).where(Session.state == State.PLANNED).group_by(*date)
    for series_id, on, number in db.session.execute(statement.having(func.count() > 1).order_by(*date)):
        yield Violation("occurrence-twice", f"series {series_id} has {number} planned sessions for {on}")


def without_conference(now: datetime) -> Iterator[Violation]:
    """A coming session with a case has a conference that is wanted."""
    case = select(Allocation.id).join(Slot, Slot.id == Allocation.slot_id).where(Slot.session_id == Session.id, FIRM)
    wanted = select(Conference.id).where(Conference.session_id == Session.id, Conference.is_wanted)
    coming = select(Session.id).where(Session.state == State.PLANNED, Session.ends_at > now)
    for session_id in db.session.scalars(coming.where(case.exists(), ~wanted.exists()).order_by(Session.id)):
        said = f"session {session_id} has a case, and no conference is wanted for it"
        yield Violation("session-without-conference", said)


def conference_at_another_time(_now: datetime) -> Iterator[Violation]:
    """The conference of a planned session is wanted for the time of the session."""
    differs = or_(Conference.starts_at != Session.starts_at, Conference.ends_at != Session.ends_at)
    statement = _with_conference(Conference.starts_at, Conference.ends_at, Session.starts_at.label("planned_at"))
    for row in db.session.execute(statement.where(Session.state == State.PLANNED, differs)):
        wanted = span(row.starts_at, row.ends_at)
        said = f"conference {row.id} is wanted {wanted}, session {row.session_id} begins at {rfc3339(row.planned_at)}"
        yield Violation("conference-at-another-time", said)


def cancelled_with_conference(now: datetime) -> Iterator[Violation]:
    """No conference is wanted for a session that was to come and is cancelled."""
    coming = _with_conference().where(Session.state == State.CANCELLED, Conference.ends_at > now)
    for row in db.session.execute(coming):
        said = f"conference {row.id} is wanted, session {row.session_id} is cancelled"
        yield Violation("conference-of-cancelled-session", said)


def _with_slots(*columns: Any) -> Select[Any]:
    there = and_(Slot.session_id == Session.id, Slot.withdrawn.is_(False))
    of_sessions = select(Session.id, *columns).outerjoin(Slot, there).where(Session.state != State.CANCELLED)
    return of_sessions.group_by(Session.id).order_by(Session.id)


def _with_conference(*columns: Any) -> Select[Any]:
    both = select(Conference.id, Conference.session_id, *columns).join(Session, Session.id == Conference.session_id)
    return both.where(Conference.is_wanted).order_by(Conference.id)
