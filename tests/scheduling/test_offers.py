"""Which free slot is offered to whom, until when, and why: the reasons stand in mails and on pages word for word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, Wish
from conference_orchestrator.scheduling.offers import Proposal, held_until, propose

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # A Monday, 10.00 in Berlin.
TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # 11.00 in Berlin.
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
FOUR_HOURS = Rules(offer=4 * HOUR)


def wish(number: int, **changes: Any) -> Wish:
    """The request that is that far back in line."""
    usual = {"urgency": "routine", "submitted_at": NOW - WEEK, "waiting_since": NOW - WEEK + number * HOUR}
    return Wish(request_id=UUID(int=number), requester_id=UUID(int=number), **usual | changes)


def slot(week: int = 0) -> FreeSlot:
    """The slot of the session of that week."""
    starts_at = TUESDAY + week * WEEK
    return FreeSlot(
        id=UUID(int=1000 + week),
        session_id=UUID(int=week),
        number=1,
        of=1,
        starts_at=starts_at,
        session_starts_at=starts_at,
        time_zone="Europe/Berlin",
    )


FIRST, SECOND, THIRD = wish(1), wish(2), wish(3)
AWAY_ON_TUESDAY = wish(1, away=[(TUESDAY.date(), TUESDAY.date())])


def proposed(line: Sequence[Wish], *free: FreeSlot, rules: Rules = FOUR_HOURS, **more: Any) -> Proposal:
    found = propose(line, free, rules=rules, now=NOW, **more)
    assert found is not None
    return found


def test_the_first_in_line_is_offered_the_earliest_slot_and_the_reasons_say_so() -> None:
    assert proposed([FIRST, SECOND], slot(1), slot(0)) == Proposal(
        request_id=FIRST.request_id,
        slot_id=slot(0).id,
        until=NOW + 4 * HOUR,
        reasons=(
            "First in line.",
            "The earliest suitable free slot: Tuesday 24 November 2026, 11.00.",
            "It waits since 16 November.",
        ),
    )


def test_a_slot_that_does_not_suit_the_first_is_offered_to_the_second_and_the_reasons_say_so() -> None:
    found = proposed([AWAY_ON_TUESDAY, SECOND], slot())
    assert (found.request_id, found.reasons[0]) == (
        SECOND.request_id,
        "Second in line; nobody further ahead takes the slot.",
    )


def test_a_slot_that_was_declined_goes_to_the_next_in_line() -> None:
    found = proposed([FIRST, SECOND], slot(), declined={(FIRST.request_id, slot().id)})
    assert found.request_id == SECOND.request_id


def test_who_declined_a_slot_is_offered_another_and_the_reasons_say_why_not_the_earlier() -> None:
    found = proposed([FIRST], slot(0), slot(1), declined={(FIRST.request_id, slot(0).id)})
    assert (found.slot_id, found.reasons[-1]) == (
        slot(1).id,
        "Not Tuesday 24 November 2026, 11.00: it was offered before and not taken.",
    )


def test_a_later_slot_that_was_declined_is_not_spoken_of() -> None:
    found = proposed([FIRST], slot(0), slot(1), declined={(FIRST.request_id, slot(1).id)})
    assert not [reason for reason in found.reasons if reason.startswith("Not")]


def test_once_everybody_declined_the_slot_it_is_offered_to_nobody() -> None:
    declined = {(one.request_id, slot().id) for one in (FIRST, SECOND, THIRD)}
    assert propose([FIRST, SECOND, THIRD], [slot()], rules=FOUR_HOURS, now=NOW, declined=declined) is None


@pytest.mark.parametrize("line", [[], [AWAY_ON_TUESDAY]])
def test_a_slot_that_suits_nobody_is_offered_to_nobody(line: list[Wish]) -> None:
    assert propose(line, [slot()], rules=FOUR_HOURS, now=NOW) is None


def test_a_group_without_the_rule_offers_nothing() -> None:
    assert propose([FIRST], [slot()], rules=Rules(), now=NOW) is None


@pytest.mark.parametrize(
    ("rules", "until"),
    [
        (Rules(offer=4 * HOUR), NOW + 4 * HOUR),
        (Rules(offer=30 * HOUR), TUESDAY),
        (Rules(offer=30 * HOUR, cut_off=6 * HOUR), TUESDAY - 6 * HOUR),
        (Rules(offer=30 * HOUR, cut_off=6 * HOUR, lead=8 * HOUR), TUESDAY - 8 * HOUR),
        (Rules(offer=30 * HOUR, cut_off=8 * HOUR, lead=6 * HOUR), TUESDAY - 8 * HOUR),
        (Rules(offer=4 * HOUR, cut_off=25 * HOUR), None),
        (Rules(offer=4 * HOUR, lead=26 * HOUR), None),
        (Rules(), None),
    ],
    ids=[
        "its time",
        "the start",
        "the cut-off",
        "the lead time",
        "the longer",
        "at the cut-off",
        "too late",
        "no rule",
    ],
)
def test_an_offer_ends_with_its_time_or_before_the_group_prepares(rules: Rules, until: datetime | None) -> None:
    assert held_until(slot(), rules=rules, now=NOW) == until


def test_a_slot_too_near_is_left_out_and_a_later_one_offered() -> None:
    found = proposed([FIRST], slot(0), slot(1), rules=Rules(offer=4 * HOUR, cut_off=26 * HOUR))
    assert (found.slot_id, found.until) == (slot(1).id, NOW + 4 * HOUR)
