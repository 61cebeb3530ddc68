"""What the helpdesk does about findings at providers."""

from __future__ import annotations

from uuid import UUID

import structlog

from conference_orchestrator.flows.hosting import ensure_later, provider_named
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.errors import ProviderError
from conference_orchestrator.scheduling import conferences, provider_findings
from conference_orchestrator.scheduling.conferences import State
from conference_orchestrator.scheduling.provider_findings import Action, ProviderFinding

log = structlog.get_logger()


def listed(paging: Paging, *, is_open: bool | None = None, kind: str | None = None) -> Page[ProviderFinding]:
    """Findings, the oldest first."""
    return provider_findings.listed(paging, is_open=is_open, kind=kind)


def get(finding_id: UUID) -> ProviderFinding:
    """One finding, or NotFound."""
    return provider_findings.get(finding_id)


def resolve(finding_id: UUID, action: str, *, by: Principal, expected: int | None = None) -> ProviderFinding:
    """See to a finding: delete the orphan, have the missing meeting made again, restore what was changed, or ignore it.

    What is to be done at the provider is done after this; until then the finding is `resolving`.
    """
    with transaction() as tx:
        finding = provider_findings.get(finding_id, lock=True)
        finding.must_match(expected)
        finding.resolve(Action(action), by=str(by))
        tx.record(f"finding.{action}", finding, by=by)
        match finding.action:
            case Action.DELETE:
                tx.after(_delete_later(finding))
            case Action.RECREATE | Action.RESTORE:
                _mend(tx, finding)
                finding.resolved_at = tx.now
            case _:
                finding.resolved_at = tx.now
    return finding


def delete_orphan(finding_id: UUID) -> None:
    """The work after the decision. When the provider refuses, the finding is open again and says why."""
    finding = provider_findings.get(finding_id)
    if finding.resolved_at is not None:
        return
    ref = MeetingRef(finding.provider, finding.meeting_id, finding.host)
    wanted = _is_wanted_after_all(finding)
    error: ProviderError | None = None
    if not wanted:
        try:
            provider_named()(finding.provider).cancel(ref)
        except ProviderError as failure:
            error = failure
            log.warning("orphan not deleted", meeting=ref.id, error=str(failure))
    with transaction() as tx:
        finding = provider_findings.get(finding_id, lock=True)
        if error is None and not wanted:
            finding.resolved_at = tx.now
        else:
            finding.action = None
            finding.detail = f"{finding.detail} Not deleted: {error.message if error else 'a conference has it now'}."


def _is_wanted_after_all(finding: ProviderFinding) -> bool:
    with transaction() as tx:
        return bool(conferences.with_meeting(finding.provider, finding.meeting_id, now=tx.now))


def _mend(tx: Transaction, finding: ProviderFinding) -> None:
    """Let `ensure` make it again, or set it right; RuleBroken when the conference has another meeting by now."""
    assert finding.conference_id is not None
    conference = conferences.get(finding.conference_id, visible_to=SYSTEM, lock=True)
    if conference.meeting_id != finding.meeting_id or not conference.is_wanted:
        raise RuleBroken("The conference has another meeting by now, or is cancelled; nothing is to be done.")
    if finding.action == Action.RECREATE:
        conference.meeting_is_gone()
    else:
        conference.present_title = None
        if conference.state == State.FAILED:
            conference.state = State.WANTED
    tx.after(ensure_later(conference.id))


def _delete_later(finding: ProviderFinding) -> Task:
    return Task(kind="delete-orphan", payload={"finding": str(finding.id)}, rank=Rank.URGENT)
