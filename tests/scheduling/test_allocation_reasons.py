"""What people are told: why they got their slot, why they wait, and where they stand. Asserted word for word."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, Wish, choose, standing, why_waiting
from tests.scheduling.test_allocation import DAY, GRAZ, HOUR, NO_RULES, NOW, PORTO, TUESDAYS, slot, wish

EARLIEST = "The earliest suitable free slot: Tuesday 24 November 2026, 11.00."
WEEK_LATER = "The earliest suitable free slot: Tuesday 1 December 2026, 11.00."
UNTIL_THEN = "The slot is kept for emergencies until Tuesday 24 November 2026, 11.00."
SHARE = "The hospital has its share of that session already: one of two slots."
KEPT = "It is kept for a request further ahead in line."


def reasons(
    asks: Wish, free: list[FreeSlot] = TUESDAYS, *, rules: Rules = NO_RULES, ahead: list[Wish] | None = None
) -> tuple[str, ...]:
    choice = choose(asks, free, rules=rules, now=NOW, ahead=ahead or [])
    assert choice is not None
    return choice.reasons


class TestWhyThisSlot:
    def test_the_reason_names_the_day_and_the_time_on_the_wall(self) -> None:
        assert reasons(wish()) == (EARLIEST,)

    def test_an_urgent_request_is_named_so(self) -> None:
        assert reasons(wish(urgency="urgent")) == (EARLIEST, "The request is urgent.")

    def test_an_emergency_is_named_so(self) -> None:
        assert reasons(wish(urgency="emergency")) == (EARLIEST, "The request is an emergency.")

    def test_who_waits_is_told_since_when(self) -> None:
        assert reasons(wish(waiting_since=NOW - 3 * DAY)) == (EARLIEST, "It waits since 20 November.")

    def test_a_year_is_named_where_it_is_not_the_present_one(self) -> None:
        since = datetime(2025, 12, 30, 12, tzinfo=UTC)
        assert reasons(wish(waiting_since=since)) == (EARLIEST, "It waits since 30 December 2025.")

    def test_a_slot_passed_over_for_the_lead_time_is_named(self) -> None:
        assert reasons(wish(), rules=Rules(lead=48 * HOUR)) == (
            WEEK_LATER,
            "Not Tuesday 24 November 2026, 11.00: The group needs 48 hours to prepare.",
        )

    def test_a_slot_passed_over_for_the_deadline_is_named(self) -> None:
        assert reasons(wish(submitted_at=NOW), rules=Rules(cut_off=48 * HOUR)) == (
            WEEK_LATER,
            "Not Tuesday 24 November 2026, 11.00: The deadline for that session was Sunday 22 November 2026, 11.00.",
        )

    def test_a_slot_passed_over_for_an_absence_is_named(self) -> None:
        assert reasons(wish(away=[(date(2026, 11, 23), date(2026, 11, 27))])) == (
            WEEK_LATER,
            "Not Tuesday 24 November 2026, 11.00: The requester is away on that day.",
        )

    def test_a_slot_passed_over_for_the_requests_own_dates_is_named(self) -> None:
        assert reasons(wish(earliest_on=date(2026, 12, 1))) == (
            WEEK_LATER,
            "Not Tuesday 24 November 2026, 11.00: The request may not be discussed before 1 December 2026.",
        )

    def test_a_slot_passed_over_for_the_reserve_is_named(self) -> None:
        assert reasons(wish(), [slot(0, 2), slot(1, 1)], rules=Rules(reserve=1)) == (
            WEEK_LATER,
            f"Not Tuesday 24 November 2026, 11.20: {UNTIL_THEN}",
        )

    def test_a_slot_passed_over_for_the_share_of_the_hospital_is_named(self) -> None:
        assert reasons(wish(), [slot(0, 2, held={PORTO: 1}), slot(1, 1)], rules=Rules(share=0.5)) == (
            WEEK_LATER,
            f"Not Tuesday 24 November 2026, 11.20: {SHARE}",
        )

    def test_a_slot_passed_over_for_somebody_ahead_is_named_without_saying_whom(self) -> None:
        ahead = [wish(2, "urgent", waiting_since=NOW - DAY)]
        assert reasons(wish(), ahead=ahead) == (WEEK_LATER, f"Not Tuesday 24 November 2026, 11.00: {KEPT}")

    def test_a_share_that_somebody_ahead_uses_up_is_named(self) -> None:
        ahead = [wish(2, waiting_since=NOW - DAY)]
        assert reasons(wish(), [slot(0, 1), slot(0, 2), slot(1, 1)], rules=Rules(share=0.5), ahead=ahead) == (
            WEEK_LATER,
            f"Not Tuesday 24 November 2026, 11.00: {KEPT}",
            f"Not Tuesday 24 November 2026, 11.20: {SHARE}",
        )

    def test_of_many_slots_passed_over_the_first_three_are_named(self) -> None:
        said = reasons(wish(earliest_on=date(2027, 1, 1)), [slot(week) for week in range(8)])
        assert [one.partition(":")[0] for one in said] == [
            "The earliest suitable free slot",
            "Not Tuesday 24 November 2026, 11.00",
            "Not Tuesday 1 December 2026, 11.00",
            "Not Tuesday 8 December 2026, 11.00",
        ]

    def test_all_reasons_stand_in_the_order_slot_urgency_waiting_and_slots_passed_over(self) -> None:
        asks = wish(urgency="urgent", waiting_since=NOW - DAY)
        assert reasons(asks, rules=Rules(lead=48 * HOUR)) == (
            WEEK_LATER,
            "The request is urgent.",
            "It waits since 22 November.",
            "Not Tuesday 24 November 2026, 11.00: The group needs 48 hours to prepare.",
        )


def why(
    asks: Wish, free: list[FreeSlot] = TUESDAYS, *, rules: Rules = NO_RULES, ahead: list[Wish] | None = None
) -> tuple[str, ...]:
    return why_waiting(asks, free, rules=rules, now=NOW, ahead=ahead or [])


class TestWhyItWaits:
    def test_with_no_slot_at_all_that_is_said(self) -> None:
        assert why(wish(), []) == ("Every slot of the coming sessions is taken.",)

    def test_with_no_slot_on_the_requests_dates_that_is_said(self) -> None:
        between = wish(earliest_on=date(2026, 11, 25), latest_on=date(2026, 11, 30))
        assert why(between) == ("No free slot lies within the dates that the request allows.",)

    def test_with_every_suitable_slot_kept_for_others_it_is_said_for_how_many(self) -> None:
        ahead = [wish(number, waiting_since=NOW - DAY) for number in (2, 3)]
        assert why(wish(), TUESDAYS[:1], ahead=ahead[:1]) == (
            "Every free slot that would suit is kept for one request further ahead in line.",
        )
        assert why(wish(), TUESDAYS[:2], ahead=ahead) == (
            "Every free slot that would suit is kept for two requests further ahead in line.",
        )

    def test_who_is_ahead_and_could_not_have_the_slot_is_not_counted(self) -> None:
        ahead = [wish(2, waiting_since=NOW - DAY), wish(3, waiting_since=NOW - DAY, latest_on=date(2026, 11, 20))]
        assert why(wish(), TUESDAYS[:1], ahead=ahead) == (
            "Every free slot that would suit is kept for one request further ahead in line.",
        )

    def test_otherwise_each_obstacle_is_said_once_with_its_slots_the_most_frequent_first(self) -> None:
        asks = wish(away=[(date(2026, 11, 25), date(2026, 12, 31))])
        assert why(asks, [slot(0, 1), slot(1, 1), slot(1, 2)], rules=Rules(lead=48 * HOUR)) == (
            "No free slot suits.",
            "The requester is away on that day. (two slots)",
            "The group needs 48 hours to prepare. (one slot)",
        )

    def test_dates_that_leave_a_slot_which_a_rule_bars_are_told_beside_the_rule(self) -> None:
        asks = wish(latest_on=date(2026, 11, 30))
        assert why(asks, TUESDAYS[:2], rules=Rules(lead=48 * HOUR)) == (
            "No free slot suits.",
            "The group needs 48 hours to prepare. (one slot)",
            "The request may not be discussed after 30 November 2026. (one slot)",
        )

    def test_of_half_a_year_of_obstacles_the_first_three_are_said(self) -> None:
        said = why(wish(), [slot(week, 2) for week in range(26)], rules=Rules(reserve=1))
        assert said == (
            "No free slot suits.",
            "The slot is kept for emergencies until Tuesday 24 November 2026, 11.00. (one slot)",
            "The slot is kept for emergencies until Tuesday 1 December 2026, 11.00. (one slot)",
            "The slot is kept for emergencies until Tuesday 8 December 2026, 11.00. (one slot)",
        )


MAY = datetime(2026, 5, 3, 8, tzinfo=UTC)


def stands(
    ahead: list[Wish],
    free: list[FreeSlot] = TUESDAYS,
    *,
    asks: Wish | None = None,
    rules: Rules = NO_RULES,
    now: datetime = NOW,
) -> str:
    return standing(asks or wish(waiting_since=now), ahead, free, rules=rules, now=now, time_zone="Europe/Berlin")


class TestStanding:
    def test_third_in_line_behind_two_urgent_requests_with_the_next_free_slot(self) -> None:
        nowhere = {"latest_on": date(2026, 5, 10)}
        ahead = [
            wish(2, "urgent", waiting_since=MAY, **nowhere),
            wish(3, "urgent", waiting_since=MAY + 9 * DAY, **nowhere),
        ]
        assert stands(ahead) == "Third in line: two urgent requests since 3 May; next free slot 24 November."

    def test_the_next_free_slot_is_that_after_those_ahead_have_theirs(self) -> None:
        ahead = [wish(2, "urgent", waiting_since=MAY), wish(3, "urgent", waiting_since=MAY)]
        assert stands(ahead) == "Third in line: two urgent requests since 3 May; next free slot 8 December."

    def test_the_first_in_line_has_nobody_ahead(self) -> None:
        assert stands([]) == "First in line; next free slot 24 November."

    def test_without_a_free_slot_none_is_promised(self) -> None:
        ahead = [wish(2, waiting_since=NOW - DAY)]
        assert stands([], []) == "First in line; no slot is free yet."
        assert stands(ahead, []) == "Second in line: one routine request since 22 November; no slot is free yet."

    def test_free_slots_that_do_not_suit_are_not_promised(self) -> None:
        asks = wish(waiting_since=NOW, latest_on=date(2026, 11, 23))
        assert stands([], asks=asks) == "First in line; no free slot suits yet."

    def test_a_slot_that_all_ahead_take_is_not_promised(self) -> None:
        ahead = [wish(2, waiting_since=NOW - DAY)]
        said = "Second in line: one routine request since 22 November; no free slot suits yet."
        assert stands(ahead, TUESDAYS[:1]) == said

    def test_those_ahead_are_grouped_the_displaced_first_then_by_urgency(self) -> None:
        ahead = [
            wish(2, "urgent", displaced=True, waiting_since=NOW - DAY),
            wish(3, "emergency", waiting_since=NOW - DAY),
            wish(4, "emergency", waiting_since=NOW - 2 * DAY),
            wish(5, "routine", waiting_since=MAY),
        ]
        assert stands(ahead, []) == (
            "Fifth in line: one urgent request whose session fell out since 22 November, "
            "two emergencies since 21 November and one routine request since 3 May; no slot is free yet."
        )

    def test_beyond_the_tenth_place_and_twelve_requests_digits_are_used(self) -> None:
        ahead = [wish(number, waiting_since=MAY) for number in range(2, 15)]
        assert stands(ahead, []) == "Number 14 in line: 13 routine requests since 3 May; no slot is free yet."

    def test_another_year_is_named(self) -> None:
        now = datetime(2026, 12, 31, 9, tzinfo=UTC)
        ahead = [wish(2, waiting_since=datetime(2025, 5, 3, tzinfo=UTC))]
        said = "Second in line: one routine request since 3 May 2025; next free slot 12 January 2027."
        assert stands(ahead, [slot(week) for week in (6, 7)], now=now) == said

    def test_the_day_is_that_on_the_wall_of_the_group(self) -> None:
        ahead = [wish(2, waiting_since=datetime(2026, 5, 2, 23, 30, tzinfo=UTC))]  # Half past one of the 3rd in Berlin.
        assert stands(ahead, []) == "Second in line: one routine request since 3 May; no slot is free yet."

    def test_a_rule_that_bars_a_slot_bars_its_promise(self) -> None:
        assert stands([], rules=Rules(lead=timedelta(days=7))) == "First in line; next free slot 1 December."

    def test_the_share_that_those_ahead_use_up_is_reckoned_with(self) -> None:
        free = [slot(0, 1), slot(0, 2), slot(1, 1)]
        ahead = [wish(2, waiting_since=NOW - DAY)]
        behind = "Second in line: one routine request since 22 November; next free slot"
        assert stands(ahead, free, rules=Rules(share=0.5)) == f"{behind} 1 December."
        other = wish(waiting_since=NOW, hospital_id=GRAZ)
        assert stands(ahead, free, asks=other, rules=Rules(share=0.5)) == f"{behind} 24 November."
