"""Who is expected at a session beyond the members of its group, and who is away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, personal


class Absence(Identified, Model):
    """That a clinician is away from one date to another, both included."""

    __tablename__ = "absence"
    __table_args__ = (
        CheckConstraint("until_on >= from_on", name="range"),
        Index(None, "clinician_id", "until_on"),
    )

    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"))
    from_on: Mapped[date] = mapped_column(info=personal("preference"))
    until_on: Mapped[date] = mapped_column(info=personal("preference"))


class Substitute(Identified, Model):
    """A clinician who is expected at one session in addition to the group's members."""

    __tablename__ = "substitute"
    __table_args__ = (UniqueConstraint("session_id", "clinician_id"),)

    session_id: Mapped[UUID] = mapped_column(ForeignKey("session.id"))
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    discipline: Mapped[str | None]


def absences_of(clinician_ids: Iterable[UUID], *, from_on: date) -> dict[UUID, list[tuple[date, date]]]:
    """When each of these clinicians is away, from the date on: (first, last) day, both included."""
    statement = select(Absence).where(Absence.clinician_id.in_(list(clinician_ids)), Absence.until_on >= from_on)
    found: dict[UUID, list[tuple[date, date]]] = {}
    for absence in db.session.scalars(statement.order_by(Absence.from_on, Absence.id)):
        found.setdefault(absence.clinician_id, []).append((absence.from_on, absence.until_on))
    return found


def substitutes_of(session_ids: Iterable[UUID]) -> dict[UUID, Sequence[Substitute]]:
    """The substitutes of each session, in the order in which they were asked."""
    statement = select(Substitute).where(Substitute.session_id.in_(list(session_ids)))
    found: dict[UUID, list[Substitute]] = {}
    for substitute in db.session.scalars(statement.order_by(Substitute.created_at, Substitute.id)):
        found.setdefault(substitute.session_id, []).append(substitute)
    return dict(found)
