"""Registrations: a clinician's application to a network until it is decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Select, select, text
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Model, Versioned, db, one_of, personal
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal

DECIDE_WITHIN = timedelta(hours=24)


class State(StrEnum):
    """How far a registration has come."""

    ADDRESS_PENDING = "address-pending"
    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"


OPEN = text("state IN ('address-pending', 'pending')")


class Registration(Versioned, Model):
    """What was entered, as it was entered. `due_at` is when the helpdesk has to have decided."""

    __tablename__ = "registration"
    __table_args__ = (
        one_of("state", State),
        # Two open applications of one address to one network are one application.
        Index("uq_registration_open", "network_id", "email", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
        Index(None, "state", "submitted_at", "id"),
    )

    network_id: Mapped[UUID] = mapped_column(ForeignKey("network.id"))
    given_name: Mapped[str] = mapped_column(info=personal("identity"))
    family_name: Mapped[str] = mapped_column(info=personal("identity"))
    email: Mapped[str] = mapped_column(info=personal("contact"))
    phone: Mapped[str | None] = mapped_column(info=personal("contact"))
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospital.id"))
    hospital_name: Mapped[str] = mapped_column(info=personal("profession"))
    country: Mapped[str] = mapped_column(info=personal("profession"))
    profession: Mapped[str] = mapped_column(info=personal("profession"))
    specialties: Mapped[list[str]] = mapped_column(info=personal("profession"))
    language: Mapped[str] = mapped_column(info=personal("preference"))
    time_zone: Mapped[str] = mapped_column(info=personal("preference"))
    share: Mapped[list[str]] = mapped_column(info=personal("preference"))
    state: Mapped[str] = mapped_column(default=State.ADDRESS_PENDING)
    submitted_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    escalated_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None] = mapped_column(info=personal("content"))
    clinician_id: Mapped[UUID | None] = mapped_column(index=True)

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given_name} {self.family_name}"

    def confirm(self, *, at: datetime) -> None:
        """The address is the applicant's: the helpdesk's clock starts. Confirming twice changes nothing."""
        if self.state == State.ADDRESS_PENDING:
            self.state, self.confirmed_at, self.due_at = State.PENDING, at, at + DECIDE_WITHIN

    def activate(self, clinician_id: UUID, *, by: Principal, at: datetime) -> None:
        """Let the applicant in. RuleBroken unless the address was confirmed and nothing is decided yet."""
        self._decide(State.ACTIVE, by=by, at=at)
        self.clinician_id = clinician_id

    def refuse(self, reason: str, *, by: Principal, at: datetime) -> None:
        """Turn the application down, with the reason that the applicant is told."""
        self._decide(State.REFUSED, by=by, at=at)
        self.reason = reason

    def close(self, *, by: Principal, at: datetime) -> None:
        """Its applicant asked to be forgotten: what is open is not decided any more, and nobody is told."""
        if self.state in {State.ADDRESS_PENDING, State.PENDING}:
            self.state, self.decided_at, self.decided_by = State.REFUSED, at, str(by)

    def must_be_pending(self) -> None:
        """RuleBroken unless the helpdesk may decide now."""
        if self.state == State.ADDRESS_PENDING:
            raise RuleBroken("The applicant has not confirmed the e-mail address yet.", state=self.state)
        if self.state != State.PENDING:
            raise RuleBroken(f"The registration is already {self.state}.", state=self.state)

    def _decide(self, state: State, *, by: Principal, at: datetime) -> None:
        self.must_be_pending()
        self.state, self.decided_at, self.decided_by = state, at, str(by)


def get(registration_id: UUID, *, visible_to: Principal, lock: bool = False) -> Registration:
    """The registration with that id, or NotFound outside the asker's scope."""
    statement = _scoped(visible_to).where(Registration.id == registration_id)
    found = db.session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("There is no such registration.")
    return found


def open_for(network_id: UUID, email: str) -> Registration | None:
    """The open registration of that canonical address in the network."""
    return db.session.scalar(
        select(Registration)
        .where(Registration.network_id == network_id, Registration.email == email)
        .where(Registration.state.in_([State.ADDRESS_PENDING, State.PENDING]))
    )


def to_confirm(registration_id: UUID, *, lock: bool = False) -> Registration:
    """The registration that a confirmation link names, or NotFound."""
    statement = select(Registration).where(Registration.id == registration_id)
    found = db.session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("This link is not valid (any more). Register again to get a new one.")
    return found


def overdue(*, at: datetime) -> Sequence[Registration]:
    """Those that the helpdesk should have decided before the instant and was not reminded of, locked, oldest first."""
    return db.session.scalars(
        select(Registration)
        .where(Registration.state == State.PENDING, Registration.due_at < at, Registration.escalated_at.is_(None))
        .order_by(Registration.due_at)
        .with_for_update(skip_locked=True)
    ).all()


def listed(paging: Paging, *, visible_to: Principal, state: str | None = None) -> Page[Registration]:
    """Registrations within the asker's scope, oldest first: what is due first stands first."""
    statement = _scoped(visible_to)
    if state is not None:
        statement = statement.where(Registration.state == state)
    return page(statement, paging, by=[Registration.submitted_at, Registration.id])


def _scoped(by: Principal) -> Select[Registration]:
    statement = select(Registration)
    return statement.where(Registration.network_id == by.network_id) if by.network_id else statement
