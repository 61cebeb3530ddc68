"""Where data about a person lies: how the rows of each table belong to the person, and what an erasure leaves of them.

Erasure and access export read the same tables. Every model with a personal column stands in `HOLDINGS`, every other one
that names a clinician in `LINKS`: their rows stay under the id, which says nothing without the record. Tests fail for a
model that is forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select

from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.ledger.inbound import InboundMail
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.messages import State as MessageState
from conference_orchestrator.ledger.reminders import Reminder
from conference_orchestrator.ledger.series_calendars import OccurrenceAnswer, SeriesInvitation
from conference_orchestrator.ledger.suppressions import Suppression
from conference_orchestrator.network.clinicians import Clinician, ClinicianAddress, ClinicianNetwork, State
from conference_orchestrator.network.contact_messages import ContactMessage
from conference_orchestrator.network.expert_groups import Membership
from conference_orchestrator.network.feeds import Feed
from conference_orchestrator.network.notices import NoticeAcceptance
from conference_orchestrator.network.registrations import Registration
from conference_orchestrator.network.tokens import ApiToken
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling.attendances import Attendance
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.rosters import Absence, Substitute
from conference_orchestrator.scheduling.webinar_registrations import WebinarRegistration
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest

NOT_SENT = "not sent: the clinician was erased"
# What stands in the place of a name or an address that another person's mail told.
ERASED = "(erased)"
# Of what is told of an event these facts are about the person; the others are the organisers'.
OWN_FACTS = {"answer_url", "attendee_status", "reason", "case_reference"}
LINE = {field.name for field in fields(kinds.ParticipantLine)}
EVENT_FACTS = {field.name for field in fields(kinds.EventFacts)} - OWN_FACTS


@dataclass(frozen=True, kw_only=True)
class Traces:
    """By what a person is found: the id, and each address, name and telephone number that was kept of the person."""

    id: UUID
    addresses: frozenset[str]
    names: frozenset[str]
    phones: frozenset[str]

    def within(self, text: str) -> str:
        """The text without the person's names and addresses."""
        return self._pattern.sub(ERASED, text)

    def named_in(self, *columns: Any) -> ColumnElement[bool]:
        """Whether one of the columns, of text, may hold a name or an address of the person, also as JSON writes it."""
        told = sorted(self._spelt)
        return or_(*[column.icontains(one, autoescape=True) for column in columns for one in told])

    def is_told_by(self, answer: str) -> bool:
        """Whether an answer of the API, as it was sent, is about the person."""
        lowered = answer.lower()
        return any(one.lower() in lowered for one in (str(self.id), *self._spelt))

    @property
    def _spelt(self) -> set[str]:
        return {spelt for one in (*self.addresses, *self.names) for spelt in (one, json.dumps(one)[1:-1])}

    @property
    def _pattern(self) -> re.Pattern[str]:
        # "Ana Lopes" is no part of "Joana Lopes", nor "ana@x.example" of "joana@x.example" or "ana@x.example.org".
        addresses = [rf"{re.escape(one)}(?!\.?[\w-])" for one in self.addresses]
        names = [rf"{re.escape(one)}(?![\w-])" for one in sorted(self.names, key=len, reverse=True)]
        return re.compile(rf"(?<![\w.+-])(?:{'|'.join(addresses + names)})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Holding:
    """How the rows of a table belong to a person, and what an erasure puts into their columns (None: it deletes them).

    A value may be a function of the row. `hidden` columns are in no export.
    """

    model: type[Model]
    of: Callable[[Traces], ColumnElement[bool]]
    emptied: Mapping[str, Any] | None = None
    hidden: frozenset[str] = frozenset()


def no_address(row: Any) -> str:
    """An address that nobody has, another one for each row."""
    return f"{row.id}@erased.invalid"


def _left_of_facts(row: Message) -> dict[str, Any]:
    """Of an event what the organisers say of it: its time, its link, its name; of other mails nothing."""
    kind = kinds.KINDS.get(row.kind)
    is_event = kind is not None and issubclass(kind, kinds.EventFacts)
    return {name: value for name, value in row.facts.items() if is_event and name in EVENT_FACTS}


def _left_of_checklist(row: ConsultationRequest) -> dict[str, Any]:
    """Flags and counts; what somebody wrote goes."""
    return {code: value for code, value in row.checklist.items() if not isinstance(value, str)}


PROFILE: Mapping[str, Any] = {
    "given_name": "",
    "family_name": "",
    "email": no_address,
    "phone": None,
    "hospital_id": None,
    "hospital_name": "",
    "country": "",
    "profession": "",
    "specialties": lambda _: [],
    "language": "en",
    "time_zone": "UTC",
    "share": lambda _: [],
}

HOLDINGS = (
    Holding(
        model=Registration,
        of=lambda who: or_(Registration.clinician_id == who.id, Registration.email.in_(who.addresses)),
        emptied={**PROFILE, "reason": None},
    ),
    Holding(model=ContactMessage, of=lambda who: ContactMessage.email.in_(who.addresses)),
    Holding(model=ClinicianAddress, of=lambda who: ClinicianAddress.clinician_id == who.id),
    Holding(model=Suppression, of=lambda who: Suppression.address.in_(who.addresses)),
    Holding(model=Absence, of=lambda who: Absence.clinician_id == who.id),
    Holding(model=Feed, of=lambda who: Feed.clinician_id == who.id, hidden=frozenset({"sha256"})),
    Holding(
        model=ApiToken,
        of=lambda who: ApiToken.clinician_id == who.id,
        emptied={"name": None},
        hidden=frozenset({"sha256"}),
    ),
    Holding(
        model=ConsultationRequest,
        of=lambda who: ConsultationRequest.requester_id == who.id,
        emptied={"question": "", "checklist": _left_of_checklist, "reason": None},
    ),
    Holding(
        model=Message,
        of=lambda who: or_(Message.clinician_id == who.id, func.lower(Message.address).in_(who.addresses)),
        emptied={
            "address": no_address,
            "name": "",
            "language": "en",
            "time_zone": "UTC",
            "facts": _left_of_facts,
            "last_answer": lambda row: NOT_SENT if row.state == MessageState.SUPPRESSED else None,
        },
        hidden=frozenset({"references", "is_open", "worker", "lease_until"}),
    ),
    Holding(
        model=InboundMail,
        of=lambda who: or_(InboundMail.clinician_id == who.id, func.lower(InboundMail.address).in_(who.addresses)),
        emptied={"address": None, "subject": "", "detail": "", "message_id": None},
        hidden=frozenset({"mailbox", "validity", "number"}),
    ),
    Holding(
        model=Attendance,
        of=lambda who: or_(
            Attendance.clinician_id == who.id,
            func.lower(Attendance.email).in_(who.addresses),
            and_(Attendance.clinician_id.is_(None), Attendance.email.is_(None), Attendance.name.in_(who.names)),
        ),
        emptied={"name": "", "email": None},
    ),
    # The record itself comes last: whoever writes a row that refers to it waits for its lock.
    Holding(model=Clinician, of=lambda who: Clinician.id == who.id, emptied={**PROFILE, "state": State.ERASED}),
)

# Rows that stay as they are: they say what the person with that id did, and the record of that id is empty.
LINKS: Mapping[type[Model], Callable[[Traces], ColumnElement[bool]]] = {
    ClinicianNetwork: lambda who: ClinicianNetwork.clinician_id == who.id,
    Membership: lambda who: Membership.clinician_id == who.id,
    Substitute: lambda who: Substitute.clinician_id == who.id,
    Invitation: lambda who: Invitation.clinician_id == who.id,
    SeriesInvitation: lambda who: SeriesInvitation.clinician_id == who.id,
    OccurrenceAnswer: lambda who: OccurrenceAnswer.clinician_id == who.id,
    Reminder: lambda who: Reminder.clinician_id == who.id,
    WebinarRequest: lambda who: WebinarRequest.requester_id == who.id,
    WebinarRegistration: lambda who: WebinarRegistration.clinician_id == who.id,
    NoticeAcceptance: lambda who: NoticeAcceptance.clinician_id == who.id,
}


def traces_of(person: Clinician) -> Traces:
    """All that the rows about the person call it by; an address that is another one's by now is left out."""
    further = select(ClinicianAddress.email).where(ClinicianAddress.clinician_id == person.id)
    addresses = {person.email, *db.session.scalars(further)}
    told = select(Message.address, Message.name).where(Message.clinician_id == person.id).distinct()
    mails = db.session.execute(told).all()
    applied = select(Registration).where(or_(Registration.clinician_id == person.id, Registration.email.in_(addresses)))
    registrations = db.session.scalars(applied).all()
    addresses |= {address.lower() for address, _ in mails} | {one.email for one in registrations}
    return Traces(
        id=person.id,
        addresses=frozenset(addresses - _of_others(person.id, addresses)),
        names=_said(person.name, *(name for _, name in mails), *(one.name for one in registrations)),
        phones=_said(person.phone, *(one.phone for one in registrations)),
    )


def without(facts: Any, who: Traces) -> Any:
    """What a mail to somebody else tells, without the person: its line of a list of people, its names in texts."""
    if isinstance(facts, dict):
        # Somebody of the same name has another address, and a line of the own.
        return dict(facts) if _is_line(facts) else {name: without(value, who) for name, value in facts.items()}
    if isinstance(facts, list):
        return [without(one, who) for one in facts if not (_is_line(one) and _is_line_of(who, one))]
    return who.within(facts) if isinstance(facts, str) else facts


def _is_line(fact: Any) -> bool:
    """Whether it is a line of a participant list."""
    return isinstance(fact, dict) and fact.keys() >= LINE


def _is_line_of(who: Traces, line: Mapping[str, str | None]) -> bool:
    if line["email"] is not None:
        return line["email"].lower() in who.addresses
    return line["name"] in who.names or line["phone"] in who.phones


def _of_others(person_id: UUID, addresses: Iterable[str]) -> set[str]:
    asked = list(addresses)
    own = select(Clinician.email).where(Clinician.email.in_(asked), Clinician.id != person_id)
    further = select(ClinicianAddress.email).where(
        ClinicianAddress.email.in_(asked), ClinicianAddress.clinician_id != person_id
    )
    return {delivering.to_helpdesk().address, *db.session.scalars(own), *db.session.scalars(further)}


def _said(*texts: str | None) -> frozenset[str]:
    return frozenset(text.strip() for text in texts if text and text.strip())
