"""The command line with a timetable of one second, whose work is only counted.

Each tick that commits leaves a row in `ticked`, written with it, each run of its work one in `worked`, and each process
that has ticked, be it in vain, one in `standing_by`. Leases are short here, so that what a killed process had in hand
does not make a test wait.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Insert, Integer, MetaData, String, Table, insert

from conference_orchestrator.cli import main
from conference_orchestrator.jobs import embedded, timetable, work
from conference_orchestrator.kernel.database import UtcDateTime, db, insert_new
from conference_orchestrator.kernel.outbox import Task

PERIOD = timedelta(seconds=1)
NAMES = ("first", "second")
LEASE = timedelta(seconds=3)

tables = MetaData()
ticked = Table(
    "ticked",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("due_at", UtcDateTime(), nullable=False),
    Column("pid", Integer, nullable=False),
)
worked = Table("worked", tables, Column("id", Integer, primary_key=True), Column("name", String, nullable=False))
standing_by = Table("standing_by", tables, Column("pid", Integer, primary_key=True))

enqueue, tick = embedded.EmbeddedQueue.enqueue, timetable.tick


def enqueue_and_count(queue: embedded.EmbeddedQueue, tasks: Sequence[Task], *, on: Connection, now: datetime) -> None:
    """Write down, with the tasks of a tick, which instant they are for."""
    enqueue(queue, tasks, on=on, now=now)
    due_at = timetable.begin_of_period(now, PERIOD)
    rows = [{"name": task.kind, "due_at": due_at, "pid": os.getpid()} for task in tasks]
    on.execute(insert(ticked), rows)


@cache
def stand_by(pid: int) -> None:
    write(insert_new(standing_by).values(pid=pid))


def tick_and_stand_by(name: str) -> bool:
    new = tick(name)
    stand_by(os.getpid())
    return new


def work_of(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda _: write(insert(worked).values(name=name))


def write(row: Insert) -> None:
    with db.engine.begin() as connection:
        connection.execute(row)


if __name__ == "__main__":
    embedded.LEASE = LEASE
    embedded.EmbeddedQueue.enqueue = enqueue_and_count
    timetable.tick = tick_and_stand_by
    timetable.EVERY.clear()
    timetable.EVERY.update(dict.fromkeys(NAMES, PERIOD))
    work.WORK.update({name: work_of(name) for name in NAMES})
    main()
