"""Which dates a series yields. Pure: wall dates and times in, instants out.

A subset of RFC 5545 section 3.3.10: WEEKLY on weekdays, MONTHLY on the nth or last weekday, with INTERVAL. Everything
else is refused, and no more is ever expanded than `MOST` occurrences. What exceptions and public holidays make of the
dates is decided in `planning`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import count, islice, takewhile

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.errors import Invalid

MOST = 200
HIGHEST_INTERVAL = 12
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NTH_WEEKDAY = re.compile(r"([1-5]|-1)(MO|TU|WE|TH|FR|SA|SU)")


@dataclass(frozen=True)
class Rule:
    """`days` holds (nth, weekday) pairs: nth is 0 for every such weekday of a week, 1..5 or -1 (last) of a month."""

    frequency: str
    interval: int
    days: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Occurrence:
    """A start that a rule yields: its date on the wall, its instant, and whether no clock shows it."""

    on: date
    starts_at: datetime
    is_skipped: bool


def parse(text: str) -> Rule:
    """The rule that "FREQ=WEEKLY;BYDAY=TU" or "FREQ=MONTHLY;BYDAY=2TU;INTERVAL=3" says; Invalid for anything else."""
    pairs = [part.partition("=") for part in text.upper().split(";")]
    parts = {name: value for name, _, value in pairs}
    if len(parts) != len(pairs) or not set(parts) <= {"FREQ", "INTERVAL", "BYDAY"}:
        raise _invalid("only FREQ, INTERVAL and BYDAY are understood, each once; dates stand in starts_on and ends_on")
    interval = parts.get("INTERVAL", "1")
    if not re.fullmatch("[0-9]{1,2}", interval) or not 1 <= int(interval) <= HIGHEST_INTERVAL:
        raise _invalid(f"INTERVAL is a number from 1 to {HIGHEST_INTERVAL}")
    names = parts.get("BYDAY", "").split(",")
    match parts.get("FREQ"):
        case "WEEKLY":
            days = [(0, WEEKDAYS.index(name)) for name in names if name in WEEKDAYS]
        case "MONTHLY":
            found = [NTH_WEEKDAY.fullmatch(name) for name in names]
            days = [(int(m[1]), WEEKDAYS.index(m[2])) for m in found if m]
        case _:
            raise _invalid("FREQ is WEEKLY or MONTHLY")
    if len(days) != len(names) or len(set(days)) != len(days):
        raise _invalid("BYDAY names weekdays such as TU, for MONTHLY with their number such as 2TU or -1FR, each once")
    return Rule(str(parts["FREQ"]), int(interval), tuple(sorted(days, key=lambda day: day[1])))


def dates(rule: Rule, *, starts_on: date, from_on: date, until_on: date) -> Iterator[date]:
    """The rule's dates from the first match on or after `starts_on`, those in [from_on, until_on], in order.

    `starts_on` anchors the interval; nothing before `from_on` is expanded.
    """
    first = max(starts_on, from_on)
    step = _weeks if rule.frequency == "WEEKLY" else _months
    for on in takewhile(lambda on: on <= until_on, step(rule, starts_on, first)):
        if on >= first:
            yield on


# A round is checked and then planned: its dates are asked for twice.
@lru_cache(maxsize=32)
def occurrences(
    rule: Rule, *, starts_on: date, start_time: time, time_zone: str, from_on: date, until_on: date
) -> Sequence[Occurrence]:
    """The occurrences in the range, as instants; Invalid, naming the rule, when there are more than `MOST`."""
    found = list(islice(dates(rule, starts_on=starts_on, from_on=from_on, until_on=until_on), MOST + 1))
    if len(found) > MOST:
        raise _invalid(f"this makes more than {MOST} sessions; end the series earlier or choose fewer days")
    return tuple(Occurrence(on, *times.on_the_wall(datetime.combine(on, start_time), time_zone)) for on in found)


def pairs(gone: Iterable[date], new: Iterable[date], *, monthly: bool) -> dict[date, date]:
    """Which new date takes the place of one that is gone: one by one in order within the ISO week, or the month.

    What finds no partner there is left out.
    """

    def by_stretch(days: Iterable[date]) -> dict[tuple[int, int], list[date]]:
        found: dict[tuple[int, int], list[date]] = {}
        for on in sorted(days):
            found.setdefault((on.year, on.month) if monthly else on.isocalendar()[:2], []).append(on)
        return found

    there = by_stretch(new)
    found: dict[date, date] = {}
    for stretch, days in by_stretch(gone).items():
        found |= zip(days, there.get(stretch, ()), strict=False)
    return found


def _weeks(rule: Rule, starts_on: date, first: date) -> Iterator[date]:
    monday = starts_on - timedelta(days=starts_on.weekday())
    length = timedelta(weeks=rule.interval)
    skipped = max(0, (first - monday) // length)
    for number in count(skipped):
        try:
            week = monday + number * length
            yield from (week + timedelta(days=weekday) for _, weekday in rule.days)
        except OverflowError:
            return


def _months(rule: Rule, starts_on: date, first: date) -> Iterator[date]:
    anchor = starts_on.year * 12 + starts_on.month - 1
    skipped = max(0, (first.year * 12 + first.month - 1 - anchor) // rule.interval)
    for number in count(skipped):
        year, month = divmod(anchor + number * rule.interval, 12)
        if year > date.max.year:
            return
        # The fourth Tuesday may be the last one too: a date counts once.
        yield from sorted(set(_in_month(rule, year, month + 1)))


def _in_month(rule: Rule, year: int, month: int) -> Iterator[date]:
    first_weekday, length = calendar.monthrange(year, month)
    for nth, weekday in rule.days:
        days = range(1 + (weekday - first_weekday) % 7, length + 1, 7)
        if nth == -1:
            yield date(year, month, days[-1])
        elif nth <= len(days):
            yield date(year, month, days[nth - 1])


def _invalid(problem: str) -> Invalid:
    return Invalid({"rule": f"The rule is not possible: {problem}."})
