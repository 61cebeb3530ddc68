"""Absences: who is away when. Clinicians enter their own, coordinators and the helpdesk those of others too."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Select, false, or_, select

from conference_orchestrator.kernel import audit, ports, times
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotPermitted
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork
from conference_orchestrator.network.expert_groups import Membership
from conference_orchestrator.scheduling import rosters
from conference_orchestrator.scheduling.rosters import Absence

LONGEST = timedelta(days=731)  # two years


def listed(
    paging: Paging, *, by: Principal, clinician: str | UUID | None = None, group: str | UUID | None = None
) -> Page[Absence]:
    """The absences within the asker's scope that are not over, by their first day; of one clinician, or of a group."""
    people = _people(by)
    if clinician is not None:
        people = people.where(Clinician.id == clinicians.find(clinician, visible_to=by).id)
    if group is not None:
        people = people.where(Clinician.id.in_(_members(expert_groups.find(group, visible_to=by).id)))
    # Somewhere it is still yesterday.
    return rosters.listed_absences(paging, of=people, from_on=ports.clock().now().date() - timedelta(days=1))


def add(from_on: date, until_on: date, *, clinician: str | UUID | None = None, by: Principal) -> Absence:
    """Enter that a clinician, without a name the asker, is away from one date to another, both included.

    Invalid, naming the field, for an unknown clinician and for dates that cannot be; NotPermitted for somebody whose
    absences are not the asker's to enter.
    """
    with transaction() as tx:
        person = _whom(clinician if clinician is not None else by.clinician_id, by=by)
        today = times.wall(tx.now, person.time_zone).date()
        if until_on < from_on:
            raise Invalid({"until_on": "Must not be before from_on."})
        if until_on < today:
            raise Invalid({"until_on": "The absence is over already."})
        if from_on > today + LONGEST:
            raise Invalid({"from_on": "An absence begins at most two years from today."})
        if until_on - from_on > LONGEST:
            raise Invalid({"until_on": "An absence lasts at most two years."})
        clinicians.hold(person)
        added = Absence(clinician_id=person.id, from_on=from_on, until_on=until_on, created_at=tx.now)
        db.session.add(added)
        tx.record("absence.add", person, by=by)
    return added


def remove(absence_id: UUID, *, by: Principal, expected: int | None = None) -> None:
    """The clinician is not away after all. NotFound outside the asker's scope."""
    with transaction() as tx:
        removing = rosters.absence(absence_id, of=_people(by))
        removing.must_match(expected)
        db.session.delete(removing)
        tx.record("absence.remove", audit.named(Clinician, removing.clinician_id), by=by)


def _whom(reference: str | UUID | None, *, by: Principal) -> Clinician:
    if reference is None:
        raise Invalid({"clinician": "Missing data for required field."})
    person = clinicians.find(reference, visible_to=by)
    if db.session.scalar(_people(by).where(Clinician.id == person.id)) is None:
        whose = "your own" if by.role == Role.CLINICIAN else "your group's members'"
        raise NotPermitted(f"You may enter {whose} absences only; ask the helpdesk for others.")
    return person


def _people(by: Principal) -> Select[UUID]:
    """Whose absences are the asker's business: the own, a coordinator's own group, for the helpdesk everybody's."""
    own = Clinician.id == by.clinician_id if by.clinician_id is not None else false()
    people = select(Clinician.id)
    if by.role == Role.COORDINATOR and by.group_id is not None:
        return people.where(or_(own, Clinician.id.in_(_members(by.group_id))))
    if by.role not in {Role.HELPDESK, Role.SYSTEM}:
        return people.where(own)
    if by.network_id is not None:
        return people.where(Clinician.networks.any(ClinicianNetwork.network_id == by.network_id))
    return people


def _members(group_id: UUID) -> Select[UUID]:
    return select(Membership.clinician_id).where(Membership.group_id == group_id, Membership.until_on.is_(None))
