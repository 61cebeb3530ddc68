"""Mail that came in: what each was and what became of it. The mail itself stays in its mailbox."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, one_of, personal
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page


class Kind(StrEnum):
    """What a mail is."""

    REPLY = "reply"
    COUNTER = "counter"
    BOUNCE = "bounce"
    AUTO_REPLY = "auto-reply"
    OTHER = "other"
    UNREADABLE = "unreadable"


class State(StrEnum):
    """What became of it: it counted, it needs nobody, it waits for the helpdesk, the helpdesk is done with it."""

    COUNTED = "counted"
    IGNORED = "ignored"
    OPEN = "open"
    DONE = "done"


class InboundMail(Identified, Model):
    """One mail of a mailbox, named by the mailbox's UIDVALIDITY and its UID (RFC 9051, 2.3.1.1): read once.

    `detail` says in a sentence what became of it; the proposed times are those of a COUNTER.
    """

    __tablename__ = "inbound_mail"
    __table_args__ = (
        one_of("kind", Kind),
        one_of("state", State),
        UniqueConstraint("mailbox", "validity", "number"),
        Index(None, "state", "created_at", "id"),
    )

    mailbox: Mapped[str]
    validity: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    state: Mapped[str]
    message_id: Mapped[str | None]
    address: Mapped[str | None] = mapped_column(info=personal("contact"))
    subject: Mapped[str] = mapped_column(info=personal("content"))
    detail: Mapped[str] = mapped_column(info=personal("content"))
    clinician_id: Mapped[UUID | None]
    conference_id: Mapped[UUID | None]
    proposed_starts_at: Mapped[datetime | None]
    proposed_ends_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]


def get(mail_id: UUID, *, lock: bool = False) -> InboundMail:
    """The mail with that id, or NotFound."""
    statement = select(InboundMail).where(InboundMail.id == mail_id)
    found = db.session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("There is no such mail.")
    return found


def is_known(mailbox: str, validity: int, number: int) -> bool:
    """Whether that mail was read already."""
    statement = select(InboundMail.id).where(
        InboundMail.mailbox == mailbox, InboundMail.validity == validity, InboundMail.number == number
    )
    return db.session.scalar(statement) is not None


def listed(paging: Paging, *, state: str | None = None, kind: str | None = None) -> Page[InboundMail]:
    """Mails in the order in which they were read; of one state or kind, or all."""
    statement = select(InboundMail)
    if state is not None:
        statement = statement.where(InboundMail.state == state)
    if kind is not None:
        statement = statement.where(InboundMail.kind == kind)
    return page(statement, paging, by=[InboundMail.created_at, InboundMail.id])
