"""Where changes commit. A flow opens one `transaction()`; delivering alone uses `steps()`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection

from conference_orchestrator.kernel import audit, ports
from conference_orchestrator.kernel.audit import Act
from conference_orchestrator.kernel.database import STEPS, WRITES, Identified, db
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import Principal

_open: ContextVar[Transaction | None] = ContextVar("open_transaction", default=None)
_with_next_commit: ContextVar[Callable[[Connection], None] | None] = ContextVar("with_next_commit", default=None)


@dataclass
class Transaction:
    """What a flow holds while it decides: the instant it began, the tasks of its commit, what the audit will say."""

    now: datetime
    tasks: list[Task] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    def after(self, *tasks: Task) -> None:
        """Have the tasks run after the commit; without the commit they never existed."""
        self.tasks.extend(tasks)

    def record(self, action: str, subject: Identified | str, *, by: Principal, reason: str | None = None) -> None:
        """Have the audit say who did this, to what and why; without the commit it says nothing."""
        self.acts.append(Act(by=by, action=action, subject=subject, reason=reason))

    def undo(self) -> NoReturn:
        """Leave the block without a trace and without an error: its outcome was only looked at (a preview)."""
        raise _Undo


class _Undo(Exception):
    pass


@contextmanager
def transaction() -> Iterator[Transaction]:
    """Commit everything that the block did, tasks included, or nothing of it.

    RuntimeError when one is open already (also through a second application context), or when changes were made
    outside: both would commit half a decision.
    """
    if _open.get() is not None:
        raise RuntimeError("a transaction is open already: a flow has exactly one")
    session = db.session()
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("something was changed before the transaction began")
    # Ends the read transaction that the policy began; otherwise the option below would come too late for SQLite.
    session.close()
    tx = Transaction(now=ports.clock().now())
    token = _open.set(tx)
    try:
        session.connection(execution_options={WRITES: True})
        yield tx
        session.flush()
        if tx.tasks:
            ports.queue().enqueue(tx.tasks, on=session.connection(), now=tx.now)
        if also := _with_next_commit.get():
            also(session.connection())
        if tx.acts:
            audit.append(tx.acts, at=tx.now)
        session.commit()
    except _Undo:
        session.rollback()
        session.expunge_all()
        return
    except BaseException:
        session.rollback()
        raise
    finally:
        _open.reset(token)
    if tx.tasks:
        ports.queue().wake()


@contextmanager
def with_next_commit(also: Callable[[Connection], None]) -> Iterator[None]:
    """Have `also` write on the connection of each transaction that the block commits, just before its commit.

    The web marks an Idempotency-Key as used this way: the mark exists if and only if the effect does.
    """
    token = _with_next_commit.set(also)
    try:
        yield
    finally:
        _with_next_commit.reset(token)


@contextmanager
def steps() -> Iterator[Connection]:
    """A connection on which each statement commits by itself, for delivering: one mail, one mark."""
    if _open.get() is not None:
        raise RuntimeError("a transaction is open: nothing may be delivered inside one")
    db.session().close()
    options = {STEPS: True} if db.engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
    with db.engine.connect().execution_options(**options) as connection:
        yield connection


def is_open() -> bool:
    """Whether a transaction is open in this context: nothing may be called over the network then."""
    return _open.get() is not None
