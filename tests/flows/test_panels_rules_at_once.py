"""Two at the same time where a rule of the group, or the next free slot, lets only one through; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import directory, panels
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.scheduling import sessions, waiting_list
from conference_orchestrator.scheduling.allocations import Allocation
from tests.house import HELPDESK
from tests.meeting import Meeting
from tests.scheduling.stage import TUESDAY, Stage


@pytest.fixture
def half_each(round_of_tuesdays: Stage) -> Stage:
    """The stage, where one hospital may hold one of the two slots of a session."""
    directory.change_group(round_of_tuesdays.group.id, {"rules": {"hospital_share": 0.5}}, by=HELPDESK)
    return round_of_tuesdays


def take_both_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, take: Callable[[int, UUID], Any], *, meeting: Meeting
) -> list[Any]:
    """Two of one hospital allocate; each has counted what the hospital holds before any takes, if they are let."""
    wanting = [stage.accepted(), stage.accepted(requester=stage.people["inês"].id)]
    monkeypatch.setattr(waiting_list, "as_free", meeting.after(waiting_list.as_free))
    db.session.remove()
    return stage.house.at_once(2, lambda n: take(n, wanting[n]))


def name_one_slot_each(stage: Stage) -> Callable[[int, UUID], Any]:
    slots = [slot.id for slot in stage.slots(stage.first().id)]
    return lambda n, request_id: panels.allocate(request_id, slot_id=slots[n], by=HELPDESK)


def held_of_the_first_session(stage: Stage) -> int:
    held = db.session.scalars(db.select(Allocation).filter_by(released_at=None)).all()
    mine = {slot.id for slot in stage.slots(stage.first().id)}
    return sum(one.slot_id in mine for one in held)


class TestAtOnce:
    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_of_two_slots_that_are_named_for_one_hospital_at_once_it_gets_its_share(
        self, half_each: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meeting = Meeting(may_be_in_vain=True)
        answers = take_both_at_once(half_each, monkeypatch, name_one_slot_each(half_each), meeting=meeting)
        (refused,) = [answer for answer in answers if isinstance(answer, Exception)]
        assert isinstance(refused, Invalid)
        assert refused.errors == {"slot": ["The hospital has its share of that session already: one of two slots."]}
        assert held_of_the_first_session(half_each) == 1

    def test_who_was_slower_is_given_the_next_slot_by_the_policy(
        self, half_each: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The second has chosen another slot of the session before the first took its own."""
        choose = panels.allocation.choose

        def choose_another(wish: Any, free: Any, **named: Any) -> Any:
            mine = list(free) if wish.requester_id == half_each.people["rui"].id else list(free)[1:]
            return choose(wish, mine, **named)

        chosen, counted = Meeting(may_be_in_vain=True), Meeting(may_be_in_vain=True)
        monkeypatch.setattr(panels.allocation, "choose", chosen.after(choose_another))
        answers = take_both_at_once(
            half_each, monkeypatch, lambda _, of: panels.allocate(of, by=HELPDESK), meeting=counted
        )
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        starts = sorted(answer.given.slot.starts_at for answer in answers)
        assert (starts[0] < TUESDAY.replace(day=25), starts[1] > TUESDAY.replace(day=25)) == (True, True)
        assert held_of_the_first_session(half_each) == 1

    def test_a_direct_request_that_its_sender_and_the_task_allocate_at_once_has_one_slot_and_no_error(
        self, round_of_tuesdays: Stage
    ) -> None:
        stage = round_of_tuesdays
        for _ in range(5):
            request_id = stage.accepted()
            db.session.remove()
            answers = stage.house.at_once(2, lambda _, of=request_id: panels.allocate_accepted(of))
            assert answers == [None, None]
            assert stage.request(request_id).request.state == "allocated"
        assert stage.house.count(Allocation) == 5

    def test_the_same_at_once_without_the_second_look_is_an_error_to_one(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        request_id = stage.accepted()
        db.session.remove()
        answers = stage.house.at_once(2, lambda _: panels.allocate(request_id, by=HELPDESK))
        assert sum(isinstance(answer, RuleBroken) for answer in answers) == 1, "the harness can no longer see the bug"


class TestWithoutTheLock:
    """On SQLite the whole database is locked, so the negative control is PostgreSQL's."""

    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    def test_two_who_share_the_session_take_more_than_the_share(
        self, half_each: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold = sessions.hold_still
        monkeypatch.setattr(sessions, "hold_still", lambda of, **_: hold(of))
        answers = take_both_at_once(half_each, monkeypatch, name_one_slot_each(half_each), meeting=Meeting())
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        assert held_of_the_first_session(half_each) == 2, "the harness can no longer see the bug"
