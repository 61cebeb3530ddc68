"""Erasure: a clinician asks to be forgotten. What is personal is emptied, the id stays and says nothing without it.

Nobody is written to: the ledger takes the person's invitations back without a mail, and what waited to be sent is not
sent. The person comes back only by an own registration, as somebody new.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, cast, delete, func, or_, select, update

from conference_orchestrator.flows import contacting, delivering, panels, personal_data
from conference_orchestrator.flows.directory import end_membership, flush
from conference_orchestrator.flows.hosting import issue_later, issue_series_later
from conference_orchestrator.flows.personal_data import ERASED, HOLDINGS, NOT_SENT, Traces, without
from conference_orchestrator.kernel.bookkeeping import SEALED_ANSWER, IdempotencyKey
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, NotFound
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.sealing import unseal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.inbound import InboundMail
from conference_orchestrator.ledger.inbound import State as InboundState
from conference_orchestrator.ledger.invitations import CalendarObject, Invitation, Method
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.series_calendars import SeriesCalendar, SeriesInvitation
from conference_orchestrator.network import clinicians, erased_addresses, expert_groups
from conference_orchestrator.network.clinicians import Clinician, State
from conference_orchestrator.network.contact_messages import ContactMessage
from conference_orchestrator.network.expert_groups import ExpertGroup, Membership
from conference_orchestrator.network.registrations import Registration
from conference_orchestrator.network.tokens import ApiToken
from conference_orchestrator.scheduling import requests
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.requests import ENDED, ConsultationRequest
from conference_orchestrator.scheduling.rosters import Substitute
from conference_orchestrator.scheduling.sessions import Session
from conference_orchestrator.scheduling.webinar_registrations import WebinarRegistration
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest

AT_THE_SAME_TIME = "Something was written about this person at the same time; erase again."


def erase(clinician_id: UUID, *, by: Principal, expected: int | None = None) -> None:
    """Forget the clinician: withdraw what is open, end what goes on, empty what is personal.

    NotFound outside the asker's scope (a clinician's is the own record) and for somebody who is forgotten already,
    Stale when `expected` is not the present version. The helpdesk is told what lost its requester, its contact or has
    to be mended at the provider, without the person's name.
    """
    with transaction() as tx:
        person = in_reach(clinician_id, by=by)
        person.must_match(expected)
        who = personal_data.traces_of(person)
        groups = _to_itself(who, now=tx.now)
        lost = _leave_groups(tx, who, groups, by=by) + _withdraw(tx, who, by=by)
        _look_again(tx, who)
        _tell_helpdesk(tx, who, lost)
        _close_ways_in(tx, who, by=by)
        _leave_out_of_others(who)
        _forget_answers(who)
        _empty(who)
        erased_addresses.add(who.addresses, at=tx.now)
        tx.record("clinician.erase", person, by=by)


def in_reach(clinician_id: UUID, *, by: Principal) -> Clinician:
    """The clinician, of whom the asker may have everything shown or erased; NotFound otherwise, and once erased."""
    is_allowed = by.role in {Role.HELPDESK, Role.SYSTEM} or by.clinician_id == clinician_id
    person = clinicians.get(clinician_id, visible_to=by) if is_allowed else None
    if person is None or person.state == State.ERASED:
        raise NotFound("There is no such clinician.")
    return person


def _to_itself(who: Traces, *, now: datetime) -> Sequence[ExpertGroup]:
    """Lock every group that the erasure concerns, in order, then the person; the groups."""
    groups = [expert_groups.get(one, visible_to=SYSTEM, lock=True) for one in _concerned(who, now=now)]
    clinicians.lock(who.id)
    # Whoever refers to the person from now on waits, and then finds nobody; who was quicker is seen now.
    if set(_concerned(who, now=now)) - {group.id for group in groups}:
        raise Conflict(AT_THE_SAME_TIME)
    return groups


def _concerned(who: Traces, *, now: datetime) -> Sequence[UUID]:
    """The groups with the person as a member, on a coming roster, as an open request's requester or as the contact."""
    of_sessions = select(Session.group_id).where(Session.id.in_(_stepping_in(who, now=now)))
    of_requests = select(ConsultationRequest.group_id).where(*_open_requests(who))
    concerned = [ExpertGroup.id.in_(ids) for ids in (_memberships(who), of_sessions, of_requests)]
    contact = func.lower(ExpertGroup.contact_email).in_(who.addresses)
    return db.session.scalars(select(ExpertGroup.id).where(or_(*concerned, contact)).order_by(ExpertGroup.id)).all()


def _stepping_in(who: Traces, *, now: datetime) -> Select[UUID]:
    """The coming sessions with the person as a substitute."""
    coming = select(Session.id).where(Session.ends_at > now)
    return select(Substitute.session_id).where(Substitute.clinician_id == who.id, Substitute.session_id.in_(coming))


def _leave_groups(tx: Transaction, who: Traces, groups: Sequence[ExpertGroup], *, by: Principal) -> list[str]:
    """End memberships and places on coming rosters; what the helpdesk has to know of it."""
    member_of = set(db.session.scalars(_memberships(who)))
    for group in groups:
        if group.id in member_of:
            end_membership(tx, group, who.id, by=by)
    stepping_in = _stepping_in(who, now=tx.now)
    places = delete(Substitute).where(Substitute.clinician_id == who.id, Substitute.session_id.in_(stepping_in))
    db.session.execute(places)
    without_contact = [one for one in groups if one.contact_email and one.contact_email.lower() in who.addresses]
    for group in without_contact:
        group.contact_email = None
    return [f"{group.name} has no contact address any more: enter another one." for group in without_contact]


def _withdraw(tx: Transaction, who: Traces, *, by: Principal) -> list[str]:
    """Withdraw the open requests, their slots offered on; what the helpdesk has to know of it."""
    lost = []
    open_ones = select(ConsultationRequest.id).where(*_open_requests(who)).order_by(ConsultationRequest.id)
    for request_id in db.session.scalars(open_ones).all():
        request = requests.get(request_id, visible_to=SYSTEM, lock=True)
        if request.state in ENDED:
            continue
        request.withdraw(by=by, at=tx.now)
        panels.let_go(tx, request)
        tx.record("request.withdraw", request, by=by)
        lost.append(f"{request.case_reference} ({request.group.name}) has lost its requester and is withdrawn.")
    return lost


def _look_again(tx: Transaction, who: Traces) -> None:
    """Have the ledger compare who should hold what with who does, where the person holds something or has a place."""
    held = (
        select(Invitation.conference_id)
        .join(CalendarObject, CalendarObject.uid == Invitation.uid)
        .where(Invitation.clinician_id == who.id, Invitation.method == Method.REQUEST, CalendarObject.ends_at > tx.now)
    )
    placed = (
        select(Conference.id)
        .join(WebinarRegistration, WebinarRegistration.webinar_request_id == Conference.webinar_request_id)
        .where(WebinarRegistration.clinician_id == who.id, Conference.ends_at > tx.now)
    )
    tx.after(*map(issue_later, sorted({*db.session.scalars(held), *db.session.scalars(placed)})))
    series = (
        select(SeriesCalendar.series_id)
        .join(SeriesInvitation, SeriesInvitation.uid == SeriesCalendar.uid)
        .where(SeriesInvitation.clinician_id == who.id, SeriesInvitation.method == Method.REQUEST)
    )
    tx.after(*map(issue_series_later, sorted(set(db.session.scalars(series)))))


def _tell_helpdesk(tx: Transaction, who: Traces, lost: Sequence[str]) -> None:
    """What needs a person: no provider of ours takes a speaker off a meeting."""
    speaking = (
        select(Conference.id, WebinarRequest.speakers)
        .join(WebinarRequest, WebinarRequest.id == Conference.webinar_request_id)
        .where(Conference.ends_at > tx.now, Conference.meeting_id.is_not(None))
    )
    made = [one for one, speakers in db.session.execute(speaking) if str(who.id) in speakers]
    told = [*lost, *(f"Remove the speaker who was erased from the meeting of conference {one}." for one in made)]
    if told:
        title = "A clinician was erased"
        delivering.tell_helpdesk(tx, title, " ".join(told), path="/", cause=f"erased:{who.id}")


def _close_ways_in(tx: Transaction, who: Traces, *, by: Principal) -> None:
    """Tokens are revoked, open registrations closed; mails that wait, to the person and from it, are done with."""
    tokens = update(ApiToken).where(ApiToken.clinician_id == who.id, ApiToken.revoked_at.is_(None))
    db.session.execute(tokens.values(revoked_at=tx.now))
    of = {holding.model: holding.of(who) for holding in HOLDINGS}
    for registration in db.session.scalars(select(Registration).where(of[Registration]).with_for_update()):
        registration.close(by=by, at=tx.now)
    # In one statement: what a worker has sent in the meantime stays sent.
    waiting = update(Message).where(of[Message], Message.state.not_in(messages.ENDED))
    suppressed = waiting.values(state=messages.State.SUPPRESSED, last_answer=NOT_SENT, lease_until=None)
    db.session.execute(suppressed, execution_options={"synchronize_session": False})
    seen = update(InboundMail).where(of[InboundMail], InboundMail.state == InboundState.OPEN)
    db.session.execute(seen.values(state=InboundState.DONE, resolved_at=tx.now))


def _leave_out_of_others(who: Traces) -> None:
    """Take the person out of what was told to others, and of notes."""
    asked = select(ContactMessage.id).where(ContactMessage.email.in_(who.addresses))
    causes = [contacting.cause(one) for one in db.session.scalars(asked)]
    for alert in db.session.scalars(select(Message).where(Message.cause.in_(causes))):
        alert.facts = {**alert.facts, "detail": ERASED}
    for message in db.session.scalars(select(Message).where(who.named_in(cast(Message.facts, Text)))):
        message.facts = without(message.facts, who)
    for mail in db.session.scalars(select(InboundMail).where(who.named_in(InboundMail.subject, InboundMail.detail))):
        mail.subject, mail.detail = who.within(mail.subject), who.within(mail.detail)
    for token in db.session.scalars(select(ApiToken).where(who.named_in(ApiToken.name))):
        token.name = who.within(token.name or "")


def _forget_answers(who: Traces) -> None:
    """Let go of answers about the person that are kept for who sends the same again; that the work was done stays."""
    answered = select(IdempotencyKey).where(IdempotencyKey.answer.is_not(None))
    for key in db.session.scalars(answered.execution_options(yield_per=100)):
        if who.is_told_by(unseal(SEALED_ANSWER, key.answer or "") or ""):
            key.status = key.answer = key.headers = None


def _empty(who: Traces) -> None:
    """Delete or empty every row that tells about the person."""
    for holding in HOLDINGS:
        if holding.emptied is None:
            db.session.execute(delete(holding.model).where(holding.of(who)))
            continue
        for row in db.session.scalars(select(holding.model).where(holding.of(who))).all():
            for name, value in holding.emptied.items():
                setattr(row, name, value(row) if callable(value) else value)
        flush(Conflict(AT_THE_SAME_TIME))


def _memberships(who: Traces) -> Select[UUID]:
    return select(Membership.group_id).where(Membership.clinician_id == who.id, Membership.until_on.is_(None))


def _open_requests(who: Traces) -> tuple[ColumnElement[bool], ...]:
    ended = [str(state) for state in ENDED]
    return ConsultationRequest.requester_id == who.id, ConsultationRequest.state.not_in(ended)
