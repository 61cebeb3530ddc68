"""Who gets which free slot when a session falls out: the best there is, the same each time, and a fair one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conference_orchestrator.scheduling import replanning
from conference_orchestrator.scheduling.replanning import WEIGHTS, Assignment, Claim, Cost, Opening, assign, cost

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTES = 24 * 60

Fits = Callable[[Claim, Opening], bool]
Situation = tuple[list[Claim], list[Opening], Fits]


def claim(number: int, urgency: str = "routine", *, waited: int = 0, displaced: bool = False) -> Claim:
    """A request that waits since so many days."""
    return Claim(UUID(int=number), urgency, displaced, NOW - waited * DAY)


def opening(number: int, days: int, *, has_meeting: bool = True) -> Opening:
    """A slot that starts in so many days, each in a session of its own."""
    return Opening(UUID(int=number), UUID(int=number), NOW + days * DAY, has_meeting)


def only(*pairs: tuple[int, int]) -> Fits:
    """These numbers of claims and openings fit each other, and no others."""
    return lambda claim, opening: (claim.request_id.int, opening.slot_id.int) in pairs


def anything(_: Claim, __: Opening) -> bool:
    return True


def numbers(assignments: Sequence[Assignment]) -> dict[int, int]:
    """The number of each claim placed with that of its opening."""
    return {one.request_id.int: one.slot_id.int for one in assignments}


def planned(claims: Sequence[Claim], openings: Sequence[Opening], fits: Fits = anything) -> dict[int, int]:
    return numbers(assign(claims, openings, fits=fits, now=NOW))


def first_come_first_served(claims: Sequence[Claim], openings: Sequence[Opening], fits: Fits) -> list[Assignment]:
    """What one would do by hand: the first in line takes the earliest slot that fits, then the next."""
    left, served = sorted(openings, key=lambda opening: opening.starts_at), []
    for one in sorted(claims, key=lambda claim: (-claim.weight, claim.waiting_since)):
        mine = next((opening for opening in left if fits(one, opening)), None)
        if mine is not None:
            left.remove(mine)
            served.append(Assignment(one.request_id, mine.slot_id))
    return served


def every_assignment(claims: Sequence[Claim], openings: Sequence[Opening], fits: Fits) -> Iterator[list[Assignment]]:
    """Each way to give some of the claims openings that fit, sensible or not."""
    if not claims:
        yield []
        return
    first, *others = claims
    yield from every_assignment(others, openings, fits)
    for mine in [opening for opening in openings if fits(first, opening)]:
        for rest in every_assignment(others, [opening for opening in openings if opening != mine], fits):
            yield [Assignment(first.request_id, mine.slot_id), *rest]


def plainly(claims: Sequence[Claim], openings: Sequence[Opening]) -> Callable[[list[Assignment]], tuple[int, ...]]:
    """The cost as its words say it, counted without anything of the module that is tested."""
    weight = {
        c.request_id.int: {"emergency": 100, "urgent": 10, "routine": 1}[c.urgency] << c.displaced for c in claims
    }
    line = sorted(claims, key=lambda c: (-weight[c.request_id.int], c.waiting_since, c.request_id))
    behind = {one.request_id.int: len(claims) - place for place, one in enumerate(line, 1)}
    slots = {one.slot_id.int: one for one in openings}
    earlier = {n: sum(other.starts_at < one.starts_at for other in openings) for n, one in slots.items()}
    minutes = {n: round((one.starts_at - NOW).total_seconds()) // 60 for n, one in slots.items()}

    beyond = max(minutes.values(), default=0) + 7 * MINUTES

    def value(assignments: list[Assignment]) -> tuple[int, ...]:
        given_to = numbers(assignments)
        return (
            sum(weight[c] * (minutes[given_to[c]] if c in given_to else beyond) for c in weight),
            sum(not slots[o].has_meeting for o in given_to.values()),
            sum(behind[c] * (earlier[given_to[c]] if c in given_to else len(openings)) for c in weight),
        )

    return value


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Up to five of each, on few days, so that much is equal; one pair of four does not fit."""
    days, of_five = st.integers(0, 3), st.integers(0, 5)
    urgencies = st.sampled_from(sorted(WEIGHTS))
    claims = [claim(n, draw(urgencies), waited=draw(days), displaced=draw(st.booleans())) for n in range(draw(of_five))]
    openings = [opening(n, 1 + draw(days), has_meeting=draw(st.booleans())) for n in range(draw(of_five))]
    every = [(c, o) for c in range(len(claims)) for o in range(len(openings))]
    return claims, openings, only(*(pair for pair in every if draw(days)))


@settings(max_examples=250, deadline=None)
@given(situation=situations())
def test_no_assignment_at_all_costs_less_than_the_one_proposed(situation: Situation) -> None:
    claims, openings, fits = situation
    proposed = assign(claims, openings, fits=fits, now=NOW)
    value = plainly(claims, openings)
    assert cost(proposed, claims, openings, now=NOW) == value(proposed)
    assert value(proposed) == min(map(value, every_assignment(claims, openings, fits)))


@settings(deadline=None)
@given(situation=situations())
def test_unfit_pairs_are_never_assigned_and_nothing_is_given_twice(situation: Situation) -> None:
    claims, openings, fits = situation
    found = planned(claims, openings, fits)
    assert all(fits(claims[c], openings[o]) for c, o in found.items())
    assert len(set(found.values())) == len(found) == len(assign(claims, openings, fits=fits, now=NOW))


@settings(deadline=None)
@given(situation=situations(), shuffled=st.randoms(use_true_random=False))
def test_the_same_input_gives_the_same_answer_whatever_its_order(situation: Situation, shuffled: Random) -> None:
    claims, openings, fits = situation
    proposed = assign(claims, openings, fits=fits, now=NOW)
    shuffled.shuffle(claims)
    shuffled.shuffle(openings)
    assert assign(claims, openings, fits=fits, now=NOW) == proposed


@settings(deadline=None)
@given(situation=situations())
def test_nobody_waits_for_one_of_the_same_urgency_who_came_later(situation: Situation) -> None:
    claims, openings, fits = situation
    found = planned(claims, openings, fits)
    for senior in claims:
        for junior in [
            one for one in claims if one.weight == senior.weight and one.waiting_since > senior.waiting_since
        ]:
            mine, other = found.get(senior.request_id.int), found.get(junior.request_id.int)
            if other is None or not fits(senior, openings[other]):
                continue
            if mine is None:
                pytest.fail("The one who came later has a slot that the one left out could take.")
            if fits(junior, openings[mine]):
                assert openings[mine].starts_at <= openings[other].starts_at


# Who came first takes the only slot that the other could have had.
STUBBORN = [claim(1, waited=9), claim(2, waited=2)]
TWO_SLOTS, FLEXIBLE = [opening(1, 1), opening(2, 8)], only((1, 1), (1, 2), (2, 1))


def test_first_come_first_served_leaves_one_out_whom_the_proposal_places() -> None:
    by_hand = first_come_first_served(STUBBORN, TWO_SLOTS, FLEXIBLE)
    assert numbers(by_hand) == {1: 1}
    assert planned(STUBBORN, TWO_SLOTS, FLEXIBLE) == {1: 2, 2: 1}


def test_first_come_first_served_lets_people_wait_longer_than_the_proposal() -> None:
    claims = [claim(1, "urgent", waited=9), claim(2, "urgent", waited=2)]
    openings, fits = [opening(1, 7), opening(2, 8), opening(3, 30)], only((1, 1), (1, 2), (2, 1), (2, 3))
    by_hand = first_come_first_served(claims, openings, fits)
    proposed = assign(claims, openings, fits=fits, now=NOW)
    assert (numbers(by_hand), numbers(proposed)) == ({1: 1, 2: 3}, {1: 2, 2: 1})
    assert cost(by_hand, claims, openings, now=NOW).waiting == 10 * (7 + 30) * MINUTES
    assert cost(proposed, claims, openings, now=NOW).waiting == 10 * (8 + 7) * MINUTES


def test_an_emergency_does_not_wait_a_week_so_that_a_routine_request_is_placed() -> None:
    claims = [claim(1, waited=90), claim(2, "emergency")]
    assert planned(claims, TWO_SLOTS, only((1, 1), (2, 1), (2, 2))) == {2: 1}


def test_it_waits_a_minute_for_that() -> None:
    claims = [claim(1, waited=90), claim(2, "emergency")]
    later = Opening(UUID(int=2), UUID(int=2), NOW + DAY + timedelta(minutes=1), has_meeting=True)
    assert planned(claims, [opening(1, 1), later], only((1, 1), (2, 1), (2, 2))) == {1: 1, 2: 2}


def test_an_emergency_gets_the_earlier_slot_whoever_waits_longer() -> None:
    claims = [claim(1, waited=90), claim(2, "urgent", waited=30), claim(3, "emergency")]
    assert planned(claims, [opening(1, 1), opening(2, 8), opening(3, 15)]) == {3: 1, 2: 2, 1: 3}


def test_an_emergency_gets_the_only_slot_whoever_else_could_take_it() -> None:
    many = [claim(n, "urgent", waited=90) for n in range(30)]
    assert planned([*many, claim(99, "emergency")], [opening(1, 1)]) == {99: 1}


@pytest.mark.parametrize("urgency", list(WEIGHTS))
def test_a_displaced_request_comes_before_others_of_its_urgency(urgency: str) -> None:
    claims = [claim(1, urgency, waited=90), claim(2, urgency, displaced=True)]
    assert planned(claims, [opening(1, 1), opening(2, 8)]) == {2: 1, 1: 2}
    assert planned(claims, [opening(1, 1)]) == {2: 1}


def test_a_displaced_request_comes_after_those_that_are_more_urgent() -> None:
    claims = [claim(1, displaced=True, waited=90), claim(2, "urgent")]
    assert planned(claims, [opening(1, 1), opening(2, 8)]) == {2: 1, 1: 2}


def test_of_two_that_are_alike_the_one_who_waits_longer_gets_the_earlier_slot() -> None:
    claims = [claim(1, waited=2), claim(2, waited=9)]
    assert planned(claims, [opening(1, 1), opening(2, 8)]) == {2: 1, 1: 2}
    assert planned(claims, [opening(1, 1)]) == {2: 1}


def test_of_two_that_wait_equally_long_the_identifiers_decide() -> None:
    assert planned([claim(2), claim(1)], [opening(1, 1), opening(2, 8)]) == {1: 1, 2: 2}


def test_of_slots_at_the_same_time_those_whose_session_is_held_anyway_are_used() -> None:
    openings = [opening(1, 8, has_meeting=False), opening(2, 8), opening(3, 8, has_meeting=False), opening(4, 8)]
    assert set(planned([claim(1), claim(2)], openings).values()) == {2, 4}


def test_nobody_waits_a_minute_longer_to_spare_a_meeting() -> None:
    sooner = Opening(UUID(int=1), UUID(int=1), NOW + DAY - timedelta(minutes=1), has_meeting=False)
    assert planned([claim(1)], [sooner, opening(2, 1)]) == {1: 1}


def test_without_claims_or_openings_nothing_is_assigned() -> None:
    assert planned([], []) == planned([claim(1)], []) == planned([], [opening(1, 1)]) == {}


def test_of_more_claims_than_openings_those_first_in_line_get_one() -> None:
    claims = [claim(n, waited=n) for n in range(1, 6)]
    assert planned(claims, [opening(1, 1), opening(2, 8)]) == {5: 1, 4: 2}


def test_the_cost_is_told_by_what_it_consists_of() -> None:
    claims = [claim(1, "urgent"), claim(2, displaced=True), claim(3)]
    openings = [opening(1, 1, has_meeting=False), opening(2, 2)]
    swapped = [Assignment(UUID(int=1), UUID(int=2)), Assignment(UUID(int=3), UUID(int=1))]
    told = cost(swapped, claims, openings, now=NOW)
    assert told == Cost(waiting=(10 * 2 + 1 + 2 * 9) * MINUTES, meetings=1, out_of_turn=2 * 1 + 1 * 2 + 0)
    assert cost(assign(claims, openings, fits=anything, now=NOW), claims, openings, now=NOW) < told


def test_only_so_many_are_considered_those_first_in_line_and_the_earliest(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = [claim(1), claim(2, "urgent"), claim(3, "emergency")]
    openings = [opening(1, 15), opening(2, 8), opening(3, 1)]
    assert planned(claims, openings) == {3: 3, 2: 2, 1: 1}
    monkeypatch.setattr(replanning, "MOST", 2)
    assert planned(claims, openings) == {3: 3, 2: 2}


def test_two_hundred_requests_find_their_places_among_two_hundred_and_fifty_slots() -> None:
    claims = [claim(n, list(WEIGHTS)[n % 3], waited=n % 50, displaced=n % 7 == 0) for n in range(200)]
    openings = [opening(n, 1 + n // 2, has_meeting=n % 5 == 0) for n in range(250)]
    found = planned(claims, openings, lambda claim, opening: opening.slot_id.int % 9 != claim.request_id.int % 9)
    assert len(found) == 200
    assert max(found.values()) < 202, "nobody waits for a late slot while early ones stay free"
