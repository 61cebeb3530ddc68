"""Who was in a conference, as its provider noted it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, personal
from conference_orchestrator.scheduling.conferences import Conference


class Attendance(Identified, Model):
    """One stay of one person; who is none of the invited has no `clinician_id`."""

    __tablename__ = "attendance"
    __table_args__ = (
        CheckConstraint("left_at IS NULL OR left_at >= joined_at", name="interval"),
        Index(None, "conference_id", "joined_at", "id"),
    )

    conference_id: Mapped[UUID] = mapped_column(ForeignKey("conference.id"))
    clinician_id: Mapped[UUID | None] = mapped_column(ForeignKey("clinician.id"), index=True)
    name: Mapped[str] = mapped_column(info=personal("identity"))
    email: Mapped[str | None] = mapped_column(info=personal("contact"))
    is_host: Mapped[bool] = mapped_column(default=False)
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]


@dataclass(frozen=True, kw_only=True)
class Presence:
    """All stays of one person: from when until when (None: the provider noted no end), and how long in between."""

    clinician_id: UUID | None
    name: str
    email: str | None
    joined_at: datetime
    left_at: datetime | None
    minutes: int


def of(conference_id: UUID) -> Sequence[Attendance]:
    """Every stay, in order of the arrivals."""
    stays = select(Attendance).where(Attendance.conference_id == conference_id)
    return db.session.scalars(stays.order_by(Attendance.joined_at, Attendance.id)).all()


def replace(conference_id: UUID, stays: Iterable[Attendance]) -> None:
    """Put these in the place of what was noted before."""
    db.session.execute(delete(Attendance).where(Attendance.conference_id == conference_id))
    db.session.add_all(stays)


def awaited(*, since: datetime, until: datetime) -> list[Conference]:
    """Conferences that ended within the time, whose meeting stood and whose list is not complete yet."""
    statement = select(Conference).where(
        Conference.ends_at > since,
        Conference.ends_at <= until,
        Conference.is_wanted,
        Conference.meeting_id.is_not(None),
        Conference.attended_at.is_(None),
    )
    return list(db.session.scalars(statement.order_by(Conference.ends_at, Conference.id)))


def presences(stays: Iterable[Attendance], *, until: datetime) -> list[Presence]:
    """The people behind the stays, in order of their arrivals; several devices of one person are one presence.

    A stay without an end counts until `until`.
    """
    people: dict[object, list[Attendance]] = {}
    for stay in stays:
        people.setdefault(stay.clinician_id or stay.email or stay.name, []).append(stay)
    return sorted((_presence(own, until=until) for own in people.values()), key=lambda one: (one.joined_at, one.name))


def _presence(stays: Sequence[Attendance], *, until: datetime) -> Presence:
    ends = [stay.left_at for stay in stays if stay.left_at is not None]
    return Presence(
        clinician_id=stays[0].clinician_id,
        name=stays[0].name,
        email=stays[0].email,
        joined_at=min(stay.joined_at for stay in stays),
        left_at=max(ends) if len(ends) == len(stays) else None,
        minutes=_length(stays, until=until) // timedelta(minutes=1),
    )


def _length(stays: Sequence[Attendance], *, until: datetime) -> timedelta:
    """How long somebody was there on any device: what overlaps counts once."""
    in_order = sorted(stays, key=lambda one: one.joined_at)
    total, reached = timedelta(), in_order[0].joined_at
    for stay in in_order:
        left_at = stay.left_at or max(until, stay.joined_at)
        total += max(timedelta(), left_at - max(stay.joined_at, reached))
        reached = max(reached, left_at)
    return total
