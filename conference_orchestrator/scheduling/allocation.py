"""Which slot a request gets, and why. Pure: everything it weighs comes in, its reasons go out.

Who waits stands in line by `Wish.place`: requests whose session fell out first, then by urgency, then by how long they
wait. A slot that somebody further ahead could have is not given to who comes after, unless a person names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from conference_orchestrator.kernel import times
from conference_orchestrator.scheduling import wording

EMERGENCY = "emergency"
URGENCIES = (EMERGENCY, "urgent", "routine")
MOST_PASSED_OVER = 3
NONE_FREE, NONE_SUITS = "no slot is free yet.", "no free slot suits yet."


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a group asks of its allocations; every rule is off by default, and emergencies are bound by none.

    `lead`: so long before a session nothing is added any more. `cut_off`: so long before a session a request must have
    been submitted complete. `share`: the part of a session's slots (above 0, at most 1) that one hospital may hold, one
    slot in any case. `reserve`: so many slots of a session, the last ones, are kept for emergencies until the cut-off.
    `offer`: how long a freed slot is held for who is first in line; None: freed slots are not offered.
    `open_requests`: how many requests one requester may have open.
    """

    lead: timedelta = timedelta()
    cut_off: timedelta = timedelta()
    share: float | None = None
    reserve: int = 0
    offer: timedelta | None = None
    open_requests: int | None = None

    @classmethod
    def of(cls, entered: Mapping[str, Any]) -> Rules:
        """The rules as a group holds them (`lead_hours`, `hospital_share` ...)."""
        offer = entered.get("offer_hours")
        return cls(
            lead=timedelta(hours=entered.get("lead_hours", 0)),
            cut_off=timedelta(hours=entered.get("cut_off_hours", 0)),
            share=entered.get("hospital_share"),
            reserve=entered.get("reserve_slots", 0),
            offer=timedelta(hours=offer) if offer is not None else None,
            open_requests=entered.get("open_requests_per_requester"),
        )

    @property
    def limit_a_session(self) -> bool:
        """Whether a slot depends on who holds the other slots of its session."""
        return self.share is not None


@dataclass(frozen=True, kw_only=True)
class FreeSlot:
    """A slot that nobody holds. `held` counts, by hospital, the slots of its session that are held."""

    id: UUID
    session_id: UUID
    number: int
    of: int
    starts_at: datetime
    session_starts_at: datetime
    time_zone: str
    held: Mapping[UUID, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What matters of a request: how urgent it is, how long it waits, and when it may be discussed.

    `away` holds the first and last days of the requester's absences, `declined` the slots that it was offered and did
    not take, `missing` what the request lacks, for which it keeps its place but gets no slot; `waiting_since` is None
    before it stands in line.
    """

    request_id: UUID
    requester_id: UUID
    urgency: str
    submitted_at: datetime | None
    hospital_id: UUID | None = None
    earliest_on: date | None = None
    latest_on: date | None = None
    away: Sequence[tuple[date, date]] = ()
    declined: Collection[UUID] = ()
    missing: Sequence[str] = ()
    displaced: bool = False
    waiting_since: datetime | None = None

    @property
    def place(self) -> tuple[bool, int, bool, datetime | None, UUID]:
        """What the line is ordered by; who does not stand in it yet comes after those of the same urgency."""
        return (
            not self.displaced,
            URGENCIES.index(self.urgency),
            self.waiting_since is None,
            self.waiting_since,
            self.request_id,
        )


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """How many requests of one kind are ahead in line, the first of them waiting since when."""

    displaced: bool
    urgency: str
    count: int
    since: datetime


@dataclass(frozen=True)
class Choice:
    """The slot chosen, with the reasons to show people."""

    slot_id: UUID
    reasons: tuple[str, ...]


def choose(
    wish: Wish, free: Sequence[FreeSlot], *, rules: Rules, now: datetime, ahead: Sequence[Wish] = ()
) -> Choice | None:
    """The earliest slot that the request may have, with the reasons; None when it has to wait.

    The slots that those `ahead` in line could have are set aside for them first, each its earliest.
    """
    left = _left_by(ahead, free, rules=rules, now=now)
    chosen = _earliest(wish, left, rules=rules, now=now)
    if chosen is None:
        return None
    reasons = [f"The earliest suitable free slot: {wording.moment(chosen.starts_at, chosen.time_zone)}."]
    if wish.urgency != "routine":
        reasons.append(f"The request is {wording.urgent(wish.urgency)}.")
    if wish.waiting_since is not None:
        since = wording.day(times.wall(wish.waiting_since, chosen.time_zone).date(), now=now)
        reasons.append(f"It waits since {since}.")
    reasons += _passed_over(wish, free, chosen, left=left, rules=rules, now=now)
    return Choice(chosen.id, tuple(reasons))


def first_obstacle(wish: Wish, slot: FreeSlot, *, rules: Rules, now: datetime) -> str | None:
    """Why the request may not have the slot, in words; None when it may."""
    if wish.missing:
        return _lacks(wish)
    if slot.starts_at <= now:
        return "The slot has passed."
    barred = _barred_for_request(wish, slot)
    if barred is not None or wish.urgency == EMERGENCY:
        return barred
    return _barred_by_rules(wish, slot, rules=rules, now=now)


def why_waiting(
    wish: Wish, free: Sequence[FreeSlot], *, rules: Rules, now: datetime, ahead: Sequence[Wish] = ()
) -> tuple[str, ...]:
    """Why no slot could be chosen, in words for the requester."""
    if wish.missing:
        return (_lacks(wish),)
    if not free:
        return ("Every slot of the coming sessions is taken.",)
    obstacles = [first_obstacle(wish, slot, rules=rules, now=now) for slot in free]
    if None in obstacles:
        kept = len(free) - len(_left_by(ahead, free, rules=rules, now=now))
        return (f"Every free slot that would suit is kept for {wording.people(kept)} further ahead in line.",)
    if wish.earliest_on or wish.latest_on:
        window = [said for said in obstacles if said and said.startswith("The request may not be discussed")]
        if len(window) == len(obstacles):
            return ("No free slot lies within the dates that the request allows.",)
    often = Counter(said for said in obstacles if said)
    return (
        "No free slot suits.",
        *(f"{said} ({wording.slots(count)})" for said, count in often.most_common(MOST_PASSED_OVER)),
    )


def standing(
    wish: Wish,
    ahead: Sequence[Wish],
    free: Sequence[FreeSlot],
    *,
    rules: Rules,
    now: datetime,
    time_zone: str,
) -> str:
    """Where a waiting request stands, in one sentence.

    "Third in line: two urgent requests since 3 May; next free slot 24 November."
    """
    said = place_in_line(tally(ahead), now=now, time_zone=time_zone)
    left = _left_by(ahead, free, rules=rules, now=now)
    suitable = _earliest(wish, left, rules=rules, now=now)
    if suitable is None:
        return f"{said}; {NONE_SUITS if free else NONE_FREE}"
    return f"{said}; next free slot {wording.day(times.wall(suitable.starts_at, suitable.time_zone).date(), now=now)}."


def place_in_line(ahead: Sequence[Ahead], *, now: datetime, time_zone: str) -> str:
    """The first half of `standing`: "Third in line: two urgent requests since 3 May"."""
    said = f"{wording.ordinal(sum(one.count for one in ahead) + 1)} in line"
    groups = [
        _in_words(one, now=now, time_zone=time_zone)
        for one in sorted(ahead, key=lambda one: (not one.displaced, URGENCIES.index(one.urgency)))
    ]
    return f"{said}: {wording.listing(groups)}" if groups else said


def tally(ahead: Sequence[Wish]) -> list[Ahead]:
    """Those ahead in line, counted by what puts them there."""
    kinds: dict[tuple[bool, str], list[datetime]] = {}
    for wish in ahead:
        kinds.setdefault((wish.displaced, wish.urgency), []).extend([wish.waiting_since] if wish.waiting_since else [])
    return [
        Ahead(displaced=displaced, urgency=urgency, count=len(since), since=min(since))
        for (displaced, urgency), since in kinds.items()
    ]


def _lacks(wish: Wish) -> str:
    return f"The request lacks: {', '.join(wish.missing)}."


def _barred_for_request(wish: Wish, slot: FreeSlot) -> str | None:
    on = times.wall(slot.starts_at, slot.time_zone).date()
    if wish.earliest_on is not None and on < wish.earliest_on:
        return f"The request may not be discussed before {wording.full(wish.earliest_on)}."
    if wish.latest_on is not None and on > wish.latest_on:
        return f"The request may not be discussed after {wording.full(wish.latest_on)}."
    if slot.id in wish.declined:
        return "It was offered before and not taken."
    if any(first <= on <= last for first, last in wish.away):
        return "The requester is away on that day."
    return None


def _barred_by_rules(wish: Wish, slot: FreeSlot, *, rules: Rules, now: datetime) -> str | None:
    deadline = slot.session_starts_at - rules.cut_off
    if rules.lead and slot.session_starts_at - now < rules.lead:
        return f"The group needs {wording.hours(rules.lead)} to prepare."
    if rules.cut_off and (wish.submitted_at or now) > deadline:
        return f"The deadline for that session was {wording.moment(deadline, slot.time_zone)}."
    if slot.number > slot.of - rules.reserve and now < deadline:
        return f"The slot is kept for emergencies until {wording.moment(deadline, slot.time_zone)}."
    if rules.share is not None and wish.hospital_id is not None:
        # Rounded, because 0.58 of 50 is a little less than 29 to a computer.
        most = max(1, int(round(rules.share * slot.of, 6)))
        if slot.held.get(wish.hospital_id, 0) >= most:
            part = f"{wording.number(most)} of {wording.slots(slot.of)}"
            return f"The hospital has its share of that session already: {part}."
    return None


def _earliest(wish: Wish, free: Sequence[FreeSlot], *, rules: Rules, now: datetime) -> FreeSlot | None:
    suitable = (slot for slot in free if first_obstacle(wish, slot, rules=rules, now=now) is None)
    return min(suitable, key=lambda slot: (slot.starts_at, slot.id), default=None)


def _left_by(ahead: Sequence[Wish], free: Sequence[FreeSlot], *, rules: Rules, now: datetime) -> list[FreeSlot]:
    """What is left once each of those ahead has its earliest slot."""
    left = list(free)
    for wish in sorted(ahead, key=lambda one: one.place):
        taken = _earliest(wish, left, rules=rules, now=now)
        if taken is not None:
            left = without(left, taken, wish.hospital_id)
    return left


def without(free: Sequence[FreeSlot], taken: FreeSlot, hospital_id: UUID | None) -> list[FreeSlot]:
    """The free slots that are left once the hospital has taken one of them."""
    return [_also_held(slot, taken, hospital_id) for slot in free if slot.id != taken.id]


def _also_held(slot: FreeSlot, taken: FreeSlot, hospital_id: UUID | None) -> FreeSlot:
    if slot.session_id != taken.session_id or hospital_id is None:
        return slot
    return replace(slot, held={**slot.held, hospital_id: slot.held.get(hospital_id, 0) + 1})


def _passed_over(
    wish: Wish, free: Sequence[FreeSlot], chosen: FreeSlot, *, left: Sequence[FreeSlot], rules: Rules, now: datetime
) -> list[str]:
    """Why the request did not get the free slots before the chosen one; the first few of them."""
    before = sorted((s for s in free if s.starts_at < chosen.starts_at), key=lambda s: (s.starts_at, s.id))
    # Those ahead may use up the share of the hospital: what is left says more than what was free.
    weighed = {slot.id: slot for slot in left}
    said = []
    for slot in before[:MOST_PASSED_OVER]:
        why = first_obstacle(wish, weighed.get(slot.id, slot), rules=rules, now=now)
        why = why or "It is kept for a request further ahead in line."
        said.append(f"Not {wording.moment(slot.starts_at, slot.time_zone)}: {why}")
    return said


def _in_words(ahead: Ahead, *, now: datetime, time_zone: str) -> str:
    since = wording.day(times.wall(ahead.since, time_zone).date(), now=now)
    return f"{wording.requests(ahead.count, ahead.urgency, fell_out=ahead.displaced)} since {since}"
