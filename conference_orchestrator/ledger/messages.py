"""Messages: one e-mail to one person, its attempts and fate.

    queued -> sending -> sent
                      -> deferred (a passing failure: tried again at `due_at`)
                      -> failed (the server refused it for good)
                      -> ambiguous (the answer was lost after the last dot: it may have arrived)
    queued -> suppressed (nobody is told any more)

A message of a chain (all invitations of one UID to one person) is claimed only when those before it are done, so a
CANCEL never overtakes its REQUEST.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Index,
    Row,
    UniqueConstraint,
    and_,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, insert_new, one_of, personal
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.outbox import Rank

LEASE = timedelta(minutes=2)
AMBIGUOUS_BUDGET = 2


class State(StrEnum):
    """The fate of a message so far."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    SUPPRESSED = "suppressed"


# Spelt out in the queries too that look through all messages: only then SQLite takes the partial index.
OPEN = text("state IN ('queued', 'sending', 'deferred', 'ambiguous')")
CHAINED = text("chain IS NOT NULL")


class Message(Identified, Model):
    """One e-mail to one person. `facts` is what its text and calendar object are made from at sending."""

    __tablename__ = "message"
    __table_args__ = (
        one_of("state", State),
        UniqueConstraint("cause", "address", "kind"),
        Index("ix_message_due", "due_at", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_message_chain", "chain", "number", sqlite_where=CHAINED, postgresql_where=CHAINED),
        Index(None, "conference_id", "created_at", "id"),
        Index(None, "created_at", "id"),
    )

    cause: Mapped[str]
    kind: Mapped[str]
    address: Mapped[str] = mapped_column(info=personal("contact"))
    name: Mapped[str] = mapped_column(info=personal("identity"))
    language: Mapped[str] = mapped_column(info=personal("preference"))
    time_zone: Mapped[str] = mapped_column(info=personal("preference"))
    facts: Mapped[dict[str, Any]] = mapped_column(info=personal("content"))
    clinician_id: Mapped[UUID | None] = mapped_column(index=True)
    conference_id: Mapped[UUID | None]
    # What the personal link in the mail acts on; the link itself is made at sending.
    link_subject: Mapped[UUID | None]
    chain: Mapped[str | None]
    number: Mapped[int] = mapped_column(default=0)
    references: Mapped[str | None]
    rank: Mapped[int] = mapped_column(default=Rank.NORMAL)
    state: Mapped[str] = mapped_column(default=State.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    lost_answers: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    last_answer: Mapped[str | None]
    sent_at: Mapped[datetime | None]


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The one person that a message goes to."""

    address: str
    name: str
    language: str
    time_zone: str
    clinician_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message before it is written. The same cause, recipient and kind is the same message."""

    kind: str
    facts: dict[str, Any]
    cause: str
    to: Recipient
    conference_id: UUID | None = None
    link_subject: UUID | None = None
    chain: str | None = None
    number: int = 0
    references: str | None = None
    rank: Rank = Rank.NORMAL
    id: UUID = field(default_factory=uuid4)


def write(drafts: Sequence[Draft], *, now: datetime) -> Sequence[UUID]:
    """Store the messages that are not stored yet, in few statements; the ids of the new ones."""
    if not drafts:
        return []
    # Rows as parameters, not as VALUES: the statement is compiled once for all.
    new = db.session.connection().execute(insert_new(Message).returning(Message.id), _rows(drafts, now=now))
    return new.scalars().all()


def _rows(drafts: Sequence[Draft], *, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "id": draft.id,
            "created_at": now,
            "cause": draft.cause,
            "kind": draft.kind,
            "address": draft.to.address,
            "name": draft.to.name,
            "language": draft.to.language,
            "time_zone": draft.to.time_zone,
            "facts": draft.facts,
            "clinician_id": draft.to.clinician_id,
            "conference_id": draft.conference_id,
            "link_subject": draft.link_subject,
            "chain": draft.chain,
            "number": draft.number,
            "references": draft.references,
            "rank": int(draft.rank),
            "state": State.QUEUED,
            "attempts": 0,
            "lost_answers": 0,
            "due_at": now,
        }
        for draft in drafts
    ]


def claim(connection: Connection, message_id: UUID, *, worker: str, now: datetime) -> Row[Any] | None:
    """Take the message for sending, right before it is sent: the fence against a second sender.

    None when it is not due, held by another worker, finished, or waits for an earlier one of its chain.
    """
    ready = or_(
        Message.state.in_([State.QUEUED, State.DEFERRED]),
        and_(Message.state == State.AMBIGUOUS, Message.lost_answers <= AMBIGUOUS_BUDGET),
        # Its sender died between the sending and the mark: it goes again, with the same Message-ID.
        and_(Message.state == State.SENDING, Message.lease_until < now),
    )
    return connection.execute(
        update(Message)
        .where(Message.id == message_id, Message.due_at <= now, ready, ~_waits_for_another())
        .values(state=State.SENDING, worker=worker, lease_until=now + LEASE, attempts=Message.attempts + 1)
        .returning(*Message.__table__.c)
    ).one_or_none()


def mark(connection: Connection, message_id: UUID, *, worker: str, state: State, answer: str, **more: Any) -> bool:
    """Write down how the sending ended; False when the message has gone to another worker meanwhile."""
    done = connection.execute(
        update(Message)
        .where(Message.id == message_id, Message.worker == worker, Message.state == State.SENDING)
        .values(state=state, last_answer=answer[:500], lease_until=None, **more)
        .returning(Message.id)
    )
    return done.one_or_none() is not None


def unfinished(message_ids: Sequence[UUID]) -> Sequence[tuple[UUID, datetime]]:
    """Those of the messages that still have to go, with the instant from which on they may be tried."""
    earlier = aliased(Message)
    may_go_at = func.coalesce(Message.lease_until, Message.due_at)
    after = select(func.max(func.coalesce(earlier.lease_until, earlier.due_at))).where(*_goes_before(earlier))
    statement = select(Message.id, may_go_at, after.scalar_subquery())
    rows = db.session.execute(statement.where(Message.id.in_(message_ids), _still_to_go(Message)))
    return [(message_id, max(own, other or own)) for message_id, own, other in rows]


def overdue(*, before: datetime, limit: int = 1000) -> Sequence[UUID]:
    """Messages that should have gone before that instant: their task was lost. Most urgent first.

    Those that wait for an earlier one of their chain are left out: the task that they belong to comes back for them.
    """
    statement = select(Message.id).where(OPEN, Message.due_at < before, _still_to_go(Message), ~_waits_for_another())
    statement = statement.where(or_(Message.lease_until.is_(None), Message.lease_until < before))
    return db.session.scalars(statement.order_by(Message.rank, Message.due_at, Message.number).limit(limit)).all()


def get(message_id: UUID, *, lock: bool = False) -> Message:
    """The message with that id, or NotFound."""
    statement = select(Message).where(Message.id == message_id)
    found = db.session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def is_replaced(message: Message) -> bool:
    """Whether a later one of its chain was written: sent now, the message would tell what is not so any more."""
    statement = select(Message.id).where(Message.chain == message.chain, Message.number > message.number)
    return db.session.scalar(statement.limit(1)) is not None


def _waits_for_another() -> ColumnElement[bool]:
    earlier = aliased(Message)
    return exists().where(*_goes_before(earlier))


def _goes_before(earlier: type[Message]) -> list[ColumnElement[bool]]:
    return [earlier.chain == Message.chain, earlier.number < Message.number, _still_to_go(earlier)]


def _still_to_go(of: type[Message]) -> ColumnElement[bool]:
    return or_(
        of.state.in_([State.QUEUED, State.SENDING, State.DEFERRED]),
        and_(of.state == State.AMBIGUOUS, of.lost_answers <= AMBIGUOUS_BUDGET),
    )
