"""Reminders: which person was reminded of which start, how long before. The database keeps each one single."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, UniqueConstraint, exists, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, insert_new
from conference_orchestrator.ledger.invitations import UNREGISTERED, CalendarObject, Invitation, Method


class Reminder(Identified, Model):
    """A person was reminded of the object's start; moved to another start, it is worth another reminder."""

    __tablename__ = "reminder"
    __table_args__ = (UniqueConstraint("uid", "clinician_id", "starts_at", "hours_before"),)

    uid: Mapped[str]
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(index=True)
    hours_before: Mapped[int]


# Who holds an object as somebody who can come: without one of the limited places nobody can.
HOLDS = (Invitation.method == Method.REQUEST, Invitation.role != UNREGISTERED)


def holders(uid: str) -> Sequence[Invitation]:
    """Who holds a REQUEST of the object and can come, whatever they answered."""
    return db.session.scalars(select(Invitation).where(Invitation.uid == uid, *HOLDS)).all()


def lacking(uids: Collection[str], *, hours_before: int) -> Sequence[str]:
    """Those of the UIDs with somebody of whom it is not written down yet that this reminder was due."""
    written = exists().where(
        Reminder.uid == Invitation.uid,
        Reminder.clinician_id == Invitation.clinician_id,
        Reminder.starts_at == CalendarObject.starts_at,
        Reminder.hours_before == hours_before,
    )
    statement = select(Invitation.uid).join(CalendarObject, CalendarObject.uid == Invitation.uid)
    lacking = statement.where(Invitation.uid.in_(uids), *HOLDS, ~written)
    return db.session.scalars(lacking.distinct().order_by(Invitation.uid)).all()


def write_down(
    uid: str, people: Collection[UUID], *, starts_at: datetime, hours: Collection[int], at: datetime
) -> Sequence[tuple[UUID, int]]:
    """Write down of the people that these reminders, in hours before the start, were due; who and which is new."""
    rows = [
        {
            "id": uuid4(),
            "created_at": at,
            "uid": uid,
            "clinician_id": person,
            "starts_at": starts_at,
            "hours_before": before,
        }
        for person in people
        for before in hours
    ]
    if not rows:
        return []
    # Rows as parameters, not as VALUES: the statement is compiled once for all.
    writing = insert_new(Reminder).returning(Reminder.clinician_id, Reminder.hours_before)
    return [(person, before) for person, before in db.session.connection().execute(writing, rows)]
