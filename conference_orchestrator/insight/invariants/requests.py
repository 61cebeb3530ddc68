"""Whether consultation requests are where their state says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.clinicians import State as ClinicianState
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.allocations import FIRM, Allocation, Offer
from conference_orchestrator.scheduling.requests import ENDED, ConsultationRequest, State

IN_LINE = [State.WAITING, State.OFFERED]
COMPETING = [State.ACCEPTED, State.ALLOCATED, *IN_LINE]


def allocated_without_slot(_now: datetime) -> Iterator[Violation]:
    """An allocated request has a slot, firmly."""
    firm = select(Allocation.id).where(Allocation.request_id == ConsultationRequest.id, FIRM).exists()
    statement = select(ConsultationRequest.id).where(ConsultationRequest.state == State.ALLOCATED, ~firm)
    for request_id in db.session.scalars(statement.order_by(ConsultationRequest.id)):
        yield Violation("allocated-without-slot", f"request {request_id} is allocated and has no slot")


def offered_without_offer(_now: datetime) -> Iterator[Violation]:
    """A request that is offered a slot has an open offer."""
    held = (Allocation.request_id == ConsultationRequest.id, Allocation.released_at.is_(None))
    offer = select(Allocation.id).where(*held, Allocation.offer == Offer.OPEN).exists()
    statement = select(ConsultationRequest.id).where(ConsultationRequest.state == State.OFFERED, ~offer)
    for request_id in db.session.scalars(statement.order_by(ConsultationRequest.id)):
        yield Violation("offered-without-offer", f"request {request_id} is offered a slot and has no open offer")


def waiting_without_place(_now: datetime) -> Iterator[Violation]:
    """Who waits has a place in line, and keeps it while a slot is offered."""
    lost = (ConsultationRequest.state.in_(IN_LINE), ConsultationRequest.waiting_since.is_(None))
    statement = select(ConsultationRequest.id).where(*lost)
    for request_id in db.session.scalars(statement.order_by(ConsultationRequest.id)):
        yield Violation("waiting-without-place", f"request {request_id} waits since no time, so its place is unknown")


def place_given_twice(_now: datetime) -> Iterator[Violation]:
    """Two requests of a group never have the same place in line."""
    place = (ConsultationRequest.group_id, ConsultationRequest.waiting_since)
    waiting = (ConsultationRequest.state.in_(IN_LINE), ConsultationRequest.waiting_since.is_not(None))
    statement = select(*place, func.count()).where(*waiting).group_by(*place).having(func.count() > 1).order_by(*place)
    for group_id, since, number in db.session.execute(statement):
        said = f"{number} requests of group {group_id} wait since the same instant, {since}"
        yield Violation("place-given-twice", said)


def open_though_erased(_now: datetime) -> Iterator[Violation]:
    """Nobody who was erased has an open request: it would hold a slot, and nobody would come."""
    gone = select(Clinician.id).where(Clinician.state == ClinicianState.ERASED)
    still_open = (ConsultationRequest.requester_id.in_(gone), ConsultationRequest.state.not_in(ENDED))
    statement = select(ConsultationRequest.id).where(*still_open)
    for request_id in db.session.scalars(statement.order_by(ConsultationRequest.id)):
        yield Violation("request-of-erased", f"request {request_id} is open, and its requester was erased")


def incomplete(_now: datetime) -> Iterator[Violation]:
    """Who competes for slots was complete, with consent. What a check list came to ask later does not count."""
    statement = select(ConsultationRequest).where(ConsultationRequest.state.in_(COMPETING))
    loaded = statement.options(joinedload(ConsultationRequest.group).selectinload(ExpertGroup.checklist))
    for request in db.session.scalars(loaded.order_by(ConsultationRequest.id)):
        accepted_at = request.decided_at or request.created_at
        later = {item.code for item in request.group.checklist if item.created_at > accepted_at}
        if lacking := [code for code in request.missing_items() if code not in later]:
            said = f"request {request.id} is {request.state} and lacks: {', '.join(lacking)}"
            yield Violation("request-incomplete", said)
