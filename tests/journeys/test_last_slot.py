"""The last slot goes to exactly one, however many ask at once; and the tests can see the bug they guard against."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from conference_orchestrator.flows import panels
from conference_orchestrator.flows.standing import RequestView
from conference_orchestrator.kernel.principal import Principal, Role
from tests.journeys import crowds
from tests.journeys.crowds import Answer, Ask
from tests.journeys.service import Service, database_of

HELPDESK = Principal(role=Role.HELPDESK)
CROWD = 200
# Enough to see a collision, or a queue.
FEW = 50
ROUNDS = int(os.environ.get("CO_TEST_ROUNDS", "5"))
# So many are let come before the holder gives up. One process has 20 connections to the database, the others queue.
AT_THE_SLOT = 16


def allocate_at_once(app: Flask, requests: Sequence[UUID]) -> list[Any]:
    return crowds.at_once(app, [partial(panels.allocate, request, by=HELPDESK) for request in requests])


def one_is_served(answers: Sequence[tuple[str, int | None]]) -> None:
    """All others wait, each in a place of its own."""
    assert Counter(state for state, _ in answers) == {"allocated": 1, "waiting": len(answers) - 1}
    assert sorted(place for _, place in answers if place is not None) == list(range(1, len(answers)))


def outcomes(answers: Sequence[Any]) -> list[tuple[str, int | None]]:
    """State and place that each was answered; an error's own words where there was one."""
    return [(one.request.state, one.position) if isinstance(one, RequestView) else (repr(one), None) for one in answers]


class TestThreads:
    """One process, on both databases."""

    @pytest.fixture
    def app(self, both_schemas: str) -> Iterator[Flask]:
        with crowds.patient_database_of(both_schemas) as app:
            yield app

    def test_the_last_slot_goes_to_exactly_one_of_two_hundred_threads(self, app: Flask, both_schemas: str) -> None:
        # PostgreSQL has its many rounds below, over HTTP.
        for _ in range(ROUNDS if both_schemas.startswith("sqlite") else 1):
            wanted = crowds.new_round(app, wanting=CROWD)
            one_is_served(outcomes(allocate_at_once(app, wanted.requests)))

    def test_threads_collide_once_the_unique_indexes_are_gone(self, app: Flask, both_schemas: str) -> None:
        crowds.drop_unique_allocations(both_schemas)
        answers = outcomes(allocate_at_once(app, crowds.new_round(app, wanting=FEW).requests))
        assert answers.count(("allocated", None)) > 1, "the test can no longer see what it guards against"

    def test_a_slot_that_its_holder_gives_up_goes_to_exactly_one_of_those_who_came_meanwhile(
        self, app: Flask, both_schemas: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chosen = count_choices(monkeypatch)
        one_is_served(outcomes(allocate_meanwhile(app, both_schemas, until=lambda: wait_for(chosen, AT_THE_SLOT))))

    def test_a_slot_stays_free_beside_a_waiting_crowd_once_its_holder_is_seen_too_early(
        self, app: Flask, both_schemas: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control: no transaction hides what the holder may still undo."""
        chosen = count_choices(monkeypatch)
        answers = allocate_meanwhile(app, both_schemas, until=lambda: wait_for(chosen, FEW), commits=True)
        assert {state for state, _ in outcomes(answers)} == {"waiting"}, "the test can no longer see the bug"


def allocate_meanwhile(app: Flask, url: str, *, until: Callable[[], None], commits: bool = False) -> list[Any]:
    """A crowd comes while somebody else holds the slot, who gives it up when `until` returns."""
    wanted = crowds.new_round(app, wanting=FEW + 1)
    with ThreadPoolExecutor(1) as aside, crowds.holder(url, wanted, commits=commits):
        answers = aside.submit(allocate_at_once, app, wanted.requests[1:])
        until()
    return answers.result()


def count_choices(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released by each who has chosen: a slot to take, or to wait."""
    chosen = threading.Semaphore(0)

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def after_choosing(*of: Any, **named: Any) -> Any:
            chosen.release()
            return act(*of, **named)

        return after_choosing

    monkeypatch.setattr(panels, "_take", counted(panels._take))
    monkeypatch.setattr(panels, "_wait", counted(panels._wait))
    return chosen


def wait_for(chosen: threading.Semaphore, number: int) -> None:
    for _ in range(number):
        assert chosen.acquire(timeout=crowds.PATIENCE_SECONDS)


class TestProcesses:
    """Four web processes on PostgreSQL, asked over HTTP."""

    @pytest.fixture
    def service(self, postgres_schema: str, tmp_path: Path) -> Iterator[Service]:
        with crowds.four_processes(postgres_schema, tmp_path) as service:
            yield service

    @pytest.fixture
    def app(self, postgres_schema: str) -> Iterator[Flask]:
        with database_of(postgres_schema) as app:
            yield app

    def test_the_last_slot_goes_to_exactly_one_over_four_web_processes(self, service: Service, app: Flask) -> None:
        answers = []
        for _ in range(ROUNDS):
            of_round = allocate_over_http(app, service, crowds.new_round(app, wanting=CROWD).requests)
            one_is_served(states_and_places(of_round))
            answers += of_round
        crowds.print_latency(f"{ROUNDS} rounds of {CROWD} requests for one slot", answers)
        assert max(answer.seconds for answer in answers) < crowds.PATIENCE_SECONDS
        service.stop()
        assert crowds.deadlocks(service.env["CO_DATABASE_URL"]) == 0

    def test_a_slot_given_up_goes_to_exactly_one_over_four_web_processes(
        self, service: Service, app: Flask, postgres_schema: str
    ) -> None:
        wanted = crowds.new_round(app, wanting=CROWD + 1)
        with ThreadPoolExecutor(1) as aside, crowds.holder(postgres_schema, wanted):
            answers = aside.submit(allocate_over_http, app, service, wanted.requests[1:])
            crowds.until_they_stand_at_the_slot(postgres_schema, AT_THE_SLOT)
        one_is_served(states_and_places(answers.result()))
        service.stop()
        assert crowds.deadlocks(postgres_schema) == 0

    def test_four_web_processes_collide_once_the_unique_indexes_are_gone(self, service: Service, app: Flask) -> None:
        crowds.drop_unique_allocations(service.env["CO_DATABASE_URL"])
        answers = states_and_places(allocate_over_http(app, service, crowds.new_round(app, wanting=FEW).requests))
        assert answers.count(("allocated", None)) > 1, "the test can no longer see the bug"


def allocate_over_http(app: Flask, service: Service, requests: Sequence[UUID]) -> list[Answer]:
    token = crowds.token(app, "helpdesk")
    return crowds.ask_at_once(service, [Ask(f"/consultation-requests/{one}/allocation", token) for one in requests])


def states_and_places(answers: Sequence[Answer]) -> list[tuple[str, int | None]]:
    """State and place that each was answered; the problem where one was refused."""
    return [(one.body.get("state", str(one.body)), one.body.get("waiting_position")) for one in answers]
