"""Series: a group's standing appointment as a rule over wall time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import Model, Versioned, db
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.scheduling import recurrence
from conference_orchestrator.scheduling.recurrence import Occurrence

HORIZON = timedelta(weeks=26)
FARTHEST = timedelta(days=548)  # 18 months
LONGEST = timedelta(hours=23, minutes=59)  # what a meeting may last at the provider
SHORTEST = timedelta(minutes=10)
MOST_SLOTS = 50


class Series(Versioned, Model):
    """A rule, a wall time and its zone, from a date on. `ends_on` None: until further notice."""

    __tablename__ = "series"
    __table_args__ = (CheckConstraint("slots BETWEEN 1 AND 50", name="slots"),)

    group_id: Mapped[UUID] = mapped_column(ForeignKey("expert_group.id"), index=True)
    rule: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    start_time: Mapped[time]
    time_zone: Mapped[str]
    slots: Mapped[int]
    slot_minutes: Mapped[int]
    break_minutes: Mapped[int] = mapped_column(default=0)
    # So long before the start the host account is held too, for the host to join.
    host_margin_minutes: Mapped[int] = mapped_column(default=0)
    holiday_countries: Mapped[list[str]] = mapped_column(default=list)
    holiday_action: Mapped[str | None]
    # The rule holds from this date on; what was before is in the sessions alone.
    from_on: Mapped[date | None]
    closed_at: Mapped[datetime | None]

    @property
    def slot_length(self) -> timedelta:
        """How long one case gets."""
        return timedelta(minutes=self.slot_minutes)

    @property
    def length(self) -> timedelta:
        """How long a session lasts."""
        return self.slots * self.slot_length

    def occurrences(self, *, now: datetime) -> list[Occurrence]:
        """The starts from today (on the wall of the series) to the end of the horizon."""
        today = times.wall(now, self.time_zone).date()
        until = today + HORIZON if self.ends_on is None else min(today + HORIZON, self.ends_on)
        return recurrence.occurrences(
            recurrence.parse(self.rule),
            starts_on=self.starts_on,
            start_time=self.start_time,
            time_zone=self.time_zone,
            from_on=today,
            until_on=until,
        )

    def check(self, *, now: datetime) -> None:
        """Invalid, naming the field, when the series could not be held as it was entered."""
        rule = recurrence.parse(self.rule)
        if not times.is_zone(self.time_zone):
            raise Invalid({"time_zone": f"{self.time_zone!r} is not an IANA time zone such as Europe/Berlin."})
        if self.start_time.second or self.start_time.microsecond or self.start_time.tzinfo:
            raise Invalid({"start_time": "This is a time on the wall in whole minutes, such as 11:00."})
        today = times.wall(now, self.time_zone).date()
        if not 1 <= self.slots <= MOST_SLOTS:
            raise Invalid({"slots": f"A session has 1 to {MOST_SLOTS} slots."})
        if not SHORTEST <= self.length <= LONGEST:
            raise Invalid({"slot_minutes": "A session lasts from 10 minutes to 23 hours 59 minutes."})
        if self.starts_on - today > FARTHEST:
            raise Invalid({"starts_on": "A series starts at most 18 months from today."})
        if self.ends_on is not None:
            if self.ends_on < max(self.starts_on, today):
                raise Invalid({"ends_on": "The series would be over already."})
            ahead = recurrence.occurrences(
                rule,
                starts_on=self.starts_on,
                start_time=self.start_time,
                time_zone=self.time_zone,
                from_on=max(self.starts_on, today),
                until_on=self.ends_on,
            )
            if not ahead:
                raise Invalid({"ends_on": "The rule yields no date before this one."})
        self._must_exist_on_the_wall(today)

    def _must_exist_on_the_wall(self, today: date) -> None:
        first = max(today, self.starts_on)
        last = min(first + HORIZON, self.ends_on or date.max)
        rule = recurrence.parse(self.rule)
        for on in recurrence.dates(rule, starts_on=self.starts_on, from_on=first, until_on=last):
            if times.is_skipped(datetime.combine(on, self.start_time), self.time_zone):
                said = (
                    f"On {on:%d %B %Y} no clock in {self.time_zone} shows {self.start_time:%H:%M}: choose another time."
                )
                raise Invalid({"start_time": said})


def get(series_id: UUID, *, lock: bool = False) -> Series:
    """The series with that id, or NotFound; whose it is, the caller checks by its group."""
    statement = select(Series).where(Series.id == series_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    found = db.session.scalar(statement)
    if found is None:
        raise NotFound("There is no such series.")
    return found


def of_group(group_id: UUID) -> Sequence[Series]:
    """The open series of a group, oldest first."""
    statement = select(Series).where(Series.group_id == group_id, Series.closed_at.is_(None))
    return db.session.scalars(statement.order_by(Series.starts_on, Series.id)).all()


def open_series() -> Sequence[UUID]:
    """Every series that may still yield sessions."""
    return db.session.scalars(select(Series.id).where(Series.closed_at.is_(None)).order_by(Series.id)).all()
