"""Places of a webinar: accepting takes one while there are any, the others wait in line; and the registration page.

Whoever counts places has locked the webinar request before: the last place is given once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from conference_orchestrator.flows import bookkeeping, hosting
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.network import clinicians
from conference_orchestrator.scheduling import webinar_registrations, webinar_requests
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.webinar_registrations import State
from conference_orchestrator.scheduling.webinar_requests import State as RequestState
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest

PURPOSE = "webinar"
# Anonymous forms make mails to addresses that somebody typed: nobody's mailbox may be filled by them.
MAILS_PER_ADDRESS, MAILS_WITHIN = 3, timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Place:
    """How somebody stands with a webinar of limited places: has one, waits in line (from 1 on), or neither."""

    is_held: bool = False
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class Registrations:
    """How many have a place, how many wait for one, and how many places there are (None: no limit)."""

    registered: int
    waiting: int
    capacity: int | None


@dataclass(frozen=True, kw_only=True)
class RegistrationPage:
    """What the page behind the registration link shows: `state` is open, cancelled or over."""

    request: WebinarRequest
    state: str


def url(request: WebinarRequest) -> str | None:
    """The address of the registration page; None before the approval, and for what is not held."""
    is_held = request.state == RequestState.APPROVED
    return links.url(f"/w/{links.token(PURPOSE, request.id)}") if is_held else None


def page(token: str) -> RegistrationPage:
    """What the registration link is about. NotFound for a word that was not made here."""
    request = webinar_requests.get(links.subject_of(PURPOSE, token), visible_to=SYSTEM)
    if request.state not in {RequestState.APPROVED, RequestState.CANCELLED}:
        raise NotFound("This link is not valid.")
    if request.state == RequestState.CANCELLED:
        return RegistrationPage(request=request, state="cancelled")
    return RegistrationPage(request=request, state="over" if request.is_over(ports.clock().now()) else "open")


def ask(token: str, email: str) -> None:
    """Invite the owner of the address, once. The outcome is told by mail alone, so nobody learns here who is known.

    Only a clinician who is active in one of the hospital's networks is invited, in the audience or not. After three
    calls for one address within an hour it stays silent. Invalid for what is no address, RuleBroken when the webinar is
    cancelled or over.
    """
    address = clinicians.canonical(email)
    found = page(token)
    if found.state != "open":
        raise RuleBroken(f"This {found.request.kind} is {found.state}: nobody is invited any more.")
    subject = hashlib.sha256(f"mail:{address}".encode()).hexdigest()
    calls, _ = bookkeeping.count(subject, window=MAILS_WITHIN)
    with transaction() as tx:
        request = webinar_requests.get(found.request.id, visible_to=SYSTEM)
        person = clinicians.by_email(address)
        own = {network.id for network in request.hospital.networks}
        is_known = person is not None and person.state == clinicians.State.ACTIVE
        if person is None or not is_known or not own & {place.network_id for place in person.networks}:
            return
        # Anybody can type any address: where places are limited the owner takes one by accepting.
        state = State.REGISTERED if request.capacity is None else State.WITHDRAWN
        if calls <= MAILS_PER_ADDRESS and webinar_registrations.enter(request.id, person.id, state, at=tx.now):
            issue_later(tx, request)


def hold(conference: Conference) -> WebinarRequest | None:
    """Lock the conference's webinar request where its places are limited, before anything of an invitation is locked.

    None where nobody has to register.
    """
    if conference.webinar_request_id is None:
        return None
    request = webinar_requests.get(conference.webinar_request_id, visible_to=SYSTEM, lock=True)
    return request if request.capacity is not None and request.state == RequestState.APPROVED else None


def heed(tx: Transaction, request: WebinarRequest, clinician_id: UUID, said: Answer) -> None:
    """Give the person who accepts a place, or one in line, and take it back from who declines.

    The caller holds the request. An answer that leaves it open changes nothing.
    """
    known = webinar_registrations.of_person(request.id, clinician_id)
    stands = known.state if known else State.WITHDRAWN
    if said == Answer.ACCEPTED and stands == State.WITHDRAWN:
        if known is None:
            webinar_registrations.enter(request.id, clinician_id, State.WAITING, at=tx.now)
        else:
            known.state, known.created_at = State.WAITING, tx.now
    elif said == Answer.DECLINED and known is not None and stands != State.WITHDRAWN:
        known.state = State.WITHDRAWN
    else:
        return
    promote(request)
    issue_later(tx, request)


def settle(request_id: UUID) -> None:
    """Take places back from those who take part no more, and give them to the first in line."""
    request = webinar_requests.get(request_id, visible_to=SYSTEM, lock=True)
    if request.state == RequestState.APPROVED and webinar_registrations.withdraw_the_inactive(request.id):
        promote(request)


def promote(request: WebinarRequest) -> None:
    """Give the places that are free to the first in line. The caller holds the request."""
    webinar_registrations.promote(request.id, capacity=request.capacity)


def issue_later(tx: Transaction, request: WebinarRequest) -> None:
    """Have the ledger compare who should hold the link with who does."""
    if request.conference is not None:
        tx.after(hosting.issue_later(request.conference.id))


def place_of(request: WebinarRequest, clinician_id: UUID) -> Place | None:
    """How the person stands; None where nobody has to register."""
    if request.capacity is None or str(clinician_id) in request.speakers:
        return None
    known = webinar_registrations.of_person(request.id, clinician_id)
    if known is None or known.state == State.WITHDRAWN:
        return Place()
    if known.state == State.REGISTERED:
        return Place(is_held=True)
    return Place(position=webinar_registrations.position(known))


def registrations(requests: Collection[WebinarRequest]) -> dict[UUID, Registrations]:
    """How the places of each request stand."""
    counted = webinar_registrations.counts([request.id for request in requests])
    return {
        request.id: Registrations(
            registered=counted[request.id][State.REGISTERED],
            waiting=counted[request.id][State.WAITING],
            capacity=request.capacity,
        )
        for request in requests
    }
