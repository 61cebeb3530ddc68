"""Replans: propose which waiting requests get which free slots, and apply it on a person's word.

A confirmed slot is a promise and is never proposed away; what is assigned anew is who waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import hosting
from conference_orchestrator.kernel import audit, ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, OrchestratorError
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import (
    allocation,
    allocations,
    conferences,
    replanning,
    replans,
    requests,
    sessions,
    waiting_list,
    wording,
)
from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, Wish
from conference_orchestrator.scheduling.replanning import Claim, Opening
from conference_orchestrator.scheduling.replans import Replan
from conference_orchestrator.scheduling.requests import State

CHANGED = "The waiting list or the slots have changed since this was proposed; nothing was applied. Ask for a new one."


def propose(group: str | UUID, *, by: Principal) -> Replan:
    """Who of the group's waiting list would get which free slot, so that waiting, weighted by urgency, is least.

    Nothing is changed by it. What it proposes is only valid as long as list and slots stay as they are.
    """
    found, now = expert_groups.find(group, visible_to=by), ports.clock().now()
    rules = Rules.of(found.rules)
    free = waiting_list.free_slots(found.id, rules=rules, now=now)
    line = waiting_list.weighed(waiting_list.line(found.id), free, group=found, now=now)
    # With hundreds of requests this takes a second: nobody else's change waits for it.
    chosen = _assign(line, free, rules=rules, now=now)
    with transaction() as tx:
        proposed = Replan(
            group_id=found.id,
            moves=[_move(wish, place, chosen[wish.request_id], found) for place, wish in _places(line, chosen)],
            unplaced=[
                _in_line(wish) | {"reason": _why_not(wish, free, rules=rules, now=now)}
                for wish in line
                if wish.request_id not in chosen
            ],
            applied_at=None,
            created_at=tx.now,
        )
        db.session.add(proposed)
        tx.record("replan.propose", proposed, by=by)
    return proposed


def one(replan_id: UUID, *, by: Principal) -> Replan:
    """One proposal within the asker's scope."""
    found = replans.get(replan_id)
    expert_groups.get(found.group_id, visible_to=by)
    return found


def apply(replan_id: UUID, *, by: Principal, expected: int | None = None) -> Replan:
    """Do all that was proposed, or nothing: Conflict when it was done already, or when anything of it changed."""
    with transaction() as tx:
        group = expert_groups.get(replans.get(replan_id).group_id, visible_to=by, lock=True)
        applying = replans.get(replan_id, lock=True)
        applying.must_match(expected)
        if applying.applied_at is not None:
            raise Conflict("This was applied already.")
        try:
            _must_have_the_same_line(applying)
            _carry_out(tx, applying.moves, group)
        except OrchestratorError as error:
            raise Conflict(CHANGED, because=error.detail) from error
        applying.applied_at = tx.now
        tx.record("replan.apply", applying, by=by)
        for move in applying.moves:
            about = audit.named(requests.ConsultationRequest, UUID(move["request"]))
            tx.record("request.allocate", about, by=by, reason=" ".join(move["reasons"]))
    return applying


def _assign(line: Sequence[Wish], free: Sequence[FreeSlot], *, rules: Rules, now: datetime) -> dict[UUID, FreeSlot]:
    """The best assignment, by request.

    A hospital's share depends on several at once: pairs beyond it are struck out, and the rest is assigned anew.
    """
    wishes = {wish.request_id: wish for wish in line}
    slots = {slot.id: slot for slot in free}
    with_meeting = conferences.wanted_of({slot.session_id for slot in free})
    claims = [Claim(w.request_id, w.urgency, w.displaced, w.waiting_since or now) for w in line if not w.missing]
    openings = [Opening(s.id, s.session_id, s.starts_at, s.session_id in with_meeting) for s in free]
    struck: set[tuple[UUID, UUID]] = set()

    def fits(claim: Claim, opening: Opening) -> bool:
        wish, slot = wishes[claim.request_id], slots[opening.slot_id]
        is_open = (claim.request_id, opening.slot_id) not in struck
        return is_open and allocation.first_obstacle(wish, slot, rules=rules, now=now) is None

    while True:
        found = replanning.assign(claims, openings, fits=fits, now=now)
        chosen = {one.request_id: slots[one.slot_id] for one in found}
        beyond = _beyond_share(line, chosen, rules=rules, now=now)
        if not beyond:
            return chosen
        struck |= beyond


def _beyond_share(
    line: Sequence[Wish], chosen: Mapping[UUID, FreeSlot], *, rules: Rules, now: datetime
) -> set[tuple[UUID, UUID]]:
    left, beyond = list(chosen.values()), set()
    for wish in line:
        slot = next((s for s in left if wish.request_id in chosen and s.id == chosen[wish.request_id].id), None)
        if slot is None:
            continue
        if allocation.first_obstacle(wish, slot, rules=rules, now=now) is not None:
            beyond.add((wish.request_id, slot.id))
        else:
            left = allocation.without(left, slot, wish.hospital_id)
    return beyond


def _places(line: Sequence[Wish], chosen: Mapping[UUID, FreeSlot]) -> list[tuple[int, Wish]]:
    return [(place, wish) for place, wish in enumerate(line, start=1) if wish.request_id in chosen]


def _in_line(wish: Wish) -> dict[str, Any]:
    """A request in line; that it waits since the same instant tells afterwards that it never left."""
    assert wish.waiting_since is not None, "it stands in line"
    return {"request": str(wish.request_id), "waiting_since": rfc3339(wish.waiting_since)}


def _move(wish: Wish, place: int, slot: FreeSlot, group: ExpertGroup) -> dict[str, Any]:
    reasons = [f"{wording.ordinal(place)} in line.", f"Gets {wording.moment(slot.starts_at, group.time_zone)}."]
    if wish.displaced:
        reasons.append("Its session fell out.")
    if wish.urgency != "routine":
        reasons.append(f"The request is {wording.urgent(wish.urgency)}.")
    return _in_line(wish) | {
        "waiting_position": place,
        "slot": str(slot.id),
        "session": str(slot.session_id),
        "starts_at": rfc3339(slot.starts_at),
        "reasons": reasons,
    }


def _why_not(wish: Wish, free: Sequence[FreeSlot], *, rules: Rules, now: datetime) -> str:
    if any(allocation.first_obstacle(wish, slot, rules=rules, now=now) is None for slot in free):
        return "Every slot that would suit goes to a request for which waiting weighs more."
    return " ".join(allocation.why_waiting(wish, free, rules=rules, now=now))


def _must_have_the_same_line(proposed: Replan) -> None:
    """Conflict unless exactly those wait who waited then, each since the same instant; the group is locked."""
    then = {(one["request"], one.get("waiting_since")) for one in [*proposed.moves, *proposed.unplaced]}
    places = map(_in_line, waiting_list.line(proposed.group_id))
    if then != {(place["request"], place["waiting_since"]) for place in places}:
        raise Conflict("Others wait now.")


def _carry_out(tx: Transaction, moves: Sequence[Mapping[str, Any]], group: ExpertGroup) -> None:
    """Take every slot; sessions before requests, each in the order of their ids, as all flows lock."""
    rules = Rules.of(group.rules)
    starts: dict[str, str] = {}
    for session_id in sorted({UUID(move["session"]) for move in moves}):
        session = sessions.get(session_id, lock=True)
        session.must_be_planned(at=tx.now)
        starts |= {str(slot.id): rfc3339(slot.starts_at) for slot in session.slots}
    if any(starts.get(move["slot"]) != move["starts_at"] for move in moves):
        raise Conflict("A slot begins at another time now, or there is none any more.")
    for move in sorted(moves, key=lambda move: str(move["request"])):
        request = requests.get(UUID(move["request"]), visible_to=SYSTEM, lock=True)
        request.must_be(State.WAITING, to="given a slot by a replan")
        request.must_be_complete()
        slot = waiting_list.as_free(UUID(move["slot"]), rules=rules)
        (wish,) = waiting_list.weighed([request.wish], [slot], group=group, now=tx.now)
        if obstacle := allocation.first_obstacle(wish, slot, rules=rules, now=tx.now):
            raise Conflict(obstacle)
        allocations.take(slot.id, request.id, because=move["reasons"], at=tx.now)
        request.allocated()
        db.session.flush()
    conferences.hold({UUID(move["session"]) for move in moves})
    for session_id in sorted({UUID(move["session"]) for move in moves}):
        hosting.want_for_session(tx, sessions.get(session_id), group)
