"""How consultation requests stand, as people see them: what they lack, their place in line, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from conference_orchestrator.kernel import audit, ports
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import allocation, checklists, requests, waiting_list
from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, Wish
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import ConsultationRequest, State

CONSENT_LABEL = "The signed consent of the patient or the legal guardian"


@dataclass(frozen=True)
class RequestView:
    """A request as people see it: what it lacks, and if it waits its place on the waiting list, explained."""

    request: ConsultationRequest
    missing: list[str]
    position: int | None
    standing: str | None

    @property
    def given(self) -> Allocation | None:
        """The slot that it has."""
        held = self.request.allocation
        return held if held is not None and held.is_firm else None

    @property
    def offered(self) -> Allocation | None:
        """The slot that it is offered."""
        held = self.request.allocation
        return held if held is not None and not held.is_firm else None

    @property
    def missing_labels(self) -> tuple[str, ...]:
        """What it lacks, in the requester's language where the group's check list has it."""
        return labels(self.request.group, self.missing, language=self.request.requester.language)

    @property
    def reasons(self) -> list[str]:
        """Why it has, is offered, or waits for a slot."""
        held = self.request.allocation
        return held.reasons if held is not None else self.request.reasons


def view(request_id: UUID, *, by: Principal) -> RequestView:
    """One request within the asker's scope."""
    return views([requests.get(request_id, visible_to=by)])[0]


def read(request_id: UUID, *, by: Principal) -> RequestView:
    """The same for somebody who reads it; that the helpdesk did so stands in the audit."""
    _log_reading(audit.named(ConsultationRequest, request_id), by=by)
    return view(request_id, by=by)


def listed(
    paging: Paging, *, by: Principal, state: str | None = None, group: str | UUID | None = None
) -> Page[RequestView]:
    """Requests within the asker's scope, oldest first; that the helpdesk read them stands in the audit."""
    group_id = expert_groups.find(group, visible_to=by).id if group is not None else None
    _log_reading(audit.named(ExpertGroup, group_id) if group_id else "consultation_request", by=by)
    found = requests.listed(paging, visible_to=by, state=state, group_id=group_id)
    return Page(views(found.items), found.next)


def _log_reading(subject: str, *, by: Principal) -> None:
    if by.role == Role.HELPDESK:
        with transaction() as tx:
            tx.record("request.read", subject, by=by)


def labels(group: ExpertGroup, missing: Sequence[str], *, language: str) -> tuple[str, ...]:
    """What the missing items are called, in the language where the check list has it."""
    named = {item.code: item.labels.get(language, item.label) for item in group.checklist}
    return tuple((named | {checklists.CONSENT: CONSENT_LABEL})[code] for code in missing)


def views(found: Sequence[ConsultationRequest]) -> list[RequestView]:
    """The requests as people see them; the lines and free slots of each group are read once."""
    now = ports.clock().now()
    groups = {request.group_id: request.group for request in found if request.state == State.WAITING}
    lines = waiting_list.lines(groups) if groups else {}
    free = {
        group_id: waiting_list.free_slots(group_id, rules=Rules.of(group.rules), now=now)
        for group_id, group in groups.items()
    }
    for of, slots in free.items():
        if slots:
            lines[of] = waiting_list.weighed(lines[of], slots, group=groups[of], now=now)
    return [
        waiting_view(request, lines[request.group_id], free[request.group_id], now=now)
        if request.state == State.WAITING
        else RequestView(request, request.missing_items(), None, None)
        for request in found
    ]


def waiting_view(
    request: ConsultationRequest, line: Sequence[Wish], free: Sequence[FreeSlot], *, now: datetime
) -> RequestView:
    """A request that waits, among those in line."""
    own = next((wish for wish in line if wish.request_id == request.id), request.wish)
    ahead = [wish for wish in line if wish.place < own.place]
    said = allocation.standing(
        own, ahead, free, rules=Rules.of(request.group.rules), now=now, time_zone=request.group.time_zone
    )
    return RequestView(request, request.missing_items(), len(ahead) + 1, said)
