"""Who holds which slot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, not_, select
from sqlalchemy.orm import InstrumentedAttribute

from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.scheduling.allocations import Allocation, Offer
from conference_orchestrator.scheduling.requests import ConsultationRequest, State
from conference_orchestrator.scheduling.sessions import Session, Slot
from conference_orchestrator.scheduling.sessions import State as SessionState

HOLDERS = [State.ALLOCATED, State.OFFERED, State.DISCUSSED, State.CLOSED]
# The timer ends offers every minute; after an outage it needs a moment.
PATIENCE = timedelta(minutes=5)


def held_twice(_now: datetime) -> Iterator[Violation]:
    """A slot has at most one holder."""
    for slot_id, holders in _more_than_one(Allocation.slot_id):
        yield Violation("slot-held-twice", f"slot {slot_id} is held by {holders} requests")


def held_two_by_one_request(_now: datetime) -> Iterator[Violation]:
    """A request holds at most one slot."""
    for request_id, held in _more_than_one(Allocation.request_id):
        yield Violation("request-holds-two-slots", f"request {request_id} holds {held} slots")


def held_without_right(_now: datetime) -> Iterator[Violation]:
    """A request holds a slot only while it is allocated or offered one, and after its case was discussed."""
    statement = _held(ConsultationRequest.id, ConsultationRequest.state, Allocation.slot_id)
    for row in db.session.execute(statement.where(ConsultationRequest.state.not_in(HOLDERS))):
        yield Violation("slot-held-without-right", f"request {row.id} is {row.state} and holds slot {row.slot_id}")


def held_in_cancelled_session(now: datetime) -> Iterator[Violation]:
    """Nobody holds a slot of a session that will not be held; an offer that ran out is another matter."""
    run_out = (Allocation.offer.is_not_distinct_from(Offer.OPEN)) & (Allocation.expires_at <= now)
    statement = _held(ConsultationRequest.id, Allocation.slot_id, Slot.session_id)
    for row in db.session.execute(statement.where(Session.state == SessionState.CANCELLED, not_(run_out))):
        said = f"request {row.id} holds slot {row.slot_id} of session {row.session_id}, which is cancelled"
        yield Violation("slot-of-cancelled-session", said)


def held_though_withdrawn(_now: datetime) -> Iterator[Violation]:
    """Nobody holds a slot that the session has not any more."""
    for row in db.session.execute(_held(ConsultationRequest.id, Allocation.slot_id).where(Slot.withdrawn)):
        yield Violation("slot-withdrawn-but-held", f"request {row.id} holds slot {row.slot_id}, which is withdrawn")


def offered_for_too_long(now: datetime) -> Iterator[Violation]:
    """An offer ends when its time has run out."""
    overdue = select(Allocation.id, Allocation.request_id, Allocation.slot_id, Allocation.expires_at).where(
        Allocation.offer == Offer.OPEN, Allocation.expires_at < now - PATIENCE
    )
    for row in db.session.execute(overdue.order_by(Allocation.expires_at, Allocation.id)):
        said = f"offer {row.id} of slot {row.slot_id} to request {row.request_id} ran out at {rfc3339(row.expires_at)}"
        yield Violation("offer-overdue", said)


def _more_than_one(held_by: InstrumentedAttribute[UUID]) -> Iterator[tuple[UUID, int]]:
    active = select(held_by, func.count()).where(Allocation.released_at.is_(None)).group_by(held_by)
    yield from db.session.execute(active.having(func.count() > 1).order_by(held_by))


def _held(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .join(Allocation, Allocation.request_id == ConsultationRequest.id)
        .join(Slot, Slot.id == Allocation.slot_id)
        .join(Session, Session.id == Slot.session_id)
        .where(Allocation.released_at.is_(None))
        .order_by(ConsultationRequest.id)
    )
