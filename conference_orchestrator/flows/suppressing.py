"""Addresses that get no mail, or no reminders: what the helpdesk enters, what its owner asks for, what bounces say.

Invitations, updates and cancellations always go to who asked for no reminders. Where all mail is suppressed nothing
goes, whatever it is; a clinician who gets another address is written to there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, NotFound, NotPermitted
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import suppressions
from conference_orchestrator.ledger.suppressions import Reason, Scope, Suppression
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician

PURPOSE, PATH = "unsubscribe", "/u/"


@dataclass(frozen=True)
class ReminderChoice:
    """Whose reminders the link is about, and whether the person gets them."""

    clinician: Clinician
    is_reminded: bool


def unsubscribe_url(clinician_id: UUID) -> str:
    """The address at which the clinician asks for no more reminders (RFC 8058): it stands in each of them."""
    return links.url(PATH + links.token(PURPOSE, clinician_id))


def choice(token: str) -> ReminderChoice:
    """How the person behind the link stands; changes nothing. NotFound for a word that was not made here."""
    person = _owner(token)
    found = suppressions.of_addresses(db.session.connection(), [person.email])
    return ReminderChoice(person, is_reminded=(person.email, Scope.REMINDERS) not in found)


def unsubscribe(token: str) -> None:
    """Send the owner of the link no reminders any more. A second time changes nothing."""
    with transaction() as tx:
        suppressions.add(_owner(token).email, Scope.REMINDERS, Reason.UNSUBSCRIBED, at=tx.now)


def remind_again(token: str) -> None:
    """Send the owner of the link reminders again, of what is to come. A second time changes nothing."""
    with transaction():
        suppressions.lift(_owner(token).email, Scope.REMINDERS)


def not_reminded(addresses: Collection[str]) -> set[str]:
    """Those of the addresses that get no reminders, or no mail at all."""
    return {address for address, _ in suppressions.of_addresses(db.session.connection(), addresses)}


def bounced(addresses: Collection[str]) -> dict[str, datetime]:
    """Since when nothing is sent to those of the addresses whose mail came back."""
    statement = select(Suppression.address, Suppression.created_at).where(
        Suppression.address.in_(addresses), Suppression.scope == Scope.ALL, Suppression.reason == Reason.BOUNCED
    )
    return {row.address: row.created_at for row in db.session.execute(statement)}


def listed(paging: Paging, *, address: str | None = None, by: Principal) -> Page[Suppression]:
    """Every suppression, the oldest first, or those of one address. NotPermitted for who belongs to one network."""
    must_see_all(by)
    return suppressions.listed(paging, address=address)


def add(entered: Mapping[str, Any], *, by: Principal) -> Suppression:
    """The helpdesk has an address get no mail of the scope. Conflict when that is so already."""
    must_see_all(by)
    address, scope = entered["address"], Scope(entered["scope"])
    mine = select(Suppression).where(Suppression.address == address, Suppression.scope == scope)
    with transaction() as tx:
        if not suppressions.add(address, scope, Reason.HELPDESK, detail=entered.get("detail"), at=tx.now):
            raise Conflict(f"Mail to {address} is suppressed already (scope {scope}); take that away first.")
        added = db.session.scalars(mine).one()
        tx.record("suppression.add", added, by=by)
        return added


def lift(suppression_id: UUID, *, by: Principal) -> None:
    """The helpdesk has the address get its mail again. What was not sent meanwhile is not sent by this."""
    must_see_all(by)
    with transaction() as tx:
        found = suppressions.get(suppression_id)
        suppressions.lift(found.address, Scope(found.scope))
        tx.record("suppression.lift", found, by=by)


def must_see_all(by: Principal) -> None:
    """NotPermitted for who belongs to one network: the mailbox and the addresses are those of all networks."""
    if by.network_id is not None:
        raise NotPermitted("Your access is limited to one network; mail that comes in belongs to all of them.")


def _owner(token: str) -> Clinician:
    clinician_id = links.subject_of(PURPOSE, token)
    person = clinicians.by_ids([clinician_id]).get(clinician_id)
    if person is None:
        raise NotFound("This link is not valid any more.")
    return person
