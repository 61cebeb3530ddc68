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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID, uuid4
from zlib import crc32

from sqlalchemy import (
    ColumnElement,
    Computed,
    Connection,
    Index,
    Row,
    String,
    Text,
    UniqueConstraint,
    Update,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, among, db, insert_new, one_of, personal
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


# Nothing more is tried by itself.
ENDED = frozenset({State.SENT, State.FAILED, State.SUPPRESSED})

# In the queries that look through all messages: only with these words the partial index is taken.
OPEN = text("is_open")
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
    # No index looks at the state itself: taking a message for sending would be written into all of them.
    is_open: Mapped[bool] = mapped_column(Computed("state IN ('queued', 'sending', 'deferred', 'ambiguous')"))
    attempts: Mapped[int] = mapped_column(default=0)
    lost_answers: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    # The first attempt, or the first since a person had it sent again: patience is counted from it.
    tried_since: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    last_answer: Mapped[str | None]
    sent_at: Mapped[datetime | None]

    @property
    def revision(self) -> int:
        """A number made of its fate: who sends marks many rows at a time, and counts no changes."""
        return crc32(f"{self.state} {self.attempts} {self.due_at} {self.last_answer}".encode()) % 10**9


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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the sending of a message ended; `due_at` is when it is tried again, `is_lost` that no answer came."""

    message_id: UUID
    state: State
    answer: str
    due_at: datetime | None = None
    sent_at: datetime | None = None
    is_lost: bool = False


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


def claim(connection: Connection, message_ids: Sequence[UUID], *, worker: str, now: datetime) -> list[Row[Any]]:
    """Take the messages for sending: the fence against a second sender. What is not sent then, `release` gives back.

    Left out are those that are not due, held by another worker, finished, or wait for an earlier one of their chain.
    The rows stand in the given order, with what sending needs; `facts` is the text of a JSON document.
    """
    given = {"wanted": message_ids, "by": worker, "at": now, "until": now + LEASE}
    found = {row.id: row for row in connection.execute(_taking(connection.dialect.name), given)}
    return [found[message_id] for message_id in message_ids if message_id in found]


@cache
def _taking(dialect: str) -> Update:
    now = bindparam("at", type_=Message.due_at.type)
    free = select(Message.id).where(among(Message.id, "wanted", dialect=dialect), Message.due_at <= now)
    free = free.where(_still_to_go(Message), _is_in_no_hand(now))
    # Two workers may take parts of the same batch: neither waits for the other.
    free = free.where(~_waits_for_another()).with_for_update(skip_locked=True)
    return (
        update(Message)
        .where(Message.id.in_(free))
        .values(state=literal_column(f"'{State.SENDING}'"), worker=bindparam("by", type_=String))
        .values(lease_until=bindparam("until", type_=Message.due_at.type), attempts=Message.attempts + 1)
        .values(tried_since=func.coalesce(Message.tried_since, now))
        .returning(*_shown())
    )


def _shown() -> list[ColumnElement[Any]]:
    """What sending needs to know."""
    columns = Message.__table__.c
    names = ("id", "created_at", "kind", "address", "name", "language", "time_zone", "clinician_id", "link_subject")
    more = ("references", "attempts", "tried_since")
    return [*(columns[name] for name in (*names, *more)), cast(columns.facts, Text).label("facts")]


def release(connection: Connection, message_ids: Sequence[UUID], *, worker: str) -> None:
    """Give back what was claimed and not sent, as if it had never been taken."""
    if not message_ids:
        return
    before = case(
        (Message.lost_answers > 0, literal_column(f"'{State.AMBIGUOUS}'")),
        (Message.attempts > 1, literal_column(f"'{State.DEFERRED}'")),
        else_=literal_column(f"'{State.QUEUED}'"),
    )
    in_hand = Message.id.in_(message_ids), Message.worker == worker, is_one_of(Message, State.SENDING)
    tried_since = case((Message.attempts > 1, Message.tried_since), else_=null())
    back = {"state": before, "attempts": Message.attempts - 1, "worker": None, "lease_until": None}
    connection.execute(update(Message).where(*in_hand).values(**back, tried_since=tried_since))


def postpone(connection: Connection, message_id: UUID, *, until: datetime, answer: str) -> None:
    """Let the message wait without an attempt: nobody has it in hand, and it is not its own fault."""
    in_wait = is_one_of(Message, State.QUEUED, State.DEFERRED, State.AMBIGUOUS)
    later = update(Message).where(Message.id == message_id, in_wait, Message.due_at < until)
    state = case((is_one_of(Message, State.QUEUED), State.DEFERRED), else_=Message.state)
    connection.execute(later.values(state=state, due_at=until, last_answer=answer[:500]))


def unfinished(message_ids: Sequence[UUID]) -> Sequence[tuple[UUID, datetime, Rank]]:
    """Those of the messages that still have to go, with the instant from which on they may be tried, and the rank."""
    earlier = aliased(Message)
    may_go_at = func.coalesce(Message.lease_until, Message.due_at)
    after = select(func.max(func.coalesce(earlier.lease_until, earlier.due_at))).where(*_goes_before(earlier))
    statement = select(Message.id, may_go_at, after.scalar_subquery(), Message.rank)
    rows = db.session.execute(statement.where(Message.id.in_(message_ids), _still_to_go(Message)))
    return [(message_id, max(own, other or own), Rank(rank)) for message_id, own, other, rank in rows]


def overdue(*, before: datetime, limit: int = 1000) -> Sequence[tuple[UUID, int]]:
    """Messages that should have gone before that instant, each with its rank: their task was lost. Most urgent first.

    Those that wait for an earlier one of their chain are left out: the task that they belong to comes back for them.
    """
    statement = select(Message.id, Message.rank).where(OPEN, Message.due_at < before)
    statement = statement.where(_still_to_go(Message), _is_in_no_hand(before), ~_waits_for_another())
    rows = db.session.execute(statement.order_by(Message.rank, Message.due_at, Message.number).limit(limit))
    return [(message_id, rank) for message_id, rank in rows]


def get(message_id: UUID, *, lock: bool = False) -> Message:
    """The message with that id, or NotFound."""
    statement = select(Message).where(Message.id == message_id)
    found = db.session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def is_replaced(message: Message) -> bool:
    """Whether a later one of its chain was written: sent now, the message would tell what is not so any more.

    What tells single dates of a series is replaced by what tells the same dates, or the whole.
    """
    later = select(Message.facts).where(Message.chain == message.chain, Message.number > message.number)
    mine = _dates_told(message.facts)
    told = [_dates_told(facts) for facts in db.session.scalars(later)]
    return any(mine is None or dates is None or mine & dates for dates in told)


def _dates_told(facts: Mapping[str, Any]) -> set[str] | None:
    """The dates of a series of which the calendar object tells; None for one that tells all that there is to tell."""
    series = facts.get("series")
    if series is None or series["is_whole"]:
        return None
    return {*series["left_out"], *(one["on"] for one in series["changed"])}


def _is_in_no_hand(now: ColumnElement[Any] | datetime) -> ColumnElement[bool]:
    # One whose sender died between the sending and the mark goes again, with the same Message-ID.
    return or_(Message.lease_until.is_(None), Message.lease_until < now)


def _waits_for_another() -> ColumnElement[bool]:
    earlier = aliased(Message)
    return exists().where(*_goes_before(earlier))


def _goes_before(earlier: type[Message]) -> list[ColumnElement[bool]]:
    return [earlier.chain == Message.chain, earlier.number < Message.number, _still_to_go(earlier)]


def _still_to_go(of: type[Message]) -> ColumnElement[bool]:
    # Not `OPEN`: where statistics say that nothing is open, as they do once a mailing is through, PostgreSQL would read
    # all that is, and not the messages that are asked for or those of their chains.
    waits = is_one_of(of, State.QUEUED, State.SENDING, State.DEFERRED)
    return or_(waits, and_(is_one_of(of, State.AMBIGUOUS), of.lost_answers <= AMBIGUOUS_BUDGET))


def is_one_of(of: type[Message], *allowed: State) -> ColumnElement[bool]:
    """Whether the message is in one of these states."""
    # Spelt out: a list of values is put into the text of the statement anew each time, which costs more than sending.
    return of.state.in_([literal_column(f"'{state}'") for state in allowed])
