"""Instants and wall time: the one place that knows pytz.

An instant is an aware datetime in UTC. A wall time is a naive datetime together with the IANA name of a zone.
Arithmetic on appointments is done on wall times, then each is made an instant once: adding a week to a localized
time would keep the old offset across a clock change.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
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
    return _on_the_wall(wall, time_zone)[0]


def is_skipped(wall: datetime, time_zone: str) -> bool:
    """Whether no clock in `time_zone` ever shows `wall` (naive), because spring skips that hour."""
    return _on_the_wall(wall, time_zone)[1]


def _on_the_wall(wall: datetime, time_zone: str) -> tuple[datetime, bool]:
    """The instant, and whether it stands for a time that is skipped."""
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
