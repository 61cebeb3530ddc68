"""/absences: who is away when. An absent expert does not count for the quorum."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import absences
from conference_orchestrator.scheduling.rosters import Absence
from conference_orchestrator.web.fields import Day, Reference
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, expected, items, listing, paging, versioned
from conference_orchestrator.web.policy import allow, principal

absences_api = Resource("absences", "When clinicians are away.")


class AbsenceQuery(Paged):
    """Whose absences: of one clinician, or of the members of a group."""

    clinician = Reference()
    group = Reference()


class AbsenceEntry(Form):
    """From which date to which somebody is away, both included; without a clinician who asks is meant."""

    clinician = Reference(allow_none=True)
    from_on = Day(required=True)
    until_on = Day(required=True)


class AbsenceSchema(Schema):
    """An absence: from one date to another, both included."""

    id = fields.UUID()
    clinician = fields.UUID(attribute="clinician_id")
    from_on = fields.Date()
    until_on = fields.Date()


@absences_api.get("/absences")
@allow("absence.read")
@absences_api.query(AbsenceQuery)
@absences_api.response(200, listing(AbsenceSchema))
def listed(query: Json) -> Json:
    """List the absences that are not over, by their first day: a clinician the own, a coordinator the own group's."""
    return items(absences.listed(paging(query), by=principal(), **query))


@absences_api.post("/absences")
@allow("absence.change")
@once
@absences_api.arguments(AbsenceEntry)
@absences_api.response(201, AbsenceSchema)
def enter(entered: Json) -> Absence:
    """Enter an absence. Several may overlap."""
    whose = entered.get("clinician")
    return versioned(absences.add(entered["from_on"], entered["until_on"], clinician=whose, by=principal()))


@absences_api.delete("/absences/<uuid:absence_id>")
@allow("absence.change")
@absences_api.empty("The absence is gone.")
def remove(absence_id: UUID) -> None:
    """Take an absence back."""
    absences.remove(absence_id, by=principal(), expected=expected())
