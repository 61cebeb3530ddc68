"""Where a working process can be made to die, and the protections that can be taken away from it.

Each is a change to the process that asks for it, made right before it works; see working.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select, update

from conference_orchestrator.jobs import embedded
from conference_orchestrator.jobs.embedded import EmbeddedQueue, TaskRow
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger import marks, messages
from conference_orchestrator.ledger.marks import Marks
from conference_orchestrator.ledger.messages import Message, State
from conference_orchestrator.notify.smtp import SmtpSender

DIED = 86


def die(*_given: object, **_named: object) -> NoReturn:
    """The process is gone at once: no handler runs, nothing is flushed."""
    os._exit(DIED)


def dying_after(done: Callable[..., Any], *, times: int = 1) -> Callable[..., Any]:
    """The same, and death after it returned for that many times."""
    calls = 0

    def then_die(*given: Any, **named: Any) -> Any:
        nonlocal calls
        answer = done(*given, **named)
        calls += 1
        return die() if calls == times else answer

    return then_die


def at(owner: object, name: str, does: Callable[..., Any]) -> Callable[[], None]:
    """Put it in the place of the attribute."""
    return lambda: setattr(owner, name, does)


def failing(_payload: dict[str, Any]) -> NoReturn:
    raise RuntimeError("it fails this once")


def fail_and_die() -> None:
    WORK["deliver"] = failing
    embedded._failed = die  # type: ignore[assignment]


TELLING = "while it is told"
TICKING = "while the timer ticks"
WORKING = "while it is worked off"

POINTS: dict[str, tuple[str, Callable[[], None]]] = {
    "after the commit of a change, before anybody is woken": (TELLING, at(EmbeddedQueue, "wake", die)),
    "after the commit of a tick, before anybody is woken": (TICKING, at(EmbeddedQueue, "wake", die)),
    "after a task is claimed, before its work": (WORKING, at(embedded, "_claim", dying_after(embedded._claim))),
    "after the messages are claimed, before one is sent": (WORKING, at(SmtpSender, "send", die)),
    "after the mail server took it, before the mark": (WORKING, at(SmtpSender, "send", dying_after(SmtpSender.send))),
    "after the mark, before the next is sent": (
        WORKING,
        at(Marks, "write", dying_after(Marks.write)),
    ),
    "after the batch, before its rest is handed on": (WORKING, at(messages, "unfinished", die)),
    "after the rest is handed on, before the task ends": (WORKING, at(embedded, "_done", die)),
    "after a failure, before it is written down": (WORKING, fail_and_die),
}
"""Between which commit and which effect, when that is, and how a process dies there.

Elsewhere: what comes between a slot and its mails in journeys/crashing.py, between the provider's answer and our commit
in flows/exactly_one/worker.py, between a mail that came in and its mark in flows/answers/test_mailbox.py.
"""


def hand_over_after_the_commit() -> None:
    """Work is handed over by a commit of its own, and the process dies before that."""
    EmbeddedQueue.enqueue = lambda *_given, **_named: None  # type: ignore[method-assign]
    EmbeddedQueue.wake = die  # type: ignore[assignment,method-assign]


def look_instead_of_claiming() -> None:
    """Whoever sees that a message is not sent yet sends it."""

    def look(connection: Connection, message_ids: Sequence[UUID], **_: object) -> Sequence[Row[Any]]:
        unsent = select(*messages._shown()).where(Message.id.in_(message_ids), Message.state != State.SENT)
        return connection.execute(unsent).all()

    messages.claim = look
    marks._mark = lambda: update(Message).where(Message.id == bindparam("of")).values(state=bindparam("new_state"))


def mark_before_sending() -> None:
    """A message counts as sent from the moment it is taken."""
    claim = messages.claim

    def mark_at_once(connection: Connection, message_ids: Sequence[UUID], **more: Any) -> list[Row[Any]]:
        taken = claim(connection, message_ids, **more)
        connection.execute(update(Message).where(Message.id.in_([row.id for row in taken])).values(state=State.SENT))
        return taken

    messages.claim = mark_at_once


def count_afterwards() -> None:
    """An attempt counts when it is over."""
    claim = embedded._claim

    def uncounted(worker: str) -> Any:
        row = claim(worker)
        if row is not None:
            with db.engine.begin() as connection:
                connection.execute(update(TaskRow).where(TaskRow.id == row.id).values(attempts=row.attempts - 1))
        return row

    embedded._claim = uncounted


WITHOUT: dict[str, Callable[[], None]] = {
    "the outbox": hand_over_after_the_commit,
    "the claim": look_instead_of_claiming,
    "the mark after sending": mark_before_sending,
    "counting first": count_afterwards,
}


def abort(_payload: dict[str, Any]) -> NoReturn:
    """Work that takes its process with it, as a fault in a library or the memory's end would."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()
    raise AssertionError("unreachable")
