"""Many who want the same slot, on both databases."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from conference_orchestrator.flows import panels
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken, SlotTaken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import waiting_list
from conference_orchestrator.scheduling.allocation import Rules
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.conferences import Conference
from tests.house import HELPDESK
from tests.scheduling.stage import Stage


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def one_slot_left(stage: Stage) -> Stage:
    stage.meet(ends_on=date(2026, 11, 24), slots=1)
    return stage


def test_the_last_slot_goes_to_exactly_one_of_twelve_and_the_others_have_different_places(one_slot_left: Stage) -> None:
    wanting = [one_slot_left.accepted() for _ in range(12)]
    db.session.remove()
    answers = one_slot_left.house.at_once(12, lambda n: panels.allocate(wanting[n], by=HELPDESK))
    assert Counter(answer.request.state for answer in answers) == {"allocated": 1, "waiting": 11}
    assert sorted(a.position for a in answers if a.position) == list(range(1, 12))
    assert one_slot_left.house.count(Conference) == 1


def test_twelve_collide_once_the_protection_is_taken_away(
    one_slot_left: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanting = [one_slot_left.accepted() for _ in range(12)]
    with transaction():
        db.session.execute(text("DROP INDEX uq_allocation_slot"))
    # Everybody has chosen before anybody takes: the slowest of all looks.
    chosen = threading.Barrier(12, timeout=30)
    take = panels._take

    def take_when_all_have_chosen(*of: Any, **named: Any) -> None:
        chosen.wait()
        take(*of, **named)

    monkeypatch.setattr(panels, "_take", take_when_all_have_chosen)
    db.session.remove()
    answers = one_slot_left.house.at_once(12, lambda n: panels.allocate(wanting[n], by=HELPDESK))
    assert sum(a.request.state == "allocated" for a in answers) > 1, "the harness can no longer see the bug"


def test_of_two_coordinators_who_give_two_requests_one_slot_one_is_refused(one_slot_left: Stage) -> None:
    wanting = [one_slot_left.accepted() for _ in range(2)]
    slot_id = one_slot_left.slots(one_slot_left.first().id)[0].id
    db.session.remove()
    answers = one_slot_left.house.at_once(2, lambda n: panels.allocate(wanting[n], slot_id=slot_id, by=HELPDESK))
    assert sum(isinstance(answer, SlotTaken) for answer in answers) == 1
    assert one_slot_left.house.count(Allocation) == 1


def test_one_request_that_two_allocate_gets_one_slot(round_of_tuesdays: Stage) -> None:
    request_id = round_of_tuesdays.accepted()
    db.session.remove()
    answers = round_of_tuesdays.house.at_once(2, lambda _: panels.allocate(request_id, by=HELPDESK))
    assert sum(isinstance(answer, RuleBroken) for answer in answers) == 1
    assert round_of_tuesdays.house.count(Allocation) == 1


def test_a_request_that_is_allocated_while_it_is_withdrawn_holds_no_slot(round_of_tuesdays: Stage) -> None:
    stage = round_of_tuesdays
    for _ in range(3):
        request_id = stage.accepted()
        db.session.remove()
        steps = [
            lambda of=request_id: panels.allocate(of, by=HELPDESK),
            lambda of=request_id: panels.withdraw(of, by=HELPDESK),
        ]
        answers = stage.house.at_once(2, lambda n: steps[n]())  # noqa: B023  - both are done within the round
        assert not isinstance(answers[1], Exception)
        assert stage.request(request_id).request.state == "withdrawn"
    assert len(waiting_list.free_slots(stage.group.id, rules=Rules(), now=stage.house.clock.at)) == 52
