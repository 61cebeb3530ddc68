"""The waiting lists of groups, and the free slots that those who wait could have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql import ColumnElement

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound, SlotTaken
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import checklists, requests, rosters
from conference_orchestrator.scheduling.allocation import URGENCIES, Ahead, FreeSlot, Rules, Wish
from conference_orchestrator.scheduling.allocations import HELD, Allocation, Offer
from conference_orchestrator.scheduling.requests import URGENCY_ORDER, WAITING_ORDER, ConsultationRequest, State
from conference_orchestrator.scheduling.sessions import Session, Slot
from conference_orchestrator.scheduling.sessions import State as SessionState

# For who does not stand in line yet.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the policy weighs when a request asks for a slot."""

    wish: Wish
    free: Sequence[FreeSlot]
    ahead: Sequence[Wish]
    rules: Rules


def rules_unless_held(request_id: UUID, slot_id: UUID, *, visible_to: Principal) -> Rules:
    """The rules of the request's group, unless the slot is held; nothing is locked.

    NotFound outside the scope. SlotTaken when the slot is held already: who can see that need not wait for a lock to
    hear it; when it seems free, `allocations.take` decides.
    """
    scope = requests.scope(visible_to)
    statement = _rules_unless_held().where(*scope) if scope else _rules_unless_held()
    found = db.session.connection().execute(statement, {"id": request_id, "slot": slot_id}).one_or_none()
    if found is None:
        raise NotFound("There is no such consultation request.")
    if found.is_held:
        raise SlotTaken(HELD)
    return Rules.of(found.rules)


def situation(request: ConsultationRequest, *, now: datetime) -> Situation:
    """The free slots of the request's group, and who stands ahead of it in line where slots are free."""
    rules = Rules.of(request.group.rules)
    free = free_slots(request.group_id, rules=rules, now=now)
    if not free:
        return Situation(wish=request.wish, free=(), ahead=(), rules=rules)
    ahead = [other for other in line(request.group_id) if other.place < request.wish.place]
    wish, *ahead = weighed([request.wish, *ahead], free, group=request.group, now=now)
    return Situation(wish=wish, free=free, ahead=ahead, rules=rules)


def lines(group_ids: Iterable[UUID]) -> dict[UUID, list[Wish]]:
    """The waiting requests of each group in order: whose session fell out, then by urgency, then by time.

    Without what matters only where slots are free: see `weighed`.
    """
    asked = list(group_ids)
    found: dict[UUID, list[Wish]] = {group_id: [] for group_id in asked}
    for row in db.session.execute(_lines(), {"groups": asked}).mappings():
        wish = dict(row)
        found[wish.pop("group_id")].append(Wish(**wish))
    return found


def line(group_id: UUID) -> list[Wish]:
    """The waiting requests of one group in order."""
    return lines([group_id])[group_id]


def positions(group_id: UUID) -> dict[UUID, int]:
    """The place of each waiting request of the group, the first being 1."""
    return {wish.request_id: place for place, wish in enumerate(line(group_id), start=1)}


def weighed(wishes: Sequence[Wish], free: Sequence[FreeSlot], *, group: ExpertGroup, now: datetime) -> list[Wish]:
    """The same wishes of requests to the group, with all that decides which of the free slots each may have."""
    return with_missing(with_declined(with_absences(wishes, now=now), free), group)


def with_missing(wishes: Sequence[Wish], group: ExpertGroup) -> list[Wish]:
    """The same wishes, each with what its request lacks: the group's check list may have grown since it was accepted.

    Who lacks something keeps the place in line, and no slot is set aside for it.
    """
    of = ConsultationRequest
    statement = select(of.id, of.checklist, of.consent_confirmed).where(of.id.in_([w.request_id for w in wishes]))
    missing = {
        request_id: checklists.missing(group.checklist, values, consent_confirmed=consent)
        for request_id, values, consent in db.session.execute(statement)
    }
    return [replace(w, missing=lacks) if (lacks := missing[w.request_id]) else w for w in wishes]


def with_absences(wishes: Sequence[Wish], *, now: datetime) -> list[Wish]:
    """The same wishes, each with the absences of its requester that are not over."""
    yesterday = now.date() - timedelta(days=1)  # somewhere it is still yesterday
    absent = rosters.absences_of({wish.requester_id for wish in wishes}, from_on=yesterday)
    return [replace(wish, away=absent.get(wish.requester_id, ())) for wish in wishes] if absent else list(wishes)


def with_declined(wishes: Sequence[Wish], free: Sequence[FreeSlot]) -> list[Wish]:
    """The same wishes, each with those of the free slots that it was offered and did not take."""
    pairs = declined([slot.id for slot in free])
    if not pairs:
        return list(wishes)
    return [replace(w, declined={slot.id for slot in free if (w.request_id, slot.id) in pairs}) for w in wishes]


def declined(slot_ids: Collection[UUID]) -> set[tuple[UUID, UUID]]:
    """Request and slot of the offers of these slots that were refused or ran out, at the hour that the slot has now.

    Of an old offer of which the hour is not known it is taken to be the same.
    """
    same_hour = or_(Allocation.offered_starts_at.is_(None), Allocation.offered_starts_at == Slot.starts_at)
    statement = (
        select(Allocation.request_id, Allocation.slot_id)
        .join(Slot, Slot.id == Allocation.slot_id)
        .where(Allocation.slot_id.in_(slot_ids), Allocation.offer.in_([Offer.REFUSED, Offer.EXPIRED]), same_hour)
    )
    return {(request_id, slot_id) for request_id, slot_id in db.session.execute(statement)}


def free_slots(group_id: UUID, *, rules: Rules, now: datetime) -> list[FreeSlot]:
    """Slots of the group's coming sessions that nobody holds or is offered, earliest first."""
    rows = db.session.connection().execute(_free_slots(), {"group": group_id, "now": now}).mappings().all()
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
    rows = db.session.connection().execute(_ahead(), {"group": group_id, **own}).mappings()
    return [Ahead(**row) for row in rows]


def next_waiting_since(group_id: UUID, *, now: datetime) -> datetime:
    """An instant later than any request of the group waits since; the caller has locked the group.

    Two requests that come at the same time thus have different places, in the order in which they were written. One
    that is offered a slot counts: it waits on from the same instant if it does not take it.
    """
    latest = db.session.scalar(_latest_in_line(), {"group": group_id})
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


# Statements of every call are built once: making one costs more than running it.
_WISH = (
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


@cache
def _rules_unless_held() -> Select[*tuple[Any, ...]]:
    held = select(Allocation.id).where(Allocation.slot_id == bindparam("slot"), Allocation.released_at.is_(None))
    asked = select(ExpertGroup.rules, held.exists().label("is_held")).join_from(ConsultationRequest, ExpertGroup)
    return asked.where(ConsultationRequest.id == bindparam("id"))


@cache
def _lines() -> Select[*tuple[Any, ...]]:
    of = ConsultationRequest.group_id.in_(bindparam("groups", expanding=True))
    return select(*_WISH).where(of, ConsultationRequest.state == State.WAITING).order_by(*WAITING_ORDER)


@cache
def _slots() -> Select[*tuple[Any, ...]]:
    other = aliased(Slot)
    of = select(func.count()).where(other.session_id == Slot.session_id, other.withdrawn.is_(False)).scalar_subquery()
    shown = (Slot.id, Slot.session_id, Slot.number, of.label("of"), Slot.starts_at)
    of_session = (Session.starts_at.label("session_starts_at"), Session.time_zone)
    return select(*shown, *of_session).join(Slot.session).where(Slot.withdrawn.is_(False))


@cache
def _free_slots() -> Select[*tuple[Any, ...]]:
    held = select(Allocation.id).where(Allocation.slot_id == Slot.id, Allocation.released_at.is_(None)).exists()
    coming = (Session.state == SessionState.PLANNED, Session.starts_at > bindparam("now"))
    free = _slots().where(Session.group_id == bindparam("group"), *coming, ~held)
    return free.order_by(Slot.starts_at, Slot.id)


@cache
def _ahead() -> Select[*tuple[Any, ...]]:
    of = ConsultationRequest
    rank: ColumnElement[int] = bindparam("rank")
    earlier = or_(rank > URGENCY_ORDER, and_(rank == URGENCY_ORDER, of.waiting_since < bindparam("since")))
    further = or_(
        of.displaced > bindparam("displaced"),
        and_(of.displaced == bindparam("displaced"), earlier),
    )
    counted = select(of.displaced, of.urgency, func.count().label("count"), func.min(of.waiting_since).label("since"))
    in_line = (of.group_id == bindparam("group"), of.state == State.WAITING)
    return counted.where(*in_line, further).group_by(of.displaced, of.urgency)


@cache
def _latest_in_line() -> Select[*tuple[Any, ...]]:
    of = ConsultationRequest
    return select(func.max(of.waiting_since)).where(
        of.group_id == bindparam("group"), of.state.in_([State.WAITING, State.OFFERED])
    )
