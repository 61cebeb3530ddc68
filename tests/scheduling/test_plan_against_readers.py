"""The sessions of a series, compared with two readers that share no code with ours.

python-dateutil expands a set of rules with the zones of the standard library; `ical` reads a calendar that is written
here by hand. All three agree on the hours that clocks repeat (the first pass counts) and skip (moved on by the gap; a
series that would meet in such an hour within its horizon is refused, so only farther dates can come to it).
"""

from __future__ import annotations

import uuid
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from dateutil import rrule
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream

from conference_orchestrator.flows import arranging
from conference_orchestrator.kernel.database import db
from conference_orchestrator.scheduling import planning, recurrence
from conference_orchestrator.scheduling.exceptions import ExceptionKind, SeriesException, of_series
from conference_orchestrator.scheduling.planning import Exceptions
from conference_orchestrator.scheduling.recurrence import MOST, Occurrence
from conference_orchestrator.scheduling.series import Series
from tests.house import HELPDESK
from tests.scheduling.stage import Stage
from tests.scheduling.test_recurrence import MONTHLY, WEEKLY, another_reader

ZONES = (
    "Europe/Berlin",
    "Europe/Lisbon",
    "Europe/Dublin",
    "America/New_York",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
)
PLACES = {name: another_reader(name) for name in ZONES}
DAY = timedelta(days=1)


@pytest.fixture(autouse=True, scope="module")
def zones_of_the_package() -> Iterator[None]:
    """The readers take the zones from the tzdata package, since those of the machine may be older."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)
    zoneinfo.ZoneInfo.clear_cache()


@dataclass(frozen=True)
class Odd:
    """A date that is not as the rule says: skipped, the first of a pause, moved or added to a wall time."""

    kind: str
    on: date
    until_on: date | None = None
    to: datetime | None = None


@dataclass(frozen=True)
class Round:
    """A series as an observer describes it."""

    rule: str
    zone: str
    starts_on: date
    until_on: date
    at: time
    odd: tuple[Odd, ...] = ()

    @property
    def walls(self) -> list[datetime]:
        """What the rule alone says, on the wall; no more than a series may have."""
        begin, end = (datetime.combine(on, self.at) for on in (self.starts_on, self.until_on))
        return list(rrule.rrulestr(f"{self.rule};UNTIL={end:%Y%m%dT%H%M%S}", dtstart=begin))[:MOST]

    def instant(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=PLACES[self.zone], fold=0).astimezone(UTC)

    def paused(self, on: date) -> bool:
        return any(one.until_on and one.on <= on <= one.until_on for one in self.odd)

    @property
    def gone(self) -> list[datetime]:
        """The wall times of the rule at which there is no session."""
        skipped = {one.on for one in self.odd if one.kind == "skip"}
        return [wall for wall in self.walls if wall.date() in skipped or self.paused(wall.date())]

    @property
    def moved(self) -> dict[datetime, datetime]:
        """Where the sessions are held that are moved, by the wall times of the rule; none of them is gone."""
        to = {one.on: one.to for one in self.odd if one.kind == "move" and one.to}
        return {wall: to[wall.date()] for wall in self.walls if wall.date() in to and wall not in self.gone}

    @property
    def added(self) -> list[datetime]:
        return [one.to for one in self.odd if one.kind == "extra" and one.to]


def by_us(described: Round) -> list[datetime]:
    """The plan of our series."""
    series = Series(
        **arranging.UNLESS_SAID
        | {"rule": described.rule, "starts_on": described.starts_on, "start_time": described.at}
        | {"time_zone": described.zone, "slots": 1, "slot_minutes": 20}
    )
    given = described.odd
    exceptions = Exceptions(
        skips=frozenset(one.on for one in given if one.kind == "skip"),
        pauses=[(one.on, one.until_on) for one in given if one.until_on],
        moves={one.on: described.instant(one.to) for one in given if one.kind == "move" and one.to},
        extras={one.on: described.instant(one.to) for one in given if one.kind == "extra" and one.to},
    )
    plan = series.plan(exceptions, from_on=described.starts_on, until_on=described.until_on)
    return sorted(one.starts_at for one in plan.sessions.values())


def by_dateutil(described: Round) -> list[datetime]:
    """A set of rules, its dates aware in the zone of the standard library."""
    place = PLACES[described.zone]
    end = datetime.combine(described.until_on, described.at, place)
    found = rrule.rruleset()
    begin = datetime.combine(described.starts_on, described.at, place)
    found.rrule(rrule.rrulestr(f"{described.rule};UNTIL={end.astimezone(UTC):%Y%m%dT%H%M%SZ}", dtstart=begin))
    for wall in [*described.gone, *described.moved]:
        found.exdate(wall.replace(tzinfo=place))
    # In a set of its own: an excluded date may be where another session moves to, or the same one, to its own time.
    chosen = rrule.rruleset()
    for wall in [*described.added, *described.moved.values()]:
        chosen.rdate(wall.replace(tzinfo=place))
    return sorted({at.astimezone(UTC) for at in [*found, *chosen]})


def by_ical(described: Round) -> list[datetime]:
    """A calendar with RRULE, EXDATE, RDATE and overrides."""

    def line(name: str, wall: datetime) -> str:
        return f"{name};TZID={described.zone}:{wall:%Y%m%dT%H%M%S}"

    end = datetime.combine(described.until_on, described.at, PLACES[described.zone]).astimezone(UTC)
    common = ["UID:round", "DTSTAMP:20260101T000000Z", "SUMMARY:Round", "DURATION:PT20M"]
    begin = datetime.combine(described.starts_on, described.at)
    event = [*common, line("DTSTART", begin), f"RRULE:{described.rule};UNTIL={end:%Y%m%dT%H%M%SZ}"]
    event += [line("EXDATE", wall) for wall in described.gone] + [line("RDATE", wall) for wall in described.added]
    events = [event] + [
        [*common, line("RECURRENCE-ID", wall), line("DTSTART", to)] for wall, to in described.moved.items()
    ]
    lines = [line for event in events for line in ("BEGIN:VEVENT", *event, "END:VEVENT")]
    text = "\r\n".join(["BEGIN:VCALENDAR", "PRODID:-//Round//EN", "VERSION:2.0", *lines, "END:VCALENDAR", ""])
    timeline = IcsCalendarStream.calendar_from_ics(text).timeline_tz(UTC)
    return sorted({event.start.astimezone(UTC) for event in timeline})


def agree(described: Round) -> list[datetime]:
    """What all three find."""
    found = by_us(described)
    assert sorted(set(found)) == by_dateutil(described)
    assert sorted(set(found)) == by_ical(described)
    return found


TIMES = st.sampled_from([time(0), time(1, 30), time(2), time(2, 30), time(3), time(11), time(12, 30), time(23, 59)])


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    """Up to 104 weeks of a round, with up to six exceptions, each of a date of its own."""
    starts_on = draw(st.dates(date(2026, 1, 1), date(2027, 6, 1)))
    plain = Round(
        rule=draw(WEEKLY | MONTHLY),
        zone=draw(st.sampled_from(ZONES)),
        starts_on=starts_on,
        until_on=starts_on + draw(st.integers(0, 728)) * DAY,
        at=draw(TIMES),
    )
    walls = plain.walls
    if len(walls) == MOST:
        plain = replace(plain, until_on=walls[-1].date())
    dates = [wall.date() for wall in walls]
    odd: dict[date, Odd] = {}
    for _ in range(draw(st.integers(0, 6)) if dates else 0):
        made = draw(_odd(dates, plain))
        if made.on not in odd and not (made.kind == "extra" and made.on in dates):
            odd[made.on] = made
    return replace(plain, odd=tuple(odd.values()))


@st.composite
def _odd(draw: st.DrawFn, dates: Sequence[date], plain: Round) -> Odd:
    kind = draw(st.sampled_from(["skip", "pause", "move", "extra"]))
    on = draw(st.sampled_from(dates))
    if kind == "skip":
        return Odd(kind, on)
    if kind == "pause":
        first = on + draw(st.integers(-9, 9)) * DAY
        return Odd(kind, first, until_on=first + draw(st.integers(0, 30)) * DAY)
    if kind == "move":
        return Odd(kind, on, to=datetime.combine(on + draw(st.integers(-5, 5)) * DAY, draw(TIMES)))
    other = on + draw(st.integers(0, 6)) * DAY
    return Odd(kind, min(other, plain.until_on), to=datetime.combine(min(other, plain.until_on), draw(TIMES)))


# A session that is moved to the time that it has.
IN_PLACE = Odd("move", date(2026, 1, 5), to=datetime(2026, 1, 5))  # noqa: DTZ001  - a wall time


@example(Round("FREQ=WEEKLY;BYDAY=MO", "Europe/Berlin", date(2026, 1, 1), date(2026, 1, 5), time(0), (IN_PLACE,)))
@settings(deadline=None)
@given(rounds())
def test_whatever_the_zone_the_rule_and_the_exceptions_both_readers_find_our_sessions(described: Round) -> None:
    agree(described)


@pytest.mark.parametrize("zone", ZONES)
def test_eleven_stays_eleven_on_the_wall_for_104_weeks(zone: str) -> None:
    starts_on = date(2026, 1, 6)
    found = agree(Round("FREQ=WEEKLY;BYDAY=TU", zone, starts_on, starts_on + 103 * 7 * DAY, time(11)))
    shown = [at.astimezone(PLACES[zone]) for at in found]
    assert len(shown) == 104
    assert {(at.weekday(), at.hour, at.minute) for at in shown} == {(1, 11, 0)}
    assert len({at.utcoffset() for at in shown}) == 2, "the clocks changed meanwhile"


def test_weeks_that_are_added_to_instants_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_instants(*given: Any, **named: Any) -> list[Occurrence]:
        found = expand(*given, **named)
        return [replace(one, starts_at=found[0].starts_at + (one.on - found[0].on)) for one in found]

    expand = recurrence.occurrences
    monkeypatch.setattr(recurrence, "occurrences", by_instants)
    with pytest.raises(AssertionError):
        agree(Round("FREQ=WEEKLY;BYDAY=TU", "Europe/Berlin", date(2026, 3, 3), date(2026, 4, 28), time(11)))


EXAMPLE = Round(
    rule="FREQ=WEEKLY;BYDAY=TU,FR",
    zone="Europe/Berlin",
    starts_on=date(2026, 11, 24),
    until_on=date(2027, 4, 30),
    at=time(11),
    odd=(
        Odd("skip", date(2026, 12, 1)),
        Odd("pause", date(2026, 12, 21), until_on=date(2027, 1, 8)),
        Odd("move", date(2027, 1, 12), to=datetime(2027, 1, 13, 15, 30)),  # noqa: DTZ001  - a wall time
        Odd("extra", date(2027, 3, 28), to=datetime(2027, 3, 28, 11)),  # noqa: DTZ001  - a wall time
    ),
)


@pytest.mark.parametrize("ignored", ["skips", "pauses", "moves", "extras"])
def test_a_plan_that_ignores_one_exception_is_caught(monkeypatch: pytest.MonkeyPatch, ignored: str) -> None:
    agree(EXAMPLE)

    def forgetful(occurrences: Any, extras: Any, exceptions: Exceptions, **named: Any) -> planning.Plan:
        without = replace(exceptions, **{ignored: type(getattr(exceptions, ignored))()})
        return plan(occurrences, {} if ignored == "extras" else extras, without, **named)

    plan = planning.plan
    monkeypatch.setattr(planning, "plan", forgetful)
    with pytest.raises(AssertionError):
        agree(EXAMPLE)


class TestStored:
    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_the_sessions_that_are_stored_are_those_that_both_readers_find(self, stage: Stage) -> None:
        series_id: uuid.UUID = stage.meet(rule=EXAMPLE.rule, starts_on=EXAMPLE.starts_on, ends_on=EXAMPLE.until_on)
        for one in EXAMPLE.odd:
            to = None if one.to is None else EXAMPLE.instant(one.to)
            entered = {"on": one.on, "kind": one.kind, "starts_at": to, "until_on": one.until_on}
            arranging.add_exception(series_id, entered, by=HELPDESK)
        stored = sorted(session.starts_at for session in stage.sessions() if session.state == "planned")
        assert stored == by_dateutil(EXAMPLE) == by_ical(EXAMPLE)
        assert {one.kind for one in of_series(series_id)} == {str(kind) for kind in ExceptionKind}
        assert db.session.query(SeriesException).count() == 4
