"""Which sessions a series has between two dates, after its exceptions and the public holidays. Pure.

An extra session beats a pause and a skip, these beat a move. On a public holiday that the series leaves out there is
no session, unless its date was moved or is an extra one: then a person chose it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from conference_orchestrator.kernel import times
from conference_orchestrator.scheduling import wording
from conference_orchestrator.scheduling.recurrence import Occurrence

PAUSED = "The round pauses."
SKIPPED = "Not on this date: the round skips it."
HOLIDAY = "Not on this date: it is a public holiday ({})."
CHANGED = "The round was changed."


class HolidayAction(StrEnum):
    """What a public holiday does to a date of the rule."""

    SKIP = "skip"
    FLAG = "flag"


@dataclass(frozen=True, kw_only=True)
class Exceptions:
    """What holds for single dates of a series instead of its rule.

    Both dates of a pause are included. An extra session without a start begins when the others do.
    """

    skips: frozenset[date] = frozenset()
    pauses: Sequence[tuple[date, date]] = ()
    moves: Mapping[date, datetime] = field(default_factory=dict)
    extras: Mapping[date, datetime | None] = field(default_factory=dict)

    def pauses_on(self, on: date) -> bool:
        """Whether the date lies in a pause."""
        return any(first <= on <= last for first, last in self.pauses)


@dataclass(frozen=True)
class Planned:
    """A session to be: the date that names it, its start, whether an exception moved it, the holidays it falls on."""

    on: date
    starts_at: datetime
    holidays: Sequence[str] = ()
    is_moved: bool = False


@dataclass(frozen=True)
class Plan:
    """The sessions of a series by date, and why dates of its rule have none."""

    sessions: Mapping[date, Planned]
    left_out: Mapping[date, str]

    def why_not(self, on: date) -> str:
        """Why there is no session on the date."""
        return self.left_out.get(on, CHANGED)


def plan(
    occurrences: Iterable[Occurrence],
    extras: Mapping[date, datetime],
    exceptions: Exceptions,
    *,
    time_zone: str,
    action: str | None = None,
    holidays: Callable[[Iterable[date]], Mapping[date, Sequence[str]]] = lambda _: {},
) -> Plan:
    """What becomes of the rule's occurrences and of the extra sessions.

    `holidays` names those of the days that are public holidays, `action` says what becomes of a date that is one.
    """
    starts = {one.on: one.starts_at for one in occurrences}
    left_out = {on: PAUSED for on in starts if exceptions.pauses_on(on)}
    left_out |= dict.fromkeys(exceptions.skips & starts.keys(), SKIPPED)
    chosen = {on: at for on, at in exceptions.moves.items() if on in starts} | dict(extras)
    starts |= chosen
    held_on = {on: times.wall(at, time_zone).date() if on in chosen else on for on, at in starts.items()}
    named = holidays({*starts, *held_on.values()})
    if action == HolidayAction.SKIP:
        said = {on: HOLIDAY.format(wording.listing(named[on])) for on in starts if on in named and on not in chosen}
        left_out = said | left_out
    left_out = {on: why for on, why in left_out.items() if on not in extras}
    kept = {
        on: Planned(on, at, tuple(named.get(held_on[on], ())), on in exceptions.moves)
        for on, at in sorted(starts.items())
        if on not in left_out
    }
    return Plan(kept, left_out)
