"""Something scarce, and crowds who ask for it at the same moment: in threads through the flows, or over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import NullPool, create_engine, event, insert, text

from conference_orchestrator.flows import access
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup, Intake
from conference_orchestrator.network.networks import Network
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import ConsultationRequest, State, Urgency
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.journeys.service import Service, database_of, eventually

# Hundreds at once are served after one another: time-outs guard against hanging, not against a slow machine.
PATIENCE_SECONDS = 300
SLOT = timedelta(minutes=20)


@contextmanager
def patient_database_of(url: str) -> Iterator[Flask]:
    """The flows on a database where hundreds of threads may wait for a connection, or for SQLite's lock.

    The web lets eight threads of a process in at a time, and has a connection for each.
    """
    with database_of(url) as app:
        db.engine.pool._timeout = PATIENCE_SECONDS
        if db.engine.dialect.name == "sqlite":
            busy = f"PRAGMA busy_timeout = {PATIENCE_SECONDS * 1000}"
            event.listen(db.engine, "connect", lambda connection, _: connection.execute(busy))
        yield app


@dataclass(frozen=True, kw_only=True)
class Round:
    """A group's only coming session with one free slot, and the requests of those who want it."""

    group_id: UUID
    session_id: UUID
    slot_id: UUID
    requests: list[UUID]


def new_round(app: Flask, *, wanting: int, state: State = State.ACCEPTED) -> Round:
    """One in a network of its own; rows are inserted at once, because hundreds of requests are wanted quickly."""
    now = datetime.now(UTC)
    starts_at = now.replace(second=0, microsecond=0) + timedelta(days=3)
    with app.app_context(), db.engine.begin() as on:

        def add(model: type[Model], *rows: dict[str, Any]) -> list[UUID]:
            named = [{"id": uuid4(), "created_at": now, **row} for row in rows]
            on.execute(insert(model), named)
            return [row["id"] for row in named]

        [network_id] = add(Network, {"code": uuid4().hex, "name": "A network"})
        [requester_id] = add(Clinician, _person())
        group = {"network_id": network_id, "code": uuid4().hex, "name": "A group", "time_zone": "Europe/Berlin"}
        [group_id] = add(ExpertGroup, {**group, "intake": Intake.PRE_SELECTION})
        [series_id] = add(Series, _series(group_id, starts_at))
        window = {"starts_at": starts_at, "ends_at": starts_at + SLOT}
        session = {"group_id": group_id, "series_id": series_id, "occurrence_on": starts_at.date(), **window}
        [session_id] = add(Session, {**session, "time_zone": "Europe/Berlin"})
        [slot_id] = add(Slot, {"session_id": session_id, "number": 1, **window})
        cases = [_case(number, group_id, requester_id) for number in range(wanting)]
        requests = add(ConsultationRequest, *[{**case, "state": state, "submitted_at": now} for case in cases])
    return Round(group_id=group_id, session_id=session_id, slot_id=slot_id, requests=requests)


def _person() -> dict[str, Any]:
    return {
        "given_name": "Ada",
        "family_name": "Weiß",
        "email": f"{uuid4().hex}@klinik.example",
        "hospital_name": "Klinik",
        "country": "DE",
        "profession": "physician",
        "specialties": [],
        "language": "en",
        "time_zone": "Europe/Berlin",
        "share": [],
    }


def _series(group_id: UUID, starts_at: datetime) -> dict[str, Any]:
    return {
        "group_id": group_id,
        "rule": "FREQ=WEEKLY",
        "starts_on": starts_at.date(),
        "ends_on": starts_at.date(),
        "start_time": starts_at.time(),
        "time_zone": "Europe/Berlin",
        "slots": 1,
        "slot_minutes": 20,
    }


def _case(number: int, group_id: UUID, requester_id: UUID) -> dict[str, Any]:
    return {
        "group_id": group_id,
        "requester_id": requester_id,
        "case_reference": f"CPMS-{number:04}",
        "question": "What next?",
        "urgency": Urgency.ROUTINE,
        "consent_confirmed": True,
        "checklist": {},
        "imaging": [],
        "attendees": [],
    }


def at_once(app: Flask, acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each act returned or raised, each in a thread of its own, all let go at the same moment."""
    gate = threading.Barrier(len(acts), timeout=PATIENCE_SECONDS)

    def one(act: Callable[[], Any]) -> Any:
        with app.app_context():
            gate.wait()
            try:
                return act()
            except Exception as error:  # noqa: BLE001  - a test looks at what was raised
                return error

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(one, acts))


@contextmanager
def four_processes(url: str, folder: Path) -> Iterator[Service]:
    """Four web processes on the database."""
    service = Service(folder, {"CO_DATABASE_URL": url})
    try:
        yield service.start("web", "--processes", "4")
    finally:
        service.kill()


@dataclass(frozen=True)
class Ask:
    """One POST, with the token of who asks."""

    path: str
    token: str
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back, and how long that took."""

    status: int
    body: dict[str, Any]
    seconds: float


def ask_at_once(service: Service, asks: Sequence[Ask]) -> list[Answer]:
    """Send all of them at the same moment, each on a connection of its own; the answers in the same order.

    One thread does it: hundreds of them would take the processors away from the service that is looked at.
    """

    async def all_of_them() -> list[Answer]:
        return await asyncio.gather(*(_ask(service.url, ask) for ask in asks))

    return asyncio.run(all_of_them())


async def _ask(url: str, ask: Ask) -> Answer:
    place, body = urlsplit(url), json.dumps(ask.body).encode()
    head = (
        f"POST /api/v1{ask.path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {ask.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    said, _, content = answer.partition(b"\r\n\r\n")
    return Answer(int(said.split()[1]), json.loads(content), time.perf_counter() - began)


def print_latency(what: str, answers: Sequence[Answer]) -> None:
    """Say how long the answers took; that 99 of 100 come within a second is a goal, not a condition."""
    took = sorted(answer.seconds for answer in answers)
    p50, p99 = (took[int(len(took) * part)] for part in (0.5, 0.99))
    said = f"{what}: p50 {p50:.2f} s, p99 {p99:.2f} s (goal: under 1 s), longest {took[-1]:.2f} s"
    print(said)  # noqa: T201  - what was measured is shown with -rP


def token(app: Flask, role: str, **scope: Any) -> str:
    """The word of a new token."""
    with app.app_context():
        return access.create(role=role, **scope)[1]


@contextmanager
def holder(url: str, wanted: Round, *, commits: bool = False) -> Iterator[None]:
    """Somebody who has taken the slot with the first request and thinks better of it at the end of the block.

    As a transaction that is rolled back, or with `commits` as one that others see before it is undone.
    """
    engine = create_engine(url, poolclass=NullPool)
    row = {"slot_id": wanted.slot_id, "request_id": wanted.requests[0], "taken_at": datetime.now(UTC), "reasons": []}
    with engine.connect() as connection:
        connection.execute(insert(Allocation).values(row))
        if commits:
            connection.commit()
        yield
        if commits:
            connection.execute(text("DELETE FROM allocation"))
            connection.commit()
        connection.rollback()


def drop_unique_allocations(url: str) -> None:
    """Take the protection away: what the application alone would do."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX uq_allocation_slot"))
        connection.execute(text("DROP INDEX uq_allocation_request"))


def until_they_stand_at_the_slot(url: str, number: int) -> None:
    """Wait until so many connections wait for a lock (PostgreSQL)."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    eventually(lambda: _asked(url, waiting) >= number, f"a queue of {number} for the slot", seconds=8)


@contextmanager
def allocations_held_back(url: str, *, until: int) -> Iterator[None]:
    """Let nobody write an allocation before so many stand ready to, and have looked (PostgreSQL)."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection, ThreadPoolExecutor(1) as watching:
        connection.execute(text("LOCK TABLE allocation IN SHARE MODE"))
        ready = watching.submit(until_they_stand_at_the_slot, url, until)
        ready.add_done_callback(lambda _: connection.rollback())
        yield
        ready.result()


def deadlocks(url: str) -> int:
    """How many deadlocks PostgreSQL has ended in this database; complete once the others have left it."""
    return _asked(url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def _asked(url: str, question: str) -> int:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return int(connection.scalar(text(question)) or 0)
