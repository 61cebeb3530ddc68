"""Who is offered which free slot next, until when, and why. Pure: what it weighs comes in, its reasons go out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from conference_orchestrator.scheduling import allocation, wording
from conference_orchestrator.scheduling.allocation import MOST_PASSED_OVER, FreeSlot, Rules, Wish


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Who is offered which slot, held until when, with the reasons to show people."""

    request_id: UUID
    slot_id: UUID
    until: datetime
    reasons: tuple[str, ...]


def propose(
    line: Sequence[Wish],
    free: Sequence[FreeSlot],
    *,
    rules: Rules,
    now: datetime,
    declined: Collection[tuple[UUID, UUID]] = (),
) -> Proposal | None:
    """The first in line whom a free slot suits, with the earliest such slot; None when there is nothing to offer.

    `declined` holds request and slot of the offers that were refused or ran out: the same slot goes to the next in
    line then, and never back.
    """
    held = {slot.id: until for slot in free if (until := held_until(slot, rules=rules, now=now)) is not None}
    offered = [slot for slot in free if slot.id in held]
    for place, wish in enumerate(line, start=1):
        own = [slot for slot in offered if (wish.request_id, slot.id) not in declined]
        choice = allocation.choose(wish, own, rules=rules, now=now)
        if choice is not None:
            left = [slot for slot in offered if (wish.request_id, slot.id) in declined]
            chosen = next(slot for slot in own if slot.id == choice.slot_id)
            return Proposal(
                request_id=wish.request_id,
                slot_id=choice.slot_id,
                until=held[choice.slot_id],
                reasons=(_in_line(place), *choice.reasons, *_left(left, chosen)),
            )
    return None


def held_until(slot: FreeSlot, *, rules: Rules, now: datetime) -> datetime | None:
    """Until when the slot would be held; None where slots are not offered, or not so shortly before the session.

    As long as the group says, but not into the time that it needs before a session: the cut-off or, if that is longer,
    the lead time.
    """
    if rules.offer is None:
        return None
    until = min(now + rules.offer, slot.session_starts_at - max(rules.cut_off, rules.lead))
    return until if until > now else None


def _in_line(place: int) -> str:
    said = f"{wording.ordinal(place)} in line"
    return f"{said}." if place == 1 else f"{said}; nobody further ahead takes the slot."


def _left(left: Sequence[FreeSlot], chosen: FreeSlot) -> list[str]:
    """Why it is not offered the slots before the chosen one that it had its chance of; the first few of them."""
    before = sorted((s for s in left if s.starts_at < chosen.starts_at), key=lambda s: (s.starts_at, s.id))
    return [
        f"Not {wording.moment(slot.starts_at, slot.time_zone)}: it was offered before and not taken."
        for slot in before[:MOST_PASSED_OVER]
    ]
