"""The pool of host accounts: a provider licence hosts a few meetings at a time, and the database keeps it so.

An account of capacity k has the seats 1..k; a booking takes one seat for an interval. Overlapping bookings of a seat
are refused by an EXCLUDE constraint on PostgreSQL and by a trigger on SQLite (see the migrations).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from conference_orchestrator.kernel.database import Identified, Model, Versioned, db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page

# Where a free time is looked for when none is at the time wanted.
STEP, LOOK_AHEAD, PROPOSALS = timedelta(minutes=30), timedelta(days=7), 3


class HostAccount(Versioned, Model):
    """A licence at a provider. `kinds` empty: it hosts every kind of conference."""

    __tablename__ = "host_account"
    __table_args__ = (
        UniqueConstraint("provider", "email"),
        CheckConstraint("capacity BETWEEN 1 AND 50", name="capacity"),
    )

    provider: Mapped[str]
    email: Mapped[str]
    capacity: Mapped[int] = mapped_column(default=1)
    kinds: Mapped[list[str]] = mapped_column(default=list)
    is_active: Mapped[bool] = mapped_column(default=True)
    # Kept back for urgent calls: others get it never.
    is_reserve: Mapped[bool] = mapped_column(default=False)


class HostBooking(Identified, Model):
    """One seat of an account, taken for a conference."""

    __tablename__ = "host_booking"
    __table_args__ = (
        Index(None, "account_id", "seat", "starts_at"),
        CheckConstraint("starts_at < ends_at", name="interval"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("host_account.id"))
    seat: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    conference_id: Mapped[UUID] = mapped_column(ForeignKey("conference.id"), unique=True)

    account: Mapped[HostAccount] = relationship(lazy="raise")


def accounts(provider: str, kind: str, *, lock: bool = False) -> Sequence[HostAccount]:
    """The accounts that may host the kind, always in the same order, so that two who lock them never wait in a ring."""
    statement = (
        select(HostAccount).where(HostAccount.provider == provider, HostAccount.is_active).order_by(HostAccount.id)
    )
    found = db.session.scalars(statement.with_for_update() if lock else statement).all()
    return [account for account in found if not account.kinds or kind in account.kinds]


def is_pooled(provider: str) -> bool:
    """Whether the provider has accounts here at all, be they busy, withdrawn or for other kinds."""
    return db.session.scalar(emails_at(provider).limit(1)) is not None


def free_seat(
    candidates: Sequence[HostAccount], busy: Sequence[HostBooking], starts_at: datetime, ends_at: datetime
) -> tuple[HostAccount, int] | None:
    """The first account and seat that none of the bookings takes within the interval."""
    taken = {(b.account_id, b.seat) for b in busy if b.starts_at < ends_at and b.ends_at > starts_at}
    for account in candidates:
        for seat in range(1, account.capacity + 1):
            if (account.id, seat) not in taken:
                return account, seat
    return None


def book(conference_id: UUID, provider: str, kind: str, starts_at: datetime, ends_at: datetime) -> HostAccount | None:
    """Take a seat for the conference in place of the one that it had; None, the old one kept, when none is free.

    A seat held for that very time stays, also on an account that was withdrawn meanwhile. At another time the account
    that it had is preferred, because another host means another link.
    """
    candidates = list(accounts(provider, kind, lock=True))
    held = select(HostBooking).options(joinedload(HostBooking.account))
    old = db.session.scalar(held.where(HostBooking.conference_id == conference_id))
    if old is not None and (old.starts_at, old.ends_at) == (starts_at, ends_at):
        return old.account
    if old is not None:
        candidates.sort(key=lambda account: account.id != old.account_id)
    found = free_seat(candidates, _busy(candidates, starts_at, ends_at, but_for=conference_id), starts_at, ends_at)
    if found is None:
        return None
    release(conference_id)
    account, seat = found
    db.session.add(
        HostBooking(account_id=account.id, seat=seat, starts_at=starts_at, ends_at=ends_at, conference_id=conference_id)
    )
    db.session.flush()
    return account


def release(conference_id: UUID) -> None:
    """Give the conference's seat back."""
    db.session.execute(delete(HostBooking).where(HostBooking.conference_id == conference_id))


def next_free(provider: str, kind: str, starts_at: datetime, length: timedelta, *, but_for: UUID) -> list[datetime]:
    """At most three starts within a week, by half hours after the one wanted, at which an account is free.

    The seat that the conference `but_for` has already counts as free: it would give that one back.
    """
    candidates = accounts(provider, kind)
    busy = _busy(candidates, starts_at, starts_at + LOOK_AHEAD + length, but_for=but_for)
    found: list[datetime] = []
    start = starts_at + STEP
    while len(found) < PROPOSALS and start <= starts_at + LOOK_AHEAD:
        if free_seat(candidates, busy, start, start + length) is not None:
            found.append(start)
        start += STEP
    return found


def _busy(
    candidates: Sequence[HostAccount], starts_at: datetime, ends_at: datetime, *, but_for: UUID
) -> Sequence[HostBooking]:
    """The bookings that reach into the interval, but for the conference's own."""
    statement = select(HostBooking).where(
        HostBooking.account_id.in_([account.id for account in candidates]),
        HostBooking.starts_at < ends_at,
        HostBooking.ends_at > starts_at,
        HostBooking.conference_id != but_for,
    )
    return db.session.scalars(statement).all()


def emails_at(provider: str) -> Select[str]:
    """A statement for the addresses of the provider's accounts, withdrawn ones included."""
    return select(HostAccount.email).where(HostAccount.provider == provider)


def get(account_id: UUID, *, lock: bool = False) -> HostAccount:
    """The account with that id, or NotFound."""
    statement = select(HostAccount).where(HostAccount.id == account_id)
    found = db.session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("There is no such host account.")
    return found


def listed(paging: Paging) -> Page[HostAccount]:
    """All accounts, by provider and e-mail."""
    return page(select(HostAccount), paging, by=[HostAccount.provider, HostAccount.email])
