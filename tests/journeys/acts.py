"""What people do to rounds and requests, and the two ways in: threads through the flows, or processes over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from flask import Flask

from conference_orchestrator.flows import panels, rounds
from conference_orchestrator.kernel.errors import OrchestratorError
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.web.problems import status_of
from tests.journeys import crowds
from tests.journeys.crowds import Ask, Round
from tests.journeys.service import Service

SERVED = (200, "")
TAKEN = (409, "/problems/slot-taken")
NOT_NOW = (409, "/problems/rule-broken")
Outcome = tuple[int, str]


@dataclass(frozen=True)
class Act:
    """What somebody in a role does: by the API, or by the flow behind it."""

    path: str
    flow: Callable[..., Any]
    body: dict[str, Any] = field(default_factory=dict)
    role: Role = Role.COORDINATOR


def allocation(request: UUID, slot: UUID) -> Act:
    flow = partial(panels.allocate, request, slot_id=slot)
    return Act(f"/consultation-requests/{request}/allocation", flow, {"slot": str(slot)})


def triage(request: UUID, decision: str) -> Act:
    reason = {} if decision == "accept" else {"reason": "The images are missing."}
    flow = partial(panels.triage, request, decision, **reason)
    return Act(f"/consultation-requests/{request}/triage", flow, {"decision": decision, **reason})


def withdrawal(request: UUID) -> Act:
    flow = partial(panels.withdraw, request)
    return Act(f"/consultation-requests/{request}/withdrawal", flow, role=Role.HELPDESK)


def move(session: UUID, starts_at: datetime) -> Act:
    return Act(f"/sessions/{session}/move", partial(rounds.move, session, starts_at), {"starts_at": rfc3339(starts_at)})


class Way(Protocol):
    """How people reach the service."""

    app: Flask

    def at_once(self, within: Round, *acts: Act) -> list[Outcome]:
        """Status and problem of each act, all done at the same moment."""


@dataclass
class Threads:
    """Threads of one process, through the flows."""

    app: Flask

    def at_once(self, within: Round, *acts: Act) -> list[Outcome]:
        by = {
            Role.COORDINATOR: Principal(role=Role.COORDINATOR, group_id=within.group_id),
            Role.HELPDESK: Principal(role=Role.HELPDESK),
        }
        return [outcome(one) for one in crowds.at_once(self.app, [partial(act.flow, by=by[act.role]) for act in acts])]


@dataclass
class Processes:
    """Four web processes on PostgreSQL, over HTTP; each who asks has a token."""

    app: Flask
    service: Service

    def at_once(self, within: Round, *acts: Act) -> list[Outcome]:
        scopes = {Role.COORDINATOR: {"group": within.group_id}, Role.HELPDESK: {}}
        asks = [Ask(act.path, crowds.token(self.app, act.role, **scopes[act.role]), act.body) for act in acts]
        answers = crowds.ask_at_once(self.service, asks)
        return [(answer.status, answer.body.get("type", "")) for answer in answers]


def outcome(answer: Any) -> Outcome:
    """As the API would have it."""
    if isinstance(answer, OrchestratorError):
        return status_of(answer), f"/problems/{answer.slug}"
    return (500, repr(answer)) if isinstance(answer, Exception) else SERVED
