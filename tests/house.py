"""A small house for tests of flows: an application with a database, a clock that stands, and a queue that remembers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, func, select

from conference_orchestrator.flows import directory
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import Model, connect, db
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.networks import Network
from conference_orchestrator.settings import Settings

HELPDESK = Principal(role=Role.HELPDESK)


@dataclass
class StandingClock:
    """Shows the same time until a test moves it on."""

    at: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move_on(self, by: timedelta) -> None:
        self.at += by


@dataclass
class RememberingQueue:
    """Keeps the tasks of committed transactions and runs none."""

    tasks: list[Task] = field(default_factory=list)
    uncommitted: threading.local = field(default_factory=threading.local)

    def enqueue(self, tasks: Sequence[Task], *, on: Connection, now: datetime) -> None:
        assert on.in_transaction(), "tasks are written with the change that causes them"
        assert now.tzinfo is not None
        self.uncommitted.tasks = list(tasks)

    def wake(self) -> None:
        self.tasks += self.uncommitted.tasks

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of the tasks of a kind."""
        return [task.payload for task in self.tasks if task.kind == kind]


@dataclass
class House:
    """What a test holds in its hands."""

    app: Flask
    clock: StandingClock
    queue: RememberingQueue

    def messages(self, kind: str | None = None) -> list[Message]:
        """The messages written so far, of one kind or all, in order."""
        statement = select(Message).order_by(Message.created_at, Message.id)
        found = db.session.scalars(statement.where(Message.kind == kind) if kind else statement).all()
        return list(found)

    def at_once(self, times: int, act: Callable[[int], Any]) -> list[Any]:
        """What the act returned or raised, done by that many threads that start together."""
        together = threading.Barrier(times, timeout=30)

        def one(number: int) -> Any:
            with self.app.app_context():
                together.wait()
                try:
                    return act(number)
                except Exception as error:  # noqa: BLE001  - a test looks at what was raised
                    return error

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(one, range(times)))

    def count(self, model: type[Model]) -> int:
        """How many rows there are."""
        return db.session.scalar(select(func.count()).select_from(model)) or 0


@pytest.fixture
def house_database(sqlite_schema: str) -> str:
    """Where the house keeps its data; a module that wants another database has a fixture of this name of its own."""
    return sqlite_schema


@pytest.fixture
def house(house_database: str) -> Iterator[House]:
    """The house, with its application's context open, on a database with the whole schema."""
    app = Flask("house")
    connect(app, house_database)
    built = House(app=app, clock=StandingClock(), queue=RememberingQueue())
    ports.settings.fill(app, Settings(secret_key="only-for-tests", mail_from="Helpdesk <helpdesk@network.example>"))
    ports.clock.fill(app, built.clock)
    ports.queue.fill(app, built.queue)
    with app.app_context():
        yield built
        db.session.remove()
        db.engine.dispose()


def applicant(**changes: Any) -> dict[str, Any]:
    """What somebody types into the registration form."""
    return {
        "network": "covid",
        "given_name": "Łucja",
        "family_name": "Großmann-Réné",
        "email": "lucja@szpital.example",
        "phone": "+48 22 555 0101",
        "hospital": "warsaw",
        "profession": "physician",
        "specialties": ["intensive care"],
        "language": "en",
        "time_zone": "Europe/Warsaw",
        "share": ["email"],
        "privacy_version": "2026-01",
    } | changes


def notice(kind: str, **changes: Any) -> dict[str, Any]:
    """A short notice of the network."""
    return {
        "network": "covid",
        "kind": kind,
        "language": "en",
        "version": "2026-01",
        "valid_from": "2026-01-01T00:00:00Z",
        "title": f"The {kind}",
        "body": f"What the {kind} says.",
    } | changes


@pytest.fixture
def covid(house: House) -> Network:
    """A network with its notices, and one hospital."""
    made = directory.add_network({"code": "covid", "name": "COVID19 Clinicians Network"}, by=HELPDESK)
    for kind in ("privacy", "factsheet", "instructions"):
        directory.publish_notice(notice(kind), by=HELPDESK)
    directory.add_hospital(
        {
            "code": "warsaw",
            "name": "Szpital Świętej Łucji",
            "city": "Warszawa",
            "country": "PL",
            "time_zone": "Europe/Warsaw",
            "networks": ["covid"],
        },
        by=HELPDESK,
    )
    return made
