"""How many requests one clinician may have open in a group."""

from __future__ import annotations

from typing import Any

import pytest

from conference_orchestrator.flows import directory, panels
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import requests
from conference_orchestrator.scheduling.requests import ConsultationRequest
from tests.house import HELPDESK
from tests.meeting import Meeting
from tests.scheduling.stage import Stage


def cap(stage: Stage, most: int) -> Stage:
    directory.change_group(stage.group.id, {"rules": {"open_requests_per_requester": most}}, by=HELPDESK)
    return stage


def ask(stage: Stage, name: str = "rui", **changes: Any) -> ConsultationRequest:
    entered = stage.entered(requester=stage.people[name].id, **changes)
    return panels.submit(entered, by=stage.clinician(name)).request


class TestCap:
    def test_one_request_too_many_is_refused_with_what_to_do(self, stage: Stage) -> None:
        cap(stage, 2)
        ask(stage)
        ask(stage, checklist={})  # A draft is open too.
        with pytest.raises(RuleBroken) as refused:
            ask(stage)
        assert refused.value.detail == (
            "Brain Tumour takes at most 2 open requests of one person at a time. "
            "Wait until one is closed, or withdraw one."
        )
        assert refused.value.extra == {"most": 2}
        assert stage.house.count(ConsultationRequest) == 2

    def test_one_is_no_plural(self, stage: Stage) -> None:
        ask(cap(stage, 1))
        with pytest.raises(RuleBroken, match="takes at most 1 open request of one person"):
            ask(stage)

    def test_a_request_that_ended_makes_room(self, stage: Stage) -> None:
        first = ask(cap(stage, 1))
        panels.withdraw(first.id, by=stage.clinician("rui"))
        second = ask(stage)
        panels.triage(second.id, "decline", "No.", by=HELPDESK)
        assert ask(stage).state == "submitted"

    def test_each_has_a_cap_of_the_own_in_each_group(self, stage: Stage, other_group: ExpertGroup) -> None:
        ask(cap(stage, 1))
        assert ask(stage, "inês").state == "submitted"
        assert ask(stage, group=other_group.code).state == "submitted"

    def test_who_asks_in_the_name_of_another_uses_up_that_ones_room(self, stage: Stage) -> None:
        ask(cap(stage, 1))
        with pytest.raises(RuleBroken, match="at most 1 open request"):
            panels.submit(stage.entered(), by=stage.centre("porto"))

    def test_the_helpdesk_is_not_capped(self, stage: Stage) -> None:
        ask(cap(stage, 1))
        assert panels.submit(stage.entered(), by=HELPDESK).request.state == "submitted"

    def test_an_emergency_is_not_capped(self, stage: Stage) -> None:
        ask(cap(stage, 1))
        assert ask(stage, urgency="emergency").state == "submitted"

    def test_without_the_rule_nobody_is_capped(self, stage: Stage) -> None:
        assert [ask(stage).state for _ in range(5)] == ["submitted"] * 5


def ask_twice_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch, *, meeting: Meeting) -> list[Any]:
    """Two submits of one clinician; each has counted before any writes, if they are let."""
    monkeypatch.setattr(requests, "open_of", meeting.after(requests.open_of))
    db.session.remove()
    return stage.house.at_once(2, lambda _: ask(stage))


class TestAtOnce:
    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_of_two_submits_at_the_same_instant_for_the_last_place_one_is_refused(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = ask_twice_at_once(cap(stage, 1), monkeypatch, meeting=Meeting(may_be_in_vain=True))
        assert sum(isinstance(answer, RuleBroken) for answer in answers) == 1
        assert stage.house.count(ConsultationRequest) == 1


class TestWithoutTheLock:
    """On SQLite the whole database is locked, so the negative control is PostgreSQL's."""

    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    def test_both_come_through(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        get = expert_groups.get
        monkeypatch.setattr(expert_groups, "get", lambda of, *, visible_to, **_: get(of, visible_to=visible_to))
        monkeypatch.setattr(expert_groups, "lock", lambda _: None)
        answers = ask_twice_at_once(cap(stage, 1), monkeypatch, meeting=Meeting())
        assert [answer for answer in answers if isinstance(answer, Exception)] == [], answers
        assert stage.house.count(ConsultationRequest) == 2, "the harness can no longer see the bug"
