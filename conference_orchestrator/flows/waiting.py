"""The waiting list: people are told their place, and freed slots are offered to who is first in line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.transaction import Transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import allocations, requests
from conference_orchestrator.scheduling.allocation import Rules
from conference_orchestrator.scheduling.requests import ConsultationRequest, State


def offer_freed(tx: Transaction, group: ExpertGroup) -> None:
    """After the commit, have the group's free slots offered to who waits for them, where the group wants that."""
    if Rules.of(group.rules).offer is not None:
        tx.after(Task(kind="offer-slots", payload={"group": str(group.id)}, lock=f"offers:{group.id}"))


def will_be_offered(tx: Transaction) -> bool:
    """Whether that is to be done after the commit."""
    return any(task.kind == "offer-slots" for task in tx.tasks)


def tell_waiting(
    tx: Transaction,
    waiting: Sequence[ConsultationRequest],
    group: ExpertGroup,
    *,
    positions: Mapping[UUID, int],
    cause: str,
) -> None:
    """Tell each requester the place on the waiting list and why there is no slot."""
    drafts = [
        delivering.draft(
            kinds.RequestWaiting(
                case_reference=request.case_reference,
                group_name=group.name,
                position=positions[request.id],
                reason=" ".join(request.reasons),
            ),
            to=delivering.to_clinician(request.requester),
            cause=f"{cause}:{request.id}",
        )
        for request in waiting
    ]
    if drafts:
        delivering.tell(tx, *drafts)


def take_back_offers(
    tx: Transaction, session_id: UUID, group: ExpertGroup, *, because: str, numbers: Collection[int] | None = None
) -> list[ConsultationRequest]:
    """End the open offers of a session's slots: who had them waits on, in the same place, and the slots are free.

    With `numbers` only those of the slots of these numbers.
    """
    held = requests.holding_slots_of(session_id, lock=True, offered=True)
    offered = [
        request
        for request in held
        if request.state == State.OFFERED and (numbers is None or _slot_number(request) in numbers)
    ]
    for request in offered:
        allocations.release(request.id, at=tx.now)
        request.offer_ended(because)
    if offered:
        offer_freed(tx, group)
    return offered


def _slot_number(request: ConsultationRequest) -> int:
    assert request.allocation is not None, "it is offered a slot"
    return request.allocation.slot.number
