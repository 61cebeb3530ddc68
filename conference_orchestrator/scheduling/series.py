"""Series: a group's standing appointment as a rule over wall time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import Identified, Model, Versioned, db
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.scheduling import planning, public_holidays, recurrence
from conference_orchestrator.scheduling.planning import Exceptions, Plan
from conference_orchestrator.scheduling.recurrence import Occurrence

HORIZON = timedelta(weeks=26)
FARTHEST = timedelta(days=548)  # 18 months
LONGEST = timedelta(hours=23, minutes=59)  # what a meeting may last at the provider
SHORTEST = timedelta(minutes=10)
MOST_SLOTS = 50
MOST_BETWEEN = 60  # minutes of a break, and of the host's time before the start


class Arranged:
    """A rule, a wall time and its zone, from a date on, and the shape of each session."""

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


class Series(Arranged, Versioned, Model):
    """What a group has arranged. `ends_on` None: until further notice."""

    __tablename__ = "series"
    __table_args__ = (CheckConstraint("slots BETWEEN 1 AND 50", name="slots"),)

    group_id: Mapped[UUID] = mapped_column(ForeignKey("expert_group.id"), index=True)
    # The rule holds from this date on; what held until the day before is an `EarlierRule`.
    from_on: Mapped[date | None]
    closed_at: Mapped[datetime | None]

    @property
    def holidays(self) -> dict[str, Any] | None:
        """The countries whose public holidays count, and what becomes of a date that is one; None where none do."""
        if not self.holiday_countries:
            return None
        return {"countries": self.holiday_countries, "action": self.holiday_action}

    @property
    def slot_length(self) -> timedelta:
        """How long one case gets."""
        return timedelta(minutes=self.slot_minutes)

    @property
    def length(self) -> timedelta:
        """How long a session lasts, the breaks between its slots included."""
        return self.slots * self.slot_length + (self.slots - 1) * timedelta(minutes=self.break_minutes)

    def slot_times(self, starts_at: datetime) -> list[tuple[datetime, datetime]]:
        """Start and end of each slot of a session that begins then."""
        return [(starts_at + begin, starts_at + end) for begin, end in self.slot_offsets()]

    def slot_offsets(self) -> list[tuple[timedelta, timedelta]]:
        """How long after the start of a session each slot begins and ends."""
        length = self.slot_length
        step = length + timedelta(minutes=self.break_minutes)
        return [(n * step, n * step + length) for n in range(self.slots)]

    @property
    def first_on(self) -> date:
        """Before this date the rule says nothing."""
        return self.starts_on if self.from_on is None else max(self.starts_on, self.from_on)

    def today(self, *, now: datetime) -> date:
        """The date on the wall of the series."""
        return times.wall(now, self.time_zone).date()

    def plan(
        self, exceptions: Exceptions, *, from_on: date, until_on: date, also: Collection[date] = frozenset()
    ) -> Plan:
        """The sessions that are to be from one date to another, both included, and of those after it what is on `also`.

        A session that an exception moved or added is planned however far ahead it lies. Invalid, naming the rule, when
        there are more from one date to the other than a series may have.
        """
        first, last = max(from_on, self.first_on), self.ends_on or date.max
        occurrences = self._occurrences(first, min(until_on, last))
        until = occurrences[-1].on if occurrences else first
        # The rule may have changed since a move was entered, and then its date is none any more.
        ahead = [on for on in exceptions.moves.keys() | also if on > until and self.has_date(on)]
        occurrences = [*occurrences, *(Occurrence(on, *self._on_the_wall(on)) for on in ahead)]
        extras = {on: at or self.start_on(on) for on, at in exceptions.extras.items() if first <= on <= last}
        return planning.plan(
            occurrences,
            extras,
            exceptions,
            time_zone=self.time_zone,
            action=self.holiday_action,
            holidays=partial(public_holidays.names, self.holiday_countries),
        )

    def horizon(self, *, now: datetime) -> tuple[date, date]:
        """From today to the last date for which sessions exist ahead."""
        today = self.today(now=now)
        return today, today + HORIZON

    def has_date(self, on: date) -> bool:
        """Whether the rule yields that date, whatever exceptions make of it."""
        return any(True for _ in self.dates(on, on))

    def dates(self, first: date, last: date) -> Iterator[date]:
        """The dates that the rule yields from one to the other, both included, whatever exceptions make of them."""
        within = {"from_on": max(first, self.first_on), "until_on": min(last, self.ends_on or date.max)}
        return recurrence.dates(recurrence.parse(self.rule), starts_on=self.starts_on, **within)

    def start_on(self, on: date) -> datetime:
        """The instant at which the clocks of the series show its start on that date."""
        return self._on_the_wall(on)[0]

    def check(self, *, now: datetime) -> None:
        """Invalid, naming the field, when the series could not be held as it was entered."""
        rule = recurrence.parse(self.rule)
        if not times.is_zone(self.time_zone):
            raise Invalid({"time_zone": f"{self.time_zone!r} is not an IANA time zone such as Europe/Berlin."})
        if self.start_time.second or self.start_time.microsecond or self.start_time.tzinfo:
            raise Invalid({"start_time": "This is a time on the wall in whole minutes, such as 11:00."})
        self._check_lengths()
        self._check_holidays()
        today = self.today(now=now)
        if self.starts_on - today > FARTHEST:
            raise Invalid({"starts_on": "A series starts at most 18 months from today."})
        first = max(today, self.first_on)
        if self.ends_on is not None and self.ends_on < first:
            raise Invalid({"ends_on": "The series would be over already."})
        ahead = self._occurrences(first, self.ends_on or first + HORIZON, rule=rule)
        if not ahead and self.ends_on is not None:
            raise Invalid({"ends_on": "The rule yields no date before this one."})
        for one in ahead:
            if one.is_skipped and one.on <= first + HORIZON:
                raise Invalid({"start_time": self._said_of_skipped(one.on)})

    def must_exist_on_the_wall(self, on: date, *, field: str) -> None:
        """Invalid, naming the `field`, when the clocks of the series skip its start on that date."""
        if self._on_the_wall(on)[1]:
            raise Invalid({field: self._said_of_skipped(on)})

    def _on_the_wall(self, on: date) -> tuple[datetime, bool]:
        return times.on_the_wall(datetime.combine(on, self.start_time), self.time_zone)

    def _said_of_skipped(self, on: date) -> str:
        return f"On {on:%d %B %Y} no clock in {self.time_zone} shows {self.start_time:%H:%M}: choose another time."

    def _check_lengths(self) -> None:
        if not 1 <= self.slots <= MOST_SLOTS:
            raise Invalid({"slots": f"A session has 1 to {MOST_SLOTS} slots."})
        for name in ("break_minutes", "host_margin_minutes"):
            if not 0 <= getattr(self, name) <= MOST_BETWEEN:
                raise Invalid({name: f"Choose 0 to {MOST_BETWEEN} minutes."})
        if self.slot_minutes < 1 or not SHORTEST <= self.length <= LONGEST:
            raise Invalid({"slot_minutes": "A session lasts from 10 minutes to 23 hours 59 minutes, with its breaks."})

    def _check_holidays(self) -> None:
        for country in self.holiday_countries:
            if not public_holidays.is_known(country):
                raise Invalid({"holidays.countries": f"The public holidays of {country!r} are not known."})

    def _occurrences(self, first: date, last: date, *, rule: recurrence.Rule | None = None) -> Sequence[Occurrence]:
        return recurrence.occurrences(
            rule or recurrence.parse(self.rule),
            starts_on=self.starts_on,
            start_time=self.start_time,
            time_zone=self.time_zone,
            from_on=first,
            until_on=last,
        )


class EarlierRule(Arranged, Identified, Model):
    """What a series had arranged from `from_on` to `ends_on`, both included, before it was changed."""

    __tablename__ = "earlier_rule"
    __table_args__ = (
        UniqueConstraint("series_id", "from_on"),
        CheckConstraint("slots BETWEEN 1 AND 50", name="slots"),
        CheckConstraint("ends_on >= from_on", name="range"),
    )

    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id"))
    from_on: Mapped[date]

    def as_it_was(self, of: Series) -> Series:
        """The series as it stood on these dates: an object of its own, which is not stored."""
        return Series(id=of.id, group_id=of.group_id, from_on=self.from_on, closed_at=of.closed_at, **_arranged(self))


def keep_rule(of: Series, *, until_on: date, at: datetime) -> None:
    """Keep what the series has arranged until that date, included, before it is changed."""
    ends_on = until_on if of.ends_on is None else min(of.ends_on, until_on)
    if of.first_on <= ends_on:
        kept = _arranged(of) | {"ends_on": ends_on}
        db.session.add(EarlierRule(series_id=of.id, from_on=of.first_on, created_at=at, **kept))


def rules_from(of: Series, on: date) -> list[Series]:
    """The series as it stands for the dates from that one on: with the rules that end before the present one, first."""
    if on >= of.first_on:
        return [of]
    earlier = select(EarlierRule).where(EarlierRule.series_id == of.id, EarlierRule.ends_on >= on)
    kept = db.session.scalars(earlier.order_by(EarlierRule.from_on))
    return [*(one.as_it_was(of) for one in kept), of]


def on_date(series_id: UUID, on: date) -> Series:
    """The series as it stands for one of its dates."""
    first, *_ = rules_from(get(series_id), on)
    return first


def _arranged(by: Arranged) -> dict[str, Any]:
    return {name: getattr(by, name) for name in Arranged.__annotations__}


def get(series_id: UUID, *, lock: bool = False) -> Series:
    """The series with that id, or NotFound; whose it is, the caller checks by its group."""
    statement = select(Series).where(Series.id == series_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    found = db.session.scalar(statement)
    if found is None:
        raise NotFound("There is no such series.")
    return found


def listed(paging: Paging, *, group_id: UUID) -> Page[Series]:
    """The open series of a group, oldest first."""
    statement = select(Series).where(Series.group_id == group_id, Series.closed_at.is_(None))
    return page(statement, paging, by=[Series.starts_on, Series.id])


def of_group(group_id: UUID) -> Sequence[Series]:
    """The same, all of them."""
    statement = select(Series).where(Series.group_id == group_id, Series.closed_at.is_(None))
    return db.session.scalars(statement.order_by(Series.starts_on, Series.id)).all()


def open_series() -> Sequence[UUID]:
    """Every series that may still yield sessions."""
    return db.session.scalars(select(Series.id).where(Series.closed_at.is_(None)).order_by(Series.id)).all()
