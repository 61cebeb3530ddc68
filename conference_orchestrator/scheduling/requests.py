"""Consultation requests: a hospital asks an expert group to discuss a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Select, Table, Update, bindparam, case, false, func, select, update
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.sql import ColumnElement

from conference_orchestrator.kernel.database import Model, Versioned, db, one_of, personal
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import checklists
from conference_orchestrator.scheduling.allocation import Wish
from conference_orchestrator.scheduling.allocations import FIRM, Allocation
from conference_orchestrator.scheduling.sessions import Slot

T = TypeVar("T")


class Urgency(StrEnum):
    """How soon the advice is needed."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    ROUTINE = "routine"


class State(StrEnum):
    """How far a request has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    ALLOCATED = "allocated"
    WAITING = "waiting"
    OFFERED = "offered"
    DISCUSSED = "discussed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


ENDED = {State.DECLINED, State.DISCUSSED, State.CLOSED, State.WITHDRAWN}
EDITABLE = {State.DRAFT, State.SUBMITTED, State.RETURNED}


class ConsultationRequest(Versioned, Model):
    """A hospital asks an expert group to discuss a case. Holds no patient data: `case_reference` points into CPMS."""

    __tablename__ = "consultation_request"
    __table_args__ = (
        one_of("state", State),
        one_of("urgency", Urgency),
        Index(None, "group_id", "state", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "hospital_id", "created_at"),
    )

    group_id: Mapped[UUID] = mapped_column(ForeignKey("expert_group.id"))
    case_reference: Mapped[str]
    question: Mapped[str] = mapped_column(info=personal("content"))
    urgency: Mapped[str]
    consent_confirmed: Mapped[bool]
    checklist: Mapped[dict[str, Any]]
    imaging: Mapped[list[Any]]
    requester_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospital.id"))
    attendees: Mapped[list[str]]
    earliest_on: Mapped[date | None]
    latest_on: Mapped[date | None]
    state: Mapped[str]
    submitted_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None]
    waiting_since: Mapped[datetime | None]
    # Why it waits, as the last decision about a slot for it said.
    reasons: Mapped[list[str]] = mapped_column(default=list)
    # A cancelled session puts its requests before all others, without loss of their place among themselves.
    displaced: Mapped[bool] = mapped_column(default=False)
    advised_on: Mapped[date | None]

    group: Mapped[ExpertGroup] = relationship(lazy="raise")
    requester: Mapped[Clinician] = relationship(lazy="raise")
    allocation: Mapped[Allocation | None] = relationship(
        lazy="raise",
        viewonly=True,
        uselist=False,
        primaryjoin="and_(ConsultationRequest.id == Allocation.request_id, Allocation.released_at.is_(None))",
    )

    @property
    def wish(self) -> Wish:
        """What the allocation policy weighs, without the requester's absences."""
        return Wish(
            request_id=self.id,
            requester_id=self.requester_id,
            urgency=self.urgency,
            submitted_at=self.submitted_at,
            hospital_id=self.hospital_id,
            earliest_on=self.earliest_on,
            latest_on=self.latest_on,
            displaced=self.displaced,
            waiting_since=self.waiting_since,
        )

    def missing_items(self) -> list[str]:
        """The codes that the group's check list still wants, and "consent" while it is not confirmed."""
        return checklists.missing(self.group.checklist, self.checklist, consent_confirmed=self.consent_confirmed)

    def must_be(self, *allowed: State, to: str) -> None:
        """RuleBroken unless the request is in one of the states that the step starts from."""
        if self.state not in allowed:
            raise RuleBroken(f"A request that is {self.state} cannot be {to}.", state=self.state)

    def enter(self, values: Mapping[str, Any], *, at: datetime) -> None:
        """Take over what the requester says; complete, it is submitted, else it stays a draft."""
        for name, value in values.items():
            setattr(self, name, value)
        was_submitted = self.state == State.SUBMITTED
        self.state = State.DRAFT if self.missing_items() else State.SUBMITTED
        if self.state == State.SUBMITTED and not was_submitted:
            self.submitted_at, self.reason = at, None

    def change(self, values: Mapping[str, Any], *, at: datetime) -> None:
        """Correct it while the group has not accepted it: a returned request is submitted again by this."""
        self.must_be(*EDITABLE, to="changed")
        self.enter(values, at=at)

    def accept(self, *, by: Principal, at: datetime) -> None:
        """Let the request compete for slots. RuleBroken unless it was submitted complete and consent is confirmed."""
        self.must_be(State.SUBMITTED, to="accepted")
        self.must_be_complete()
        self._decide(State.ACCEPTED, None, by=by, at=at)

    def send_back(self, reason: str | None, *, by: Principal, at: datetime) -> None:
        """Ask the requester for more; a change submits it again.

        Also what was accepted and has no slot yet: the group's check list may have grown since.
        """
        self.must_be(State.SUBMITTED, State.ACCEPTED, State.WAITING, to="returned")
        self.waiting_since, self.displaced, self.reasons = None, False, []
        self._decide(State.RETURNED, reason, by=by, at=at)

    def decline(self, reason: str | None, *, by: Principal, at: datetime) -> None:
        """The group will not discuss it."""
        self.must_be(State.SUBMITTED, State.RETURNED, to="declined")
        self._decide(State.DECLINED, reason, by=by, at=at)

    def must_be_allocatable(self) -> None:
        """RuleBroken unless the request may get a slot now."""
        self.must_be(State.ACCEPTED, State.WAITING, to="allocated")
        self.must_be_complete()

    def must_be_complete(self) -> None:
        """RuleBroken while something is missing: the group's check list may have grown since it was accepted."""
        if missing := self.missing_items():
            said = f"The request lacks: {', '.join(missing)}. Return it to the requester to be completed."
            raise RuleBroken(said, missing=missing)

    def allocated(self) -> None:
        """It has a slot."""
        self.state, self.waiting_since, self.displaced, self.reasons = State.ALLOCATED, None, False, []

    def wait(self, *, since: datetime, because: Sequence[str], displaced: bool = False) -> None:
        """It stands on the waiting list."""
        self.state, self.waiting_since, self.displaced = State.WAITING, since, self.displaced or displaced
        self.reasons = list(because)

    def offered(self) -> None:
        """A slot is held for it until it answers; it keeps its place in line."""
        self.must_be(State.WAITING, to="offered a slot")
        self.state = State.OFFERED

    def offer_ended(self, because: str) -> None:
        """The offer came to nothing: it waits on, in its place."""
        self.must_be(State.OFFERED, to="put back into the waiting list")
        self.state, self.reasons = State.WAITING, [because]

    def released(self) -> None:
        """It gave its slot, an offer of one, or its place on the waiting list, back."""
        self.must_be(State.ALLOCATED, State.OFFERED, State.WAITING, to="released")
        self.state, self.waiting_since, self.displaced, self.reasons = State.ACCEPTED, None, False, []

    def withdraw(self, *, by: Principal, at: datetime) -> None:
        """The requester does not want it any more."""
        if self.state in ENDED:
            raise RuleBroken(f"A request that is {self.state} cannot be withdrawn.", state=self.state)
        self.waiting_since, self.displaced, self.reasons = None, False, []
        self._decide(State.WITHDRAWN, None, by=by, at=at)

    def discussed(self) -> None:
        """Its session was held."""
        if self.state == State.ALLOCATED:
            self.state = State.DISCUSSED

    def not_reached(self, *, since: datetime, because: str) -> None:
        """Its session was held without it: it comes first on the waiting list."""
        self.must_be(State.ALLOCATED, State.DISCUSSED, to="put back as not reached")
        self.wait(since=since, because=[because], displaced=True)

    def advised(self, on: date) -> None:
        """The advice was given on that date; the request is closed."""
        self.must_be(State.ALLOCATED, State.DISCUSSED, to="closed")
        self.state, self.advised_on = State.CLOSED, on

    def _decide(self, state: State, reason: str | None, *, by: Principal, at: datetime) -> None:
        self.state, self.reason, self.decided_by, self.decided_at = state, reason, str(by), at


URGENCY_ORDER = case({urgency.value: place for place, urgency in enumerate(Urgency)}, value=ConsultationRequest.urgency)
WAITING_COLUMNS = ("state", "waiting_since", "displaced", "reasons")
WAITING_ORDER = (
    ConsultationRequest.displaced.desc(),
    URGENCY_ORDER,
    ConsultationRequest.waiting_since,
    ConsultationRequest.id,
)


def get(request_id: UUID, *, visible_to: Principal, lock: bool = False) -> ConsultationRequest:
    """The request with all that an answer shows, or NotFound outside the asker's scope."""
    if lock:
        db.session.execute(_lock(), {"id": request_id})
    conditions = scope(visible_to)
    statement = _by_id().where(*conditions) if conditions else _by_id()
    found = db.session.scalar(statement, {"id": request_id})
    if found is None:
        raise NotFound("There is no such consultation request.")
    return found


def write_waiting(request: ConsultationRequest) -> None:
    """Write down that the request waits; StaleDataError when it was changed by somebody else since it was read.

    One statement, for a request that was read before the transaction began: others wait for the group meanwhile.
    """
    values = {name: getattr(request, name) for name in WAITING_COLUMNS}
    which = {"read_id": request.id, "read_version": request.version, "version": request.version + 1}
    if db.session.connection().execute(_write_waiting(), values | which).rowcount != 1:
        raise StaleDataError("The request was changed since it was read.")
    request.version += 1


def listed(
    paging: Paging, *, visible_to: Principal, state: str | None = None, group_id: UUID | None = None
) -> Page[ConsultationRequest]:
    """Requests within the asker's scope, oldest first."""
    statement = complete().where(*scope(visible_to))
    if state is not None:
        statement = statement.where(ConsultationRequest.state == state)
    if group_id is not None:
        statement = statement.where(ConsultationRequest.group_id == group_id)
    return page(statement, paging, by=[ConsultationRequest.created_at, ConsultationRequest.id])


def open_of(requester_id: UUID, group_id: UUID) -> int:
    """How many requests the clinician has open in the group; the caller has locked the group."""
    ended = [str(state) for state in ENDED]
    statement = select(func.count()).where(
        ConsultationRequest.requester_id == requester_id,
        ConsultationRequest.group_id == group_id,
        ConsultationRequest.state.not_in(ended),
    )
    return db.session.scalar(statement) or 0


def holding_slots_of(session_id: UUID, *, lock: bool = False, offered: bool = False) -> Sequence[ConsultationRequest]:
    """The requests that hold a slot of the session, with `offered` also those that are offered one, by slot."""
    if lock:
        rows = _holding(select(ConsultationRequest.id), session_id, offered=offered).order_by(ConsultationRequest.id)
        db.session.execute(rows.with_for_update(of=ConsultationRequest))
    # Asked again once the locks are held: one that was withdrawn while we waited holds nothing any more.
    statement = _holding(complete(), session_id, offered=offered).order_by(Slot.number)
    return db.session.scalars(statement.execution_options(populate_existing=lock)).all()


def _holding(of: Select[T], session_id: UUID, *, offered: bool) -> Select[T]:
    return (
        of.join(Allocation, Allocation.request_id == ConsultationRequest.id)
        .join(Slot, Slot.id == Allocation.slot_id)
        .where(Slot.session_id == session_id, Allocation.released_at.is_(None) if offered else FIRM)
    )


# Statements of every call are built once: making one costs more than running it.
@cache
def complete() -> Select[ConsultationRequest]:
    """A statement that loads all that an answer about a request shows."""
    return select(ConsultationRequest).options(
        joinedload(ConsultationRequest.group).selectinload(ExpertGroup.checklist),
        joinedload(ConsultationRequest.requester),
        joinedload(ConsultationRequest.allocation).joinedload(Allocation.slot),
    )


@cache
def _by_id() -> Select[ConsultationRequest]:
    # Always read anew: after a release the caller may still hold the request as it was, with its slot.
    one = ConsultationRequest.id == bindparam("id")
    return complete().where(one).execution_options(populate_existing=True)


@cache
def _lock() -> Select[UUID]:
    return select(ConsultationRequest.id).where(ConsultationRequest.id == bindparam("id")).with_for_update()


@cache
def _write_waiting() -> Update:
    of = cast("Table", ConsultationRequest.__table__)
    read = (of.c.id == bindparam("read_id"), of.c.version == bindparam("read_version"))
    return update(of).where(*read).values({name: bindparam(name) for name in (*WAITING_COLUMNS, "version")})


def scope(by: Principal) -> list[ColumnElement[bool]]:
    """What the asker may see: own requests, a coordinator those of the own group, a centre those of its hospital."""
    conditions: list[ColumnElement[bool]] = []
    if by.network_id is not None:
        conditions.append(ConsultationRequest.group.has(ExpertGroup.network_id == by.network_id))
    match by.role:
        case Role.HELPDESK | Role.AUDITOR | Role.SYSTEM:
            pass
        case Role.COORDINATOR:
            conditions.append(ConsultationRequest.group_id == by.group_id)
        case Role.REFERENCE_CENTRE:
            conditions.append(ConsultationRequest.hospital_id == by.hospital_id)
        case Role.CLINICIAN:
            conditions.append(ConsultationRequest.requester_id == by.clinician_id)
        case _:
            conditions.append(false())
    return conditions
