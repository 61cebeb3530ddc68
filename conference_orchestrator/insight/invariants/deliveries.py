"""Whether work that was begun goes on: messages on their way, and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select

from conference_orchestrator import migrations
from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.ledger.messages import Message, State

# The timer finds a message whose sender died after some minutes.
PATIENCE = timedelta(minutes=10)


def messages_stuck(now: datetime) -> Iterator[Violation]:
    """A message that is being sent has a sender."""
    stuck = select(Message.id, Message.kind, Message.lease_until).where(
        Message.state == State.SENDING, Message.lease_until < now - PATIENCE
    )
    for row in db.session.execute(stuck.order_by(Message.lease_until, Message.id)):
        said = f"message {row.id} ({row.kind}) is being sent, by nobody since {rfc3339(row.lease_until)}"
        yield Violation("message-stuck", said)


def tasks_dead(_now: datetime) -> Iterator[Violation]:
    """No task was put aside after its last attempt; why, the log and its row say."""
    task = migrations.metadata().tables["task"]
    dead = select(task.c.id, task.c.kind, task.c.attempts).where(task.c.state == "dead")
    for row in db.session.execute(dead.order_by(task.c.created_at, task.c.id)):
        yield Violation("task-dead", f"task {row.id} ({row.kind}) was put aside after {row.attempts} attempts")
