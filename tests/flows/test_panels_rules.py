"""The group's rules at work: who gets which slot, what is refused, and what people are told."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import directory, panels, rounds
from conference_orchestrator.flows.standing import RequestView
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import allocations, requests
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.rosters import Absence
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage, ask_for_more

HOUR = timedelta(hours=1)
EARLIEST = "The earliest suitable free slot: Tuesday 24 November 2026, 11.00."
SECOND = "The earliest suitable free slot: Tuesday 24 November 2026, 11.20."
WEEK_LATER = "The earliest suitable free slot: Tuesday 1 December 2026, 11.00."


def rule(stage: Stage, **rules: Any) -> Stage:
    """The stage, its group with these rules; the clock shows Monday, ten in Berlin."""
    directory.change_group(stage.group.id, {"rules": rules}, by=HELPDESK)
    return stage


def ask(stage: Stage, name: str = "rui", **changes: Any) -> UUID:
    return stage.accepted(requester=stage.people[name].id, **changes)


def given(stage: Stage, name: str = "rui", **changes: Any) -> RequestView:
    """The answer to an allocation by the policy."""
    return panels.allocate(ask(stage, name, **changes), by=HELPDESK)


def slot(stage: Stage, week: int = 0, number: int = 1) -> UUID:
    return stage.slots(stage.sessions()[week].id)[number - 1].id


def name_slot(stage: Stage, request_id: UUID, slot_id: UUID) -> RequestView:
    return panels.allocate(request_id, slot_id=slot_id, by=stage.coordinator)


def away(stage: Stage, name: str, first: date, last: date) -> None:
    with transaction():
        db.session.add(Absence(clinician_id=stage.people[name].id, from_on=first, until_on=last))


class TestRules:
    def test_within_the_lead_time_the_next_session_is_taken(self, round_of_tuesdays: Stage) -> None:
        found = given(rule(round_of_tuesdays, lead_hours=48))
        assert found.reasons == [
            WEEK_LATER,
            "Not Tuesday 24 November 2026, 11.00: The group needs 48 hours to prepare.",
            "Not Tuesday 24 November 2026, 11.20: The group needs 48 hours to prepare.",
        ]

    def test_after_the_deadline_the_next_session_is_taken(self, round_of_tuesdays: Stage) -> None:
        found = given(rule(round_of_tuesdays, cut_off_hours=48))
        assert found.reasons[:2] == [
            WEEK_LATER,
            ("Not Tuesday 24 November 2026, 11.00: The deadline for that session was Sunday 22 November 2026, 11.00."),
        ]

    def test_what_made_the_deadline_may_be_added_after_it(self, round_of_tuesdays: Stage) -> None:
        stage = rule(round_of_tuesdays, cut_off_hours=24)
        in_time = ask(stage)
        stage.house.clock.move_on(5 * HOUR)
        assert panels.allocate(in_time, by=HELPDESK).reasons == [EARLIEST]
        assert given(stage).reasons[0] == WEEK_LATER

    def test_a_reserved_slot_is_for_emergencies_until_the_deadline(self, round_of_tuesdays: Stage) -> None:
        stage = rule(round_of_tuesdays, reserve_slots=1, cut_off_hours=24)
        assert given(stage).reasons == [EARLIEST]
        assert given(stage).reasons == [
            WEEK_LATER,
            (
                "Not Tuesday 24 November 2026, 11.20: "
                "The slot is kept for emergencies until Monday 23 November 2026, 11.00."
            ),
        ]
        assert given(stage, urgency="emergency").reasons == [SECOND, "The request is an emergency."]

    def test_at_the_deadline_a_reserved_slot_goes_to_who_made_it(self, round_of_tuesdays: Stage) -> None:
        stage = rule(round_of_tuesdays, reserve_slots=1, cut_off_hours=24)
        given(stage)
        in_time = ask(stage)
        stage.house.clock.move_on(HOUR + timedelta(seconds=1))
        assert given(stage).reasons[0] == WEEK_LATER
        assert panels.allocate(in_time, by=HELPDESK).reasons == [SECOND]

    def test_one_hospital_does_not_get_every_slot(self, round_of_tuesdays: Stage) -> None:
        stage = rule(round_of_tuesdays, hospital_share=0.5)
        assert given(stage, "rui").reasons == [EARLIEST]
        assert given(stage, "inês").reasons == [
            WEEK_LATER,
            (
                "Not Tuesday 24 November 2026, 11.20: "
                "The hospital has its share of that session already: one of two slots."
            ),
        ]
        assert given(stage, "jörg").reasons == [SECOND]

    def test_a_day_on_which_the_requester_is_away_is_passed_over(self, round_of_tuesdays: Stage) -> None:
        away(round_of_tuesdays, "rui", date(2026, 11, 23), date(2026, 11, 24))
        assert given(round_of_tuesdays).reasons == [
            WEEK_LATER,
            "Not Tuesday 24 November 2026, 11.00: The requester is away on that day.",
            "Not Tuesday 24 November 2026, 11.20: The requester is away on that day.",
        ]

    def test_an_emergency_is_bound_by_no_rule_but_by_slots_that_are_held(self, round_of_tuesdays: Stage) -> None:
        stage = rule(round_of_tuesdays, lead_hours=100, cut_off_hours=100, hospital_share=0.5, reserve_slots=2)
        firsts = [given(stage, urgency="emergency").reasons[0] for _ in range(3)]
        assert firsts == [EARLIEST, SECOND, WEEK_LATER]

    @pytest.mark.parametrize(
        ("rules", "said"),
        [
            ({"lead_hours": 48}, "The group needs 48 hours to prepare."),
            ({"cut_off_hours": 48}, "The deadline for that session was Sunday 22 November 2026, 11.00."),
            ({"reserve_slots": 2}, "The slot is kept for emergencies until Tuesday 24 November 2026, 11.00."),
        ],
        ids=["lead time", "cut-off", "reserve"],
    )
    def test_a_slot_that_a_person_names_is_bound_by_the_rules(
        self, round_of_tuesdays: Stage, rules: dict[str, Any], said: str
    ) -> None:
        stage = rule(round_of_tuesdays, **rules)
        with pytest.raises(Invalid) as refused:
            name_slot(stage, ask(stage), slot(stage))
        assert refused.value.errors == {"slot": [said]}


class TestTheLine:
    @pytest.fixture
    def one_waits(self, round_of_tuesdays: Stage) -> Stage:
        """An urgent request waits, and since then a slot of tomorrow is free."""
        stage = round_of_tuesdays
        holding = [given(stage).request.id for _ in range(52)]
        assert given(stage, "jörg", urgency="urgent").request.state == "waiting"
        panels.release(holding[0], by=HELPDESK)
        return stage

    def test_nobody_behind_takes_a_slot_that_somebody_ahead_could_have(self, one_waits: Stage) -> None:
        found = given(one_waits)
        assert (found.request.state, found.position) == ("waiting", 2)
        assert found.reasons == ["Every free slot that would suit is kept for one request further ahead in line."]
        assert found.standing == ("Second in line: one urgent request since 23 November; no free slot suits yet.")

    def test_a_request_that_has_come_to_lack_something_keeps_no_slot_from_who_comes_after(
        self, one_waits: Stage
    ) -> None:
        behind = given(one_waits).request.id
        ask_for_more(one_waits, answered_by=behind)
        assert one_waits.request(behind).standing == (
            "Second in line: one urgent request since 23 November; next free slot 24 November."
        )
        found = panels.allocate(behind, by=HELPDESK)
        assert (found.request.state, found.reasons) == ("allocated", [EARLIEST, "It waits since 23 November."])

    def test_who_asks_again_in_vain_is_told_why_now_and_gets_no_further_mail(self, one_waits: Stage) -> None:
        behind = given(one_waits).request
        taken = name_slot(one_waits, ask(one_waits), slot(one_waits))
        for _ in range(2):
            found = panels.allocate(behind.id, by=HELPDESK)
            assert found.reasons == ["Every slot of the coming sessions is taken."]
            assert one_waits.request(behind.id).reasons == found.reasons
            assert found.request.version == behind.version + 1
            assert found.request.waiting_since == behind.waiting_since
        assert taken.request.state == "allocated"
        assert len(one_waits.mails("request-waiting")) == 2

    def test_a_person_may_name_it_for_who_comes_after(self, one_waits: Stage) -> None:
        found = name_slot(one_waits, ask(one_waits), slot(one_waits))
        assert (found.request.state, found.reasons) == ("allocated", ["The slot that was asked for."])

    def test_who_is_first_in_line_gets_it(self, one_waits: Stage) -> None:
        waiting = db.session.scalars(db.select(ConsultationRequest).filter_by(state="waiting")).one()
        found = one_waits.request(waiting.id)
        assert found.standing == "First in line; next free slot 24 November."
        assert panels.allocate(waiting.id, by=HELPDESK).reasons == [
            EARLIEST,
            "The request is urgent.",
            "It waits since 23 November.",
        ]

    def test_who_is_more_urgent_goes_before_who_waits_longer(self, one_waits: Stage) -> None:
        assert given(one_waits, urgency="emergency").reasons == [EARLIEST, "The request is an emergency."]

    def test_where_those_stand_who_wait_is_said_in_one_sentence(self, stage: Stage) -> None:
        stage.house.clock.at = stage.house.clock.at.replace(month=5, day=3)
        for _ in range(2):
            given(stage, urgency="urgent", latest_on=date(2026, 5, 10))
        stage.house.clock.at = stage.house.clock.at.replace(month=11, day=23)
        third = given(stage)
        assert third.standing == "Third in line: two urgent requests since 3 May; no slot is free yet."
        stage.meet()
        assert stage.request(third.request.id).standing == (
            "Third in line: two urgent requests since 3 May; next free slot 24 November."
        )

    def test_the_answer_to_the_allocation_says_the_same_as_a_later_look(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        away(stage, "rui", date(2026, 11, 1), date(2027, 11, 1))
        found = given(stage)
        assert found.standing == "First in line; no free slot suits yet."
        assert stage.request(found.request.id).standing == found.standing

    def test_why_it_waits_stays_with_the_request(self, round_of_tuesdays: Stage) -> None:
        stage = rule(round_of_tuesdays, reserve_slots=2)
        found = given(stage, latest_on=date(2026, 11, 24))
        said = [
            "No free slot suits.",
            "The request may not be discussed after 24 November 2026. (50 slots)",
            "The slot is kept for emergencies until Tuesday 24 November 2026, 11.00. (two slots)",
        ]
        assert found.reasons == said
        assert stage.request(found.request.id).reasons == said
        assert [mail["reason"] for mail in stage.mails("request-waiting")] == [" ".join(said)]


class TestNotReached:
    def test_it_comes_first_in_line_and_is_told_why(self, full: Stage) -> None:
        given(full, urgency="emergency", latest_on=date(2026, 11, 23))
        (first, _) = requests.holding_slots_of(full.first().id)
        full.house.clock.at = TUESDAY + HOUR
        rounds.close_past()
        found = panels.not_reached(first.id, by=full.coordinator)
        assert (found.request.state, found.request.displaced, found.position) == ("waiting", True, 1)
        assert found.reasons == ["The session did not reach its slot of Tuesday 24 November 2026, 11.00."]
        assert found.standing == "First in line; next free slot 1 December."
        told = [mail for mail in full.mails("request-waiting") if mail["position"] == 1]
        assert [mail["reason"] for mail in told][-1] == found.reasons[0]

    def test_it_takes_a_slot_of_the_next_session_and_is_no_longer_first(self, full: Stage) -> None:
        (first, _) = requests.holding_slots_of(full.first().id)
        full.house.clock.at = TUESDAY + HOUR
        panels.not_reached(first.id, by=HELPDESK)
        found = panels.allocate(first.id, by=HELPDESK)
        assert found.given is not None
        assert (found.given.slot.starts_at, found.request.displaced) == (TUESDAY + WEEK, False)

    def test_a_case_whose_slot_is_still_to_come_was_not_missed(self, full: Stage) -> None:
        (first, _) = requests.holding_slots_of(full.first().id)
        with pytest.raises(RuleBroken, match="The case has no slot that has begun"):
            panels.not_reached(first.id, by=HELPDESK)

    def test_a_case_whose_advice_was_given_stays_closed(self, full: Stage) -> None:
        (first, _) = requests.holding_slots_of(full.first().id)
        full.house.clock.at = TUESDAY + HOUR
        panels.advised(first.id, date(2026, 11, 24), by=HELPDESK)
        with pytest.raises(RuleBroken, match="A request that is closed cannot be put back as not reached"):
            panels.not_reached(first.id, by=HELPDESK)
        held = full.request(first.id).request.allocation
        assert held is not None, "what was refused has released nothing"


class TestOffers:
    @pytest.fixture
    def offered(self, round_of_tuesdays: Stage) -> UUID:
        """A request that waits and is offered the first slot."""
        stage = round_of_tuesdays
        request_id = stage.waiting()
        with transaction() as tx:
            row = db.session.get_one(ConsultationRequest, request_id)
            allocations.take(slot(stage), request_id, because=[], at=tx.now, offered_until=TUESDAY - HOUR)
            row.offered()
        stage.tasks()
        return request_id

    @pytest.mark.parametrize("leave", [panels.release, panels.withdraw])
    def test_an_offer_that_is_given_back_frees_its_slot_and_no_calendar_is_told(
        self, round_of_tuesdays: Stage, offered: UUID, leave: Any
    ) -> None:
        stage = round_of_tuesdays
        assert stage.request(offered).offered is not None
        found = leave(offered, by=HELPDESK)
        assert (found.offered, found.given, stage.tasks()) == (None, None, [])
        ended = db.session.scalars(db.select(allocations.Allocation).filter_by(request_id=offered)).one()
        assert (ended.offer, ended.released_at) == ("withdrawn", stage.house.clock.at)
        assert given(stage).reasons == [EARLIEST]

    def test_a_released_offer_leaves_the_request_accepted_and_out_of_line(self, offered: UUID) -> None:
        found = panels.release(offered, by=HELPDESK)
        assert (found.request.state, found.request.waiting_since, found.position) == ("accepted", None, None)

    def test_a_slot_that_is_offered_counts_for_the_share_of_the_hospital(
        self, round_of_tuesdays: Stage, offered: UUID
    ) -> None:
        stage = rule(round_of_tuesdays, hospital_share=0.5)
        assert stage.request(offered).offered is not None
        assert given(stage, "inês").reasons[0] == WEEK_LATER
        assert given(stage, "jörg").reasons == [SECOND]
