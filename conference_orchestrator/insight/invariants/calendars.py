"""Whether people hold the calendar objects that they should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from conference_orchestrator import migrations
from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.invitations import CalendarObject, Invitation, Method
from conference_orchestrator.ledger.series_calendars import SeriesCalendar, SeriesInvitation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.sessions import Session, State


def invited_to_cancelled(now: datetime) -> Iterator[Violation]:
    """Who was invited to what is cancelled was told so, or a task is about to tell."""
    cancelled = or_(Conference.is_wanted.is_(False), Session.state == State.CANCELLED)
    statement = (
        select(Invitation.id, Invitation.uid, Conference.id.label("conference_id"))
        .join(CalendarObject, CalendarObject.uid == Invitation.uid)
        .join(Conference, Conference.id == Invitation.conference_id)
        .outerjoin(Session, Session.id == Conference.session_id)
        .where(Invitation.method == Method.REQUEST, CalendarObject.ends_at > now, cancelled)
        .order_by(Invitation.uid, Invitation.id)
    )
    about_to_tell = _conferences_in_hand()
    for row in db.session.execute(statement):
        if str(row.conference_id) not in about_to_tell:
            said = f"invitation {row.id} to {row.uid} stands, conference {row.conference_id} is cancelled"
            yield Violation("invited-to-cancelled", said, row.conference_id)


def ahead_of_object(_now: datetime) -> Iterator[Violation]:
    """Nobody holds a later SEQUENCE than the calendar object has, be it a meeting's or a series'."""
    ledgers: list[tuple[Any, Any]] = [(Invitation, CalendarObject), (SeriesInvitation, SeriesCalendar)]
    found = [
        select(held.id, held.uid, held.sequence, whole.sequence.label("latest"))
        .join(whole, whole.uid == held.uid)
        .where(held.sequence > whole.sequence)
        .order_by(held.uid, held.id)
        for held, whole in ledgers
    ]
    for row in (row for statement in found for row in db.session.execute(statement)):
        said = f"invitation {row.id} has SEQUENCE {row.sequence}, {row.uid} has {row.latest}"
        yield Violation("invitation-ahead", said)


def _conferences_in_hand() -> set[str]:
    task = migrations.metadata().tables["task"]
    waiting = select(task.c.payload).where(task.c.kind == "issue-invitations", task.c.state == "open")
    return {payload["conference"] for payload in db.session.scalars(waiting)}
