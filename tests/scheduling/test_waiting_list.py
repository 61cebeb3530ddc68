"""Who stands where in line, and which slots are free: what the allocation policy is given to weigh."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from conference_orchestrator.flows import panels, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import allocations, requests, waiting_list
from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, tally
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import WAITING_ORDER, ConsultationRequest, State, Urgency
from conference_orchestrator.scheduling.rosters import Absence
from conference_orchestrator.scheduling.sessions import Slot
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def waiting(stage: Stage, *, displaced: bool = False, urgency: str = "routine", minutes: int = 0) -> UUID:
    """A request put on the list as if it had come there minutes ago or hence."""
    request_id = stage.submitted()
    change(
        request_id,
        state=State.WAITING,
        urgency=urgency,
        displaced=displaced,
        waiting_since=AT + timedelta(minutes=minutes),
    )
    return request_id


def change(request_id: UUID, **values: Any) -> None:
    with transaction():
        db.session.execute(update(ConsultationRequest).where(ConsultationRequest.id == request_id).values(**values))


def ids(stage: Stage) -> list[UUID]:
    return [wish.request_id for wish in waiting_list.line(stage.group.id)]


class TestTheLine:
    def test_the_displaced_come_first_then_the_urgent_then_those_who_wait_longest(self, stage: Stage) -> None:
        last = waiting(stage, minutes=5)
        routine = waiting(stage, minutes=1)
        urgent = waiting(stage, urgency="urgent", minutes=9)
        emergency = waiting(stage, urgency="emergency", minutes=10)
        displaced = waiting(stage, displaced=True, minutes=60)
        displaced_urgent = waiting(stage, displaced=True, urgency="urgent", minutes=61)
        in_order = [displaced_urgent, displaced, emergency, urgent, routine, last]
        assert ids(stage) == in_order
        assert waiting_list.positions(stage.group.id) == {one: place for place, one in enumerate(in_order, start=1)}

    def test_each_group_has_a_list_of_its_own(self, stage: Stage, other_group: ExpertGroup) -> None:
        here, elsewhere = waiting(stage), waiting(stage)
        change(elsewhere, group_id=other_group.id)
        found = waiting_list.lines([stage.group.id, other_group.id])
        assert {group: [wish.request_id for wish in line] for group, line in found.items()} == {
            stage.group.id: [here],
            other_group.id: [elsewhere],
        }

    def test_who_does_not_wait_has_no_place(self, stage: Stage) -> None:
        stage.accepted()
        assert waiting_list.line(stage.group.id) == []

    def test_a_wish_in_line_is_the_wish_of_its_request(self, stage: Stage) -> None:
        request_id = waiting(stage, displaced=True, urgency="urgent")
        change(request_id, earliest_on=date(2026, 12, 1), latest_on=date(2026, 12, 9))
        assert waiting_list.line(stage.group.id) == [stage.request(request_id).request.wish]

    def test_two_who_come_at_the_same_instant_have_different_places_in_their_order(self, stage: Stage) -> None:
        group, later = stage.group.id, AT + timedelta(seconds=1)
        first = waiting_list.next_waiting_since(group, now=AT)
        waiting(stage)
        assert (first, waiting_list.next_waiting_since(group, now=AT)) == (AT, AT + TICK)
        assert waiting_list.next_waiting_since(group, now=later) == later

    def test_a_clock_that_goes_back_gives_nobody_a_better_place(self, stage: Stage) -> None:
        waiting(stage, minutes=30)
        assert waiting_list.next_waiting_since(stage.group.id, now=AT) > AT + timedelta(minutes=30)

    def test_who_is_offered_a_slot_has_its_place_meanwhile(self, stage: Stage) -> None:
        change(waiting(stage), state=State.OFFERED)
        change(waiting(stage), state=State.WITHDRAWN, waiting_since=AT + timedelta(hours=1))
        assert waiting_list.next_waiting_since(stage.group.id, now=AT) == AT + TICK

    def test_who_comes_next_stands_behind_all_that_are_not_less_urgent(self, stage: Stage) -> None:
        for urgency in ("emergency", "urgent", "urgent", "routine"):
            waiting(stage, urgency=urgency)
        waiting(stage, urgency="routine", displaced=True)
        coming = stage.request(stage.accepted(urgency="urgent")).request.wish
        ahead = waiting_list.ahead_of(coming, stage.group.id)
        assert {(one.displaced, one.urgency): one.count for one in ahead} == {
            (True, "routine"): 1,
            (False, "emergency"): 1,
            (False, "urgent"): 2,
        }


WAITING = st.tuples(st.booleans(), st.sampled_from(list(Urgency)), st.integers(0, 3), st.uuids())


class TestTwoOrders:
    """The database sorts the line, and the policy the wishes: both must agree, on both databases."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    @given(st.lists(WAITING, max_size=8, unique_by=lambda one: one[3]))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_the_line_of_the_database_is_ordered_as_the_policy_orders_it(
        self, stage: Stage, found: list[tuple[bool, Urgency, int, UUID]]
    ) -> None:
        put_in_line(stage, found)
        line = waiting_list.line(stage.group.id)
        assert len(line) == len(found)
        assert line == sorted(line, key=lambda wish: wish.place)

    @given(st.lists(WAITING, max_size=8, unique_by=(lambda one: one[3], lambda one: one[:3])))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_the_database_counts_the_same_ahead_as_the_policy(
        self, stage: Stage, found: list[tuple[bool, Urgency, int, UUID]]
    ) -> None:
        put_in_line(stage, found)
        line = sorted(waiting_list.line(stage.group.id), key=lambda wish: wish.place)
        for place, wish in enumerate(line):
            counted = waiting_list.ahead_of(wish, stage.group.id)
            assert sorted(counted, key=str) == sorted(tally(line[:place]), key=str)

    def test_an_order_that_forgets_the_urgency_is_noticed(self, stage: Stage) -> None:
        put_in_line(stage, [(False, Urgency.ROUTINE, 1, uuid4()), (False, Urgency.EMERGENCY, 0, uuid4())])
        forgetful = [WAITING_ORDER[0], *WAITING_ORDER[2:]]
        rows = db.session.scalars(select(ConsultationRequest).order_by(*forgetful)).all()
        places = [row.wish.place for row in rows]
        assert places != sorted(places)


def put_in_line(stage: Stage, found: list[tuple[bool, Urgency, int, UUID]]) -> None:
    """Exactly these requests: displaced or not, how urgent, since how many minutes, under which id."""
    rows = [
        {
            "id": request_id,
            "created_at": AT,
            "version": 1,
            "group_id": stage.group.id,
            "case_reference": "CPMS-1",
            "question": "Is surgery an option?",
            "urgency": urgency,
            "consent_confirmed": True,
            "checklist": {},
            "imaging": [],
            "requester_id": stage.people["rui"].id,
            "attendees": [],
            "state": State.WAITING,
            "waiting_since": AT - timedelta(minutes=minutes),
            "reasons": [],
            "displaced": displaced,
        }
        for displaced, urgency, minutes, request_id in found
    ]
    with transaction():
        db.session.execute(delete(ConsultationRequest))
        if rows:
            db.session.execute(insert(ConsultationRequest), rows)


def free(stage: Stage, rules: Rules | None = None) -> list[FreeSlot]:
    return waiting_list.free_slots(stage.group.id, rules=rules or Rules(), now=stage.house.clock.at)


def offer(stage: Stage, slot: Slot) -> None:
    """Have the slot offered to a request of Porto."""
    request_id = stage.accepted()
    with transaction() as tx:
        allocations.take(slot.id, request_id, because=[], at=tx.now, offered_until=TUESDAY)


class TestFreeSlots:
    def test_they_are_those_of_the_groups_coming_sessions_earliest_first(
        self, round_of_tuesdays: Stage, other_group: ExpertGroup
    ) -> None:
        found = free(round_of_tuesdays)
        assert [one.starts_at - TUESDAY for one in found[:3]] == [timedelta(0), timedelta(minutes=20), WEEK]
        mine = {one.id for one in round_of_tuesdays.sessions() if one.group_id != other_group.id}
        assert {one.session_id for one in found} == mine

    def test_each_knows_its_number_of_how_many_and_when_its_session_begins(self, round_of_tuesdays: Stage) -> None:
        second = free(round_of_tuesdays)[1]
        assert (second.number, second.of, second.session_starts_at) == (2, 2, TUESDAY)
        assert second.time_zone == "Europe/Berlin"

    def test_a_slot_that_is_held_is_not_free(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.allocated()
        assert free(round_of_tuesdays)[0].number == 2

    def test_a_slot_that_is_offered_is_not_free(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        offer(stage, stage.slots(stage.first().id)[0])
        assert free(stage)[0].number == 2

    def test_a_released_slot_is_free_again_and_its_history_stays(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        panels.release(stage.allocated(), by=HELPDESK)
        assert free(stage)[0].starts_at == TUESDAY
        assert db.session.scalars(select(Allocation.released_at)).all() == [stage.house.clock.at]

    def test_a_slot_that_the_series_no_longer_has_is_not_free_and_does_not_count(
        self, round_of_tuesdays: Stage
    ) -> None:
        stage = round_of_tuesdays
        with transaction():
            gone = update(Slot).where(Slot.session_id == stage.first().id, Slot.number == 2)
            db.session.execute(gone.values(withdrawn=True))
        first, second, *_ = free(stage)
        assert (first.number, first.of, second.starts_at) == (1, 1, TUESDAY + WEEK)

    def test_a_session_that_has_begun_has_no_free_slot(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.house.clock.at = TUESDAY
        assert free(round_of_tuesdays)[0].starts_at == TUESDAY + WEEK

    def test_a_cancelled_session_has_no_free_slot(self, round_of_tuesdays: Stage) -> None:
        rounds.cancel(round_of_tuesdays.first().id, "Ill.", by=HELPDESK)
        assert free(round_of_tuesdays)[0].starts_at == TUESDAY + WEEK


class TestShares:
    SHARED = Rules(share=0.5)

    def test_what_each_hospital_holds_or_is_offered_of_a_session_is_counted(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        stage.meet(start_time=time(15), slots=4)
        afternoon = next(one for one in stage.sessions() if one.starts_at == TUESDAY + timedelta(hours=4))
        slots = stage.slots(afternoon.id)
        for slot, who in zip(slots, ("rui", "jörg"), strict=False):
            panels.allocate(stage.accepted(requester=stage.people[who].id), slot_id=slot.id, by=HELPDESK)
        offer(stage, slots[2])
        held = {one.session_id: one.held for one in free(stage, self.SHARED)}
        assert held[afternoon.id] == {stage.hospitals["porto"].id: 2, stage.hospitals["graz"].id: 1}
        assert held[stage.first().id] == {}

    def test_a_named_slot_is_seen_with_the_same_counts(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        stage.allocated()
        second = stage.slots(stage.first().id)[1]
        assert waiting_list.as_free(second.id, rules=self.SHARED) == free(stage, self.SHARED)[0]

    def test_without_a_share_rule_nothing_is_counted(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.allocated()
        assert free(round_of_tuesdays)[0].held == {}


class TestSituation:
    def test_who_is_ahead_is_told_with_absences_and_who_comes_after_is_not(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        urgent = waiting(stage, urgency="urgent")
        waiting(stage)
        own = stage.accepted(urgency="urgent", requester=stage.people["jörg"].id)
        away = {"rui": (date(2026, 11, 20), date(2026, 11, 30)), "jörg": (date(2026, 12, 1), date(2026, 12, 1))}
        with transaction():
            for name, (first, last) in away.items():
                db.session.add(Absence(clinician_id=stage.people[name].id, from_on=first, until_on=last))
        found = waiting_list.situation(requests.get(own, visible_to=HELPDESK), now=AT)
        assert [(wish.request_id, list(wish.away)) for wish in found.ahead] == [(urgent, [away["rui"]])]
        assert list(found.wish.away) == [away["jörg"]]

    def test_an_absence_that_is_over_is_left_out(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        own = stage.accepted()
        with transaction():
            rui = stage.people["rui"].id
            db.session.add(Absence(clinician_id=rui, from_on=date(2026, 11, 1), until_on=date(2026, 11, 21)))
        assert waiting_list.situation(requests.get(own, visible_to=HELPDESK), now=AT).wish.away == ()
