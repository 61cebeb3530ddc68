"""What a reader should know about clocks that change near a meeting. Pure: instants and zones in, a note out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from conference_orchestrator.kernel.times import local

# Two zones that change their clocks on different dates are at odds for one to five weeks (Casablanca's Ramadan);
# a difference that lasts longer is one that people know.
UNUSUAL = timedelta(weeks=6)
# A change so shortly before a meeting still confuses, even when the mail was written after it.
FRESH = timedelta(weeks=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class ClocksDisagree:
    """The time difference between reader and meeting is one that holds only for some days or weeks."""


@dataclass(frozen=True, kw_only=True)
class ClocksChange:
    """The clocks of `time_zone` change before the meeting; `on` is the date there."""

    time_zone: str
    on: date


def clock_note(
    starts_at: datetime, *, reader_zone: str, meeting_zone: str, told_at: datetime | None = None
) -> ClocksDisagree | ClocksChange | None:
    """What to say about clocks in a mail about a meeting at that instant; None: nothing is unusual.

    A change counts when it lies in the week before the meeting, or after `told_at`, the instant of the mail. The
    reader's own zone counts before that of the meeting.
    """
    if _is_unusual(starts_at, reader_zone, meeting_zone):
        return ClocksDisagree()
    since = min(starts_at - FRESH, told_at or starts_at)
    for time_zone in (reader_zone, meeting_zone):
        for at in reversed(list(_changes(time_zone, since, starts_at))):
            return ClocksChange(time_zone=time_zone, on=local(at - _SECOND, time_zone).date())
    return None


def _is_unusual(at: datetime, one: str, other: str) -> bool:
    def difference(then: datetime) -> timedelta:
        return _offset(then, one) - _offset(then, other)

    near = {change for name in (one, other) for change in _changes(name, at - UNUSUAL, at + UNUSUAL)}
    turns = [change for change in near if difference(change - _SECOND) != difference(change)]
    before, after = ([turn for turn in turns if turn <= at], [turn for turn in turns if turn > at])
    return bool(before and after) and min(after) - max(before) <= UNUSUAL


def _changes(time_zone: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """The instants after the first and up to the last at which the clocks of the zone change, in order."""
    for year in range(since.astimezone(UTC).year, until.astimezone(UTC).year + 1):
        yield from (at for at in _changes_in(time_zone, year) if since < at <= until)


@lru_cache(maxsize=1024)
def _changes_in(time_zone: str, year: int) -> tuple[datetime, ...]:
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(367)]
    found = []
    for start, end in itertools.pairwise(days):
        low, high = start, end
        if start.year != year or _offset(low, time_zone) == _offset(high, time_zone):
            continue
        while high - low > _SECOND:
            middle = low + (high - low) // 2
            low, high = (middle, high) if _offset(middle, time_zone) == _offset(start, time_zone) else (low, middle)
        found.append(high.replace(microsecond=0))
    return tuple(found)


def _offset(at: datetime, time_zone: str) -> timedelta:
    return local(at, time_zone).utcoffset() or timedelta()
