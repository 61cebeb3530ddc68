"""The waiting lists of groups, and the free slots that those who wait could have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from conference_orchestrator.kernel.database import db
from conference_orchestrator.scheduling import rosters
from conference_orchestrator.scheduling.allocation import URGENCIES, Ahead, FreeSlot, Rules, Wish
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import URGENCY_ORDER, WAITING_ORDER, ConsultationRequest, State
from conference_orchestrator.scheduling.sessions import Session, Slot
from conference_orchestrator.scheduling.sessions import State as SessionState


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


_HELD = select(Allocation.id).where(Allocation.slot_id == Slot.id, Allocation.released_at.is_(None)).exists()
# Built once: making such a statement costs more than running it.
FREE_SLOTS = (
    _slots()
    .where(
        Session.group_id == bindparam("group"),
        Session.state == SessionState.PLANNED,
        Session.starts_at > bindparam("now"),
        ~_HELD,
    )
    .order_by(Slot.starts_at, Slot.id)
)
LINES = (
    select(
        ConsultationRequest.group_id,
        ConsultationRequest.id.label("request_id"),
        ConsultationRequest.requester_id,
        ConsultationRequest.urgency,
        ConsultationRequest.submitted_at,
        ConsultationRequest.hospital_id,
        ConsultationRequest.earliest_on,
        ConsultationRequest.latest_on,
        ConsultationRequest.displaced,
        ConsultationRequest.waiting_since,
    )
    .where(
        ConsultationRequest.group_id.in_(bindparam("groups", expanding=True)),
        ConsultationRequest.state == State.WAITING,
    )
    .order_by(*WAITING_ORDER)
)


# For who does not stand in line yet.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_FURTHER = or_(
    ConsultationRequest.displaced > bindparam("displaced"),
    and_(
        ConsultationRequest.displaced == bindparam("displaced"),
        or_(
            bindparam("rank") > URGENCY_ORDER,
            and_(bindparam("rank") == URGENCY_ORDER, ConsultationRequest.waiting_since < bindparam("since")),
        ),
    ),
)
AHEAD = (
    select(
        ConsultationRequest.displaced,
        ConsultationRequest.urgency,
        func.count().label("count"),
        func.min(ConsultationRequest.waiting_since).label("since"),
        func.max(ConsultationRequest.waiting_since).label("latest"),
    )
    .where(ConsultationRequest.group_id == bindparam("group"), ConsultationRequest.state == State.WAITING, _FURTHER)
    .group_by(ConsultationRequest.displaced, ConsultationRequest.urgency)
)


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
    wish = request.wish
    if not free:
        return Situation(wish=wish, free=(), ahead=(), rules=rules)
    ahead = [other for other in line(request.group_id) if other.place < wish.place]
    wish, *ahead = with_absences([wish, *ahead], now=now)
    return Situation(wish=wish, free=free, ahead=ahead, rules=rules)


def lines(group_ids: Iterable[UUID]) -> dict[UUID, list[Wish]]:
    """The waiting requests of each group in order: whose session fell out, then by urgency, then by time.

    Without the absences of their requesters, which matter only where slots are free: see `with_absences`.
    """
    asked = list(group_ids)
    found: dict[UUID, list[Wish]] = {group_id: [] for group_id in asked}
    for row in db.session.execute(LINES, {"groups": asked}).mappings():
        wish = dict(row)
        found[wish.pop("group_id")].append(Wish(**wish))
    return found


def line(group_id: UUID) -> list[Wish]:
    """The waiting requests of one group in order."""
    return lines([group_id])[group_id]


def positions(group_id: UUID) -> dict[UUID, int]:
    """The place of each waiting request of the group, the first being 1."""
    return {wish.request_id: place for place, wish in enumerate(line(group_id), start=1)}


def with_absences(wishes: Sequence[Wish], *, now: datetime) -> list[Wish]:
    """The same wishes, each with the absences of its requester that are not over."""
    yesterday = now.date() - timedelta(days=1)  # somewhere it is still yesterday
    absent = rosters.absences_of({wish.requester_id for wish in wishes}, from_on=yesterday)
    return [replace(wish, away=absent.get(wish.requester_id, ())) for wish in wishes] if absent else list(wishes)


def free_slots(group_id: UUID, *, rules: Rules, now: datetime) -> list[FreeSlot]:
    """Slots of the group's coming sessions that nobody holds or is offered, earliest first."""
    rows = db.session.execute(FREE_SLOTS, {"group": group_id, "now": now}).mappings().all()
    shares = _held_by_hospital({row["session_id"] for row in rows}) if rules.share is not None else {}
    return [FreeSlot(**row, held=shares.get(row["session_id"], {})) for row in rows]


def as_free(slot_id: UUID, *, rules: Rules) -> FreeSlot:
    """One slot as the policy sees it, whoever holds it."""
    row = db.session.execute(_slots().where(Slot.id == slot_id)).mappings().one()
    shares = _held_by_hospital([row["session_id"]]) if rules.share is not None else {}
    return FreeSlot(**row, held=shares.get(row["session_id"], {}))


def ahead_of(wish: Wish, group_id: UUID) -> list[Ahead]:
    """Who is ahead of the wish in the group's line, counted by the database.

    Of a wish that is not in line yet, all that are not less urgent.
    """
    own = {"rank": URGENCIES.index(wish.urgency), "since": wish.waiting_since or NEVER, "displaced": wish.displaced}
    rows = db.session.execute(AHEAD, {"group": group_id, **own}).mappings()
    return [Ahead(**row) for row in rows]


def next_waiting_since(ahead: Sequence[Ahead], *, now: datetime) -> datetime:
    """An instant later than any of those ahead waits since; the caller has locked the group before it read the line.

    Two requests that come at the same time thus have different places, in the order in which they were written.
    """
    latest = max((one.latest for one in ahead), default=None)
    return now if latest is None or latest < now else latest + timedelta(microseconds=1)


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
