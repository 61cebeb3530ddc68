"""Which slot a request gets. Pure: everything it weighs comes in, its reasons go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from conference_orchestrator.kernel import times


@dataclass(frozen=True)
class FreeSlot:
    """A slot that nobody holds; `time_zone` is the zone in which its session is announced."""

    id: UUID
    starts_at: datetime
    time_zone: str


@dataclass(frozen=True)
class Wish:
    """What matters of a request: the dates on which it may be discussed, both included, None being open."""

    earliest_on: date | None
    latest_on: date | None


@dataclass(frozen=True)
class Choice:
    """The slot chosen, with the reasons to show people."""

    slot_id: UUID
    reasons: tuple[str, ...]


def choose(wish: Wish, free: Sequence[FreeSlot], *, now: datetime) -> Choice | None:
    """The earliest slot that the request may have, with the reasons; None when it has to wait."""
    for slot in sorted(free, key=lambda slot: (slot.starts_at, slot.id)):
        if first_obstacle(wish, slot, now=now) is None:
            on = times.local(slot.starts_at, slot.time_zone)
            return Choice(slot.id, (f"The earliest suitable free slot: {on:%A} {on.day} {on:%B %Y}, {on:%H.%M}.",))
    return None


def first_obstacle(wish: Wish, slot: FreeSlot, *, now: datetime) -> str | None:
    """Why the request may not have the slot, in words; None when it may."""
    on = times.wall(slot.starts_at, slot.time_zone).date()
    if slot.starts_at <= now:
        return "The slot has passed."
    if wish.earliest_on is not None and on < wish.earliest_on:
        return f"The request may not be discussed before {wish.earliest_on}."
    if wish.latest_on is not None and on > wish.latest_on:
        return f"The request may not be discussed after {wish.latest_on}."
    return None


def why_waiting(free: Sequence[FreeSlot]) -> str:
    """Why no slot could be chosen, in words for the requester."""
    if not free:
        return "Every slot of the coming sessions is taken."
    return "No free slot lies within the dates that the request allows."
