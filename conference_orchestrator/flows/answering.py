"""Answers: what a person says to an invitation, through the link in the mail.

Where the places of a webinar are limited, accepting registers for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from conference_orchestrator.flows import entering, registering
from conference_orchestrator.flows.registering import Place
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import UNREGISTERED, Answer, CalendarObject, Invitation, Method
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling import conferences, webinar_requests
from conference_orchestrator.scheduling.conferences import Conference


@dataclass(frozen=True, kw_only=True)
class InvitationView:
    """What the person sees: `state` is open, cancelled or over; the link is there only while it is open.

    `place` is None unless one has to register; then the link comes with the place.
    """

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
    place: Place | None
    materials_url: str | None


def invitation(token: str) -> InvitationView:
    """The invitation behind the link. NotFound for a word that was not made here."""
    found = invitations.get(links.subject_of("answer", token))
    return _view(found, invitations.state_of(found.uid))


def answer(token: str, said: Answer) -> InvitationView:
    """Accept, decline or answer tentatively; the latest answer counts. RuleBroken when it is cancelled or over."""
    invitation_id = links.subject_of("answer", token)
    with transaction() as tx:
        request = registering.hold(conferences.get(invitations.get(invitation_id).conference_id, visible_to=SYSTEM))
        found = invitations.get(invitation_id, lock=True)
        view = _view(found, invitations.state_of(found.uid))
        if view.state != "open":
            raise RuleBroken(f"This invitation is {view.state}: there is nothing to answer any more.")
        found.answer, found.answered_at = said, tx.now
        if request is not None and view.place is not None:
            registering.heed(tx, request, found.clinician_id, said)
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
    request_id = conference.webinar_request_id
    request = webinar_requests.get(request_id, visible_to=SYSTEM) if request_id else None
    place = registering.place_of(request, person.id) if request else None
    may_join = standing == "open" and (place is None or place.is_held)
    return InvitationView(
        invitation=found,
        clinician=person,
        conference=conference,
        title=state.group_name or state.topic or "",
        role="audience" if found.role == UNREGISTERED else found.role,
        case_reference=state.case_reference,
        starts_at=state.starts_at,
        ends_at=state.ends_at,
        join_url=entering.link_of(found, conference) if may_join else None,
        state=standing,
        place=place,
        materials_url=request.materials_url if request and may_join else None,
    )
