"""A network in the middle of its life, in which everything is as it must be."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, make_url, select, text
from sqlalchemy.exc import IntegrityError

from conference_orchestrator.flows import hosting
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.insight import invariants
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import allocations, requests
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.faulty_provider import FaultyProvider
from tests.house import House
from tests.mails import WORK
from tests.scene import Scene, settle


@dataclass
class World:
    """One case has the first slot of session 0, one is offered the last slot of session 1, two wait."""

    house: House
    scene: Scene
    group: ExpertGroup
    allocated: UUID
    offered: UUID
    waiting: tuple[UUID, UUID]
    database: str

    def lines(self) -> list[str]:
        """What is wrong now."""
        return [str(violation) for violation in invariants.violations()]

    def change(self, *statements: Any) -> None:
        """Write past all rules, but not past what the database refuses."""
        with transaction():
            for statement in statements:
                db.session.execute(statement)

    def refuses(self, *statements: Any) -> bool:
        """Whether the database refuses that."""
        try:
            self.change(*statements)
        except IntegrityError:
            return True
        return False

    def session(self, number: int) -> Session:
        return self.scene.session(self.group, number)

    def slot(self, session: int, number: int) -> Slot:
        return self.session(session).slots[number]

    def conference(self) -> Conference:
        """That of session 0."""
        return self.scene.conference(self.group)

    def webinar(self) -> Conference:
        """One at the time of session 0, with its meeting."""
        made = self.scene.approved(at=self.session(0).starts_at)
        settle(self.house, *WORK)
        return self.scene.fresh(made)

    def take(self, request_id: UUID, slot_id: UUID) -> Any:
        """The statement by which the request would have the slot."""
        at = self.house.clock.now()
        row = {"id": uuid4(), "created_at": at, "slot_id": slot_id, "request_id": request_id, "taken_at": at}
        return insert(Allocation).values(**row, reasons=[])

    def drop(self, kind: str, name: str) -> None:
        """Take an index or a trigger away."""
        self.change(text(f"DROP {kind} {name}"))

    def drop_constraint(self, name: str, *, of: str) -> None:
        """Take a constraint from the table; on SQLite, which cannot, the table is made anew without it."""
        if db.engine.dialect.name == "postgresql":
            self.change(text(f"ALTER TABLE {of} DROP CONSTRAINT {name}"))
            return
        db.session.close()
        with closing(sqlite3.connect(make_url(self.database).database or "")) as connection:
            (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", [of]).fetchone()
            kept = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type != 'table' AND sql IS NOT NULL"
            rest = [sql for (sql,) in connection.execute(kept, [of])]
            less, times = re.subn(rf",\s*CONSTRAINT {name} .*\)(?=,?\s*\n)", "", made)
            assert times == 1
            anew = re.sub(rf'CREATE TABLE "?{of}"?', "CREATE TABLE anew", less)
            copied = [f"INSERT INTO anew SELECT * FROM {of}", f"DROP TABLE {of}", f"ALTER TABLE anew RENAME TO {of}"]
            connection.executescript(";".join([anew, *copied, *rest]))


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    made = FaultyProvider(needs_host=True)
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def world(house: House, house_database: str, provider: FaultyProvider) -> World:
    scene = Scene(house)
    hosting.add_host({"provider": "mock", "email": "ann@hosts.example", "capacity": 2, "kinds": []})
    ines = scene.clinician("ines")
    group = scene.group("brain", scene.clinician("anna"), scene.clinician("emil"))
    allocated = scene.allocated(ines, group)
    offered = offer(wait(scene.accepted(ines, group)), scene.session(group, 1).slots[1])
    waiting = (wait(scene.accepted(ines, group)), wait(scene.accepted(ines, group)))
    settle(house, *WORK)
    made = World(house, scene, group, allocated, offered, waiting, house_database)
    assert made.lines() == []
    return made


def wait(request_id: UUID) -> UUID:
    """Put the accepted request on the waiting list."""
    with transaction() as tx:
        request = requests.get(request_id, visible_to=SYSTEM, lock=True)
        later = db.session.scalar(select(func.count()).select_from(requests.ConsultationRequest)) or 0
        request.wait(since=tx.now + timedelta(microseconds=later), because=["No slot is free."])
    return request_id


def offer(request_id: UUID, slot: Slot) -> UUID:
    """Offer the slot to the waiting request, for four days."""
    with transaction() as tx:
        allocations.take(slot.id, request_id, because=["First."], at=tx.now, offered_until=tx.now + timedelta(days=4))
        requests.get(request_id, visible_to=SYSTEM, lock=True).offered()
    return request_id
