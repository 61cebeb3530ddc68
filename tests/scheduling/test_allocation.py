"""Which slot a request gets, and why not another: the reasons stand in mails and on pages word for word."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.scheduling.allocation import FreeSlot, Wish, choose, first_obstacle, why_waiting

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANY_DAY = Wish(None, None)


def slot(number: int, starts_at: str, zone: str = "Europe/Berlin") -> FreeSlot:
    return FreeSlot(UUID(int=number), datetime.fromisoformat(starts_at), zone)


TUESDAYS = [slot(n, f"2026-{day}T10:00+00:00") for n, day in enumerate(["11-24", "12-01", "12-08"])]


def test_the_earliest_slot_is_chosen_whatever_the_order() -> None:
    choice = choose(ANY_DAY, TUESDAYS[::-1], now=NOW)
    assert choice is not None
    assert choice.slot_id == TUESDAYS[0].id


def test_the_reason_names_the_day_and_the_time_on_the_wall() -> None:
    choice = choose(ANY_DAY, TUESDAYS, now=NOW)
    assert choice is not None
    assert choice.reasons == ("The earliest suitable free slot: Tuesday 24 November 2026, 11.00.",)


def test_of_two_slots_at_the_same_time_the_choice_is_always_the_same() -> None:
    twins = [slot(2, "2026-11-24T10:00+00:00"), slot(1, "2026-11-24T10:00+00:00")]
    assert choose(ANY_DAY, twins, now=NOW) == choose(ANY_DAY, twins[::-1], now=NOW)


def test_without_a_free_slot_there_is_no_choice() -> None:
    assert choose(ANY_DAY, [], now=NOW) is None


def test_a_slot_outside_the_requests_dates_is_not_chosen() -> None:
    assert choose(Wish(date(2026, 11, 25), date(2026, 11, 30)), TUESDAYS, now=NOW) is None
    choice = choose(Wish(date(2026, 11, 25), None), TUESDAYS, now=NOW)
    assert choice is not None
    assert choice.slot_id == TUESDAYS[1].id


@pytest.mark.parametrize(
    ("wish", "obstacle"),
    [
        (Wish(date(2026, 11, 24), date(2026, 11, 24)), None),
        (Wish(date(2026, 11, 25), None), "The request may not be discussed before 2026-11-25."),
        (Wish(None, date(2026, 11, 23)), "The request may not be discussed after 2026-11-23."),
    ],
)
def test_both_dates_of_a_request_are_included(wish: Wish, obstacle: str | None) -> None:
    assert first_obstacle(wish, TUESDAYS[0], now=NOW) == obstacle


@pytest.mark.parametrize(("later", "obstacle"), [(timedelta(0), "The slot has passed."), (timedelta(seconds=1), None)])
def test_a_slot_that_begins_now_has_passed(later: timedelta, obstacle: str | None) -> None:
    assert first_obstacle(ANY_DAY, FreeSlot(UUID(int=1), NOW + later, "UTC"), now=NOW) == obstacle


def test_the_dates_are_those_on_the_wall_of_the_round() -> None:
    late = slot(1, "2026-11-24T16:00+00:00", "Asia/Tokyo")  # One in the morning of the 25th there.
    assert first_obstacle(Wish(date(2026, 11, 25), None), late, now=NOW) is None
    assert first_obstacle(Wish(None, date(2026, 11, 24)), late, now=NOW) is not None


def test_who_waits_is_told_whether_there_is_no_slot_at_all_or_none_on_those_dates() -> None:
    assert why_waiting([]) == "Every slot of the coming sessions is taken."
    assert why_waiting(TUESDAYS) == "No free slot lies within the dates that the request allows."


DAYS = st.none() | st.dates(date(2026, 11, 1), date(2027, 1, 31))


@given(
    hours=st.lists(st.integers(-200, 1500), max_size=8),
    wish=st.builds(Wish, DAYS, DAYS),
)
def test_the_choice_is_the_first_slot_without_an_obstacle(hours: list[int], wish: Wish) -> None:
    free = [FreeSlot(UUID(int=n), NOW + timedelta(hours=h), "Europe/Berlin") for n, h in enumerate(hours)]
    possible = [one for one in free if first_obstacle(wish, one, now=NOW) is None]
    choice = choose(wish, free, now=NOW)
    if choice is None:
        assert possible == []
    else:
        (chosen,) = [one for one in possible if one.id == choice.slot_id]
        assert chosen.starts_at == min(one.starts_at for one in possible)
