"""How the service stands: what its database, its provider and its mail looked like when they were last used.

Nothing is called over the network for it: the rows tell what waits and what failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from conference_orchestrator import migrations
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import OPEN, Message
from conference_orchestrator.ledger.messages import State as Fate
from conference_orchestrator.scheduling.conferences import Conference, State


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What has not been done yet, and what was given up, of the work for one neighbour."""

    waiting: int
    failed: int

    @property
    def state(self) -> str:
        """In a word."""
        return "failing" if self.failed else "waiting" if self.waiting else "ok"


def database_problem() -> str | None:
    """Why the database cannot be used now; None when it answers and has the schema that this program needs."""
    try:
        current = migrations.is_current(db.engine)
    except SQLAlchemyError as error:
        return f"it does not answer ({type(error).__name__})"
    return None if current else "its schema is not the one of this program: run `conference-orchestrator db upgrade`"


def provider() -> Waiting:
    """Coming conferences that still wait for their meeting, and those whose meeting could not be made."""
    coming = select(Conference.state, func.count()).where(
        Conference.is_wanted, Conference.ends_at > ports.clock().now()
    )
    counts = dict(db.session.execute(coming.group_by(Conference.state)).all())
    return Waiting(
        waiting=sum(counts.get(state, 0) for state in (State.WANTED, State.PROVISIONING, State.MISSING)),
        failed=sum(counts.get(state, 0) for state in (State.FAILED, State.DEGRADED)),
    )


def mail() -> Waiting:
    """Messages that are due and did not go yet, and those whose arrival is in doubt."""
    open_ones = select(Message.state, func.count()).where(OPEN, Message.due_at <= ports.clock().now())
    counts = dict(db.session.execute(open_ones.group_by(Message.state)).all())
    doubtful = counts.pop(Fate.AMBIGUOUS, 0)
    return Waiting(waiting=sum(counts.values()), failed=doubtful)
