"""The embedded engine: what is committed is done, at least once, in order of urgency, whoever dies on the way."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError, OperationalError

from conference_orchestrator.jobs import embedded
from conference_orchestrator.jobs.embedded import ATTEMPTS, LEASE, WAITS, EmbeddedEngine, EmbeddedQueue, TaskRow
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.networks import Network
from tests.house import House

PATIENCE_SECONDS = 20


class Worker:
    """Does the work `note`, `break` and whatever a test adds, and remembers what it did."""

    def __init__(self, house: House, queue: EmbeddedQueue) -> None:
        self.done: list[str] = []
        self.work: dict[str, Callable[[dict[str, Any]], None]] = {"note": self._note, "break": self._break}
        self.reports: list[dict[str, Any]] = []
        self.work["report-dead-task"] = self.reports.append
        self.engine = EmbeddedEngine(house.app.app_context, queue, work=self.work)

    def _note(self, payload: dict[str, Any]) -> None:
        self.done.append(payload["name"])

    def _break(self, payload: dict[str, Any]) -> None:
        self.done.append(payload["name"])
        raise ValueError("it is poisoned")


@pytest.fixture
def worker(house: House, queue: EmbeddedQueue) -> Worker:
    return Worker(house, queue)


@pytest.fixture
def running(worker: Worker) -> Iterator[Worker]:
    """The same, working in the background."""
    worker.engine.start()
    yield worker
    worker.engine.stop()


def enqueue(*names: str, kind: str = "note", **more: Any) -> None:
    with transaction() as tx:
        tx.after(*[Task(kind=kind, payload={"name": name}, **more) for name in names])


def rows() -> list[TaskRow]:
    db.session.rollback()
    return list(db.session.scalars(select(TaskRow).execution_options(populate_existing=True)))


def the_row() -> TaskRow:
    (row,) = rows()
    return row


# ---- with the change -------------------------------------------------------------------------------------------------


def test_a_task_exists_if_and_only_if_its_change_does(house: House, queue: EmbeddedQueue) -> None:
    class Broken(Exception):
        pass

    def change() -> None:
        with transaction() as tx:
            db.session.add(Network(code=f"network-{house.count(Network)}", name="A network"))
            tx.after(Task(kind="note", payload={"name": "a"}))
            if house.count(Network) > 1:
                raise Broken

    change()
    with pytest.raises(Broken):
        change()
    assert (house.count(Network), house.count(TaskRow)) == (1, 1)


def test_a_task_that_cannot_be_written_takes_its_change_with_it(house: House, queue: EmbeddedQueue) -> None:
    def change() -> None:
        with transaction() as tx:
            db.session.add(Network(code="paedcan", name="ERN PaedCan"))
            tx.after(Task(kind=None))

    with pytest.raises(IntegrityError):
        change()
    assert (house.count(Network), house.count(TaskRow)) == (0, 0)


def test_two_tasks_that_say_the_same_are_two(house: House, worker: Worker) -> None:
    enqueue("a", lock="x")
    enqueue("a", lock="x")
    assert worker.engine.run_due() == 2


# ---- which one next --------------------------------------------------------------------------------------------------


def test_the_most_urgent_goes_first_then_the_one_due_longest(house: House, worker: Worker) -> None:
    now = house.clock.at
    enqueue("bulk", rank=Rank.BULK, due_at=now - timedelta(hours=2))
    enqueue("late", due_at=now - timedelta(minutes=1))
    enqueue("later")
    enqueue("urgent", rank=Rank.URGENT)
    enqueue("latest", due_at=now - timedelta(hours=1))
    assert worker.engine.run_due() == 5
    assert worker.done == ["urgent", "latest", "late", "later", "bulk"]
    assert house.count(TaskRow) == 0, "what is done is forgotten"


def test_nothing_runs_before_it_is_due(house: House, worker: Worker) -> None:
    enqueue("tomorrow", due_at=house.clock.at + timedelta(days=1))
    assert worker.engine.run_due() == 0
    house.clock.move_on(timedelta(days=1))
    assert worker.engine.run_due() == 1


def test_a_task_in_hand_is_not_taken_before_its_lease_ends(house: House, worker: Worker) -> None:
    enqueue("a")
    assert embedded._claim("somebody") is not None
    house.clock.move_on(LEASE - timedelta(seconds=1))
    assert worker.engine.run_due() == 0
    house.clock.move_on(timedelta(seconds=1))
    assert worker.engine.run_due() == 1
    assert worker.done == ["a"]


def test_two_tasks_of_one_lock_do_not_run_together(house: House, worker: Worker) -> None:
    now = house.clock.at
    enqueue("first", lock="conference:1", due_at=now - timedelta(seconds=4))
    enqueue("second", lock="conference:1", due_at=now - timedelta(seconds=3))
    enqueue("other", lock="conference:2", due_at=now - timedelta(seconds=2))
    enqueue("free")
    in_hand = embedded._claim("somebody")
    assert in_hand.payload == {"name": "first"}
    assert worker.engine.run_due() == 2
    assert worker.done == ["other", "free"]
    embedded._done(in_hand.id, "somebody")
    assert worker.engine.run_due() == 1


def test_a_lock_ends_with_the_lease(house: House, worker: Worker) -> None:
    enqueue("first", lock="conference:1")
    enqueue("second", lock="conference:1")
    embedded._claim("somebody who died")
    house.clock.move_on(LEASE)
    assert worker.engine.run_due() == 2


def test_a_task_that_waits_for_its_repetition_holds_up_none_of_its_lock(house: House, worker: Worker) -> None:
    enqueue("poison", kind="break", lock="conference:1", rank=Rank.URGENT)
    enqueue("good", lock="conference:1")
    worker.engine.run_due()
    assert worker.done == ["poison", "good"]


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_is_repeated_with_growing_waits_and_then_put_aside_with_its_cause(
    house: House, worker: Worker
) -> None:
    enqueue("poison", kind="break")
    waits = []
    for _ in range(ATTEMPTS - 1):
        assert worker.engine.run_due() == 1
        waits.append(the_row().due_at - house.clock.at)
        house.clock.move_on(waits[-1])
    assert waits == WAITS
    assert worker.engine.run_due() == 2, "it, and the report of it"
    dead = the_row()
    assert (dead.state, dead.attempts, dead.last_error) == ("dead", 5, "ValueError: it is poisoned")
    house.clock.move_on(timedelta(days=30))
    assert worker.engine.run_due() == 0
    assert worker.done == ["poison"] * 5


def test_what_is_put_aside_is_reported_once(house: House, worker: Worker) -> None:
    enqueue("poison", kind="break")
    for wait in [*WAITS, timedelta(0)]:
        worker.engine.run_due()
        house.clock.move_on(wait)
    assert worker.reports == [{"task": str(the_row().id), "at": "2026-11-23T09:06:12Z"}]


def test_a_report_that_fails_is_put_aside_without_a_report(house: House, worker: Worker) -> None:
    worker.work["report-dead-task"] = worker.work["break"]
    enqueue("report", kind="report-dead-task")
    for wait in [*WAITS, timedelta(0)]:
        worker.engine.run_due()
        house.clock.move_on(wait)
    assert [(row.kind, row.state) for row in rows()] == [("report-dead-task", "dead")]


def test_beside_a_poisoned_task_the_others_go_on(house: House, worker: Worker) -> None:
    enqueue("poison", kind="break", rank=Rank.URGENT)
    enqueue("a", "b")
    assert worker.engine.run_due() == 3
    assert worker.done[0] == "poison"
    assert sorted(worker.done[1:]) == ["a", "b"]


def test_a_task_that_ends_its_process_each_time_is_put_aside_and_the_others_go_on(house: House, worker: Worker) -> None:
    enqueue("killer", rank=Rank.URGENT)
    enqueue("a")
    for _ in range(ATTEMPTS):
        assert embedded._claim("somebody who dies").payload == {"name": "killer"}
        house.clock.move_on(LEASE)
    assert worker.engine.run_due() == 2, "the other, and the report"
    assert worker.done == ["a"]
    dead = the_row()
    assert (dead.state, dead.last_error) == ("dead", "it ended its process each time")


def test_a_kind_that_nobody_knows_is_put_aside_by_its_name(house: House, worker: Worker) -> None:
    enqueue("a", kind="unheard-of")
    for wait in [*WAITS, timedelta(0)]:
        worker.engine.run_due()
        house.clock.move_on(wait)
    assert (the_row().state, the_row().last_error) == ("dead", "KeyError: 'unheard-of'")


def test_what_a_failed_task_changed_is_not_kept(house: House, worker: Worker) -> None:
    def half(_: dict[str, Any]) -> None:
        with transaction():
            db.session.add(Network(code="paedcan", name="ERN PaedCan"))
            db.session.flush()
            raise ValueError

    worker.work["half"] = half
    enqueue("a", kind="half")
    worker.engine.run_due()
    assert house.count(Network) == 0


def test_who_lost_the_lease_neither_ends_nor_repeats_the_task_of_the_other(house: House, worker: Worker) -> None:
    enqueue("a")
    slow = embedded._claim("slow")
    house.clock.move_on(LEASE)
    assert embedded._claim("quick") is not None
    embedded._failed(slow, "slow", ValueError("late"))
    embedded._done(slow.id, "slow")
    kept = the_row()
    assert (kept.worker, kept.lease_until, kept.last_error) == ("quick", house.clock.at + LEASE, None)


# ---- many at once ----------------------------------------------------------------------------------------------------


def tasks_done_at_once(house: House, worker: Worker) -> Counter[str]:
    enqueue(*[f"task {number}" for number in range(40)])
    failed = [
        outcome for outcome in house.at_once(8, lambda _: worker.engine.run_due()) if isinstance(outcome, Exception)
    ]
    assert failed == []
    return Counter(worker.done)


def test_eight_workers_do_each_task_once(house: House, worker: Worker) -> None:
    assert tasks_done_at_once(house, worker) == {f"task {number}": 1 for number in range(40)}
    assert house.count(TaskRow) == 0


def test_eight_workers_do_tasks_twice_once_the_claim_is_a_plain_look(
    house: House, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: all look before any of them marks what it took."""
    all_have_looked = threading.Barrier(8, timeout=PATIENCE_SECONDS)
    looked = threading.local()

    def look(_worker: str) -> Row[Any] | None:
        with db.engine.connect() as connection:
            row = connection.execute(select(TaskRow.__table__).order_by(TaskRow.id).limit(1)).one_or_none()
        if not hasattr(looked, "once"):
            looked.once = True
            all_have_looked.wait()
        return row

    def done(task_id: Any, _worker: str) -> None:
        with transaction():
            for row in db.session.scalars(select(TaskRow).where(TaskRow.id == task_id).with_for_update()):
                db.session.delete(row)

    monkeypatch.setattr(embedded, "_claim", look)
    monkeypatch.setattr(embedded, "_done", done)
    assert max(tasks_done_at_once(house, worker).values()) > 1, "the harness can no longer see what it guards against"


# ---- in the background -----------------------------------------------------------------------------------------------


def test_committed_work_starts_at_once(house: House, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOOK_EVERY_SECONDS", PATIENCE_SECONDS)
    looked, done = threading.Semaphore(0), threading.Event()
    claim = embedded._claim

    def watched(name: str) -> Row[Any] | None:
        row = claim(name)
        looked.release()
        return row

    monkeypatch.setattr(embedded, "_claim", watched)
    worker.work["signal"] = lambda _: done.set()
    worker.engine.start()
    for _ in range(embedded.THREADS):
        assert looked.acquire(timeout=PATIENCE_SECONDS)
    # A thread may be between its look and its wait: a second commit wakes those that the first one missed.
    for _ in range(2):
        enqueue("a", kind="signal")
    assert done.wait(PATIENCE_SECONDS / 2)
    worker.engine.stop()


def test_work_of_another_process_is_found_without_being_woken(running: Worker, house: House) -> None:
    done = threading.Event()
    running.work["signal"] = lambda _: done.set()
    with db.engine.begin() as connection:
        EmbeddedQueue().enqueue([Task(kind="signal")], on=connection, now=house.clock.at)
    assert done.wait(PATIENCE_SECONDS)


def test_stopping_finishes_what_is_being_done_and_takes_nothing_new(house: House, worker: Worker) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def long(_: dict[str, Any]) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        worker.done.append("long")

    worker.work["long"] = long
    enqueue("a", kind="long")
    worker.engine.start()
    assert begun.wait(PATIENCE_SECONDS)
    stopping = threading.Thread(target=worker.engine.stop)
    stopping.start()
    assert worker.engine._stopping.wait(PATIENCE_SECONDS)
    go_on.set()
    stopping.join(PATIENCE_SECONDS)
    assert worker.done == ["long"]
    assert not any(thread.is_alive() for thread in worker.engine._threads)
    enqueue("new")
    assert [row.kind for row in rows()] == ["note"]


def test_the_threads_outlive_an_outage_of_the_database(
    house: House, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, failed = embedded._claim, threading.Event()

    def broken_once(name: str) -> Row[Any] | None:
        if not failed.is_set():
            failed.set()
            raise OperationalError("SELECT", {}, Exception("the server is gone"))
        return claim(name)

    monkeypatch.setattr(embedded, "_claim", broken_once)
    monkeypatch.setattr(embedded, "THREADS", 1)
    done = threading.Event()
    worker.work["signal"] = lambda _: done.set()
    worker.engine.start()
    assert failed.wait(PATIENCE_SECONDS)
    enqueue("a", kind="signal")
    assert done.wait(PATIENCE_SECONDS)
    worker.engine.stop()
