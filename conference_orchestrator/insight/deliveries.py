"""Which messages an asker may look at: the helpdesk all, others those of their own events or to themselves."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, false, or_, select, true

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.series_calendars import SeriesCalendar, SeriesInvitation
from conference_orchestrator.network.clinicians import ClinicianNetwork
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest


def listed(
    paging: Paging,
    *,
    visible_to: Principal,
    conference_id: UUID | None = None,
    clinician_id: UUID | None = None,
    state: str | None = None,
) -> Page[Message]:
    """The messages within the asker's scope, in the order in which they were written."""
    statement = _scoped(visible_to)
    if conference_id is not None:
        statement = statement.where(Message.conference_id == conference_id)
    if clinician_id is not None:
        statement = statement.where(Message.clinician_id == clinician_id)
    if state is not None:
        statement = statement.where(Message.state == state)
    return page(statement, paging, by=[Message.created_at, Message.id])


def get(message_id: UUID, *, visible_to: Principal) -> Message:
    """The message with that id, or NotFound outside the asker's scope."""
    found = db.session.scalar(_scoped(visible_to).where(Message.id == message_id))
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def _scoped(by: Principal) -> Select[Message]:
    statement = select(Message)
    if by.network_id is not None:
        member = select(ClinicianNetwork.clinician_id).where(ClinicianNetwork.network_id == by.network_id)
        here = _of_conference(Conference.network_id == by.network_id)
        # What belongs to a conference belongs to its network; other mail to the networks of the person.
        statement = statement.where(
            or_(here, (Message.conference_id.is_(None)) & Message.clinician_id.in_(member)),
        )
    return statement.where(_own(by))


def _own(by: Principal) -> ColumnElement[bool]:
    match by.role:
        case Role.HELPDESK | Role.AUDITOR | Role.SYSTEM:
            return true()
        case Role.CLINICIAN:
            return Message.clinician_id == by.clinician_id
        case Role.COORDINATOR:
            of_session = exists().where(Session.id == Conference.session_id, Session.group_id == by.group_id)
            # Of a round that somebody holds as one entry there are mails that belong to no conference.
            to_series = (
                select(SeriesInvitation.id)
                .join(SeriesCalendar, SeriesCalendar.uid == SeriesInvitation.uid)
                .join(Series, Series.id == SeriesCalendar.series_id)
                .where(Series.group_id == by.group_id)
            )
            return or_(_of_conference(of_session), Message.link_subject.in_(to_series))
        case Role.REFERENCE_CENTRE:
            return _of_conference(
                exists().where(
                    WebinarRequest.id == Conference.webinar_request_id, WebinarRequest.hospital_id == by.hospital_id
                )
            )
        case _:
            return false()


def _of_conference(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return Message.conference_id.in_(select(Conference.id).where(condition))
