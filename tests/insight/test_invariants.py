"""Where everything is as it must be, nothing is said; what is asked is one state of the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text, update

from conference_orchestrator.flows import arranging, conferencing, panels, rounds
from conference_orchestrator.insight import invariants
from conference_orchestrator.insight.invariants import Violation
from conference_orchestrator.kernel.database import db
from conference_orchestrator.scheduling.requests import ConsultationRequest
from tests.house import HELPDESK
from tests.insight.conftest import World
from tests.mails import WORK, move_session
from tests.scene import settle


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def test_after_a_whole_life_nothing_is_wrong(world: World) -> None:
    scene, group = world.scene, world.group
    webinar = world.webinar()
    second = scene.allocated(scene.clinician("olga"), group, session=2, slot=1)
    settle(world.house, *WORK)
    move_session(scene, group, minutes=30)
    conferencing.cancel(webinar.id, "The speaker is ill.", by=HELPDESK)
    rounds.cancel(world.session(2).id, "The chair is away.", by=HELPDESK)
    settle(world.house, *WORK)
    panels.release(second, by=HELPDESK)
    panels.withdraw(world.offered, by=HELPDESK)
    assert world.lines() == []
    world.house.clock.at = world.session(1).ends_at + timedelta(minutes=1)
    rounds.close_past()
    conferencing.sweep()
    assert world.lines() == []
    panels.not_reached(world.allocated, by=HELPDESK)
    arranging.close_series(arranging.series_of(group.id, by=HELPDESK).items[0].id, by=HELPDESK)
    settle(world.house, *WORK)
    assert world.lines() == []


def test_a_database_with_another_schema_is_not_looked_into(world: World) -> None:
    world.change(text("UPDATE alembic_version SET version_num = '0001'"))
    assert invariants.violations() == [invariants.SCHEMA_DIFFERS]


def test_what_happens_meanwhile_is_not_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    is_waiting = ConsultationRequest.state == "waiting"

    def waiting(_now: datetime) -> Iterator[Violation]:
        there = select(func.count()).select_from(ConsultationRequest).where(is_waiting)
        yield Violation("waiting", str(db.session.scalar(there)))

    def meanwhile(_now: datetime) -> Iterator[Violation]:
        with db.engine.begin() as connection:
            connection.execute(update(ConsultationRequest).where(is_waiting).values(state="submitted"))
        yield from ()

    monkeypatch.setattr(invariants, "ALL", (waiting, meanwhile, waiting))
    assert world.lines() == ["waiting: 2", "waiting: 2"]
    assert world.lines() == ["waiting: 0", "waiting: 0"]
    world.change(update(ConsultationRequest).where(ConsultationRequest.state == "submitted").values(state="waiting"))
    # Asked one by one, in no transaction of their own, they would tell of two states; on SQLite any reading is of one.
    told = [str(violation) for ask in invariants.ALL for violation in ask(world.house.clock.now())]
    assert told[1] == ("waiting: 2" if db.engine.dialect.name == "sqlite" else "waiting: 0")
