"""The waiting lists of groups, and the free slots that those who wait could have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import db
from conference_orchestrator.scheduling import rosters
from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, Wish
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import WAITING_ORDER, ConsultationRequest, State
from conference_orchestrator.scheduling.sessions import Session, Slot
from conference_orchestrator.scheduling.sessions import State as SessionState


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the policy weighs when a request asks for a slot."""

    wish: Wish
    free: Sequence[FreeSlot]
    ahead: Sequence[Wish]
    rules: Rules


def situation(request: ConsultationRequest, *, now: datetime) -> Situation:
    """The request's wish, the free slots of its group, and who stands ahead of it in line."""
    rules = Rules.of(request.group.rules)
    free = free_slots(request.group_id, rules=rules, now=now)
    if not free:
        return Situation(wish=request.wish(), free=(), ahead=(), rules=rules)
    wish = request.wish(away=away(request, now=now))
    ahead = [other for other in lines([request.group_id], now=now)[request.group_id] if other.place < wish.place]
    return Situation(wish=wish, free=free, ahead=ahead, rules=rules)


def away(request: ConsultationRequest, *, now: datetime) -> Sequence[tuple[date, date]]:
    """The first and last days of the requester's absences that are not over."""
    today = times.wall(now, request.group.time_zone).date()
    return rosters.absences_of([request.requester_id], from_on=today).get(request.requester_id, ())


def lines(group_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, list[Wish]]:
    """The waiting requests of each group in order: whose session fell out, then by urgency, then by time."""
    of = ConsultationRequest
    asked = list(group_ids)
    statement = (
        select(
            of.group_id,
            of.id,
            of.requester_id,
            of.urgency,
            of.submitted_at,
            of.hospital_id,
            of.earliest_on,
            of.latest_on,
            of.displaced,
            of.waiting_since,
        )
        .where(of.group_id.in_(asked), of.state == State.WAITING)
        .order_by(*WAITING_ORDER)
    )
    rows = db.session.execute(statement).all()
    absent = rosters.absences_of({row.requester_id for row in rows}, from_on=now.date() - timedelta(days=1))
    found: dict[UUID, list[Wish]] = {group_id: [] for group_id in asked}
    for row in rows:
        found[row.group_id].append(
            Wish(
                request_id=row.id,
                urgency=row.urgency,
                submitted_at=row.submitted_at,
                hospital_id=row.hospital_id,
                earliest_on=row.earliest_on,
                latest_on=row.latest_on,
                away=absent.get(row.requester_id, ()),
                displaced=row.displaced,
                waiting_since=row.waiting_since,
            )
        )
    return found


def free_slots(group_id: UUID, *, rules: Rules, now: datetime) -> list[FreeSlot]:
    """Slots of the group's coming sessions that nobody holds or is offered, earliest first."""
    held = select(Allocation.id).where(Allocation.slot_id == Slot.id, Allocation.released_at.is_(None)).exists()
    statement = _slots().where(
        Session.group_id == group_id, Session.state == SessionState.PLANNED, Session.starts_at > now, ~held
    )
    rows = db.session.execute(statement.order_by(Slot.starts_at, Slot.id)).mappings().all()
    shares = _held_by_hospital({row["session_id"] for row in rows}) if rules.share is not None else {}
    return [FreeSlot(**row, held=shares.get(row["session_id"], {})) for row in rows]


def as_free(slot_id: UUID, *, rules: Rules) -> FreeSlot:
    """One slot as the policy sees it, whoever holds it."""
    row = db.session.execute(_slots().where(Slot.id == slot_id)).mappings().one()
    shares = _held_by_hospital([row["session_id"]]) if rules.share is not None else {}
    return FreeSlot(**row, held=shares.get(row["session_id"], {}))


def next_waiting_since(group_id: UUID, *, now: datetime) -> datetime:
    """An instant later than any that the group's list holds; the caller has locked the group.

    Two requests that come at the same time thus have different places, in the order in which they were written.
    """
    latest = db.session.scalar(
        select(func.max(ConsultationRequest.waiting_since)).where(ConsultationRequest.group_id == group_id)
    )
    return now if latest is None or latest < now else latest + timedelta(microseconds=1)


def _slots() -> Select[Any]:
    other = aliased(Slot)
    of = select(func.count()).where(other.session_id == Slot.session_id, other.withdrawn.is_(False)).scalar_subquery()
    return (
        select(
            Slot.id,
            Slot.session_id,
            Slot.number,
            of.label("of"),
            Slot.starts_at,
            Session.starts_at.label("session_starts_at"),
            Session.time_zone,
        )
        .join(Slot.session)
        .where(Slot.withdrawn.is_(False))
    )


def _held_by_hospital(session_ids: Iterable[UUID]) -> dict[UUID, Mapping[UUID, int]]:
    """How many slots of each session each hospital holds or is offered."""
    statement = (
        select(Slot.session_id, ConsultationRequest.hospital_id, func.count())
        .join(Allocation, Allocation.slot_id == Slot.id)
        .join(ConsultationRequest, ConsultationRequest.id == Allocation.request_id)
        .where(Slot.session_id.in_(list(session_ids)), Allocation.released_at.is_(None))
        .where(ConsultationRequest.hospital_id.is_not(None))
        .group_by(Slot.session_id, ConsultationRequest.hospital_id)
    )
    found: dict[UUID, dict[Any, int]] = {}
    for session_id, hospital_id, count in db.session.execute(statement):
        found.setdefault(session_id, {})[hospital_id] = count
    return dict(found)
