"""The audit: who did what to what, and why. Rows are only ever added, each bound to the one before by its hash.

A flow says `tx.record(...)`, and the rows are written last before its commit: the chain has one end, and whoever adds
to it holds it until the commit. The database refuses UPDATE and DELETE; `broken` names what was changed all the same.
Whoever can write to the database past our code can cut rows off the end, so an auditor keeps the hash of the last row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Connection, Index, Integer, Select, Table, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db
from conference_orchestrator.kernel.inserting import insert_all
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role

# What the first row is bound to.
BEGINNING = "0" * 64
# Any number will do that no other advisory lock of ours has.
CHAIN = 7205103
LAST = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"


class AuditEntry(Model):
    """One thing that was done, or seen where that is logged. Actor and subject are plain ids: they outlive their rows.

    `actor` is a role and the id of the token (of a clinician: of the person), `subject` a table and the id of its row.
    """

    __tablename__ = "audit"
    __table_args__ = (Index(None, "actor", "sequence"), Index(None, "subject", "sequence"))

    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str | None]
    previous_hash: Mapped[str]
    hash: Mapped[str]

    def digest(self) -> str:
        """What `hash` has to be: SHA-256 over the other columns as a JSON list, in hexadecimal."""
        return _digest(
            self.sequence, self.at, self.actor, self.action, self.subject, self.reason, previous=self.previous_hash
        )


TABLE = cast("Table", AuditEntry.__table__)
WRITTEN = ("sequence", "actor", "action", "subject", "reason", "previous_hash", "hash")


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a flow did, until it is written; `subject` is the row that it was done to, or what is no row of its own."""

    by: Principal
    action: str
    subject: Identified | str
    reason: str | None


def named(thing: type[Identified] | Identified, identifier: UUID) -> str:
    """How the audit names a row."""
    return f"{thing.__tablename__}:{identifier}"  # type: ignore[union-attr]


def actor(by: Principal) -> str:
    """How the audit names who asks."""
    identifier = by.clinician_id if by.role == Role.CLINICIAN else by.token_id
    return f"{by.role}:{identifier}" if identifier else str(by.role)


def append(acts: Sequence[Act], *, at: datetime) -> None:
    """Write the acts at the end of the chain. Until the commit nobody else adds to it: do it last."""
    sequence, previous = _end_of_chain(db.session.connection())
    rows = []
    for number, act in enumerate(acts, start=sequence + 1):
        subject = act.subject if isinstance(act.subject, str) else named(act.subject, act.subject.id)
        said = (actor(act.by), act.action, subject, act.reason)
        digest = _digest(number, at, *said, previous=previous)
        rows.append((number, *said, previous, digest))
        previous = digest
    insert_all(TABLE, dict(zip(WRITTEN, zip(*rows, strict=True), strict=True)), shared={"at": at})


def broken() -> Iterator[tuple[int, str]]:
    """The rows that are not as they were written, and what is wrong with each."""
    before, previous = 0, BEGINNING
    for entry in db.session.scalars(select(AuditEntry).order_by(AuditEntry.sequence).execution_options(yield_per=1000)):
        if entry.sequence != before + 1:
            yield entry.sequence, f"follows row {before}: what stood between is gone"
        elif entry.previous_hash != previous:
            yield entry.sequence, "is not bound to the row before"
        if entry.hash != entry.digest():
            yield entry.sequence, "does not say what was written"
        before, previous = entry.sequence, entry.hash


def listed(paging: Paging, *, visible_to: Principal) -> Page[AuditEntry]:
    """The rows in their order: all for the auditor, the helpdesk's own actions, to a clinician what is about itself."""
    return page(_scoped(visible_to), paging, by=[AuditEntry.sequence])


def _scoped(by: Principal) -> Select[AuditEntry]:
    statement = select(AuditEntry)
    match by.role:
        case Role.AUDITOR | Role.SYSTEM:
            return statement
        case Role.CLINICIAN:
            return statement.where(AuditEntry.subject == f"clinician:{by.clinician_id}")
        case _:
            return statement.where(AuditEntry.actor == actor(by))


def _end_of_chain(connection: Connection) -> tuple[int, str]:
    """The number and the hash of the last row, held until the commit; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "sqlite":
        last = connection.exec_driver_sql(LAST).one_or_none()
    else:
        # A statement sees what was committed before it began, so the lock is one of its own, sent with the question.
        both = f"SELECT pg_advisory_xact_lock({CHAIN}); {LAST}"
        cursor = connection.exec_driver_sql(both, execution_options={"no_parameters": True}).cursor
        assert cursor is not None
        cursor.nextset()
        last = cursor.fetchone()
    return (last[0], last[1]) if last else (0, BEGINNING)


def _digest(sequence: int, at: datetime, *said: str | None, previous: str) -> str:
    instant = at.astimezone(UTC).isoformat(timespec="microseconds")
    written = json.dumps([sequence, instant, *said, previous], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()
