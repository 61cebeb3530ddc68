"""Which slot a request gets, and what keeps it from one: the reasons stand in mails and on pages word for word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, Wish, choose, first_obstacle

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # A Monday, 10.00 in Berlin.
TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # 11.00 in Berlin.
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
NO_RULES = Rules()
PORTO, GRAZ = UUID(int=101), UUID(int=102)


def wish(number: int = 1, urgency: str = "routine", **changes: Any) -> Wish:
    """A request of Porto that was submitted a week ago."""
    usual = {"requester_id": UUID(int=number), "submitted_at": NOW - WEEK, "hospital_id": PORTO}
    return Wish(request_id=UUID(int=number), urgency=urgency, **usual | changes)


def slot(
    week: int = 0,
    number: int = 1,
    of: int = 2,
    *,
    held: Mapping[UUID, int] | None = None,
    starts_at: datetime = TUESDAY,
    time_zone: str = "Europe/Berlin",
) -> FreeSlot:
    """A numbered slot of 20 minutes in the session of that week."""
    begins = starts_at + week * WEEK
    return FreeSlot(
        id=UUID(int=10_000 + 100 * week + number),
        session_id=UUID(int=500 + week),
        number=number,
        of=of,
        starts_at=begins + (number - 1) * timedelta(minutes=20),
        session_starts_at=begins,
        time_zone=time_zone,
        held=held or {},
    )


TUESDAYS = [slot(0), slot(1), slot(2)]


def obstacle(asks: Wish, free: FreeSlot, *, rules: Rules = NO_RULES, now: datetime = NOW) -> str | None:
    return first_obstacle(asks, free, rules=rules, now=now)


class TestChoosing:
    def test_the_earliest_slot_is_chosen_whatever_the_order(self) -> None:
        choice = choose(wish(), TUESDAYS[::-1], rules=NO_RULES, now=NOW)
        assert choice is not None
        assert choice.slot_id == TUESDAYS[0].id

    def test_of_two_slots_at_the_same_time_the_choice_is_always_the_same(self) -> None:
        twins = [slot(0, 1), slot(0, 1, of=3)]
        assert choose(wish(), twins, rules=NO_RULES, now=NOW) == choose(wish(), twins[::-1], rules=NO_RULES, now=NOW)

    def test_without_a_free_slot_there_is_no_choice(self) -> None:
        assert choose(wish(), [], rules=NO_RULES, now=NOW) is None

    def test_a_slot_outside_the_requests_dates_is_not_chosen(self) -> None:
        between = wish(earliest_on=date(2026, 11, 25), latest_on=date(2026, 11, 30))
        assert choose(between, TUESDAYS, rules=NO_RULES, now=NOW) is None
        choice = choose(wish(earliest_on=date(2026, 11, 25)), TUESDAYS, rules=NO_RULES, now=NOW)
        assert choice is not None
        assert choice.slot_id == TUESDAYS[1].id

    def test_the_same_question_gets_the_same_answer(self) -> None:
        ahead = [wish(2, "urgent", waiting_since=NOW - DAY), wish(3, waiting_since=NOW - DAY)]
        answers = {choose(wish(), TUESDAYS, rules=NO_RULES, now=NOW, ahead=line) for line in (ahead, ahead[::-1])}
        assert len(answers) == 1


class TestDates:
    def test_both_dates_of_a_request_are_included(self) -> None:
        assert obstacle(wish(earliest_on=date(2026, 11, 24), latest_on=date(2026, 11, 24)), slot()) is None

    def test_a_day_before_the_requests_dates_is_named(self) -> None:
        said = "The request may not be discussed before 25 November 2026."
        assert obstacle(wish(earliest_on=date(2026, 11, 25)), slot()) == said

    def test_a_day_after_the_requests_dates_is_named(self) -> None:
        said = "The request may not be discussed after 23 November 2026."
        assert obstacle(wish(latest_on=date(2026, 11, 23)), slot()) == said

    @pytest.mark.parametrize(("later", "said"), [(timedelta(0), "The slot has passed."), (timedelta(seconds=1), None)])
    def test_a_slot_that_begins_now_has_passed(self, later: timedelta, said: str | None) -> None:
        assert obstacle(wish(), slot(starts_at=NOW + later)) == said

    def test_the_dates_are_those_on_the_wall_of_the_round(self) -> None:
        # One in the morning of the 25th in Tokyo.
        late = slot(starts_at=datetime(2026, 11, 24, 16, 0, tzinfo=UTC), time_zone="Asia/Tokyo")
        assert obstacle(wish(earliest_on=date(2026, 11, 25)), late) is None
        assert obstacle(wish(latest_on=date(2026, 11, 24)), late) is not None

    @pytest.mark.parametrize(
        ("first", "last", "is_away"),
        [(24, 24, True), (20, 24, True), (24, 30, True), (20, 23, False), (25, 30, False)],
    )
    def test_the_requester_is_not_expected_while_away(self, first: int, last: int, is_away: bool) -> None:
        asks = wish(away=[(date(2026, 11, 1), date(2026, 11, 2)), (date(2026, 11, first), date(2026, 11, last))])
        assert obstacle(asks, slot()) == ("The requester is away on that day." if is_away else None)


class TestLeadTime:
    RULES = Rules(lead=timedelta(hours=48))

    def test_what_comes_too_shortly_before_a_session_is_not_added(self) -> None:
        assert obstacle(wish(), slot(), rules=self.RULES) == "The group needs 48 hours to prepare."

    @pytest.mark.parametrize(("too_late", "barred"), [(timedelta(0), False), (timedelta(seconds=1), True)])
    def test_the_lead_time_counts_to_the_second(self, too_late: timedelta, barred: bool) -> None:
        now = TUESDAY - timedelta(hours=48) + too_late
        assert (obstacle(wish(), slot(), rules=self.RULES, now=now) is not None) == barred

    def test_it_counts_from_the_session_and_not_from_the_slot(self) -> None:
        now = TUESDAY - timedelta(hours=48) + timedelta(minutes=10)
        assert obstacle(wish(), slot(number=2), rules=self.RULES, now=now) == "The group needs 48 hours to prepare."


class TestCutOff:
    RULES = Rules(cut_off=timedelta(hours=72))
    DEADLINE = TUESDAY - timedelta(hours=72)

    def test_what_was_submitted_after_the_deadline_waits_for_another_session(self) -> None:
        late = wish(submitted_at=self.DEADLINE + timedelta(seconds=1))
        said = "The deadline for that session was Saturday 21 November 2026, 11.00."
        assert obstacle(late, slot(), rules=self.RULES) == said
        assert obstacle(late, slot(1), rules=self.RULES) is None

    def test_what_was_submitted_in_time_may_still_be_added_after_the_deadline(self) -> None:
        assert obstacle(wish(submitted_at=self.DEADLINE), slot(), rules=self.RULES) is None

    def test_what_was_never_submitted_counts_as_coming_now(self) -> None:
        assert obstacle(wish(submitted_at=None), slot(), rules=self.RULES) is not None


class TestReserve:
    RULES = Rules(reserve=1, cut_off=timedelta(hours=72))
    DEADLINE = TUESDAY - timedelta(hours=72)

    def test_the_last_slots_of_a_session_are_kept_for_emergencies_until_the_deadline(self) -> None:
        before = self.DEADLINE - timedelta(seconds=1)
        said = "The slot is kept for emergencies until Saturday 21 November 2026, 11.00."
        assert obstacle(wish(), slot(number=2), rules=self.RULES, now=before) == said
        assert obstacle(wish(urgency="urgent"), slot(number=2), rules=self.RULES, now=before) == said
        assert obstacle(wish(urgency="emergency"), slot(number=2), rules=self.RULES, now=before) is None
        assert obstacle(wish(), slot(number=1), rules=self.RULES, now=before) is None

    def test_at_the_deadline_they_are_free_to_those_who_made_it(self) -> None:
        assert obstacle(wish(), slot(number=2), rules=self.RULES, now=self.DEADLINE) is None
        late = wish(submitted_at=self.DEADLINE + HOUR)
        assert obstacle(late, slot(number=2), rules=self.RULES, now=NOW) is not None

    def test_without_a_cut_off_they_are_kept_until_the_session_begins(self) -> None:
        said = "The slot is kept for emergencies until Tuesday 24 November 2026, 11.00."
        assert obstacle(wish(), slot(number=2), rules=Rules(reserve=1)) == said

    def test_a_reserve_of_all_slots_leaves_none_to_others(self) -> None:
        rules = Rules(reserve=5)
        assert [obstacle(wish(), slot(number=n), rules=rules) is None for n in (1, 2)] == [False, False]


class TestShare:
    @pytest.mark.parametrize(
        ("share", "of", "most"),
        [
            (0.5, 2, 1),
            (0.5, 4, 2),
            (0.5, 3, 1),
            (0.34, 3, 1),
            (1.0, 2, 2),
            (0.01, 2, 1),
            (0.58, 50, 29),
            (0.29, 100, 29),
        ],
    )
    def test_a_hospital_gets_its_part_of_the_slots_and_one_in_any_case(self, share: float, of: int, most: int) -> None:
        rules = Rules(share=share)
        barred = [obstacle(wish(), slot(of=of, held={PORTO: held}), rules=rules) is not None for held in range(of)]
        assert barred == [held >= most for held in range(of)]

    def test_who_has_the_share_already_is_told_how_many_that_are(self) -> None:
        said = "The hospital has its share of that session already: one of two slots."
        assert obstacle(wish(), slot(held={PORTO: 1}), rules=Rules(share=0.5)) == said

    def test_what_other_hospitals_hold_does_not_count(self) -> None:
        assert obstacle(wish(), slot(held={GRAZ: 1}), rules=Rules(share=0.5)) is None

    def test_who_belongs_to_no_hospital_has_no_share_to_exceed(self) -> None:
        assert obstacle(wish(hospital_id=None), slot(held={PORTO: 1}), rules=Rules(share=0.5)) is None


class TestEmergencies:
    STRICT = Rules(lead=100 * HOUR, cut_off=100 * HOUR, share=0.5, reserve=2)

    def test_no_rule_of_the_group_binds_an_emergency(self) -> None:
        fresh = wish(urgency="emergency", submitted_at=NOW)
        assert obstacle(fresh, slot(held={PORTO: 1}), rules=self.STRICT) is None
        assert obstacle(wish(urgency="urgent"), slot(held={PORTO: 1}), rules=self.STRICT) is not None

    def test_what_cannot_be_binds_an_emergency_too(self) -> None:
        for asks, free in (
            (wish(urgency="emergency"), slot(starts_at=NOW - HOUR)),
            (wish(urgency="emergency", missing=["report"]), slot()),
            (wish(urgency="emergency", latest_on=date(2026, 11, 23)), slot()),
            (wish(urgency="emergency", away=[(date(2026, 11, 24), date(2026, 11, 24))]), slot()),
        ):
            assert obstacle(asks, free) is not None


class TestTheLine:
    def test_a_slot_that_somebody_ahead_could_have_is_not_given_to_who_comes_after(self) -> None:
        ahead = [wish(2, waiting_since=NOW - DAY)]
        choice = choose(wish(), TUESDAYS, rules=NO_RULES, now=NOW, ahead=ahead)
        assert choice is not None
        assert choice.slot_id == TUESDAYS[1].id

    def test_a_slot_that_nobody_ahead_could_have_is_given(self) -> None:
        ahead = [wish(2, waiting_since=NOW - DAY, earliest_on=date(2026, 11, 25))]
        choice = choose(wish(), TUESDAYS, rules=NO_RULES, now=NOW, ahead=ahead)
        assert choice is not None
        assert choice.slot_id == TUESDAYS[0].id

    def test_when_those_ahead_could_have_every_slot_there_is_no_choice(self) -> None:
        ahead = [wish(number, waiting_since=NOW - DAY) for number in (2, 3, 4)]
        assert choose(wish(), TUESDAYS, rules=NO_RULES, now=NOW, ahead=ahead) is None

    def test_a_slot_is_not_set_aside_for_a_request_that_lacks_something(self) -> None:
        ahead = [wish(2, "emergency", waiting_since=NOW - DAY, missing=["new"])]
        choice = choose(wish(), TUESDAYS, rules=NO_RULES, now=NOW, ahead=ahead)
        assert choice is not None
        assert choice.slot_id == TUESDAYS[0].id

    def test_those_ahead_are_served_in_their_order(self) -> None:
        """The first takes the only slot that the second could have; so the third slot stays for who comes after."""
        first = wish(2, waiting_since=NOW - 2 * DAY, earliest_on=date(2026, 11, 25))
        second = wish(3, waiting_since=NOW - DAY, earliest_on=date(2026, 11, 25), latest_on=date(2026, 12, 1))
        choice = choose(wish(earliest_on=date(2026, 12, 2)), TUESDAYS, rules=NO_RULES, now=NOW, ahead=[second, first])
        assert choice is not None
        assert choice.slot_id == TUESDAYS[2].id

    def test_a_slot_set_aside_counts_for_the_share_of_its_hospital(self) -> None:
        both = [slot(number=1), slot(number=2), slot(1)]
        ahead = [wish(2, waiting_since=NOW - DAY)]
        shared = choose(wish(), both, rules=Rules(share=0.5), now=NOW, ahead=ahead)
        alone = choose(wish(hospital_id=GRAZ), both, rules=Rules(share=0.5), now=NOW, ahead=ahead)
        assert (shared and shared.slot_id, alone and alone.slot_id) == (both[2].id, both[1].id)


DAYS = st.none() | st.dates(date(2026, 11, 1), date(2027, 1, 31))


@given(
    starts=st.lists(st.integers(-3, 12), max_size=8),
    asks=st.builds(
        lambda urgency, earliest, latest: wish(urgency=urgency, earliest_on=earliest, latest_on=latest),
        st.sampled_from(["emergency", "urgent", "routine"]),
        DAYS,
        DAYS,
    ),
    rules=st.builds(
        Rules,
        lead=st.integers(0, 300).map(lambda hours: hours * HOUR),
        cut_off=st.integers(0, 300).map(lambda hours: hours * HOUR),
        share=st.none() | st.floats(0.1, 1),
        reserve=st.integers(0, 2),
    ),
    held=st.integers(0, 2),
)
def test_the_choice_is_the_first_slot_without_an_obstacle(
    starts: list[int], asks: Wish, rules: Rules, held: int
) -> None:
    free = [slot(week, 1 + place % 2, held={PORTO: held}) for place, week in enumerate(starts)]
    possible = [one for one in free if first_obstacle(asks, one, rules=rules, now=NOW) is None]
    choice = choose(asks, free, rules=rules, now=NOW)
    if choice is None:
        assert possible == []
    else:
        chosen = next(one for one in possible if one.id == choice.slot_id)
        assert chosen.starts_at == min(one.starts_at for one in possible)


@given(st.lists(st.tuples(st.sampled_from(["emergency", "urgent", "routine"]), st.integers(0, 5), DAYS), max_size=6))
def test_whoever_comes_after_takes_no_slot_from_anybody_ahead(waiting: list[tuple[str, int, date | None]]) -> None:
    """Each one's own choice is the same, whether those behind have chosen before or not."""
    line = sorted(
        (
            wish(number, urgency, waiting_since=NOW - days * DAY, earliest_on=earliest)
            for number, (urgency, days, earliest) in enumerate(waiting, start=1)
        ),
        key=lambda one: one.place,
    )
    alone = [choose(one, TUESDAYS, rules=NO_RULES, now=NOW, ahead=line[:place]) for place, one in enumerate(line)]
    left = list(TUESDAYS)
    for place in reversed(range(len(line))):
        choice = choose(line[place], left, rules=NO_RULES, now=NOW, ahead=line[:place])
        expected = alone[place]
        assert (choice and choice.slot_id) == (expected and expected.slot_id)
        left = [one for one in left if choice is None or one.id != choice.slot_id]
