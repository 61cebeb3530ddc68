"""Who is expected at a session, what they answered, and whether enough will be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from conference_orchestrator.flows.inviting import session_uid
from conference_orchestrator.ledger import invitations
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup, MemberRole, Membership
from conference_orchestrator.scheduling import quorum
from conference_orchestrator.scheduling.quorum import Expected, Quorum
from conference_orchestrator.scheduling.sessions import Session

# A coordinator is invited too, and does not count as an expert.
EXPERTS = {MemberRole.LEAD, MemberRole.EXPERT}


def forecasts(found: Sequence[Session]) -> dict[UUID, Quorum]:
    """The quorum of each session as the answers so far promise it."""
    groups = {group.id: group for group in expert_groups.by_ids({s.group_id for s in found})}
    members = expert_groups.members_of(groups)
    answers = invitations.answers_by_person([session_uid(s.id) for s in found])
    return {s.id: _forecast(s, groups[s.group_id], members.get(s.group_id, []), answers) for s in found}


def _forecast(
    of: Session,
    group: ExpertGroup,
    members: Sequence[Membership],
    answers: Mapping[tuple[str, UUID], str | None],
) -> Quorum:
    uid = session_uid(of.id)
    experts = [Expected(m.discipline, answers.get((uid, m.clinician_id))) for m in members if m.role in EXPERTS]
    return quorum.forecast(experts, minimum=group.quorum_minimum, disciplines=group.quorum_disciplines)
