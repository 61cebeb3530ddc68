"""Further addresses of a clinician: an answer from one of them counts as the person's own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import people
from conference_orchestrator.flows.directory import flush
from conference_orchestrator.kernel import audit
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician, ClinicianAddress


def listed(paging: Paging, clinician_id: UUID, *, by: Principal) -> Page[ClinicianAddress]:
    """The person's further addresses, in the order in which they were entered."""
    person = clinicians.get(clinician_id, visible_to=by)
    statement = select(ClinicianAddress).where(ClinicianAddress.clinician_id == person.id)
    return page(statement, paging, by=[ClinicianAddress.created_at, ClinicianAddress.id])


def add(clinician_id: UUID, email: str, *, by: Principal) -> ClinicianAddress:
    """Have the address known to be the person's too. Conflict when it is known to be somebody's already."""
    with transaction() as tx:
        person = clinicians.get(clinician_id, visible_to=by)
        address = clinicians.canonical(email)
        taken = Conflict(f"{address} is known already, as this clinician's or another's.")
        if clinicians.by_email(address) is not None:
            raise taken
        people.must_not_be_forgotten(address)
        added = ClinicianAddress(clinician_id=person.id, email=address, created_at=tx.now)
        db.session.add(added)
        flush(taken)
        tx.record("address.add", person, by=by)
    return added


def remove(clinician_id: UUID, address_id: UUID, *, by: Principal) -> None:
    """Forget a further address. NotFound when the person has no such one."""
    with transaction() as tx:
        person = clinicians.get(clinician_id, visible_to=by)
        own = select(ClinicianAddress).where(ClinicianAddress.clinician_id == person.id)
        found = db.session.scalar(own.where(ClinicianAddress.id == address_id))
        if found is None:
            raise NotFound("This clinician has no such address.")
        db.session.delete(found)
        tx.record("address.remove", audit.named(Clinician, clinician_id), by=by)
