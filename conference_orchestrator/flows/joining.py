"""Joining a network: register, confirm the address, be activated or refused by the helpdesk.

Whoever registers gets the same answer, known or not; what differs is the mail, and that goes to the address's owner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from conference_orchestrator.flows import delivering, entries, fields, people
from conference_orchestrator.flows.directory import assign, find_network, flush
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.bookkeeping import RateCount
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.errors import Conflict, NotFound, NotPermitted
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger.messages import Recipient
from conference_orchestrator.network import clinicians, erased_addresses, networks, notices, registrations, sharing
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.networks import ListStyle, Network
from conference_orchestrator.network.notices import Kind, Notice
from conference_orchestrator.network.registrations import Registration, State
from conference_orchestrator.notify import kinds

CONFIRM_WITHIN = timedelta(days=7)
# Anonymous forms make mails to addresses that somebody typed: nobody's mailbox may be filled by them.
MAILS_PER_ADDRESS, MAILS_WITHIN = 3, timedelta(hours=1)
HIGHEST_REASON = 2000


def register(entered: Mapping[str, Any]) -> None:
    """Apply to a network. The outcome is told by mail alone, so nobody learns here who is known.

    A new applicant gets a link that confirms the address, an open application gets it again, an active clinician the
    instructions again; no account changes. After three mails to one address within an hour it stays silent: the
    application is kept, and registering again later sends the link. Invalid for an unknown network or hospital, for
    what is no address, and for a privacy statement that is not the one in force.
    """
    applicant = fields.read(entered, entries.REGISTRATION)
    with transaction() as tx:
        network = networks.find(applicant["network"])
        statement = notices.privacy_statement(
            applicant["privacy_version"], network_id=network.id, language=applicant["language"], at=tx.now
        )
        values = people.columns(applicant, people.place_of(applicant))
        mails = _mails_to(values["email"], at=tx.now)
        person = clinicians.by_email(values["email"])
        if person is not None and people.is_active_in(person, network):
            if mails <= MAILS_PER_ADDRESS:
                tx.after(_welcome_task(person, network, f"registered-again:{person.id}:{rfc3339(tx.now)}:{mails}"))
            return
        registration = _open_registration(values, network, at=tx.now)
        people.accept(statement, means="registration form", at=tx.now, registration=registration.id)
        if mails <= MAILS_PER_ADDRESS:
            _ask_to_confirm(tx, registration, network, statement, number=mails)


def confirmation(token: str) -> Registration:
    """What the link of the mail is about; changes nothing. NotFound for a wrong link and one older than 7 days."""
    return _of_link(token, now=ports.clock().now())


def confirm(token: str) -> Registration:
    """The address is the applicant's: the helpdesk has 24 hours. A second time changes nothing."""
    with transaction() as tx:
        registration = _of_link(token, now=tx.now, lock=True)
        if registration.state == State.ADDRESS_PENDING:
            registration.confirm(at=tx.now)
            _tell_desk(tx, registration, "New registration to decide", cause="registration-pending")
    return registration


def activate(registration_id: UUID, *, by: Principal, expected: int | None = None) -> Registration:
    """Let the applicant in: a new clinician, or a known one who joins another network and keeps the own data.

    Who asked to be forgotten comes back by this, as somebody new.
    RuleBroken unless the address is confirmed and nothing is decided, Stale when `expected` is not the version.
    """
    with transaction() as tx:
        registration = registrations.get(registration_id, visible_to=by, lock=True)
        registration.must_match(expected)
        registration.must_be_pending()
        network = networks.get(registration.network_id)
        erased_addresses.take_back(registration.email)
        person = clinicians.by_email(registration.email) or people.from_registration(registration)
        people.join(person, network, at=tx.now)
        flush(Conflict("Another registration of this address was activated just now; activate this one again."))
        registration.activate(person.id, by=by, at=tx.now)
        people.hand_over_acceptances(registration, person)
        tx.record("registration.activate", person, by=by)
        _welcome(tx, person, network, cause=f"registration:{registration.id}")
    return registration


def refuse(registration_id: UUID, reason: str, *, by: Principal, expected: int | None = None) -> Registration:
    """Turn the applicant down and tell why. RuleBroken unless the registration is pending."""
    values = fields.read({"reason": reason}, {"reason": fields.Field(fields.text(HIGHEST_REASON))})
    with transaction() as tx:
        registration = registrations.get(registration_id, visible_to=by, lock=True)
        registration.must_match(expected)
        registration.refuse(values["reason"], by=by, at=tx.now)
        tx.record("registration.refuse", registration, by=by)
        facts = kinds.RegistrationRefused(
            network_name=networks.get(registration.network_id).name, reason=values["reason"]
        )
        delivering.tell(
            tx, delivering.draft(facts, to=_applicant(registration), cause=f"registration:{registration.id}")
        )
    return registration


def enter(entered: Mapping[str, Any], *, by: Principal) -> Clinician:
    """The helpdesk enters somebody, active at once. Conflict for a known address, and for one that was erased.

    Who accepted the privacy statement (`privacy_version`, then the one in force) gets the instructions and the list;
    without it nothing is sent.
    """
    values = fields.read(entered, entries.CLINICIAN)
    with transaction() as tx:
        network = find_network(values["network"], by=by)
        if clinicians.by_email(values["email"]) is not None:
            raise Conflict(f"{values['email']} belongs to a clinician who is known already.")
        person, _ = people.store_clinician(values, people.place_of(values))
        people.join(person, network, at=tx.now)
        flush(Conflict(f"{values['email']} belongs to a clinician who is known already."))
        tx.record("clinician.enter", person, by=by)
        if values["privacy_version"] is not None:
            statement = notices.privacy_statement(
                values["privacy_version"], network_id=network.id, language=person.language, at=tx.now
            )
            people.accept(statement, means=f"entered by {by}", at=tx.now, clinician=person.id)
            _welcome(tx, person, network, cause=f"entered:{person.id}")
    return person


def change(clinician_id: UUID, changes: Mapping[str, Any], *, by: Principal, expected: int | None = None) -> Clinician:
    """Change the fields that are named: the helpdesk anybody's, everybody the own ones but the e-mail address.

    NotFound for somebody else's record and for who was erased, NotPermitted for the own address, Conflict for an
    address that is known or whose owner asked to be forgotten, Stale when `expected` is not the present version.
    """
    is_desk = by.role in {Role.HELPDESK, Role.SYSTEM}
    if not is_desk and by.clinician_id != clinician_id:
        raise NotFound("There is no such clinician.")
    if not is_desk and "email" in changes:
        raise NotPermitted("Ask the helpdesk to change your e-mail address.")
    values = fields.read(changes, entries.PERSON, partial=True)
    with transaction() as tx:
        person = clinicians.get(clinician_id, visible_to=by)
        if person.state == clinicians.State.ERASED:
            raise NotFound("There is no such clinician.")
        person.must_match(expected)
        known = clinicians.by_email(values["email"]) if "email" in values else None
        if known is not None and known.id != person.id:
            raise Conflict(f"{values['email']} belongs to another clinician.")
        if "email" in values:
            people.must_not_be_forgotten(values["email"])
        assign(person, people.changed_columns(values))
        flush(Conflict(f"{person.email} belongs to another clinician."))
        tx.record("clinician.change", person, by=by)
    return person


def send_instructions(clinician_id: UUID, network_id: UUID, *, cause: str) -> None:
    """Send the instructions and the list to a clinician who is active in the network; for one cause only once."""
    with transaction() as tx:
        person, network = clinicians.get(clinician_id, visible_to=SYSTEM), networks.get(network_id)
        if people.is_active_in(person, network):
            _welcome(tx, person, network, cause=cause)


def escalate() -> None:
    """The timer's question: alert the helpdesk, once each, to registrations that it should have decided by now."""
    with transaction() as tx:
        for registration in registrations.overdue(at=tx.now):
            registration.escalated_at = tx.now
            _tell_desk(tx, registration, "A registration is overdue", cause="registration-overdue")


def _open_registration(values: Mapping[str, Any], network: Network, *, at: datetime) -> Registration:
    """The open registration of the address, made now when there is none.

    One that waits for the helpdesk or for the click stays as it was entered, since anybody could enter it again. One
    whose link has expired is begun anew.
    """
    row = {**values, "network_id": network.id, "submitted_at": at}
    is_new = db.session.scalar(insert_new(Registration).values(row).returning(Registration.id)) is not None
    registration = registrations.open_for(network.id, values["email"])
    if registration is None:
        raise Conflict("Please send the form once more.")
    if not is_new and registration.state == State.ADDRESS_PENDING and _has_expired(registration, now=at):
        assign(registration, {**values, "submitted_at": at})
    return registration


def _mails_to(email: str, *, at: datetime) -> int:
    """How many mails anonymous forms have caused to the address within the hour, this one included."""
    subject = hashlib.sha256(f"mail:{email}".encode()).hexdigest()
    minute = at.replace(second=0, microsecond=0)
    db.session.execute(insert_new(RateCount).values(subject=subject, window_at=minute, count=0))
    # The update holds the row until the commit, so those who ask at the same time count one after the other.
    this_minute = (RateCount.subject == subject, RateCount.window_at == minute)
    db.session.execute(update(RateCount).where(*this_minute).values(count=RateCount.count + 1))
    within = (RateCount.subject == subject, RateCount.window_at >= minute - MAILS_WITHIN)
    return db.session.scalar(select(func.sum(RateCount.count)).where(*within)) or 0


def _of_link(token: str, *, now: datetime, lock: bool = False) -> Registration:
    registration = registrations.to_confirm(links.subject_of("confirm", token), lock=lock)
    if _has_expired(registration, now=now):
        raise NotFound("This link has expired. Register again to get a new one.")
    return registration


def _has_expired(registration: Registration, *, now: datetime) -> bool:
    return now >= registration.submitted_at + CONFIRM_WITHIN


def _applicant(registration: Registration) -> Recipient:
    return Recipient(
        address=registration.email,
        name=registration.name,
        language=registration.language,
        time_zone=registration.time_zone,
        clinician_id=registration.clinician_id,
    )


def _ask_to_confirm(
    tx: Transaction, registration: Registration, network: Network, statement: Notice, *, number: int
) -> None:
    sheet = notices.for_reader(Kind.FACTSHEET, network_id=network.id, language=registration.language, at=tx.now)
    facts = kinds.RegistrationReceived(
        network_name=network.name,
        given_name=registration.given_name,
        confirm_url="",
        privacy=kinds.PrivacyStatement(
            title=statement.title, url=links.url(f"/notices/{statement.id}"), version=statement.notice_version
        ),
        factsheet=kinds.Factsheet(title=sheet.title, url=links.url(f"/notices/{sheet.id}")) if sheet else None,
    )
    cause = f"registration:{registration.id}:{rfc3339(tx.now)}:{number}"
    delivering.tell(
        tx,
        delivering.draft(
            facts, to=_applicant(registration), cause=cause, link_subject=registration.id, rank=Rank.URGENT
        ),
    )


def _welcome_task(person: Clinician, network: Network, cause: str) -> Task:
    """The list is read later: an answer that took longer for a known address would tell that it is known."""
    return Task(
        kind="send-instructions", payload={"clinician": str(person.id), "network": str(network.id), "cause": cause}
    )


def _welcome(tx: Transaction, person: Clinician, network: Network, *, cause: str) -> None:
    """The instructions with the participant list, or with a link to it where the network wants only that."""
    with_list = network.participant_list == ListStyle.ATTACHMENT
    facts = kinds.RegistrationActivated(
        network_name=network.name,
        instructions=_instructions(network, language=person.language, at=tx.now),
        participants=_participants(network) if with_list else (),
        list_url=None if with_list else links.url(f"/participants?network={network.code}"),
        sender_address=delivering.to_helpdesk().address,
    )
    delivering.tell(tx, delivering.draft(facts, to=delivering.to_clinician(person), cause=cause))


def _participants(network: Network) -> tuple[kinds.ParticipantLine, ...]:
    return tuple(
        kinds.ParticipantLine(
            country=shown.country, hospital=shown.hospital, name=shown.name, email=shown.email, phone=shown.phone
        )
        for shown in sharing.participant_list(network.id)
    )


def _instructions(network: Network, *, language: str, at: datetime) -> kinds.Instructions:
    notice = notices.for_reader(Kind.INSTRUCTIONS, network_id=network.id, language=language, at=at)
    if notice is None or notice.body is None:
        where = f"\n\n{links.url(f'/notices/{notice.id}')}" if notice else ""
        return kinds.Instructions(title="Instructions", body=f"You will be invited by e-mail.{where}")
    return kinds.Instructions(title=notice.title, body=notice.body)


def _tell_desk(tx: Transaction, registration: Registration, title: str, *, cause: str) -> None:
    network = networks.get(registration.network_id)
    due = rfc3339(registration.due_at) if registration.due_at else "now"
    delivering.tell_helpdesk(
        tx,
        title,
        f"{registration.name}, {registration.hospital_name}, {registration.country}, applies to {network.name}. "
        f"Activate or refuse the registration by {due}.",
        path="/",
        cause=f"{cause}:{registration.id}",
    )
