"""The participant list: the active clinicians of a network, each with the fields that this person chose to share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.clinicians import Clinician, Share, active_in


@dataclass(frozen=True, kw_only=True)
class Participant:
    """One line of the list: what every reader of it may know about a person."""

    clinician_id: UUID
    country: str
    hospital: str
    name: str
    email: str | None
    phone: str | None


def participant_list(network_id: UUID) -> Sequence[Participant]:
    """The list as every active clinician of the network may see it, by country, hospital and name."""
    people = db.session.scalars(active_in(network_id)).all()
    return sorted(
        (shown(person) for person in people),
        key=lambda line: (line.country, line.hospital, line.name, line.clinician_id),
    )


def shown(person: Clinician) -> Participant:
    """What the person chose to share: name, hospital and country always, e-mail and phone only when chosen."""
    return Participant(
        clinician_id=person.id,
        country=person.country,
        hospital=person.hospital_name,
        name=person.name,
        email=person.email if Share.EMAIL in person.share else None,
        phone=person.phone if Share.PHONE in person.share else None,
    )
