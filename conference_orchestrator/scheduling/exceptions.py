"""Exceptions of a series: a date skipped, moved or added, a pause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import Identified, Model, db, one_of
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.scheduling import wording
from conference_orchestrator.scheduling.planning import Exceptions, Plan
from conference_orchestrator.scheduling.series import FARTHEST, Series


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

    @property
    def last_on(self) -> date:
        """The last date that it concerns."""
        return self.until_on or self.occurrence_on

    def check(self, of: Series, plan: Plan, *, now: datetime) -> None:
        """Invalid, naming the field, when it makes no sense in the series; `plan` is the series without it."""
        self._check_date(of, now=now)
        self._check_fields()
        is_of_the_rule = of.has_date(self.occurrence_on)
        if self.kind in {ExceptionKind.SKIP, ExceptionKind.MOVE} and not is_of_the_rule:
            raise Invalid({"on": "The round does not meet on this date."})
        if self.kind == ExceptionKind.EXTRA:
            if self.occurrence_on in plan.sessions:
                raise Invalid({"on": "The round meets on this date anyway."})
            starts_at = self.starts_at or of.start_on(self.occurrence_on)
            if self.starts_at is None:
                of.must_exist_on_the_wall(self.occurrence_on, field="starts_at")
            self._check_start(starts_at, now=now, field="starts_at" if self.starts_at else "on")
            if times.wall(starts_at, of.time_zone).date() != self.occurrence_on:
                raise Invalid({"starts_at": f"An extra session begins on its date, as clocks in {of.time_zone} show."})
        elif self.starts_at is not None:
            self._check_start(self.starts_at, now=now, field="starts_at")

    def _check_date(self, of: Series, *, now: datetime) -> None:
        today = of.today(now=now)
        if self.occurrence_on < today:
            raise Invalid({"on": "This date has passed."})
        if self.occurrence_on < of.first_on:
            said = f"The round is arranged from {wording.full(of.first_on)} on; change an earlier session by itself."
            raise Invalid({"on": said})
        if self.occurrence_on > today + FARTHEST:
            raise Invalid({"on": "This date is more than 18 months away."})
        if of.ends_on is not None and self.occurrence_on > of.ends_on:
            raise Invalid({"on": f"The round ends on {wording.full(of.ends_on)}."})

    def _check_fields(self) -> None:
        if self.kind == ExceptionKind.PAUSE:
            if self.until_on is None:
                raise Invalid({"until_on": "Say until which date the round pauses, that date included."})
            if not timedelta() <= self.until_on - self.occurrence_on <= FARTHEST:
                raise Invalid({"until_on": "A pause ends on its first date or later, within 18 months."})
        elif self.until_on is not None:
            raise Invalid({"until_on": "Only a pause has a last date."})
        if self.kind == ExceptionKind.MOVE and self.starts_at is None:
            raise Invalid({"starts_at": "Say when the session is held instead."})
        if self.kind in {ExceptionKind.SKIP, ExceptionKind.PAUSE} and self.starts_at is not None:
            raise Invalid({"starts_at": "Only a session that is moved or added has a start."})

    @staticmethod
    def _check_start(starts_at: datetime, *, now: datetime, field: str) -> None:
        if starts_at <= now:
            raise Invalid({field: "This time has passed already."})
        if starts_at.second or starts_at.microsecond:
            raise Invalid({field: "A session begins at a whole minute."})
        if starts_at > now + FARTHEST:
            raise Invalid({field: "This time is more than 18 months away."})


def listed(paging: Paging, *, series_id: UUID) -> Page[SeriesException]:
    """The exceptions of a series by date."""
    statement = select(SeriesException).where(SeriesException.series_id == series_id)
    return page(statement, paging, by=[SeriesException.occurrence_on, SeriesException.id])


def of_series(series_id: UUID) -> Sequence[SeriesException]:
    """The same, all of them."""
    statement = select(SeriesException).where(SeriesException.series_id == series_id)
    return db.session.scalars(statement.order_by(SeriesException.occurrence_on)).all()


def in_plan(series_id: UUID) -> Exceptions:
    """The exceptions of a series as its plan weighs them."""
    found = of_series(series_id)
    return Exceptions(
        skips=frozenset(one.occurrence_on for one in found if one.kind == ExceptionKind.SKIP),
        pauses=[(one.occurrence_on, one.until_on) for one in found if one.until_on is not None],
        moves={one.occurrence_on: one.starts_at for one in found if one.kind == ExceptionKind.MOVE and one.starts_at},
        extras={one.occurrence_on: one.starts_at for one in found if one.kind == ExceptionKind.EXTRA},
    )


def get(series_id: UUID, which: UUID | date) -> SeriesException:
    """The exception of the series with that id or for that date, or NotFound."""
    named = SeriesException.occurrence_on == which if isinstance(which, date) else SeriesException.id == which
    found = db.session.scalar(select(SeriesException).where(SeriesException.series_id == series_id, named))
    if found is None:
        raise NotFound("There is no such exception of the series.")
    return found
