"""Sessions and their numbered slots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, cast
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, Select, Table, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column, query_expression, relationship, selectinload, with_expression

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import Identified, Model, Versioned, db, one_of
from conference_orchestrator.kernel.errors import Invalid, NotFound, RuleBroken
from conference_orchestrator.kernel.inserting import insert_all, new_ids
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.scheduling import exceptions, public_holidays
from conference_orchestrator.scheduling.allocations import Allocation, Offer
from conference_orchestrator.scheduling.planning import Planned
from conference_orchestrator.scheduling.series import FARTHEST, LONGEST, Series

if TYPE_CHECKING:
    from conference_orchestrator.scheduling.conferences import Conference


class State(StrEnum):
    """Whether a session is to come, was held, or will not be."""

    PLANNED = "planned"
    HELD = "held"
    CANCELLED = "cancelled"


class Session(Versioned, Model):
    """One dated meeting of a group. `occurrence_on` is the date that the series meant, also after a move."""

    __tablename__ = "session"
    __table_args__ = (
        one_of("state", State),
        UniqueConstraint("series_id", "occurrence_on"),
        Index(None, "group_id", "starts_at", "id"),
        # The only one that spreads the rows of a new round over all its pages: each more would cost as much as they do.
        Index(None, "starts_at", "id"),
    )

    group_id: Mapped[UUID] = mapped_column(ForeignKey("expert_group.id"))
    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id"))
    occurrence_on: Mapped[date]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    time_zone: Mapped[str]
    state: Mapped[str] = mapped_column(default=State.PLANNED)
    reason: Mapped[str | None]
    # Cancelled because its date fell out of the series (an exception, a changed rule), not by itself: it may come back.
    left_out: Mapped[bool] = mapped_column(default=False)
    holidays: Mapped[list[str]] = mapped_column(default=list)
    quorum_warned_at: Mapped[datetime | None]
    at_risk_since: Mapped[datetime | None]
    kept_at: Mapped[datetime | None]

    slots: Mapped[list[Slot]] = relationship(
        lazy="raise",
        order_by="Slot.number",
        back_populates="session",
        primaryjoin="and_(Session.id == Slot.session_id, Slot.withdrawn.is_(False))",
    )
    conference: Mapped[Conference | None] = relationship(lazy="raise", viewonly=True, uselist=False)

    # How often a slot of it was taken or offered, answered or let go: counted by `get`, in the statement that reads the
    # row. Were it written, all who take slots of one session at the same time would wait for each other.
    steps: Mapped[int | None] = query_expression()

    @property
    def revision(self) -> int:
        """Rises with each change of the session, and with each step of who holds its slots. Only `get` knows it."""
        assert self.steps is not None
        return self.version + self.steps

    def must_be_planned(self, *, at: datetime, field: str | None = None) -> None:
        """RuleBroken (or Invalid, when a `field` named this session) unless it is planned and has not begun."""
        if self.state != State.PLANNED:
            problem = f"The session is {self.state}."
        elif self.starts_at <= at:
            problem = "The session has already begun."
        else:
            return
        raise Invalid({field: problem}) if field else RuleBroken(problem, state=self.state)

    def move(self, starts_at: datetime, *, at: datetime) -> None:
        """Hold it at another time, slots and all. Its length comes from its slots, never from the asker."""
        self.must_be_planned(at=at)
        if starts_at <= at:
            raise Invalid({"starts_at": "The new time has passed already."})
        if starts_at.second or starts_at.microsecond:
            raise Invalid({"starts_at": "A session begins at a whole minute."})
        if starts_at > at + FARTHEST:
            raise Invalid({"starts_at": "The new time is more than 18 months away."})
        by = starts_at - self.starts_at
        self.starts_at, self.ends_at = starts_at, self.ends_at + by
        for slot in self.slots:
            slot.starts_at, slot.ends_at = slot.starts_at + by, slot.ends_at + by
        # At another time other experts may come: the quorum is watched anew.
        self.quorum_warned_at = self.at_risk_since = self.kept_at = self.reason = None

    def cancel(self, reason: str, *, at: datetime) -> None:
        """It will not be held."""
        self.must_be_planned(at=at)
        self.state, self.reason = State.CANCELLED, reason

    def come_back(self) -> None:
        """Its date is in the series again: it is planned as if it had never been left out."""
        self.state, self.reason, self.left_out = State.PLANNED, None, False
        self.quorum_warned_at = self.at_risk_since = self.kept_at = None

    @property
    def local_start(self) -> datetime:
        """The start as the clocks of its own zone show it."""
        return times.local(self.starts_at, self.time_zone)


class Slot(Identified, Model):
    """A numbered part of a session for one case."""

    __tablename__ = "slot"
    __table_args__ = (UniqueConstraint("session_id", "number"),)

    session_id: Mapped[UUID] = mapped_column(ForeignKey("session.id"))
    number: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    # The series has fewer slots now; the row stays for the history of its allocations.
    withdrawn: Mapped[bool] = mapped_column(default=False)

    session: Mapped[Session] = relationship(lazy="raise", back_populates="slots")
    allocation: Mapped[Allocation | None] = relationship(
        lazy="raise",
        viewonly=True,
        uselist=False,
        primaryjoin="and_(Slot.id == Allocation.slot_id, Allocation.released_at.is_(None))",
    )


SESSIONS, SLOTS = cast("Table", Session.__table__), cast("Table", Slot.__table__)


def extend(series: Series, *, now: datetime, until_on: date | None = None) -> int:
    """Make the sessions and slots that are not there yet, of the horizon or until a date; how many.

    Doing it twice changes nothing: a date that has a session keeps it as it is, be it moved or cancelled. The caller
    holds the lock of the group.
    """
    first, last = series.horizon(now=now)
    planned = series.plan(exceptions.in_plan(series.id), from_on=first, until_on=until_on or last).sessions
    own = select(Session.occurrence_on).where(Session.series_id == series.id, Session.occurrence_on >= first)
    present = set(db.session.scalars(own))
    return make(series, [one for on, one in planned.items() if on not in present], now=now)


def make(series: Series, planned: Sequence[Planned], *, now: datetime) -> int:
    """Make those of the sessions that have not begun, with their slots; how many.

    None of their dates may have a session: the database refuses a second one (IntegrityError).
    """
    coming = [one for one in planned if one.starts_at > now]
    offsets, starts = series.slot_offsets(), [one.starts_at for one in coming]
    ids = list(new_ids(len(coming)))
    own: dict[str, Sequence[object]] = {
        "id": ids,
        "occurrence_on": [one.on for one in coming],
        "starts_at": starts,
        "ends_at": [at + offsets[-1][1] for at in starts],
        "holidays": [one.holidays for one in coming],
    }
    shared = {
        "created_at": now,
        "version": 1,
        "group_id": series.group_id,
        "series_id": series.id,
        "time_zone": series.time_zone,
        "state": State.PLANNED,
        "left_out": False,
    }
    insert_all(SESSIONS, own, shared=shared)
    slots: dict[str, Sequence[object]] = {
        "id": list(new_ids(len(coming) * len(offsets))),
        "session_id": [session_id for session_id in ids for _ in offsets],
        "number": [*range(1, len(offsets) + 1)] * len(coming),
        "starts_at": [at + begin for at in starts for begin, _ in offsets],
        "ends_at": [at + end for at in starts for _, end in offsets],
    }
    insert_all(SLOTS, slots, shared={"created_at": now, "withdrawn": False})
    return len(coming)


def lay_out(session: Session, series: Series, starts_at: datetime, *, at: datetime) -> None:
    """Have it begin then, with the slots that the series has now: re-timed, added, taken up again or withdrawn.

    A slot that is withdrawn must be held by nobody. The session's `slots` show it when they are read anew.
    """
    wanted = series.slot_times(starts_at)
    there = db.session.scalars(select(Slot).where(Slot.session_id == session.id).order_by(Slot.number)).all()
    for slot in there:
        slot.withdrawn = slot.number > len(wanted)
        if not slot.withdrawn:
            slot.starts_at, slot.ends_at = wanted[slot.number - 1]
    for number, (begin, end) in enumerate(wanted[len(there) :], start=len(there) + 1):
        added = Slot(session_id=session.id, number=number, starts_at=begin, ends_at=end, withdrawn=False, created_at=at)
        db.session.add(added)
    if session.starts_at != starts_at:
        session.quorum_warned_at = session.at_risk_since = session.kept_at = session.reason = None
    session.starts_at, session.ends_at = starts_at, wanted[-1][1]
    session.time_zone = series.time_zone


def get(session_id: UUID, *, lock: bool = False) -> Session:
    """The session with its slots, or NotFound; whose it is, the caller checks by its group."""
    if lock:
        db.session.execute(select(Session.id).where(Session.id == session_id).with_for_update())
    one = complete().options(with_expression(Session.steps, _steps())).where(Session.id == session_id)
    found = db.session.scalar(one.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such session.")
    return found


def hold_still(slot_id: UUID, *, alone: bool = False, field: str = "slot") -> tuple[Slot, Session]:
    """The slot and its session, kept from being moved or cancelled until the transaction ends.

    Others may still take slots of the session at the same time, unless `alone`. Invalid, naming `field`, when there is
    no such slot.
    """
    statement = select(Slot, Session).join(Slot.session).where(Slot.id == slot_id, Slot.withdrawn.is_(False))
    found = db.session.execute(statement.with_for_update(read=not alone, of=Session)).one_or_none()
    if found is None:
        raise Invalid({field: "There is no such slot."})
    return found[0], found[1]


def listed(
    paging: Paging,
    *,
    group_ids: Select[UUID],
    now: datetime,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> Page[Session]:
    """Sessions of the groups by start; without a range those that have not ended."""
    statement = complete().where(Session.group_id.in_(group_ids))
    if from_at is None and until_at is None:
        # The first says nothing new: it lets the database begin near now in the order of the page.
        statement = statement.where(Session.starts_at > now - LONGEST, Session.ends_at > now)
    if from_at is not None:
        statement = statement.where(Session.starts_at >= from_at)
    if until_at is not None:
        statement = statement.where(Session.starts_at < until_at)
    return page(statement, paging, by=[Session.starts_at, Session.id])


def of_series(series_id: UUID, *, after: datetime) -> Sequence[Session]:
    """The planned sessions of a series that begin after the instant."""
    statement = complete().where(Session.series_id == series_id, Session.state == State.PLANNED)
    return db.session.scalars(statement.where(Session.starts_at > after).order_by(Session.starts_at)).all()


def from_date(series_id: UUID, on: date) -> Sequence[Session]:
    """The sessions of a series whose dates are that one or later, whatever their state; locked, by date."""
    statement = complete().where(Session.series_id == series_id, Session.occurrence_on >= on)
    locked = statement.order_by(Session.occurrence_on).with_for_update(of=Session)
    return db.session.scalars(locked.execution_options(populate_existing=True)).all()


def had_cases(session: Session) -> bool:
    """Whether it began with a case; one that it did not reach was one."""
    held = or_(Allocation.released_at.is_(None), Allocation.released_at >= session.starts_at)
    given = or_(Allocation.offer.is_(None), Allocation.offer == Offer.ACCEPTED)
    cases = select(Allocation.id).join(Slot, Slot.id == Allocation.slot_id).where(Slot.session_id == session.id)
    return bool(db.session.scalar(select(cases.where(given, held).exists())))


def holidays_at(starts_at: datetime, of: Series) -> list[str]:
    """The public holidays that count for the series, on the day on which a session of it begins then."""
    on = times.wall(starts_at, of.time_zone).date()
    return public_holidays.names(of.holiday_countries, [on]).get(on, [])


def over(*, now: datetime) -> Sequence[Session]:
    """Planned sessions whose time has passed: they were held."""
    statement = select(Session).where(Session.state == State.PLANNED, Session.starts_at <= now, Session.ends_at <= now)
    return db.session.scalars(statement.order_by(Session.ends_at)).all()


def _steps() -> ColumnElement[int]:
    """The steps of all allocations of the session's slots, of those that are withdrawn too: the sum never sinks."""
    steps = func.count() + func.count(Allocation.answered_at) + func.count(Allocation.released_at)
    of_session = select(steps).join(Slot, Slot.id == Allocation.slot_id).where(Slot.session_id == Session.id)
    return of_session.correlate(Session).scalar_subquery()


def complete() -> Select[Session]:
    """A statement that loads all that an answer about a session shows."""
    return select(Session).options(
        selectinload(Session.slots).selectinload(Slot.allocation), selectinload(Session.conference)
    )
