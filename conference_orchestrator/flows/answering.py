"""Answers: what a person says to an invitation, through the link in the mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import Answer, CalendarObject, Invitation, Method
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling import conferences
from conference_orchestrator.scheduling.conferences import Conference


@dataclass(frozen=True, kw_only=True)
class InvitationView:
    """What the person sees: `state` is open, cancelled or over; the link is there only while it is open."""

    invitation: Invitation
    clinician: Clinician
    conference: Conference
    title: str
    role: str
    case_reference: str | None
    starts_at: datetime
    ends_at: datetime
    join_url: str | None
    state: str


def invitation(token: str) -> InvitationView:
    """The invitation behind the link. NotFound for a word that was not made here."""
    found = invitations.get(links.subject_of("answer", token))
    return _view(found, invitations.state_of(found.uid))


def answer(token: str, said: Answer) -> InvitationView:
    """Accept, decline or answer tentatively; the latest answer counts. RuleBroken when it is cancelled or over."""
    with transaction() as tx:
        found = invitations.get(links.subject_of("answer", token), lock=True)
        view = _view(found, invitations.state_of(found.uid))
        if view.state != "open":
            raise RuleBroken(f"This invitation is {view.state}: there is nothing to answer any more.")
        found.answer, found.answered_at = said, tx.now
    return view


def _view(found: Invitation, state: CalendarObject) -> InvitationView:
    person = clinicians.by_ids([found.clinician_id]).get(found.clinician_id)
    if person is None:
        raise NotFound("This link is not valid any more.")
    conference = conferences.get(found.conference_id, visible_to=SYSTEM)
    if found.method == Method.CANCEL or not conference.is_wanted:
        standing = "cancelled"
    else:
        standing = "over" if state.ends_at <= ports.clock().now() else "open"
    return InvitationView(
        invitation=found,
        clinician=person,
        conference=conference,
        title=state.group_name or state.topic or "",
        role=found.role,
        case_reference=state.case_reference,
        starts_at=state.starts_at,
        ends_at=state.ends_at,
        join_url=conference.link_for_people if standing == "open" else None,
        state=standing,
    )
