"""Instants and wall time: the one place that knows pytz.

An instant is an aware datetime in UTC. A wall time is a naive datetime together with the IANA name of a zone.
Arithmetic on appointments is done on wall times, then each is made an instant once: adding a week to a localized
time would keep the old offset across a clock change.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Protocol

import pytz

from conference_orchestrator.kernel.errors import Invalid

DAY = timedelta(days=1)


class Clock(Protocol):
    """Says what time it is; tests hand in one that stands still."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA zone, written exactly ("Europe/Berlin", not "europe/berlin")."""
    return name in pytz.all_timezones_set


def zone_in_any_case(name: str) -> str | None:
    """The IANA zone that somebody else means by `name`, whatever the case of its letters; None when there is none."""
    return name if is_zone(name) else _zones_in_lower_case().get(name.lower())


@cache
def _zones_in_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in pytz.all_timezones}


@lru_cache
def zone(name: str) -> pytz.BaseTzInfo:
    """The pytz zone. Invalid, naming `time_zone`, when there is none of that name."""
    if not is_zone(name):
        raise Invalid({"time_zone": f"{name!r} is not an IANA time zone such as Europe/Berlin."})
    return pytz.timezone(name)


def instant(wall: datetime, time_zone: str) -> datetime:
    """The UTC instant at which a clock on the wall in `time_zone` shows `wall` (naive).

    In the repeated hour of autumn the first pass counts; a time in the skipped hour of spring moves forward by the gap.
    """
    return on_the_wall(wall, time_zone)[0]


def is_repeated(wall: datetime, time_zone: str) -> bool:
    """Whether clocks in `time_zone` show `wall` (naive) twice, because autumn repeats that hour."""
    try:
        zone(time_zone).localize(wall, is_dst=None)
    except pytz.AmbiguousTimeError:
        return True
    except pytz.NonExistentTimeError:
        return False
    return False


def on_the_wall(wall: datetime, time_zone: str) -> tuple[datetime, bool]:
    """The `instant`, and whether no clock in `time_zone` ever shows `wall`, because spring skips that hour."""
    if wall.tzinfo is not None:
        raise TypeError("a wall time is naive")
    offset = _steady_offset(wall.date(), time_zone)
    if offset is not None:
        return (wall - offset).replace(tzinfo=UTC), False
    place = zone(time_zone)
    try:
        local = place.localize(wall, is_dst=None)
    except pytz.AmbiguousTimeError:
        # Which pass bears the name of summer time is a matter of the zone: in Dublin and Casablanca the second.
        local = min(place.localize(wall, is_dst=True), place.localize(wall, is_dst=False))
    except pytz.NonExistentTimeError:
        # Read with the offset before the gap, the instant shows on the wall as the same time moved on by the gap.
        return place.localize(wall, is_dst=False).astimezone(UTC), True
    return local.astimezone(UTC), False


# A round has the same dates as most others: each is looked up once.
@lru_cache(maxsize=4096)
def _steady_offset(on: date, time_zone: str) -> timedelta | None:
    """How far the clocks are ahead of UTC on that date; None when they change on it or near."""
    place, midnight = zone(time_zone), datetime.combine(on, time())
    before, after = place.fromutc(midnight - DAY), place.fromutc(midnight + 2 * DAY)
    return before.replace(tzinfo=None) - (midnight - DAY) if before.tzinfo is after.tzinfo else None


def local(at: datetime, time_zone: str) -> datetime:
    """The instant as shown by a clock in `time_zone`: aware, with that zone's offset at that instant."""
    if at.tzinfo is None:
        raise TypeError("an instant is aware")
    return zone(time_zone).normalize(at.astimezone(zone(time_zone)))


def wall(at: datetime, time_zone: str) -> datetime:
    """The naive wall time in `time_zone` at the instant."""
    return local(at, time_zone).replace(tzinfo=None)


def rfc3339(at: datetime) -> str:
    """The instant as RFC 3339 in UTC with `Z`, fractions only when there are any."""
    if at.tzinfo is None:
        raise TypeError("an instant is aware")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class ClockChange:
    """A change of the clocks that comes every year: on the `nth` (-1: last) `weekday` (0: Monday) of the `month`.

    It happens when they show `at`; the offsets are those from UTC before and after.
    """

    month: int
    nth: int
    weekday: int
    at: time
    before: timedelta
    after: timedelta
    name: str


@dataclass(frozen=True)
class ClockRule:
    """How the clocks of a zone go from now on: always `offset` ahead of UTC, or by two changes a year."""

    offset: timedelta
    name: str
    changes: tuple[ClockChange, ...] = ()


_NAME, _OFFSET = r"(<[^>]+>|[A-Za-z]+)", r"([-+]?\d+(?::\d+)*)"
_DATE = rf",M(\d+)\.(\d)\.(\d)(?:/{_OFFSET})?"
_POSIX = re.compile(rf"{_NAME}{_OFFSET}(?:{_NAME}{_OFFSET}?{_DATE}{_DATE})?")


@lru_cache
def clock_rule(time_zone: str) -> ClockRule | None:
    """The rule that the zone's file ends with (RFC 8536, 3.3), None where it has none that a calendar can express.

    None also where the rule is not what the zone does in the years ahead, as in Morocco with its month of fasting.
    """
    with pytz.open_resource(time_zone) as file:  # type: ignore[attr-defined]  # the stubs lack it
        found = _POSIX.fullmatch(file.read().decode("latin-1").rpartition("\n")[0].rpartition("\n")[2])
    if found is None:
        return None
    name, offset, summer_name, summer_offset, *dates = found.groups()
    offset = -_posix_time(offset)
    rule: ClockRule | None = ClockRule(offset, name.strip("<>"))
    if summer_name:
        summer = -_posix_time(summer_offset) if summer_offset else offset + timedelta(hours=1)
        to_summer = _change(dates[:4], offset, summer, summer_name)
        to_winter = _change(dates[4:], summer, offset, name)
        rule = ClockRule(offset, name.strip("<>"), (to_summer, to_winter)) if to_summer and to_winter else None
    return rule if rule and _is_kept(rule, time_zone) else None


def _change(dates: Sequence[str], before: timedelta, after: timedelta, name: str) -> ClockChange | None:
    month, week, weekday, at = dates
    shown = _posix_time(at or "2")
    if not timedelta() <= shown < DAY:
        return None
    nth = -1 if week == "5" else int(week)
    at_wall = (datetime.combine(date.min, time()) + shown).time()
    # POSIX counts the days of the week from Sunday.
    return ClockChange(int(month), nth, (int(weekday) - 1) % 7, at_wall, before, after, name.strip("<>"))


def _posix_time(text: str) -> timedelta:
    hours, minutes, seconds = ([abs(int(part)) for part in text.split(":")] + [0, 0])[:3]
    length = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -length if text.startswith("-") else length


def _is_kept(rule: ClockRule, time_zone: str) -> bool:
    """Whether the zone's clocks follow the rule this year and in the three years after it."""
    place, year = zone(time_zone), datetime.now(UTC).year
    if not rule.changes:
        weeks = (datetime(year, 1, 1, 12) + week * 7 * DAY for week in range(4 * 52))  # noqa: DTZ001  - as pytz wants it
        return all(place.fromutc(at).utcoffset() == rule.offset for at in weeks)
    own = [place.fromutc(at) for change in rule.changes for at in _around(change, range(year, year + 4))]
    wanted = [offset for change in rule.changes for _ in range(4) for offset in (change.before, change.after)]
    return [at.utcoffset() for at in own] == wanted


def _around(change: ClockChange, years: Iterable[int]) -> Iterator[datetime]:
    """The last second before the change and the first after it in each of the years, in UTC and naive."""
    for year in years:
        at = datetime.combine(nth_weekday(year, change.month, change.nth, change.weekday), change.at) - change.before
        yield from (at - timedelta(seconds=1), at)


def nth_weekday(year: int, month: int, nth: int, weekday: int) -> date:
    """The nth (-1: last) such weekday (0: Monday) of the month."""
    first_weekday, length = calendar.monthrange(year, month)
    days = range(1 + (weekday - first_weekday) % 7, length + 1, 7)
    return date(year, month, days[nth if nth < 0 else nth - 1])
