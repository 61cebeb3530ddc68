"""Numbers, days and times as the explanations of the schedule say them, in English. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from conference_orchestrator.kernel import times

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")


def number(count: int) -> str:
    """A count in words up to twelve, then in digits."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def ordinal(place: int) -> str:
    """A place in line: "First", "Tenth", "Number 11"."""
    return ORDINALS[place - 1] if place <= len(ORDINALS) else f"Number {place}"


def slots(count: int) -> str:
    """How many slots."""
    return f"{number(count)} slot{'' if count == 1 else 's'}"


def people(count: int) -> str:
    """How many requests, without saying which."""
    return f"{number(count)} request{'' if count == 1 else 's'}"


def requests(count: int, urgency: str, *, fell_out: bool) -> str:
    """How many requests of an urgency: "two urgent requests", "one emergency whose session fell out"."""
    plural = count != 1
    if urgency == "emergency":
        named = "emergencies" if plural else "emergency"
    else:
        named = f"{urgency} request{'s' if plural else ''}"
    return f"{number(count)} {named}{' whose session fell out' if fell_out else ''}"


def urgent(urgency: str) -> str:
    """What a request of that urgency is: "urgent", "an emergency"."""
    return "an emergency" if urgency == "emergency" else urgency


def hours(length: timedelta) -> str:
    """A length in hours: "48 hours", "1.5 hours"."""
    count = length / timedelta(hours=1)
    return f"{count:g} hour{'' if count == 1 else 's'}"


def full(on: date) -> str:
    """A day with its year: "24 November 2026"."""
    return f"{on.day} {on:%B %Y}"


def day(on: date, *, now: datetime) -> str:
    """A day, its year only where it is not the present one: "24 November"."""
    return f"{on.day} {on:%B}" if on.year == now.year else full(on)


def moment(at: datetime, time_zone: str) -> str:
    """An instant on the wall of a zone: "Tuesday 24 November 2026, 11.00"."""
    wall = times.wall(at, time_zone)
    return f"{wall:%A} {full(wall.date())}, {wall:%H.%M}"


def listing(parts: Sequence[str]) -> str:
    """The parts as a sentence lists them: "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
