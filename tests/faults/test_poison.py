"""R20: work that always raises, ends its process or never ends is put aside with its cause; the others go on."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import digesting
from conference_orchestrator.insight.invariants import deliveries
from conference_orchestrator.jobs import embedded
from conference_orchestrator.jobs.embedded import (
    ATTEMPTS,
    LEASE,
    THREADS,
    WAITS,
    EmbeddedEngine,
    EmbeddedQueue,
    TaskRow,
)
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.transaction import transaction
from tests.faults.workplace import Workplace
from tests.house import House
from tests.post import alert, tell
from tests.smtp_faults import SmtpFaults

# Others start within five seconds; the tests wait ten times as long before they say that they do not start at all.
GUARD_SECONDS = 50
LATER = max(LEASE, *WAITS) + timedelta(seconds=1)


def enqueue(kind: str, **more: Any) -> None:
    with transaction() as tx:
        tx.after(Task(kind=kind, payload={}, **more))


def the_task(kind: str) -> TaskRow:
    db.session.rollback()
    found = select(TaskRow).where(TaskRow.kind == kind).execution_options(populate_existing=True)
    return db.session.scalars(found).one()


def what_the_helpdesk_reads(house: House) -> list[str]:
    db.session.rollback()
    return [one.facts["detail"] for one in house.messages("desk-alert") if one.facts["title"] == digesting.DEAD_TITLE]


def what_verify_says(house: House) -> list[str]:
    return [str(violation) for violation in deliveries.tasks_dead(house.clock.at)]


# ---- it ends its process ---------------------------------------------------------------------------------------------


@pytest.fixture
def aborting(house: House, queue: EmbeddedQueue) -> None:
    """The most urgent work kills whoever does it; behind it somebody is to be told something."""
    enqueue("abort", rank=Rank.URGENT)
    tell(alert("ines"))


@pytest.mark.usefixtures("aborting")
def test_work_that_ends_its_process_is_put_aside_after_five_and_the_helpdesk_is_told(
    house: House, workplace: Workplace
) -> None:
    ends = []
    for _ in range(ATTEMPTS + 2):
        ends.append(workplace.do("work", at=house.clock.at))
        house.clock.move_on(LATER)
    assert ends == [-signal.SIGKILL] * ATTEMPTS + [0, 0]
    dead = the_task("abort")
    assert (dead.state, dead.last_error) == ("dead", "it ended its process each time")
    assert what_verify_says(house) == [f"task-dead: task {dead.id} (abort) was put aside after 6 attempts"]
    (said,) = what_the_helpdesk_reads(house)
    assert said.startswith(f"The task {dead.id} (abort) is not tried again after 6 attempts: it ended its process")


@pytest.mark.usefixtures("aborting")
def test_the_next_process_starts_with_the_others_at_once(
    house: House, workplace: Workplace, server: SmtpFaults
) -> None:
    assert workplace.do("work", at=house.clock.at) == -signal.SIGKILL
    began = time.monotonic()
    assert workplace.do("work", at=house.clock.at) == 0
    assert server.copies("ines@hospital.example") == 1
    print(f"the others were done after {time.monotonic() - began:.1f} s")  # noqa: T201  - shown with -rP
    assert time.monotonic() - began < GUARD_SECONDS


@pytest.mark.usefixtures("aborting")
def test_were_attempts_counted_when_they_end_it_would_go_on_for_ever(house: House, workplace: Workplace) -> None:
    """The negative control."""
    for _ in range(2 * ATTEMPTS):
        ended = workplace.do("work", at=house.clock.at, without="counting first")
        assert ended == -signal.SIGKILL, "the harness can no longer see what it guards against"
        house.clock.move_on(LATER)
    assert the_task("abort").state == "open"


# ---- it always raises ------------------------------------------------------------------------------------------------


class Poisoned(Exception):
    pass


class Loops:
    """Work that does not end before the test says so."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Semaphore(0), threading.Event()

    def work(self, _payload: dict[str, Any]) -> None:
        self.begun.release()
        self.free.wait()


@pytest.fixture
def loops() -> Iterator[Loops]:
    made = Loops()
    yield made
    made.free.set()


@pytest.fixture
def done() -> threading.Event:
    """Set by the work `other`."""
    return threading.Event()


@pytest.fixture
def engine(house: House, queue: EmbeddedQueue, loops: Loops, done: threading.Event) -> Iterator[EmbeddedEngine]:
    def fail(_payload: dict[str, Any]) -> None:
        raise Poisoned("of ines@hospital.example")

    work = {"raise": fail, "loop": loops.work, "other": lambda _: done.set(), "deliver": lambda _: None}
    work["report-dead-task"] = WORK["report-dead-task"]
    made = EmbeddedEngine(house.app.app_context, queue, work=work)
    yield made
    loops.free.set()
    made.stop()
    for thread in made._lost:
        thread.join(GUARD_SECONDS)


def test_work_that_always_raises_is_told_of_by_the_name_of_its_error_alone(
    house: House, engine: EmbeddedEngine
) -> None:
    enqueue("raise")
    for _ in range(ATTEMPTS + 1):
        engine.run_due()
        house.clock.move_on(LATER)
    dead = the_task("raise")
    assert (dead.state, dead.attempts, dead.last_error) == ("dead", ATTEMPTS, "Poisoned: of ines@hospital.example")
    (said,) = what_the_helpdesk_reads(house)
    assert f"after {ATTEMPTS} attempts: Poisoned. Mend" in said
    assert "ines" not in said


# ---- it never ends ---------------------------------------------------------------------------------------------------


def until(reached: Callable[[], bool], what: str) -> None:
    pause, ends = threading.Event(), time.monotonic() + GUARD_SECONDS
    while not reached():
        assert time.monotonic() < ends, what
        pause.wait(0.05)


def not_ended(house: House, engine: EmbeddedEngine, loops: Loops, *, attempts: int) -> None:
    """Let each attempt begin, be missed shortly before its lease runs out, and wait for the next one."""
    for number in range(attempts):
        assert loops.begun.acquire(timeout=GUARD_SECONDS), f"attempt {number + 1} does not begin"
        house.clock.move_on(LEASE * 19 / 20)
        until(lambda number=number: len(engine._lost) == number + 1, f"attempt {number + 1} is not missed")
        until(lambda: the_task("loop").lease_until is None, "its end is not written down")
        house.clock.move_on(LATER)


def test_work_that_never_ends_is_put_aside_after_five_and_takes_no_thread_from_the_others(
    house: House, engine: EmbeddedEngine, loops: Loops, done: threading.Event
) -> None:
    enqueue("loop", rank=Rank.URGENT)
    engine.start()
    not_ended(house, engine, loops, attempts=ATTEMPTS)
    until(lambda: the_task("loop").state == "dead", "it is not put aside")
    assert the_task("loop").last_error == "TimeoutError: it did not end within 120 s"
    until(lambda: what_the_helpdesk_reads(house) != [], "the helpdesk is not told")
    began = time.monotonic()
    enqueue("other")
    assert done.wait(GUARD_SECONDS), "nobody is left for the others"
    print(f"another one started after {time.monotonic() - began:.1f} s")  # noqa: T201  - shown with -rP
    assert len(engine._threads) == THREADS


def test_without_new_threads_work_that_never_ends_would_stop_the_others(
    house: House, engine: EmbeddedEngine, loops: Loops, done: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(EmbeddedEngine, "_replace_the_lost", lambda _: None)
    enqueue("loop", rank=Rank.URGENT)
    engine.start()
    for _ in range(THREADS):
        assert loops.begun.acquire(timeout=GUARD_SECONDS)
        house.clock.move_on(LEASE)
    enqueue("other")
    assert not done.wait(2), "the harness can no longer see what it guards against"


def test_a_thread_that_comes_back_after_all_takes_nothing_new(
    house: House, engine: EmbeddedEngine, loops: Loops
) -> None:
    enqueue("loop")
    engine.start()
    not_ended(house, engine, loops, attempts=1)
    loops.free.set()
    (lost,) = engine._lost
    lost.join(GUARD_SECONDS)
    assert not lost.is_alive()
    assert len(engine._threads) == THREADS


def test_no_more_than_some_threads_are_given_for_lost(
    house: House, engine: EmbeddedEngine, loops: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "MOST_LOST", 1)
    enqueue("loop")
    enqueue("loop")
    engine.start()
    for _ in range(2):
        assert loops.begun.acquire(timeout=GUARD_SECONDS)
    house.clock.move_on(LEASE)
    until(lambda: len(engine._lost) == 2, "they are not missed")
    assert len(engine._threads) == THREADS - 1
