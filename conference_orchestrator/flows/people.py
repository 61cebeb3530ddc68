"""What is kept of a person: from what was entered to a clinician who is active in a network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from conference_orchestrator.flows.directory import Outcome, assign
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid
from conference_orchestrator.network import clinicians, erased_addresses, hospitals
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network
from conference_orchestrator.network.notices import Notice, NoticeAcceptance
from conference_orchestrator.network.registrations import Registration

OWN_WORDS = ("given_name", "family_name", "email", "phone", "profession", "specialties", "language", "share")


def place_of(person: Mapping[str, Any]) -> Hospital | None:
    """The hospital that was named; Invalid for an unknown one."""
    return hospitals.find(person["hospital"]) if person["hospital"] else None


def columns(person: Mapping[str, Any], place: Hospital | None) -> dict[str, Any]:
    """The columns that a registration and a clinician have in common.

    The hospital brings its name, its country and, where none was entered, its time zone. Invalid for what is missing
    without one.
    """
    found = {
        "hospital_id": place.id if place else None,
        "hospital_name": place.name if place else person["hospital_name"],
        "country": place.country if place else person["country"],
        "time_zone": person["time_zone"] or (place.time_zone if place else None),
    }
    missing = [name for name, value in found.items() if value is None and name != "hospital_id"]
    if missing:
        raise Invalid(dict.fromkeys(missing, "Required unless a hospital is named."))
    return found | {name: person[name] for name in OWN_WORDS}


def changed_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a change of some fields sets; who enters another hospital by its name leaves the one named."""
    found = {name: changes[name] for name in (*OWN_WORDS, "hospital_name", "country", "time_zone") if name in changes}
    if any(value is None and name != "phone" for name, value in found.items()):
        raise Invalid({name: "Must not be empty." for name, value in found.items() if value is None})
    if changes.get("hospital"):
        place = hospitals.find(changes["hospital"])
        return found | at_hospital(place) | {"hospital_name": place.name, "country": place.country}
    return found | at_hospital(None) if {"hospital", "hospital_name"} & changes.keys() else found


def at_hospital(place: Hospital | None) -> dict[str, Any]:
    """The reference to the hospital, together with the relation that an answer shows."""
    return {"hospital_id": place.id if place else None, "hospital": place}


def must_not_be_forgotten(email: str) -> None:
    """Conflict when the owner of the canonical address asked to be forgotten: nobody else brings the person back."""
    if erased_addresses.is_erased(email):
        raise Conflict(
            "The owner of this address asked to be forgotten; only an own registration brings the person back."
        )


def store_clinician(person: Mapping[str, Any], place: Hospital | None) -> tuple[Clinician, Outcome]:
    """The clinician of that address with these values. What a known one shares is the person's own choice and stays.

    Conflict for an address whose owner asked to be forgotten.
    """
    values = columns(person, place) | at_hospital(place)
    known = clinicians.by_email(values["email"])
    if known is not None:
        return known, assign(known, values | {"email": known.email, "share": known.share})
    must_not_be_forgotten(values["email"])
    return _new(values), Outcome.ADDED


def from_registration(registration: Registration) -> Clinician:
    """A new clinician as the registration says, active in no network yet."""
    names = (*OWN_WORDS, "hospital_name", "country", "time_zone")
    place = hospitals.find(registration.hospital_id) if registration.hospital_id else None
    return _new({name: getattr(registration, name) for name in names} | at_hospital(place))


def join(person: Clinician, network: Network, *, at: datetime) -> bool:
    """Make the clinician active in the network; False for one who is already."""
    if is_active_in(person, network):
        return False
    person.networks.append(ClinicianNetwork(network_id=network.id, activated_at=at))
    return True


def is_active_in(person: Clinician, network: Network) -> bool:
    """Whether the helpdesk let the clinician into the network."""
    return network.id in {place.network_id for place in person.networks}


def accept(
    notice: Notice,
    *,
    means: str,
    at: datetime,
    registration: UUID | None = None,
    clinician: UUID | None = None,
) -> None:
    """Record that the registration or the clinician accepted the notice; the first time counts."""
    who = {"notice_id": notice.id, "registration_id": registration, "clinician_id": clinician}
    if db.session.scalar(select(NoticeAcceptance.id).filter_by(**who).limit(1)) is None:
        db.session.add(NoticeAcceptance(**who, accepted_at=at, means=means))


def hand_over_acceptances(registration: Registration, person: Clinician) -> None:
    """What the applicant accepted is from now on the clinician's."""
    db.session.execute(
        update(NoticeAcceptance)
        .where(NoticeAcceptance.registration_id == registration.id)
        .values(clinician_id=person.id)
    )


def _new(values: Mapping[str, Any]) -> Clinician:
    person = Clinician(**values, networks=[])
    db.session.add(person)
    return person
