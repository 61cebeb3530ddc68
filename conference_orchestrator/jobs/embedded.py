"""The embedded engine: tasks are rows written with the change, claimed with a lease and run in this process.

Correct on SQLite and PostgreSQL, beside any number of web processes and further engines. A task runs at least once: a
process that dies leaves its lease to run out. One that fails is tried again later, and after `ATTEMPTS` it is put
aside with its cause, and the helpdesk is told. An attempt counts from its beginning: so does one that ends its process.
One that does not end keeps its thread and gets no other: the engine counts it as failed and goes on with a new thread.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    Connection,
    Index,
    Row,
    String,
    Update,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, aliased, mapped_column

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import WRITES, Identified, Model, db, one_of
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.times import rfc3339

log = structlog.get_logger()

LEASE = timedelta(minutes=2)
ATTEMPTS = 5
WAITS = [timedelta(seconds=s) for s in (2, 10, 60, 300)]
LOOK_EVERY_SECONDS = 0.5
THREADS = 4
# So many threads may be lost to tasks that do not end; a process that lost more has to be started anew.
MOST_LOST = 16


class State(StrEnum):
    """Whether a task is still to be done, or was put aside."""

    OPEN = "open"
    DEAD = "dead"


OPEN = text("state = 'open'")


class TaskRow(Identified, Model):
    """A task in the outbox. Nothing about it is unique: a twin may carry a newer change."""

    __tablename__ = "task"
    __table_args__ = (
        one_of("state", State),
        Index("ix_task_due", "rank", "due_at", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_task_lock", "lock", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    lock: Mapped[str | None]
    rank: Mapped[int]
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=State.OPEN)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    last_error: Mapped[str | None]


class EmbeddedQueue:
    """Writes tasks on the caller's connection and wakes the engines of this process."""

    def __init__(self) -> None:
        self.woken = threading.Condition()

    def enqueue(self, tasks: Sequence[Task], *, on: Connection, now: datetime) -> None:
        """Write the tasks: they exist if and only if the caller commits."""
        rows = [
            {
                "id": uuid4(),
                "created_at": now,
                "kind": task.kind,
                "payload": task.payload,
                "lock": task.lock,
                "rank": int(task.rank),
                "due_at": task.due_at or now,
                "state": State.OPEN,
                "attempts": 0,
            }
            for task in tasks
        ]
        on.execute(insert(TaskRow), rows)

    def wake(self) -> None:
        """Let waiting threads look at once."""
        with self.woken:
            self.woken.notify_all()


class EmbeddedEngine:
    """Threads that claim due tasks and run them, each in an application context of its own."""

    def __init__(
        self,
        context: Callable[[], AbstractContextManager[object]],
        queue: EmbeddedQueue,
        *,
        work: Mapping[str, Callable[[dict[str, Any]], None]],
    ) -> None:
        self.context, self.queue, self.work = context, queue, work
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lost: list[threading.Thread] = []
        self._numbers = count()
        self._in_hand: dict[threading.Thread, tuple[str, Row[Any]]] = {}

    def start(self) -> None:
        """Begin to work in the background."""
        for _ in range(THREADS):
            self._add_thread()
        threading.Thread(target=self._watch, name="engine-watch", daemon=True).start()

    def stop(self) -> None:
        """Finish what is being done and take nothing new. What does not end is left to the end of the process."""
        self._stopping.set()
        self.queue.wake()
        for thread in self._threads:
            thread.join(timeout=LEASE.total_seconds())

    def run_due(self) -> int:
        """Run in this thread what is due until nothing is; how many tasks that were."""
        done = 0
        while self._run_one(f"{self.name}:here"):
            done += 1
        return done

    def _add_thread(self) -> None:
        number = next(self._numbers)
        thread = threading.Thread(target=self._loop, args=[number], name=f"engine-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            try:
                with self.context():
                    self._replace_the_lost()
            except SQLAlchemyError:
                log.exception("the outbox cannot be written")

    def _replace_the_lost(self) -> None:
        """Count what does not end as failed, shortly before its lease ends, and have another thread go on."""
        now = ports.clock().now()
        for thread, (worker, row) in list(self._in_hand.items()):
            if thread not in self._threads or now < row.lease_until - LEASE / 10:
                continue
            self._threads.remove(thread)
            self._lost = [one for one in self._lost if one.is_alive()] + [thread]
            log.error("task does not end", task=row.kind, id=str(row.id), attempt=row.attempts)
            if len(self._lost) > MOST_LOST:
                log.error("too many tasks do not end: start this process anew", threads=len(self._threads))
            else:
                self._add_thread()
            _failed(row, worker, TimeoutError(f"it did not end within {LEASE.total_seconds():.0f} s"))

    def _loop(self, number: int) -> None:
        while not self._stopping.is_set() and threading.current_thread() in self._threads:
            try:
                ran = self._run_one(f"{self.name}:{number}")
            except SQLAlchemyError:
                log.exception("the outbox cannot be read")
                ran = False
            if not ran and not self._stopping.is_set():
                with self.queue.woken:
                    self.queue.woken.wait(LOOK_EVERY_SECONDS)

    def _run_one(self, worker: str) -> bool:
        with self.context():
            row = _claim(worker)
        if row is None:
            return False
        self._in_hand[threading.current_thread()] = (worker, row)
        try:
            with self.context():
                self.work[row.kind](row.payload)
        except Exception as error:
            log.exception("task failed", task=row.kind, id=str(row.id), attempt=row.attempts)
            with self.context():
                _failed(row, worker, error)
        else:
            with self.context():
                _done(row.id, worker)
        finally:
            del self._in_hand[threading.current_thread()]
        return True


def _claim(worker: str) -> Row[Any] | None:
    """Take the most urgent due task. Two of one lock may, in a rare race, run together: flows hold their own leases."""
    now = ports.clock().now()
    taking, given = _taking(), {"by": worker, "at": now, "until": now + LEASE}
    with _writing() as connection:
        row = connection.execute(taking, given).one_or_none()
        while row is not None and row.attempts > ATTEMPTS:
            # Its process died, so nobody could write down a failure.
            before = f"; before that: {row.last_error}" if row.last_error else " each time"
            _put_aside(connection, row, worker, f"it ended its process{before}")
            row = connection.execute(taking, given).one_or_none()
        return row


@cache
def _taking() -> Update:
    now, other = bindparam("at", type_=TaskRow.due_at.type), aliased(TaskRow)
    in_hand = exists().where(other.lock == TaskRow.lock, other.id != TaskRow.id, other.lease_until > now)
    due = (
        select(TaskRow.id)
        .where(OPEN, TaskRow.due_at <= now, ~in_hand)
        .where(or_(TaskRow.lease_until.is_(None), TaskRow.lease_until <= now))
        .order_by(TaskRow.rank, TaskRow.due_at, TaskRow.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(TaskRow)
        .where(TaskRow.id == due)
        .values(worker=bindparam("by", type_=String), lease_until=bindparam("until", type_=TaskRow.due_at.type))
        .values(attempts=TaskRow.attempts + 1)
        .returning(*TaskRow.__table__.c)
    )


def _done(task_id: UUID, worker: str) -> None:
    with _writing() as connection:
        connection.execute(delete(TaskRow).where(TaskRow.id == task_id, TaskRow.worker == worker))


def _failed(row: Row[Any], worker: str, error: Exception) -> None:
    said = f"{type(error).__name__}: {error}"[:1000]
    with _writing() as connection:
        if row.attempts >= ATTEMPTS:
            _put_aside(connection, row, worker, said)
            return
        due_at = ports.clock().now() + WAITS[min(row.attempts, len(WAITS)) - 1]
        connection.execute(
            update(TaskRow)
            .where(TaskRow.id == row.id, TaskRow.worker == worker)
            .values(lease_until=None, due_at=due_at, last_error=said)
        )


def _put_aside(connection: Connection, row: Row[Any], worker: str, cause: str) -> None:
    aside = (
        update(TaskRow)
        .where(TaskRow.id == row.id, TaskRow.worker == worker, TaskRow.state == State.OPEN)
        .values(state=State.DEAD, lease_until=None, last_error=cause)
        .returning(TaskRow.id)
    )
    if connection.execute(aside).one_or_none() is None:
        return
    log.error("task put aside", task=row.kind, id=str(row.id), cause=cause)
    if row.kind != "report-dead-task":  # one that cannot tell would tell of itself without end
        now = ports.clock().now()
        report = Task(kind="report-dead-task", payload={"task": str(row.id), "at": rfc3339(now)})
        EmbeddedQueue().enqueue([report], on=connection, now=now)


@contextmanager
def _writing() -> Iterator[Connection]:
    with db.engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        yield connection
