"""Which waiting requests get which free slots when a session falls out. Pure: claims and openings in, assignments out.

This is the assignment problem. It is solved exactly, by the method of Kuhn and Munkres with potentials, in the form of
shortest augmenting paths (D. F. Crouse, On implementing 2D rectangular assignment algorithms, IEEE Transactions on
Aerospace and Electronic Systems 52, 2016): one claim after the other is placed along the cheapest chain of exchanges.
With c claims and o openings this takes at most c * c * o steps. All prices are integers, so nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

# What a day of waiting counts; for a request whose session was cancelled it counts double.
WEIGHTS = {"emergency": 100, "urgent": 10, "routine": 1}
DISPLACED = 2

# So many claims, the first in line, and so many openings, the earliest, are considered at a time.
MOST = 400

# So long after the last opening, it is reckoned, a request without one is discussed: no later than in a usual round.
BEYOND = timedelta(weeks=1)


@dataclass(frozen=True)
class Claim:
    """One waiting request; `displaced` when its session was cancelled, which puts it before others of its urgency."""

    request_id: UUID
    urgency: str
    displaced: bool
    waiting_since: datetime

    @property
    def weight(self) -> int:
        """What a day of waiting counts for it; equal weight means the same urgency, displaced both or neither."""
        return WEIGHTS[self.urgency] * (DISPLACED if self.displaced else 1)


@dataclass(frozen=True)
class Opening:
    """One free slot; `has_meeting` when its session is held anyway, so that using it needs no further meeting."""

    slot_id: UUID
    session_id: UUID
    starts_at: datetime
    has_meeting: bool


@dataclass(frozen=True)
class Assignment:
    """The request gets the slot."""

    request_id: UUID
    slot_id: UUID


class Cost(NamedTuple):
    """What an assignment costs; the first difference decides, less is better.

    `waiting` adds weight times whole minutes from now to the slot; who gets none waits, it is reckoned, until
    `BEYOND` the last opening. So a routine request never makes an emergency wait longer than it gains itself, by the
    weights of both. `meetings` counts the claims placed in sessions
    that have no meeting yet; it counts claims, as each of them is a change, and not the sessions that they share.
    `out_of_turn` adds, for each claim, those behind it in line times the openings that start before its own.
    """

    waiting: int
    meetings: int
    out_of_turn: int


def assign(
    claims: Sequence[Claim], openings: Sequence[Opening], *, fits: Callable[[Claim, Opening], bool], now: datetime
) -> list[Assignment]:
    """The assignments of least `cost`, in the order of the line; never a pair that does not fit.

    The same input gives the same answer whatever its order. Of more than MOST claims those first in line are
    considered, of more than MOST openings the earliest; the others stay as they are.
    """
    prices = _Prices(claims, openings, now=now)
    placed = [
        {o: prices.placed(c, o) for o, opening in enumerate(prices.calendar) if fits(claim, opening)}
        for c, claim in enumerate(prices.line)
    ]
    unplaced = [prices.unplaced(c) for c in range(len(prices.line))]
    factors = _factors([*unplaced, *(cost for row in placed for cost in row.values())], most=len(unplaced))
    matching = _Matching(
        [{o: _in_one(cost, factors) for o, cost in row.items()} for row in placed],
        [_in_one(cost, factors) for cost in unplaced],
        openings=len(prices.calendar),
    )
    for claim in range(len(unplaced)):
        matching.place(claim)
    return [
        Assignment(prices.line[c].request_id, prices.calendar[o].slot_id)
        for c, o in sorted(matching.opening_of.items())
    ]


def cost(
    assignments: Sequence[Assignment], claims: Sequence[Claim], openings: Sequence[Opening], *, now: datetime
) -> Cost:
    """What `assign` makes as small as it can, for these assignments of these claims and openings."""
    prices = _Prices(claims, openings, now=now)
    number = {opening.slot_id: o for o, opening in enumerate(prices.calendar)}
    slot_of = {assignment.request_id: number[assignment.slot_id] for assignment in assignments}
    each = [
        prices.placed(c, slot_of[claim.request_id]) if claim.request_id in slot_of else prices.unplaced(c)
        for c, claim in enumerate(prices.line)
    ]
    return Cost(*(sum(level) for level in zip(Cost(0, 0, 0), *each, strict=True)))


class _Prices:
    """What each claim adds to the cost, the claims numbered by the line and the openings by the calendar.

    That who waits longer gets the earlier slot speaks of two claims at a time, yet a sum over single ones says it:
    let a be before b in line, s before t in the calendar. `behind(a) > behind(b)` and `earlier(s) < earlier(t)` make
    the products of a with s and b with t add up to less than those of a with t and b with s. Having no slot counts
    as one after all others. When the weights are equal such an exchange changes none of the levels above.
    """

    def __init__(self, claims: Sequence[Claim], openings: Sequence[Opening], *, now: datetime) -> None:
        self.line = sorted(claims, key=lambda claim: (-claim.weight, claim.waiting_since, claim.request_id))[:MOST]
        self.calendar = sorted(openings, key=lambda opening: (opening.starts_at, opening.slot_id))[:MOST]
        starts = [opening.starts_at for opening in self.calendar]
        self._earlier = [starts.index(start) for start in starts]  # Slots that start together are equally early.
        self._minutes = [(start - now) // timedelta(minutes=1) for start in starts]
        self._beyond = max(self._minutes, default=0) + BEYOND // timedelta(minutes=1)

    def _behind(self, c: int) -> int:
        return len(self.line) - 1 - c

    def placed(self, c: int, o: int) -> Cost:
        no_meeting = int(not self.calendar[o].has_meeting)
        return Cost(self.line[c].weight * self._minutes[o], no_meeting, self._behind(c) * self._earlier[o])

    def unplaced(self, c: int) -> Cost:
        return Cost(self.line[c].weight * self._beyond, 0, self._behind(c) * len(self.calendar))


def _factors(costs: Collection[Cost], *, most: int) -> list[int]:
    """What one unit of each level counts: more than all the levels after it can differ by over `most` claims."""
    factors = [1]
    for level in list(zip(*costs, strict=True))[:0:-1]:
        factors.append(factors[-1] * (most * (max(level) - min(level)) + 1))
    return factors[::-1]


def _in_one(cost: Cost, factors: Sequence[int]) -> int:
    """The levels as one integer, in the same order."""
    return sum(amount * factor for amount, factor in zip(cost, factors, strict=True))


class _Matching:
    """The cheapest matching of the claims placed so far; a claim may go without an opening at a price of its own.

    `potential` is what an opening costs beyond its price, because a claim that takes it puts another out; never
    negative, and nothing for a vacant one.
    """

    def __init__(self, prices: Sequence[dict[int, int]], unplaced: Sequence[int], *, openings: int) -> None:
        self.prices, self.unplaced = prices, unplaced
        self.cheapest_first = [sorted(row.items(), key=itemgetter(1)) for row in prices]
        self.potential = [0] * openings
        self.opening_of: dict[int, int] = {}
        self.claim_at: dict[int, int] = {}

    def place(self, claim: int) -> None:
        """Take in one more claim: find the cheapest chain of exchanges, then let each take the next one's opening."""
        chain, vacant = self._cheapest_chain(claim)
        while vacant is not None:
            taker = chain[vacant]
            left = self.opening_of.get(taker)
            self.opening_of[taker], self.claim_at[vacant] = vacant, taker
            vacant = left

    def _cheapest_chain(self, claim: int) -> tuple[dict[int, int], int | None]:
        """Who would take each opening reached, and the one that is vacant at the end; None when the claim gets none."""
        chain: dict[int, int] = {}
        reached: dict[int, int] = {}
        settled: dict[int, int] = {}
        spent, least, leaver, vacant = 0, self.unplaced[claim], claim, None
        while True:
            for opening, price in self.cheapest_first[claim]:
                if spent + price >= least:
                    break
                total = spent + price + self.potential[opening]
                if total < reached.get(opening, least) and opening not in settled:
                    chain[opening] = claim
                    if opening in self.claim_at:
                        reached[opening] = total
                    else:
                        least, vacant = total, opening
            nearest = min(reached, key=reached.__getitem__, default=None)
            if nearest is None or reached[nearest] >= least:
                break
            settled[nearest] = reached.pop(nearest)
            claim = self.claim_at[nearest]
            spent = settled[nearest] - self.prices[claim][nearest] - self.potential[nearest]
            if spent + self.unplaced[claim] < least:
                least, leaver, vacant = spent + self.unplaced[claim], claim, None
        for opening, distance in settled.items():
            # Every opening held stays the cheapest for its holder: the next chain starts from a matching of least cost.
            self.potential[opening] += least - distance
        return chain, self.opening_of.pop(leaver, None) if vacant is None else vacant
