"""One session from two sides at the same time, on both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from conference_orchestrator.flows import panels, rounds, standing
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.scheduling import requests
from tests.house import HELPDESK
from tests.scheduling.stage import Stage


def withdraw_while_cancelling(full: Stage, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One withdraws a case and is slow to commit; meanwhile the other looks at whom the cancellation displaces."""
    session_id = full.first().id
    first = requests.holding_slots_of(session_id)[0].id
    withdrawing, seen = threading.Event(), threading.Event()
    look, let_go = requests.holding_slots_of, panels.let_go

    def look_and_tell(*of: Any, **named: Any) -> Any:
        found = look(*of, **named)
        if named == {"lock": True}:  # The look at whom it displaces, not those for offers or whom it touches.
            seen.set()
        return found

    def let_go_slowly(*of: Any) -> None:
        let_go(*of)
        db.session.flush()
        withdrawing.set()
        seen.wait(timeout=0.5)  # In vain when the look waits for us, as it should.

    def cancel() -> object:
        withdrawing.wait(timeout=30)
        return rounds.cancel(session_id, "Ill.", by=HELPDESK)

    monkeypatch.setattr(requests, "holding_slots_of", look_and_tell)
    monkeypatch.setattr(panels, "let_go", let_go_slowly)
    db.session.remove()
    steps = [cancel, lambda: panels.withdraw(first, by=HELPDESK)]
    return full.house.at_once(2, lambda n: steps[n]())


class TestAtOnce:
    """What happens to one session from two sides, on both databases."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_a_case_that_is_withdrawn_while_its_session_is_cancelled_waits_for_nothing(
        self, full: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = withdraw_while_cancelling(full, monkeypatch)
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        states = [one.request.state for one in standing.listed(Paging(), by=HELPDESK).items]
        assert sorted(states) == ["waiting", "withdrawn"]
        assert len(full.mails("request-waiting")) == 1

    def test_a_slot_that_is_taken_while_its_session_is_cancelled_is_not_held(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        session_id, request_id = stage.first().id, stage.accepted()
        slot_id = stage.slots(session_id)[0].id
        db.session.remove()
        steps = [
            lambda: rounds.cancel(session_id, "Ill.", by=HELPDESK),
            lambda: panels.allocate(request_id, slot_id=slot_id, by=HELPDESK),
        ]
        answers = stage.house.at_once(2, lambda n: steps[n]())
        assert not isinstance(answers[0], Exception)
        assert stage.request(request_id).request.allocation is None
        assert stage.request(request_id).request.state == ("accepted" if isinstance(answers[1], Invalid) else "waiting")

    def test_of_two_who_cancel_one_session_the_second_is_told(self, full: Stage) -> None:
        session_id = full.first().id
        db.session.remove()
        answers = full.house.at_once(2, lambda _: rounds.cancel(session_id, "Ill.", by=HELPDESK))
        assert sum(isinstance(answer, RuleBroken) for answer in answers) == 1
        assert len(full.mails("request-waiting")) == 2


class TestWithoutTheLock:
    """On SQLite the whole database is locked, so the negative control is PostgreSQL's."""

    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    def test_withdrawing_and_cancelling_collide(self, full: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        look = requests.holding_slots_of
        monkeypatch.setattr(requests, "holding_slots_of", lambda session_id, **_: look(session_id))
        answers = withdraw_while_cancelling(full, monkeypatch)
        assert any(isinstance(answer, Exception) for answer in answers), "the harness can no longer see the bug"
