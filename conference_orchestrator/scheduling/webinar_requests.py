"""Webinar requests: a reference centre asks for a webinar or a web conference."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, false, select, update
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship, selectinload

from conference_orchestrator.kernel.database import Model, Versioned, db, one_of
from conference_orchestrator.kernel.errors import Invalid, NotFound, RuleBroken
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network
from conference_orchestrator.scheduling.series import FARTHEST

if TYPE_CHECKING:
    from conference_orchestrator.scheduling.conferences import Conference


class Kind(StrEnum):
    """What is asked for."""

    WEBINAR = "webinar"
    WEB_CONFERENCE = "web-conference"


class State(StrEnum):
    """How far it has come."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class WebinarRequest(Versioned, Model):
    """What a reference centre wants to hold. `audience` narrows the active clinicians of its networks."""

    __tablename__ = "webinar_request"
    __table_args__ = (
        one_of("state", State),
        one_of("kind", Kind),
        CheckConstraint("duration_minutes BETWEEN 10 AND 1439", name="duration"),
        Index(None, "state", "created_at", "id"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"), index=True)
    requester_id: Mapped[UUID | None] = mapped_column(ForeignKey("clinician.id"))
    kind: Mapped[str]
    topic: Mapped[str]
    language: Mapped[str]
    duration_minutes: Mapped[int]
    preferred: Mapped[list[str]]
    expected_audience: Mapped[int]
    audience: Mapped[dict[str, Any]]
    speakers: Mapped[list[str]]
    credits: Mapped[float | None]
    # How many may attend; None: whoever is invited, without registration. See webinar_registrations.
    capacity: Mapped[int | None]
    materials_url: Mapped[str | None]
    state: Mapped[str] = mapped_column(default=State.SUBMITTED)
    starts_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]

    hospital: Mapped[Hospital] = relationship(lazy="raise")
    conference: Mapped[Conference | None] = relationship(lazy="raise", viewonly=True, uselist=False)

    def approve(self, starts_at: datetime, *, by: Principal, at: datetime) -> None:
        """Hold it at that time. Invalid for a time that has passed or lies beyond 18 months."""
        self._must_be_open()
        if not at < starts_at <= at + FARTHEST:
            raise Invalid({"starts_at": "The time must lie ahead, at most 18 months."})
        if starts_at.second or starts_at.microsecond:
            raise Invalid({"starts_at": "A conference begins at a whole minute."})
        self.state, self.starts_at = State.APPROVED, starts_at
        self.decided_at, self.decided_by = at, str(by)

    def refuse(self, reason: str, *, by: Principal, at: datetime) -> None:
        """It will not be held, with the reason that the centre is told."""
        self._must_be_open()
        self.state, self.reason, self.decided_at, self.decided_by = State.REFUSED, reason, at, str(by)

    def change(self, changes: Mapping[str, Any], *, registered: int, now: datetime) -> None:
        """Other materials, or another number of places, of which so many are taken.

        RuleBroken when it is not to be held or is over. Invalid for fewer places than are taken, and for a limit after
        an approval without one: everybody who was invited has the link then.
        """
        if self.state not in {State.SUBMITTED, State.APPROVED}:
            raise RuleBroken(f"The request is {self.state}: there is nothing to change any more.", state=self.state)
        if self.is_over(now):
            raise RuleBroken(f"The {self.kind} is over: there is nothing to change any more.", state=self.state)
        places = changes.get("capacity", self.capacity)
        if self.state == State.APPROVED and places is not None and self.capacity is None:
            raise Invalid({"capacity": "It was approved without a limit: everybody who was invited has the link."})
        if places is not None and places < registered:
            raise Invalid({"capacity": f"{registered} people have a place; it cannot be fewer."})
        for name, value in changes.items():
            setattr(self, name, value)

    @property
    def length(self) -> timedelta:
        """How long it lasts."""
        return timedelta(minutes=self.duration_minutes)

    def is_over(self, now: datetime) -> bool:
        """Whether its approved time has passed."""
        return self.starts_at is not None and self.starts_at + self.length <= now

    def _must_be_open(self) -> None:
        if self.state != State.SUBMITTED:
            raise RuleBroken(f"The request is already {self.state}.", state=self.state)


def get(request_id: UUID, *, visible_to: Principal, lock: bool = False) -> WebinarRequest:
    """The request with all that an answer shows, or NotFound outside the asker's scope."""
    # Always read anew: after an approval the caller may still hold the request as it was, without its conference.
    statement = _scoped(visible_to).where(WebinarRequest.id == request_id).execution_options(populate_existing=True)
    found = db.session.scalar(statement.with_for_update(of=WebinarRequest) if lock else statement)
    if found is None:
        raise NotFound("There is no such webinar request.")
    return found


def cancelled(request_id: UUID | None) -> None:
    """The approved conference of the request was given up."""
    statement = update(WebinarRequest).where(WebinarRequest.id == request_id)
    db.session.execute(statement.values(state=State.CANCELLED, version=WebinarRequest.version + 1))


def listed(paging: Paging, *, visible_to: Principal, state: str | None = None) -> Page[WebinarRequest]:
    """Requests within the asker's scope, oldest first."""
    statement = _scoped(visible_to)
    if state is not None:
        statement = statement.where(WebinarRequest.state == state)
    return page(statement, paging, by=[WebinarRequest.created_at, WebinarRequest.id])


def _scoped(by: Principal) -> Select[WebinarRequest]:
    statement = select(WebinarRequest).options(
        joinedload(WebinarRequest.hospital).selectinload(Hospital.networks), selectinload(WebinarRequest.conference)
    )
    if by.network_id is not None:
        here = Hospital.networks.any(Network.id == by.network_id)
        statement = statement.where(WebinarRequest.hospital.has(here))
    match by.role:
        case Role.HELPDESK | Role.AUDITOR | Role.SYSTEM:
            return statement
        case Role.REFERENCE_CENTRE:
            return statement.where(WebinarRequest.hospital_id == by.hospital_id)
        case _:
            return statement.where(false())
