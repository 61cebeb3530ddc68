"""What the web remembers between two requests: Idempotency-Keys, spent captcha challenges, counts of what was asked.

None of it belongs to the work that a request does, so it has transactions of its own, around that of the work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, func, select, update

from conference_orchestrator.kernel import audit
from conference_orchestrator.kernel.bookkeeping import IdempotencyKey, RateCount, RecentReading, UsedChallenge
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.errors import Busy, Conflict
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import Transaction, transaction, with_next_commit
from conference_orchestrator.ledger.reminders import Reminder
from conference_orchestrator.network.contact_messages import ContactMessage
from conference_orchestrator.scheduling.provider_states import CreateAttempt, SeenEvent

KEPT = timedelta(hours=24)
QUESTIONS_KEPT = timedelta(days=90)  # after they were answered
REMINDERS_KEPT = timedelta(days=30)  # longer than anybody looks back
LEASE = timedelta(minutes=1)
MOST_RECORDS = 60
"""Of different clinicians, for one asker within a minute."""
RECORDS_WITHIN = timedelta(minutes=1)


class Standing(StrEnum):
    """How a request with an Idempotency-Key stands."""

    OURS = "ours"  # this request does the work
    RUNNING = "running"  # another one does
    ANSWERED = "answered"
    LOST = "lost"  # the work was done, its answer is not known


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the first request was answered."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The key as it stands; `lease_until` is the fence of the request that does the work."""

    id: UUID
    standing: Standing
    body_sha256: str
    lease_until: datetime
    answer: Answer | None = None


def claim(owner: str, path: str, key: str, *, body_sha256: str) -> Claim:
    """Take the key for this request, unless another one has it; after its lease an unfinished one is taken over."""
    with _apart() as tx:
        lease = tx.now + LEASE
        row = {
            "id": uuid4(),
            "created_at": tx.now,
            "owner": owner,
            "path": path,
            "key": key,
            "body_sha256": body_sha256,
            "lease_until": lease,
        }
        new = db.session.scalar(insert_new(IdempotencyKey).values(row).returning(IdempotencyKey.id))
        held = db.session.scalars(
            select(IdempotencyKey)
            .where(IdempotencyKey.owner == owner, IdempotencyKey.path == path, IdempotencyKey.key == key)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one_or_none()
        if held is None:  # it was given back between our two statements: there is nothing to look at, so claim again
            return Claim(id=uuid4(), standing=Standing.RUNNING, body_sha256=body_sha256, lease_until=lease)
        lapsed = held.body_sha256 == body_sha256 and _has_lapsed(held, now=tx.now)
        if new is None and (lapsed or held.created_at < tx.now - KEPT):
            _begin_anew(held, body_sha256=body_sha256, at=tx.now)
        elif new is None:
            return _as_it_stands(held, now=tx.now)
        return Claim(id=held.id, standing=Standing.OURS, body_sha256=body_sha256, lease_until=lease)


def look(claim_id: UUID, *, now: datetime) -> Claim | None:
    """The key as it stands now; None when the request that had it gave it back or died: it may be claimed again."""
    db.session.rollback()  # the next read sees what was committed since
    held = db.session.get(IdempotencyKey, claim_id, populate_existing=True)
    found = None if held is None or _has_lapsed(held, now=now) else _as_it_stands(held, now=now)
    db.session.rollback()  # nobody holds a connection while waiting
    return found


def mark_committed(connection: Connection, ours: Claim, *, at: datetime) -> None:
    """Write, in the transaction of the work, that it is done. Conflict when the key was taken over meanwhile."""
    marked = connection.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == ours.id, IdempotencyKey.lease_until == ours.lease_until)
        .values(committed_at=at)
        .returning(IdempotencyKey.id)
    ).one_or_none()
    if marked is None:
        raise Conflict("This took too long, and the same request was sent again; ask for its result with the same key.")


def keep(ours: Claim, answer: Answer) -> None:
    """Store what the request was answered, for those who send it again."""
    with _apart() as tx:
        db.session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.id == ours.id, IdempotencyKey.lease_until == ours.lease_until)
            .values(
                committed_at=func.coalesce(IdempotencyKey.committed_at, tx.now),
                status=answer.status,
                answer=answer.body,
                headers=dict(answer.headers),
            )
        )


def give_back(ours: Claim) -> None:
    """The work came to nothing: the key may be used again. A key whose work was committed stays."""
    with _apart():
        db.session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.id == ours.id,
                IdempotencyKey.lease_until == ours.lease_until,
                IdempotencyKey.committed_at.is_(None),
            )
        )


def spend(challenge: str, *, expires_at: datetime) -> bool:
    """Use the captcha challenge up; False when it was used before."""
    with _apart():
        row = {"digest": challenge, "expires_at": expires_at}
        new = db.session.scalar(insert_new(UsedChallenge).values(row).returning(UsedChallenge.digest))
    return new is not None


def count(subject: str, *, window: timedelta) -> tuple[int, datetime]:
    """Count a call of the subject (a hash): how many the present window holds, and when that window ends."""
    with _apart() as tx:
        seconds = int(window.total_seconds())
        begins = datetime.fromtimestamp(int(tx.now.timestamp()) // seconds * seconds, UTC)
        row = {"subject": subject, "window_at": begins, "count": 0}
        db.session.execute(insert_new(RateCount).values(row))
        counted = db.session.scalars(
            update(RateCount)
            .where(RateCount.subject == subject, RateCount.window_at == begins)
            .values(count=RateCount.count + 1)
            .returning(RateCount.count)
        ).one()
    return counted, begins + window


def count_records(clinician_ids: Collection[UUID], *, by: Principal) -> None:
    """Count whose records the asker is about to be shown: the helpdesk anybody's, others those of 60 people a minute.

    The own record is not counted, and who was shown in this minute already not again. Busy when it would be more, and
    once a minute the audit tells of it.
    """
    shown = {str(one) for one in clinician_ids} - {str(by.clinician_id)}
    if by.role == Role.HELPDESK or not shown:
        return
    with _apart() as tx:
        kept = _readings_of(audit.actor(by))
        now, begins = tx.now.timestamp(), tx.now - RECORDS_WITHIN
        others = {one: at for one, at in kept.records.items() if at > begins.timestamp() and one not in shown}
        too_many = len(others) + len(shown) - MOST_RECORDS
        if too_many <= 0:
            kept.records, kept.read_at = others | dict.fromkeys(shown, now), tx.now
            return
        room_at = sorted(others.values())[too_many - 1] + RECORDS_WITHIN.total_seconds()
        if kept.refused_at is None or kept.refused_at <= begins:
            kept.refused_at = tx.now
            tx.record("clinician.harvest-refused", "clinicians", by=by)
    raise Busy(
        f"The records of at most {MOST_RECORDS} different people are shown within a minute; ask for fewer at a time.",
        retry_after=max(1, ceil(room_at - now)),
    )


def prune() -> None:
    """The timer's work: forget keys and counts after a day, challenges that have expired, questions long answered."""
    with _apart() as tx:
        db.session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < tx.now - KEPT))
        db.session.execute(delete(RateCount).where(RateCount.window_at < tx.now - KEPT))
        db.session.execute(
            update(RecentReading).where(RecentReading.read_at < tx.now - KEPT).values(records={}, read_at=None)
        )
        db.session.execute(delete(UsedChallenge).where(UsedChallenge.expires_at < tx.now))
        db.session.execute(delete(CreateAttempt).where(CreateAttempt.created_at < tx.now - KEPT))
        db.session.execute(delete(ContactMessage).where(ContactMessage.resolved_at < tx.now - QUESTIONS_KEPT))
        db.session.execute(delete(SeenEvent).where(SeenEvent.created_at < tx.now - KEPT))
        db.session.execute(delete(Reminder).where(Reminder.starts_at < tx.now - REMINDERS_KEPT))


def _readings_of(asker: str) -> RecentReading:
    """What the asker read lately, to ourselves until the commit: otherwise two requests would count past each other."""
    db.session.execute(insert_new(RecentReading).values(actor=asker, records={}))
    return db.session.scalars(select(RecentReading).where(RecentReading.actor == asker).with_for_update()).one()


@contextmanager
def _apart() -> Iterator[Transaction]:
    """A transaction that is no part of the work: it must not mark the key of the request as done."""
    with with_next_commit(_nothing), transaction() as tx:
        yield tx


def _nothing(_connection: Connection) -> None:
    """What goes along with a commit of our own."""


def _begin_anew(held: IdempotencyKey, *, body_sha256: str, at: datetime) -> None:
    again: dict[str, Any] = {"body_sha256": body_sha256, "created_at": at, "lease_until": at + LEASE}
    emptied = dict.fromkeys(("committed_at", "status", "answer", "headers"))
    for name, value in (again | emptied).items():
        setattr(held, name, value)


def _has_lapsed(held: IdempotencyKey, *, now: datetime) -> bool:
    return held.committed_at is None and held.lease_until < now


def _as_it_stands(held: IdempotencyKey, *, now: datetime) -> Claim:
    answer = None
    standing = Standing.LOST if held.committed_at is not None and held.lease_until < now else Standing.RUNNING
    if held.status is not None and held.answer is not None:
        standing = Standing.ANSWERED
        answer = Answer(status=held.status, body=held.answer, headers=held.headers or {})
    return Claim(
        id=held.id, standing=standing, body_sha256=held.body_sha256, lease_until=held.lease_until, answer=answer
    )
