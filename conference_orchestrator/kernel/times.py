"""Instants and wall time: the one place that knows pytz.

An instant is an aware datetime in UTC. A wall time is a naive datetime together with the IANA name of a zone.
Arithmetic on appointments is done on wall times, then each is made an instant once: adding a week to a localized
time would keep the old offset across a clock change.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


# A round is checked and then planned: each of its starts is asked for more than once.
@lru_cache(maxsize=1024)
def _on_the_wall(wall: datetime, time_zone: str) -> tuple[datetime, bool]:
    """The instant, and whether it stands for a time that is skipped."""
    if wall.tzinfo is not None:
        raise TypeError("a wall time is naive")
    place = zone(time_zone)
    before, after = place.fromutc(wall - DAY), place.fromutc(wall + DAY)
    if before.tzinfo is after.tzinfo:
        # No clock changes near: what `localize` finds out in the same way, in twice the time.
        offset = before.replace(tzinfo=None) - (wall - DAY)
        return (wall - offset).replace(tzinfo=UTC), False
    try:
        local = place.localize(wall, is_dst=None)
    except pytz.AmbiguousTimeError:
        # Which pass bears the name of summer time is a matter of the zone: in Dublin and Casablanca the second.
        local = min(place.localize(wall, is_dst=True), place.localize(wall, is_dst=False))
    except pytz.NonExistentTimeError:
        # Read with the offset before the gap, the instant shows on the wall as the same time moved on by the gap.
        return place.localize(wall, is_dst=False).astimezone(UTC), True
    return local.astimezone(UTC), False


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
