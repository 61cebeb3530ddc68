"""The timer: what is due is enqueued once, however many timers say so."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from conference_orchestrator.jobs import timetable
from conference_orchestrator.jobs.embedded import EmbeddedQueue, TaskRow
from conference_orchestrator.jobs.timetable import EVERY, KEPT, Tick, Timer, begin_of_period, tick
from conference_orchestrator.kernel.database import db
from tests.house import House

NAME = "deliver-overdue"


@pytest.fixture(autouse=True)
def outbox(queue: EmbeddedQueue) -> EmbeddedQueue:
    return queue


def enqueued() -> Counter[str]:
    db.session.rollback()
    return Counter(db.session.scalars(select(TaskRow.kind)))


def test_a_tick_enqueues_the_work_of_its_period_once(house: House) -> None:
    assert tick(NAME)
    house.clock.move_on(EVERY[NAME] - timedelta(seconds=1))
    assert not tick(NAME)
    assert enqueued() == {NAME: 1}
    house.clock.move_on(timedelta(seconds=1))
    assert tick(NAME)
    assert enqueued() == {NAME: 2}


def test_each_name_has_periods_of_its_own() -> None:
    for name in EVERY:
        assert tick(name)
    assert enqueued() == dict.fromkeys(EVERY, 1)


def test_two_runs_of_the_same_work_do_not_run_together(house: House) -> None:
    tick(NAME)
    assert db.session.scalars(select(TaskRow.lock)).one() == NAME


def test_five_timers_at_once_enqueue_each_work_once(house: House) -> None:
    said = [house.at_once(5, lambda _, name=name: tick(name)) for name in EVERY]
    assert [Counter(answers) for answers in said] == [{True: 1, False: 4}] * len(EVERY)
    assert enqueued() == dict.fromkeys(EVERY, 1)


def test_timers_repeat_each_other_once_the_key_is_taken_away(house: House) -> None:
    """The negative control."""
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE tick"))
        connection.execute(text("CREATE TABLE tick (name VARCHAR NOT NULL, due_at TIMESTAMP WITH TIME ZONE NOT NULL)"))
    house.at_once(5, lambda _: tick(NAME))
    assert enqueued()[NAME] > 1, "the harness can no longer see what it guards against"


def test_old_ticks_are_forgotten(house: House) -> None:
    tick(NAME)
    house.clock.move_on(KEPT + EVERY[NAME])
    tick(NAME)
    assert house.count(Tick) == 1


def test_a_period_begins_at_whole_numbers_of_it_after_the_epoch() -> None:
    at = datetime(2026, 11, 24, 10, 7, 31, 5, tzinfo=UTC)
    assert begin_of_period(at, timedelta(minutes=15)) == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    begin = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
    assert begin_of_period(begin, timedelta(minutes=15)) == begin


def test_a_running_timer_ticks_for_every_name_and_stops(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ticked, all_of_them = set(), threading.Event()

    def remember(name: str) -> bool:
        ticked.add(name)
        if ticked == EVERY.keys():
            all_of_them.set()
        return True

    monkeypatch.setattr(timetable, "tick", remember)
    timer = Timer(house.app.app_context)
    timer.start()
    assert all_of_them.wait(20)
    timer.stop()
    assert not timer.scheduler.running


def test_a_timer_outlives_an_outage_of_the_database(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_name: str) -> bool:
        raise OperationalError("INSERT", {}, Exception("the server is gone"))

    timer = Timer(house.app.app_context)
    monkeypatch.setattr(timetable, "tick", broken)
    timer._tick(NAME)
    monkeypatch.undo()
    timer._tick(NAME)
    assert enqueued() == {NAME: 1}
