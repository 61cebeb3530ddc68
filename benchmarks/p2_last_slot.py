"""P2: 200 concurrent requests for the last slot, over HTTP, four web processes, PostgreSQL.

Measured twice: all name the slot, one gets it and the others are told that it is taken; and all leave the choice to the
policy, one gets it and the others are put on the waiting list, each at its place and told so by mail. The limit
is a bare Flask and SQLAlchemy application that inserts one row and commits (`benchmarks/bare.py`).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import time, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select

from benchmarks.gate import Round, ask_at_once, post
from benchmarks.report import ROUNDS, Goal, Measured, WrongOutcome, end_in_order, table
from conference_orchestrator import migrations
from conference_orchestrator.flows import access, directory, joining, panels
from conference_orchestrator.flows.arranging import define_series
from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.scheduling import recurrence, waiting_list
from conference_orchestrator.scheduling.allocation import Rules
from tests import postgres
from tests.journeys.service import Service, database_of

CROWD = 200
PROCESSES = 4
WARMING = 2
# The goal is that of an attempt at the slot. To be put in line, with a place and a mail, is work of another kind.
ATTEMPT, IN_LINE = Goal(ratio_at_least=0.60), Goal()
HELPDESK = Principal(role=Role.HELPDESK)
ZONE = "Europe/Berlin"
ASKER = "ada@klinik.example"


@dataclass(frozen=True)
class Crowd:
    """Requests that all want the one slot of their group."""

    slot: str
    requests: Sequence[str]


@dataclass(frozen=True)
class Stage:
    """Both services at work, and for each round a crowd whose group has one slot left."""

    ours: Service
    limit: Service
    token: str
    crowds: Sequence[Crowd]

    def ask_ours(self, crowd: Crowd, *, by_name: bool) -> Round:
        """Let the whole crowd ask for the slot: by its name, or for whatever the policy chooses."""
        paths = [f"/api/v1/consultation-requests/{request}/allocation" for request in crowd.requests]
        port, body = self.ours.port, json.dumps({"slot": crowd.slot}) if by_name else "{}"
        return ask_at_once(port, [post(path, port=port, token=self.token, body=body) for path in paths])

    def ask_limit(self, crowd: Crowd) -> Round:
        """Let as many ask the bare application."""
        port = self.limit.port
        return ask_at_once(port, [post("/places", port=port)] * len(crowd.requests))


def measure(server_url: str, *, crowd: int = CROWD, rounds: int = ROUNDS, processes: int = PROCESSES) -> list[Measured]:
    """Ours and the limit in turn, after rounds that warm every process.

    WrongOutcome when a slot has not exactly one holder.
    """
    with stage(server_url, groups=2 * (rounds + WARMING), crowd=crowd, processes=processes) as on:
        half = len(on.crowds) // 2
        return [
            _measured(on, on.crowds[:half], by_name=True, processes=processes),
            _measured(on, on.crowds[half:], by_name=False, processes=processes),
        ]


def _measured(on: Stage, crowds: Sequence[Crowd], *, by_name: bool, processes: int) -> Measured:
    ours: list[float] = []
    limit: list[float] = []
    for asking in crowds:
        asked = on.ask_ours(asking, by_name=by_name)
        (must_be_taken_once if by_name else must_have_one_holder)(asked)
        ours.append(asked.per_second)
        limit.append(on.ask_limit(asking).per_second)
    how = "one gets it, the others hear so" if by_name else "one gets it, the others wait in line"
    return Measured(
        row="P2",
        work=f"last slot, {len(crowds[0].requests)} at once, {processes} processes, PostgreSQL: {how}",
        unit="requests/s",
        ours=ours[WARMING:],
        limit=limit[WARMING:],
        goal=ATTEMPT if by_name else IN_LINE,
    )


def must_be_taken_once(asked: Round) -> None:
    """WrongOutcome unless one got the slot and all others were told that it is taken."""
    statuses = Counter(answer.status for answer in asked.answers)
    told = Counter(json.loads(answer.body)["type"] for answer in asked.answers if answer.status != HTTPStatus.OK)
    others = len(asked.answers) - 1
    if statuses[HTTPStatus.OK] != 1 or told != {"/problems/slot-taken": others}:
        raise WrongOutcome(f"One is to have the slot and {others} to be refused, not {dict(statuses)}: {dict(told)}")


def must_have_one_holder(asked: Round) -> None:
    """WrongOutcome unless one got the slot and all others wait, each at a place of its own."""
    if wrong := [answer for answer in asked.answers if answer.status != HTTPStatus.OK]:
        raise WrongOutcome(f"{len(wrong)} requests were refused, one with {wrong[0].body.decode()}")
    told = [json.loads(answer.body) for answer in asked.answers]
    states = Counter(request["state"] for request in told)
    places = sorted(request["waiting_position"] for request in told if request["state"] == "waiting")
    others = len(told) - 1
    if states != Counter(allocated=1, waiting=others) or places != list(range(1, others + 1)):
        raise WrongOutcome(f"One is to have the slot and {others} to wait in order, not {dict(states)}: {places}")


@contextmanager
def stage(server_url: str, *, groups: int, crowd: int, processes: int) -> Iterator[Stage]:
    """Start both services, each on a new database of the server, and end them with the block."""
    with ExitStack() as running:
        ours_url, limit_url = (running.enter_context(postgres.database(server_url)) for _ in range(2))
        folders = [Path(running.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        token, crowds = prepare(ours_url, folders[0], groups=groups, crowd=crowd)
        ours, limit = (
            Service(folder, {"CO_DATABASE_URL": url})
            for folder, url in zip(folders, (ours_url, limit_url), strict=True)
        )
        for service in (ours, limit):
            running.callback(service.stop)
        ours.start("web", "--processes", str(processes))
        limit.start("--processes", str(processes), program=[sys.executable, "-m", "benchmarks.bare"])
        yield Stage(ours, limit, token, crowds)


def prepare(url: str, folder: Path, *, groups: int, crowd: int) -> tuple[str, list[Crowd]]:
    """Groups with one slot left each, and the accepted requests of a crowd for each; with the helpdesk's token."""
    migrations.upgrade(url)
    with database_of(url, var=folder):
        _, token = access.create(role="helpdesk")
        directory.add_network({"code": "n", "name": "A network"}, by=HELPDESK)
        joining.enter(_requester(), by=HELPDESK)
        codes = [f"g{number}" for number in range(groups)]
        slots = [_group_with_one_slot(code) for code in codes]
        return token, [Crowd(slot, _accepted(code, number=crowd)) for code, slot in zip(codes, slots, strict=True)]


def _group_with_one_slot(code: str) -> str:
    """Make the group; the id of its slot."""
    group = directory.add_group(
        {"network": "n", "code": code, "name": f"Group {code}", "time_zone": ZONE, "intake": "pre-selection"},
        by=HELPDESK,
    )
    soon = times.SystemClock().now().date() + timedelta(days=3)
    define_series(
        group.id,
        {
            "rule": f"FREQ=WEEKLY;BYDAY={recurrence.WEEKDAYS[soon.weekday()]}",
            "starts_on": soon,
            "ends_on": soon,
            "start_time": time(11),
            "time_zone": ZONE,
            "slots": 1,
            "slot_minutes": 20,
        },
        by=HELPDESK,
    )
    (slot,) = waiting_list.free_slots(group.id, rules=Rules(), now=times.SystemClock().now())
    return str(slot.id)


def _requester() -> dict[str, Any]:
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
        "time_zone": ZONE,
        "share": [],
    }


def _accepted(group: str, *, number: int) -> list[str]:
    """So many accepted requests to the group: one that came the usual way, and copies of its row."""
    entered = {
        "group": group,
        "case_reference": "CPMS-0001",
        "question": "What next?",
        "urgency": "routine",
        "consent_confirmed": True,
        "checklist": {},
        "imaging": [],
        "requester": ASKER,
    }
    submitted = panels.submit(entered, by=HELPDESK)
    first = panels.triage(submitted.request.id, "accept", by=HELPDESK).request.id
    filled = Model.metadata.tables["consultation_request"]
    with db.engine.begin() as connection:
        row = connection.execute(select(filled).where(filled.c.id == first)).one()
        copies = [{**row._asdict(), "id": uuid4()} for _ in range(number - 1)]
        connection.execute(insert(filled), copies)
    return [str(first), *(str(copy["id"]) for copy in copies)]


if __name__ == "__main__":
    end_in_order()
    with postgres.server() as address:
        print(table(measure(address)))  # noqa: T201  - it is what the program is for
