"""Answers: what a person says to an invitation, through the link in the mail or by a reply of the calendar program.

Where the places of a webinar are limited, accepting registers for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import entering, registering, series_answering
from conference_orchestrator.flows.registering import Place
from conference_orchestrator.flows.series_answering import HeldSeries
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import UNREGISTERED, Answer, CalendarObject, Invitation, Method
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling import conferences, webinar_requests, wording
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest


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


@dataclass(frozen=True)
class Held:
    """An invitation that is answered now, locked against others who would; `request` where one has to register.

    `date`: the same as a date of the series, for who holds that as one object.
    """

    view: InvitationView
    object: CalendarObject
    request: WebinarRequest | None
    date: HeldSeries | None

    @property
    def name(self) -> str:
        """What is answered, as the helpdesk reads it."""
        return f"{self.view.title}, {wording.moment(self.object.starts_at, 'UTC')} UTC"

    @property
    def conference_id(self) -> UUID:
        """Which conference it is about."""
        return self.view.invitation.conference_id

    @property
    def sequence(self) -> int:
        """The highest SEQUENCE that was sent."""
        return self.object.sequence

    @property
    def time_sequence(self) -> int:
        """An answer with a lower SEQUENCE was to another time."""
        return self.object.time_sequence

    @property
    def kept(self) -> Invitation:
        """The row that keeps the answer."""
        return self.view.invitation

    def obstacle(self, *, now: datetime) -> str | None:
        """Why nothing can be answered any more; None while it can."""
        return _ended(self.kept, self.object, self.view.conference, now=now)

    def take(
        self, tx: Transaction, said: Answer, *, sequence: int | None = None, stamp: datetime | None = None
    ) -> None:
        """The answer counts from now on; SEQUENCE and DTSTAMP are those of one that came by mail."""
        row = self.kept
        if self.date is not None:
            # The SEQUENCE is that of another object.
            self.date.take(tx, said)
        row.answer, row.answered_at, row.answered_sequence, row.answered_stamp = said, tx.now, sequence, stamp
        if self.request is not None and self.view.place is not None:
            registering.heed(tx, self.request, row.clinician_id, said)


def hold(invitation_id: UUID) -> Held:
    """Lock the invitation and what it is about, in the order of everybody: series, request, object, invitation.

    The object's lock, which all who answer share, lets nobody answer to a time that is being changed at this moment.
    """
    found = invitations.get(invitation_id)
    conference = conferences.get(found.conference_id, visible_to=SYSTEM)
    date = None
    if found.carried and conference.session_id is not None:
        date = series_answering.hold_date(conference.session_id, found.clinician_id)
    request = registering.hold(conference)
    state = _steady_object(found.uid)
    if date is not None and date.window != (state.starts_at, state.ends_at):
        date = None  # of the two one tells the time before a move still
    return Held(_view(invitations.get(invitation_id, lock=True), state), state, request, date)


def answer(token: str, said: Answer) -> InvitationView:
    """Accept, decline or answer tentatively; the latest answer counts. RuleBroken when it is cancelled or over."""
    invitation_id = links.subject_of("answer", token)
    with transaction() as tx:
        held = hold(invitation_id)
        if ended := held.obstacle(now=tx.now):
            raise RuleBroken(f"This invitation is {ended}: there is nothing to answer any more.")
        held.take(tx, said)
    return held.view


def _steady_object(uid: str) -> CalendarObject:
    statement = select(CalendarObject).where(CalendarObject.uid == uid).with_for_update(read=True)
    return db.session.scalars(statement.execution_options(populate_existing=True)).one()


def _ended(found: Invitation, state: CalendarObject, conference: Conference, *, now: datetime) -> str | None:
    if found.method == Method.CANCEL or not conference.is_wanted:
        return "cancelled"
    return "over" if state.ends_at <= now else None


def _view(found: Invitation, state: CalendarObject) -> InvitationView:
    person = clinicians.by_ids([found.clinician_id]).get(found.clinician_id)
    if person is None:
        raise NotFound("This link is not valid any more.")
    conference = conferences.get(found.conference_id, visible_to=SYSTEM)
    standing = _ended(found, state, conference, now=ports.clock().now()) or "open"
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
