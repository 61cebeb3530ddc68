"""A small world on one SQLite file: a clock that stands, tasks that wait, and what fails."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask

from conference_orchestrator.flows.delivering import open_mail
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.jobs.timetable import EVERY
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import connect, db
from conference_orchestrator.kernel.errors import OrchestratorError
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.settings import Settings
from tests.house import House, StandingClock
from tests.post import Killed
from tests.walks.faults import Fate, Mail, Mailbox, Provider, WalkQueue, provider

A_SECOND, A_MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MOST_TASKS = 2000
# These wait for nobody: without them people would learn of a change only when the next one comes.
AT_ONCE = {"deliver", "ensure-conference", "issue-invitations", "refresh-group", "allocate-request", "offer-slots"}


@dataclass
class World:
    """What a walk moves in. `done` and `refused` count its steps, `erased` says who was forgotten when."""

    path: Path
    house: House
    fate: Fate
    queue: WalkQueue
    provider: Provider
    mailbox: Mailbox
    ids: random.Random = field(default_factory=lambda: random.Random("beginning"))
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    erased: dict[str, datetime] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)

    @property
    def app(self) -> Flask:
        return self.house.app

    @property
    def now(self) -> datetime:
        return self.house.clock.at

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database answers to who does not go through our models."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(statement, values).fetchall()

    def all_ids(self, statement: str, *values: Any) -> list[UUID]:
        return [UUID(row[0]) for row in self.rows(statement, *values)]

    def attempt(self, name: str, act: Callable[[], Any]) -> Any:
        """What the step answered, True for nothing; None when it was refused, as people's steps may be."""
        self.house.clock.move_on(A_SECOND)
        with self.app.app_context():
            try:
                answer = act()
            except OrchestratorError:
                self.refused[name] += 1
                return None
        self.done[name] += 1
        return True if answer is None else answer

    def tick(self) -> None:
        """Everything of the timetable is due."""
        self.queue.tasks += [Task(kind=name) for name in EVERY]

    def due(self) -> list[Task]:
        return [task for task in self.queue.tasks if task.due_at is None or task.due_at <= self.now]

    def run(self, task: Task) -> None:
        """Do the task as an engine does: it is gone only when it came to its end."""
        try:
            with self.app.app_context():
                WORK[task.kind](task.payload)
        except Killed as killed:
            self.deaths[str(killed)] += 1
            return
        self.queue.tasks.remove(task)

    def run_due(self, order: random.Random | None = None, *, most: int = MOST_TASKS) -> None:
        """Do what is due, in that order, else in that of the outbox."""
        for ran in range(most):
            due = self.due()
            if not due:
                return
            self.run(order.choice(due) if order else due[0])
            assert ran < MOST_TASKS - 1, f"the tasks do not come to an end; one of them is {due[0]}"

    def run_two_at_once(self, order: random.Random) -> None:
        """Do two of the due tasks in two threads."""
        due = self.due()
        if len(due) < 2:
            return
        pair = order.sample(due, 2)
        errors = [one for one in self.house.at_once(2, lambda n: self.run(pair[n])) if one is not None]
        assert not errors, errors

    def pass_time(self, by: timedelta) -> None:
        """Time passes while the service works: the timer looks every other day at least."""
        until = self.now + by
        while self.now < until:
            self.run_due()
            self.house.clock.at = min(until, self.now + timedelta(days=2))
            self.tick()
            self.run_due()

    def settle(self) -> None:
        """All faults are over, and everything that is to be done at once or after a wait is done."""
        self.fate.death = None
        self.provider.mend()
        self.provider.list_lag = 0
        self.mailbox.troubles.clear()
        for _ in range(2):
            # Long enough for the lease of who died to run out, and for the timer to find what was lost.
            self.house.clock.at += 10 * A_MINUTE
            self.tick()
            self._run_to_the_end()

    def _run_to_the_end(self) -> None:
        for _ in range(MOST_TASKS):
            self.run_due()
            later = [task.due_at for task in self.queue.tasks if task.kind in AT_ONCE and task.due_at is not None]
            if not later:
                return
            self.house.clock.at = min(later)
        raise AssertionError(f"the tasks do not come to an end: {self.queue.tasks}")


@dataclass(frozen=True)
class Beginning:
    """A world as every walk finds it: its file, and what is not in the file."""

    path: Path
    at: datetime
    provider: Provider
    tasks: tuple[Task, ...]
    taken: tuple[Mail, ...]
    known: dict[str, UUID]

    def restore(self, world: World) -> None:
        """Put the world back to its beginning."""
        with world.app.app_context():
            db.session.remove()
            db.engine.dispose()
        shutil.copy(self.path, world.path)
        world.house.clock.at = self.at
        world.fate.death = None
        world.queue.tasks[:] = self.tasks
        world.mailbox = Mailbox(world.fate, world.house.clock)
        world.mailbox.taken += self.taken
        world.provider = provider(world.fate)
        world.provider.meetings = dict(self.provider.meetings)
        world.provider._hidden = dict(self.provider._hidden)
        world.provider._made = self.provider._made
        world.ids = random.Random("walk")
        world.erased, world.deaths = {}, Counter()


def build(path: Path) -> World:
    """An application on the file, whose ports lead to the world."""
    fate, clock, queue = Fate(), StandingClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC)), WalkQueue()
    queue.fate = fate
    app = Flask("walks")
    connect(app, f"sqlite:///{path}")
    house = House(app=app, clock=clock, queue=queue)
    world = World(path, house, fate, queue, provider(fate), Mailbox(fate, clock))
    ports.settings.fill(app, Settings(secret_key="only-for-tests", mail_from="Helpdesk <helpdesk@network.example>"))
    ports.clock.fill(app, clock)
    ports.queue.fill(app, queue)
    open_mail.fill(app, lambda: world.mailbox)
    provider_named.fill(app, lambda _: world.provider)
    return world


def close(world: World) -> None:
    with world.app.app_context():
        db.session.remove()
        db.engine.dispose()
