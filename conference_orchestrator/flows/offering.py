"""Offers: a free slot is held for the first in line until a time, and goes on to the next when it is not taken.

An offer is an allocation that its holder has not accepted yet, so the same unique indexes keep slots given and slots
offered apart, and one statement on its row decides between an answer and the clock.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from conference_orchestrator.flows import delivering, hosting
from conference_orchestrator.flows.waiting import offer_freed
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound, RuleBroken, SlotTaken
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import (
    allocation,
    allocations,
    offers,
    requests,
    sessions,
    waiting_list,
    wording,
)
from conference_orchestrator.scheduling.allocation import Rules
from conference_orchestrator.scheduling.allocations import Allocation, Offer
from conference_orchestrator.scheduling.offers import Proposal
from conference_orchestrator.scheduling.requests import ConsultationRequest, State
from conference_orchestrator.scheduling.sessions import Session, Slot

log = structlog.get_logger()

# More than all slots of a horizon; what is left waits for the next wake-up.
MOST_STEPS = 1000
ENDED = {
    Offer.ACCEPTED: "The offer was accepted at {at}",
    Offer.REFUSED: "The offer was refused at {at}",
    Offer.EXPIRED: "The offer ended at {at}",
    Offer.WITHDRAWN: "The offer was taken back: its slot moved or fell out, or the request needed it no more",
}


@dataclass(frozen=True, kw_only=True)
class OfferView:
    """An offer as people see it. `state` knows the clock: time that has run out is over before the timer says so."""

    offer: Allocation
    request: ConsultationRequest
    session: Session
    state: Offer


def offer_slots(group_id: UUID) -> None:
    """Offer the group's free slots, each to the first in line whom it suits, until none suits anybody who waits.

    Each offer commits by itself, so locks are held briefly, in the one order, and who comes later sees what is held.
    """
    passed: set[UUID] = set()
    for _ in range(MOST_STEPS):
        if not _offer_next(group_id, passed):
            return
    log.warning("more is to be offered than one run takes", group=str(group_id))


def view(offer_id: UUID, *, by: Principal) -> OfferView:
    """One offer; NotFound outside the asker's scope."""
    offer = allocations.get(offer_id)
    return _view(offer, _request_of(offer, by=by))


def by_link(token: str) -> tuple[UUID, Principal]:
    """The offer behind the link in a mail, and the requester, in whose name the link acts.

    NotFound for a word that was not made here, and once the requester takes part no more.
    """
    offer = allocations.get(links.subject_of("offer", token))
    requester = _request_of(offer, by=SYSTEM).requester
    if requester.state != clinicians.State.ACTIVE:
        raise NotFound("This link is not valid any more.")
    return offer.id, Principal(role=Role.CLINICIAN, clinician_id=requester.id)


def accept(offer_id: UUID, *, by: Principal, expected: int | None = None) -> OfferView:
    """Take the slot that is offered: the request has it, and is invited to its session.

    RuleBroken when the offer is open no more, its time has run out, its session is not held, or the request has come
    to lack something.
    """
    with transaction() as tx:
        offer = allocations.get(offer_id)
        if (seen := _view(offer, _request_of(offer, by=by))).state != Offer.OPEN:
            raise _over(seen)
        # Neither moved nor cancelled until we are done; the slot itself is held by the offer.
        _, session = sessions.hold_still(offer.slot_id)
        request = _request_of(offer, by=by, lock=True)
        request.must_match(expected)
        session.must_be_planned(at=tx.now)
        request.must_be_complete()
        _answer(offer, request, Offer.ACCEPTED, at=tx.now)
        request.allocated()
        tx.record("offer.accept", request, by=by)
        hosting.want_for_session(tx, session, request.group)
    return view(offer_id, by=by)


def refuse(offer_id: UUID, *, by: Principal, expected: int | None = None) -> OfferView:
    """Leave the slot to the next in line; the request waits on, in its place. RuleBroken when it is open no more."""
    with transaction() as tx:
        offer = allocations.get(offer_id)
        request = _request_of(offer, by=by, lock=True)
        request.must_match(expected)
        _answer(offer, request, Offer.REFUSED, at=tx.now)
        request.offer_ended(f"The slot of {_when(offer, request)} was offered and refused.")
        tx.record("offer.refuse", request, by=by)
        offer_freed(tx, request.group)
    return view(offer_id, by=by)


def expire_offers() -> None:
    """End the offers whose time has run out; their requests wait on, and the next in line are offered the slots.

    Each commits by itself, together with the task that offers its slot on: one that fails keeps no other waiting, and
    a crash in between loses nothing.
    """
    for run_out in allocations.run_out(at=ports.clock().now()):
        try:
            _expire(run_out.id)
        except Exception:
            # It stays open, and the timer tries it again.
            log.exception("an offer cannot be ended", offer=str(run_out.id))


def foreseen(tx: Transaction, group: ExpertGroup) -> list[ConsultationRequest]:
    """Make the offers inside a transaction that will be undone, because they follow from what it did; to whom."""
    passed, offered = set[UUID](), list[ConsultationRequest]()
    with suppress(SlotTaken):
        for _ in range(MOST_STEPS):
            step = _step(tx, group.id, passed)
            if step is None:
                break
            offered += step
    return offered


def _offer_next(group_id: UUID, passed: set[UUID]) -> bool:
    """Make one offer, or learn whom to pass over; False when there is nothing to offer to anybody else."""
    try:
        with transaction() as tx:
            return _step(tx, group_id, passed) is not None
    except SlotTaken:
        log.info("a slot was taken while it was to be offered", group=str(group_id))
    # Whoever was faster has committed: the next look sees it.
    return True


def _step(tx: Transaction, group_id: UUID, passed: set[UUID]) -> list[ConsultationRequest] | None:
    """The same inside a transaction: the request that got the offer, if any; None when there is nothing to offer."""
    rules = Rules.of(expert_groups.get(group_id, visible_to=SYSTEM, lock=True).rules)
    proposal = _propose(group_id, rules=rules, now=tx.now, passed=passed)
    if proposal is None:
        return None
    slot, session = sessions.hold_still(proposal.slot_id, alone=rules.limit_a_session)
    request = requests.get(proposal.request_id, visible_to=SYSTEM, lock=True)
    if request.missing_items() or request.requester.state != clinicians.State.ACTIVE:
        passed.add(request.id)
    elif _still_fits(request, slot, rules=rules, now=tx.now):
        _offer(tx, request, proposal, slot=slot, session=session)
        return [request]
    return []


def _propose(group_id: UUID, *, rules: Rules, now: datetime, passed: Collection[UUID]) -> Proposal | None:
    if rules.offer is None:
        return None
    free = waiting_list.free_slots(group_id, rules=rules, now=now)
    if not free:
        return None
    line = waiting_list.with_absences(waiting_list.line(group_id), now=now)
    slot_ids = [slot.id for slot in free]
    # Whom we pass over keeps the place in line, and is offered nothing.
    declined = waiting_list.declined(slot_ids) | {
        (request_id, slot_id) for request_id in passed for slot_id in slot_ids
    }
    return offers.propose(line, free, rules=rules, now=now, declined=declined)


def _still_fits(request: ConsultationRequest, slot: Slot, *, rules: Rules, now: datetime) -> bool:
    """Whether the proposal holds now that session and request are ours: another allocation may have come between."""
    (wish,) = waiting_list.with_absences([request.wish], now=now)
    wanted = waiting_list.as_free(slot.id, rules=rules)
    return request.state == State.WAITING and allocation.first_obstacle(wish, wanted, rules=rules, now=now) is None


def _offer(tx: Transaction, request: ConsultationRequest, proposal: Proposal, *, slot: Slot, session: Session) -> None:
    """Hold the slot for the request, tell the requester in one mail, and come back when the time has run out."""
    offer_id = allocations.take(
        slot.id,
        request.id,
        because=proposal.reasons,
        at=tx.now,
        offered_until=proposal.until,
        offered_starts_at=slot.starts_at,
    )
    request.offered()
    tx.record("offer.make", request, by=SYSTEM)
    facts = kinds.SlotOffer(
        case_reference=request.case_reference,
        group_name=request.group.name,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        time_zone=session.time_zone,
        held_until=proposal.until,
    )
    to = delivering.to_clinician(request.requester)
    cause = f"offer:{offer_id}"
    delivering.tell(tx, delivering.draft(facts, to=to, cause=cause, link_subject=offer_id, rank=Rank.URGENT))
    tx.after(Task(kind="expire-offers", due_at=proposal.until))


def _expire(offer_id: UUID) -> None:
    with transaction() as tx:
        offer = allocations.get(offer_id)
        request = _request_of(offer, by=SYSTEM, lock=True)
        if not allocations.expire(offer.id, at=tx.now):
            return
        request.offer_ended(f"The slot of {_when(offer, request)} was offered, and nobody answered in time.")
        tx.record("offer.expire", request, by=SYSTEM)
        offer_freed(tx, request.group)


def _answer(offer: Allocation, request: ConsultationRequest, said: Offer, *, at: datetime) -> None:
    if not allocations.answer(offer.id, said, at=at):
        raise _over(_view(allocations.get(offer.id), request))


def _over(view: OfferView) -> RuleBroken:
    """The error for an answer to what is open no more: what became of the offer, and how the request goes on."""
    zone = view.session.time_zone
    ended_at = view.offer.answered_at or view.offer.expires_at
    assert ended_at is not None
    said = ENDED[view.state].format(at=f"{wording.moment(ended_at, zone)} ({zone})")
    waits = view.request.state in {State.WAITING, State.OFFERED}
    goes_on = "the request waits on, in its place" if waits else f"the request is {view.request.state}"
    return RuleBroken(f"{said}; {goes_on}.", state=view.state)


def _view(offer: Allocation, request: ConsultationRequest) -> OfferView:
    assert offer.offer is not None
    assert offer.expires_at is not None
    ran_out = offer.offer == Offer.OPEN and offer.expires_at <= ports.clock().now()
    return OfferView(
        offer=offer,
        request=request,
        session=db.session.get_one(Session, offer.slot.session_id),
        state=Offer.EXPIRED if ran_out else Offer(offer.offer),
    )


def _request_of(offer: Allocation, *, by: Principal, lock: bool = False) -> ConsultationRequest:
    try:
        return requests.get(offer.request_id, visible_to=by, lock=lock)
    except NotFound as error:
        raise NotFound("There is no such offer.") from error


def _when(offer: Allocation, request: ConsultationRequest) -> str:
    return wording.moment(offer.slot.starts_at, request.group.time_zone)
