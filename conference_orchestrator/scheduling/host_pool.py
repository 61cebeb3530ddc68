"""The pool of host accounts: a provider licence hosts a few meetings at a time, and the database keeps it so.

An account of capacity k has the seats 1..k; a booking takes one seat for an interval. Overlapping bookings of a seat
are refused by an EXCLUDE constraint on PostgreSQL and by a trigger on SQLite (see the migrations).

Accounts are locked last, in the order of their ids: who holds them waits for no session, request or conference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, contains_eager, joinedload, mapped_column, relationship
from sqlalchemy.sql import ColumnElement

from conference_orchestrator.kernel.database import Identified, Model, Versioned, db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.scheduling.allocations import FIRM, Allocation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.requests import ConsultationRequest, Urgency
from conference_orchestrator.scheduling.sessions import Session, Slot
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest

# Where a free time is looked for when none is at the time wanted.
STEP, LOOK_AHEAD, PROPOSALS = timedelta(minutes=30), timedelta(days=7), 3
# Cases for which a session may take an account of the reserve.
URGENT = (Urgency.EMERGENCY, Urgency.URGENT)
# So many conferences are named at most when every account is busy.
MOST_NAMED = 50


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

    def hosts(self, kind: str, *, urgent: bool) -> bool:
        """Whether it may be given to a conference of the kind."""
        return self.is_active and (not self.kinds or kind in self.kinds) and (urgent or not self.is_reserve)


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
    conference: Mapped[Conference] = relationship(lazy="raise")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """That a conference wants a seat from one instant to another; an urgent one may take an account of the reserve."""

    conference_id: UUID
    provider: str
    kind: str
    starts_at: datetime
    ends_at: datetime
    urgent: bool = False


@dataclass(frozen=True, kw_only=True)
class Holding:
    """That a conference holds a host account (`host` is its e-mail; None: it lost it) from one instant to another.

    The time is that of the booking: it begins with the time to join that the host has before the conference.
    """

    conference_id: UUID
    title: str
    starts_at: datetime
    ends_at: datetime
    host: str | None
    network_id: UUID
    group_id: UUID | None
    hospital_id: UUID | None

    def shown_to(self, by: Principal | None) -> dict[str, str | None]:
        """What the asker may know of it: of a conference outside of the own scope only the time."""
        time: dict[str, str | None] = {"starts_at": rfc3339(self.starts_at), "ends_at": rfc3339(self.ends_at)}
        if by is None or not self._is_visible_to(by):
            return time
        return {"conference": str(self.conference_id), "title": self.title, **time, "host": self.host}

    def _is_visible_to(self, by: Principal) -> bool:
        if by.network_id not in {None, self.network_id}:
            return False
        match by.role:
            case Role.HELPDESK | Role.AUDITOR | Role.SYSTEM:
                return True
            case Role.COORDINATOR:
                return self.group_id is not None and self.group_id == by.group_id
            case Role.REFERENCE_CENTRE:
                return self.hospital_id is not None and self.hospital_id == by.hospital_id
            case _:
                return False


def active(provider: str, *, lock: bool = False) -> Sequence[HostAccount]:
    """The accounts in use, always in the same order, so that two who lock them never wait in a ring."""
    statement = (
        select(HostAccount).where(HostAccount.provider == provider, HostAccount.is_active).order_by(HostAccount.id)
    )
    return db.session.scalars(statement.with_for_update() if lock else statement).all()


def fitting(found: Sequence[HostAccount], kind: str, *, urgent: bool, held: UUID | None = None) -> list[HostAccount]:
    """Those of the accounts that may host the kind, in the order in which they are tried.

    The one that is held first, because another host means another link; but the reserve after all others.
    """
    hosting = [account for account in found if account.hosts(kind, urgent=urgent)]
    return sorted(hosting, key=lambda account: (account.is_reserve, account.id != held))


def is_pooled(provider: str) -> bool:
    """Whether the provider has accounts here at all, be they busy, withdrawn or for other kinds."""
    return db.session.scalar(emails_at(provider).limit(1)) is not None


def free_seat(
    candidates: Sequence[HostAccount], busy: Sequence[HostBooking], starts_at: datetime, ends_at: datetime
) -> tuple[HostAccount, int] | None:
    """The first account and seat that none of the bookings takes within the interval.

    Who still sits on a seat that the account has no more takes one of those that are left.
    """
    taken = {(b.account_id, b.seat) for b in busy if b.starts_at < ends_at and b.ends_at > starts_at}
    for account in candidates:
        free = [seat for seat in range(1, account.capacity + 1) if (account.id, seat) not in taken]
        surplus = sum(account_id == account.id and seat > account.capacity for account_id, seat in taken)
        if len(free) > surplus:
            return account, free[0]
    return None


def book(wanted: Wanted) -> HostAccount | None:
    """Take a seat for the conference in place of the one that it had; None, the old one kept, when none is free.

    A seat held for that very time stays. At another time the account that it had is preferred.
    """
    found = active(wanted.provider, lock=True)
    held = select(HostBooking).options(joinedload(HostBooking.account))
    old = db.session.scalar(held.where(HostBooking.conference_id == wanted.conference_id))
    window = (wanted.provider, wanted.starts_at, wanted.ends_at)
    if old is not None and (old.account.provider, old.starts_at, old.ends_at) == window:
        return old.account
    candidates = fitting(found, wanted.kind, urgent=wanted.urgent, held=old.account_id if old else None)
    busy = _busy(candidates, wanted.starts_at, wanted.ends_at, but_for=[wanted.conference_id])
    seat = free_seat(candidates, busy, wanted.starts_at, wanted.ends_at)
    if seat is None:
        return None
    release(wanted.conference_id)
    _take(*seat, wanted.conference_id, wanted.starts_at, wanted.ends_at)
    db.session.flush()
    return seat[0]


def _take(account: HostAccount, seat: int, conference_id: UUID, starts_at: datetime, ends_at: datetime) -> HostBooking:
    booking = HostBooking(
        account_id=account.id, seat=seat, starts_at=starts_at, ends_at=ends_at, conference_id=conference_id
    )
    db.session.add(booking)
    return booking


def release(*conference_ids: UUID) -> None:
    """Give the seats of the conferences back."""
    db.session.execute(delete(HostBooking).where(HostBooking.conference_id.in_(conference_ids)))


def next_free(wanted: Wanted) -> list[datetime]:
    """At most three starts within a week, by half hours after the one wanted, at which an account is free.

    The seat that the conference has already counts as free: it would give that one back.
    """
    candidates = fitting(active(wanted.provider), wanted.kind, urgent=wanted.urgent)
    length = wanted.ends_at - wanted.starts_at
    busy = _busy(candidates, wanted.starts_at, wanted.ends_at + LOOK_AHEAD, but_for=[wanted.conference_id])
    found: list[datetime] = []
    start = wanted.starts_at + STEP
    while len(found) < PROPOSALS and start <= wanted.starts_at + LOOK_AHEAD:
        if free_seat(candidates, busy, start, start + length) is not None:
            found.append(start)
        start += STEP
    return found


def held_by(wanted: Wanted) -> list[Holding]:
    """The other conferences that hold accounts which might host it then: the first fifty by start."""
    candidates = fitting(active(wanted.provider), wanted.kind, urgent=wanted.urgent)
    within = _within(candidates, wanted.starts_at, wanted.ends_at, but_for=[wanted.conference_id])
    return holdings(*within)[:MOST_NAMED]


def _busy(
    candidates: Sequence[HostAccount], starts_at: datetime, ends_at: datetime, *, but_for: Collection[UUID]
) -> Sequence[HostBooking]:
    """The bookings that reach into the interval, but for those of these conferences."""
    statement = select(HostBooking).where(*_within(candidates, starts_at, ends_at, but_for=but_for))
    return db.session.scalars(statement).all()


def _within(
    candidates: Sequence[HostAccount], starts_at: datetime, ends_at: datetime, *, but_for: Collection[UUID]
) -> list[ColumnElement[bool]]:
    return [
        HostBooking.account_id.in_([account.id for account in candidates]),
        HostBooking.starts_at < ends_at,
        HostBooking.ends_at > starts_at,
        HostBooking.conference_id.not_in(but_for),
    ]


def holdings(*which: ColumnElement[bool]) -> list[Holding]:
    """The bookings for which the conditions hold, by start, as people may be told of them."""
    statement = (
        select(HostBooking, Conference, HostAccount.email, Session.group_id, WebinarRequest.hospital_id)
        .join(HostAccount, HostAccount.id == HostBooking.account_id)
        .join(Conference, Conference.id == HostBooking.conference_id)
        .outerjoin(Session, Session.id == Conference.session_id)
        .outerjoin(WebinarRequest, WebinarRequest.id == Conference.webinar_request_id)
        .where(*which)
        .order_by(HostBooking.starts_at, HostBooking.id)
    )
    return [
        Holding(
            conference_id=conference.id,
            title=conference.title,
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            host=email,
            network_id=conference.network_id,
            group_id=group_id,
            hospital_id=hospital_id,
        )
        for booking, conference, email, group_id, hospital_id in db.session.execute(statement)
    ]


def urgent_among(found: Collection[Conference]) -> set[UUID]:
    """Those of the conferences that may take the reserve.

    The meeting of a session may while an urgent case or an emergency holds a slot of it; that of a webinar when it was
    approved as urgent.
    """
    sessions = {one.session_id: one.id for one in found if one.session_id is not None}
    approved = {one.id for one in found if one.is_urgent}
    if not sessions:
        return approved
    cases = (
        select(Slot.session_id)
        .join(Allocation, Allocation.slot_id == Slot.id)
        .join(ConsultationRequest, ConsultationRequest.id == Allocation.request_id)
        .where(Slot.session_id.in_(sessions), FIRM, ConsultationRequest.urgency.in_(URGENT))
    )
    return approved | {sessions[session_id] for session_id in db.session.scalars(cases)}


def locked(account_id: UUID, *, now: datetime) -> HostAccount:
    """The account to be changed, or NotFound: locked with all others of its provider."""
    account = get(account_id)
    # What it holds is locked before, because accounts are locked last; `displaced` then waits for next to nothing.
    _held(account, now=now)
    every = select(HostAccount).where(HostAccount.provider == account.provider).order_by(HostAccount.id)
    db.session.scalars(every.with_for_update().execution_options(populate_existing=True)).all()
    return account


def displaced(account: HostAccount, *, now: datetime) -> list[HostBooking]:
    """Bookings, by start, of conferences that have not begun and that the account, as it is now, can host no more.

    A conference keeps an account that becomes part of the reserve: who may have that is asked when it is taken.
    """
    held = _held(account, now=now)
    return [b for b in held if not account.hosts(b.conference.kind, urgent=True) or b.seat > account.capacity]


def _held(account: HostAccount, *, now: datetime) -> Sequence[HostBooking]:
    """The account's bookings for conferences that are wanted and have not begun, by start; locks the conferences."""
    statement = (
        select(HostBooking)
        .join(HostBooking.conference)
        .options(contains_eager(HostBooking.conference), joinedload(HostBooking.account))
        .where(HostBooking.account_id == account.id, Conference.is_wanted, Conference.starts_at > now)
        .order_by(HostBooking.starts_at, HostBooking.seat)
    )
    return db.session.scalars(statement.with_for_update(of=Conference)).all()


def rebook(lost: Sequence[HostBooking]) -> dict[UUID, HostAccount]:
    """Take other seats for the same times in place of these, one after the other; the accounts by conference.

    Those for which no seat is free have none then. The caller holds the accounts of the provider.
    """
    if not lost:
        return {}
    urgent, found = urgent_among([booking.conference for booking in lost]), active(lost[0].account.provider)
    first, last = min(booking.starts_at for booking in lost), max(booking.ends_at for booking in lost)
    busy = list(_busy(found, first, last, but_for=[booking.conference_id for booking in lost]))
    release(*(booking.conference_id for booking in lost))
    given = {}
    for booking in lost:
        conference = booking.conference
        candidates = fitting(found, conference.kind, urgent=conference.id in urgent, held=booking.account_id)
        seat = free_seat(candidates, busy, booking.starts_at, booking.ends_at)
        if seat is not None:
            busy.append(_take(*seat, conference.id, booking.starts_at, booking.ends_at))
            given[conference.id] = seat[0]
    return given


def emails_at(provider: str) -> Select[str]:
    """A statement for the addresses of the provider's accounts, withdrawn ones included."""
    return select(HostAccount.email).where(HostAccount.provider == provider)


def get(account_id: UUID) -> HostAccount:
    """The account with that id, or NotFound."""
    found = db.session.scalar(select(HostAccount).where(HostAccount.id == account_id))
    if found is None:
        raise NotFound("There is no such host account.")
    return found


def listed(paging: Paging) -> Page[HostAccount]:
    """All accounts, by provider and e-mail."""
    return page(select(HostAccount), paging, by=[HostAccount.provider, HostAccount.email])


def bookings(account_id: UUID, paging: Paging, *, now: datetime) -> Page[Holding]:
    """Who holds the account from now on, by start; NotFound without the account."""
    account = get(account_id)
    statement = select(HostBooking).where(HostBooking.account_id == account.id, HostBooking.ends_at > now)
    found = page(statement, paging, by=[HostBooking.starts_at, HostBooking.id])
    return Page(holdings(HostBooking.id.in_([booking.id for booking in found.items])), found.next)
