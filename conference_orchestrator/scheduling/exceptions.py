"""Exceptions of a series: a date skipped, moved or added, a pause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, one_of


class ExceptionKind(StrEnum):
    """What an exception does to its date."""

    SKIP = "skip"
    MOVE = "move"
    EXTRA = "extra"
    PAUSE = "pause"


class SeriesException(Identified, Model):
    """What holds for one date of a series, or from it until another: `occurrence_on` is the date that the rule yields.

    A move says `starts_at`, an extra session may, a pause says `until_on` (included).
    """

    __tablename__ = "series_exception"
    __table_args__ = (
        one_of("kind", ExceptionKind),
        UniqueConstraint("series_id", "occurrence_on"),
        CheckConstraint("(kind = 'pause') = (until_on IS NOT NULL)", name="until"),
        CheckConstraint("kind IN ('extra', 'move') OR starts_at IS NULL", name="starts"),
        CheckConstraint("kind != 'move' OR starts_at IS NOT NULL", name="moved"),
    )

    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id"))
    occurrence_on: Mapped[date]
    kind: Mapped[str]
    starts_at: Mapped[datetime | None]
    until_on: Mapped[date | None]


def of_series(series_id: UUID) -> Sequence[SeriesException]:
    """The exceptions of a series by date."""
    statement = select(SeriesException).where(SeriesException.series_id == series_id)
    return db.session.scalars(statement.order_by(SeriesException.occurrence_on)).all()
