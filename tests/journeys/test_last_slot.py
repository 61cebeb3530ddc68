"""The last slot goes to exactly one, however many ask at once; and the tests can see the bug they guard against."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from conference_orchestrator import migrations
from conference_orchestrator.app import create_app
from conference_orchestrator.flows import arranging, directory, joining, panels
from conference_orchestrator.flows.standing import RequestView
from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.settings import Settings
from tests.journeys.service import Api, Service

HELPDESK = Principal(role=Role.HELPDESK)
CROWD = 50
ASKER = "ada@klinik.example"
T = TypeVar("T")


def prepare(app: Flask, *, slots: int) -> list[str]:
    """A group whose only coming session has one slot left, and a crowd of accepted requests; their ids."""
    with app.app_context():
        directory.add_network({"code": "n", "name": "A network"}, by=HELPDESK)
        group = directory.add_group(
            {"network": "n", "code": "g", "name": "A group", "time_zone": "Europe/Berlin", "intake": "direct"},
            by=HELPDESK,
        )
        joining.enter(person(), by=HELPDESK)
        soon = times.SystemClock().now().date() + timedelta(days=3)
        weekday = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[soon.weekday()]
        arranging.define_series(
            group.id,
            {
                "rule": f"FREQ=WEEKLY;BYDAY={weekday}",
                "starts_on": soon,
                "ends_on": soon,
                "start_time": time(11),
                "time_zone": "Europe/Berlin",
                "slots": slots,
                "slot_minutes": 20,
            },
            by=HELPDESK,
        )
        return [str(accepted(number).request.id) for number in range(CROWD)]


def person() -> dict[str, Any]:
    return {
        "network": "n",
        "given_name": "Ada",
        "family_name": "Weiß",
        "email": ASKER,
        "hospital_name": "Klinik",
        "country": "DE",
        "profession": "physician",
        "specialties": [],
        "language": "en",
        "time_zone": "Europe/Berlin",
        "share": [],
    }


def accepted(number: int) -> RequestView:
    entered = {
        "group": "g",
        "case_reference": f"CPMS-{number:04}",
        "question": "What next?",
        "urgency": "routine",
        "consent_confirmed": True,
        "checklist": {},
        "imaging": [],
        "requester": ASKER,
    }
    submitted = panels.submit(entered, by=HELPDESK)
    return panels.triage(submitted.request.id, "accept", by=HELPDESK)


def at_once(things: Sequence[str], do: Callable[[str], T]) -> list[T]:
    """Do it with every thing in a thread of its own, all let go at the same moment."""
    gate = threading.Barrier(len(things))

    def one(thing: str) -> T:
        gate.wait(timeout=60)
        return do(thing)

    with ThreadPoolExecutor(len(things)) as pool:
        return list(pool.map(one, things))


def without_unique_allocations(url: str) -> None:
    """Take the protection away: what the application alone would do."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX uq_allocation_slot"))
        connection.execute(text("DROP INDEX uq_allocation_request"))
    engine.dispose()


@dataclass
class Crowd:
    app: Flask
    url: str
    requests: list[str]

    def allocate(self, request_id: str) -> tuple[str, int | None]:
        with self.app.app_context():
            view = panels.allocate(UUID(request_id), by=HELPDESK)
            return view.request.state, view.position

    def ask_all_at_once(self) -> list[tuple[str, int | None]]:
        return at_once(self.requests, self.allocate)


@pytest.fixture
def crowd(database_url: str, tmp_path: Path) -> Iterator[Crowd]:
    migrations.upgrade(database_url)
    app = create_app(Settings(database_url=database_url, secret_key="k" * 32), var=tmp_path)
    yield Crowd(app, database_url, prepare(app, slots=1))
    with app.app_context():
        db.engine.dispose()


def test_the_last_slot_goes_to_exactly_one_of_fifty_threads(crowd: Crowd) -> None:
    answers = crowd.ask_all_at_once()
    assert Counter(state for state, _ in answers) == {"allocated": 1, "waiting": CROWD - 1}
    assert sorted(place for state, place in answers if state == "waiting" and place) == list(range(1, CROWD))


def test_fifty_threads_collide_once_the_unique_indexes_are_gone(crowd: Crowd) -> None:
    without_unique_allocations(crowd.url)
    answers = crowd.ask_all_at_once()
    assert sum(state == "allocated" for state, _ in answers) > 1, "the test can no longer see what it guards against"


@pytest.fixture
def four_processes(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Service, list[str]]]:
    migrations.upgrade(postgres_url)
    app = create_app(Settings(database_url=postgres_url, secret_key="k" * 32), var=tmp_path)
    requests = prepare(app, slots=1)
    with app.app_context():
        db.engine.dispose()
    service = Service(tmp_path, {"CO_DATABASE_URL": postgres_url}).start("web", "--processes", "4")
    yield service, requests
    service.stop()


def ask_over_http(service: Service, requests: Sequence[str]) -> list[dict[str, Any]]:
    callers = {request: Api(service.url, None) for request in requests}
    token = service.token("helpdesk").http.headers["Authorization"]
    for caller in callers.values():
        caller.http.headers["Authorization"] = token
    return at_once(requests, lambda one: callers[one].post(f"/consultation-requests/{one}/allocation"))


def test_the_last_slot_goes_to_exactly_one_over_four_web_processes(four_processes: tuple[Service, list[str]]) -> None:
    service, requests = four_processes
    answers = ask_over_http(service, requests)
    assert Counter(answer["state"] for answer in answers) == {"allocated": 1, "waiting": CROWD - 1}
    places = [answer["waiting_position"] for answer in answers if answer["state"] == "waiting"]
    assert sorted(places) == list(range(1, CROWD))


def test_four_web_processes_collide_once_the_unique_indexes_are_gone(four_processes: tuple[Service, list[str]]) -> None:
    service, requests = four_processes
    without_unique_allocations(service.env["CO_DATABASE_URL"])
    answers = ask_over_http(service, requests)
    assert sum(answer["state"] == "allocated" for answer in answers) > 1, "the test can no longer see the bug"
