"""/clinicians and /participants: the people of a network, each shown as the asker may know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Response, current_app, request
from marshmallow import Schema, fields
from werkzeug.exceptions import NotAcceptable

from conference_orchestrator.flows import (
    access,
    bookkeeping,
    calendars,
    directory,
    erasing,
    exporting,
    joining,
    suppressing,
)
from conference_orchestrator.flows.access import Known
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Role
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.web.api import sheets
from conference_orchestrator.web.api.people import PersonEntry
from conference_orchestrator.web.fields import Instant, OneLine, Reference
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import (
    Json,
    Nothing,
    Paged,
    Resource,
    expected,
    items,
    listing,
    paging,
    versioned,
)
from conference_orchestrator.web.policy import allow, principal

clinicians_api = Resource("clinicians", "Healthcare professionals, shown as the asker may know them.")

FULL = ("profession", "specialties", "language", "time_zone", "share", "state")


class ClinicianEntry(PersonEntry):
    """Somebody to be entered by the helpdesk, active at once."""

    network = Reference(required=True)
    privacy_version = OneLine(100, allow_none=True)


class RepairSchema(Schema):
    """How many mails the person gets."""

    mails = fields.Integer()


class ClinicianSchema(Schema):
    """A clinician. What the asker may not know is null."""

    id = fields.UUID()
    given_name = fields.String()
    family_name = fields.String()
    email = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    hospital = fields.UUID(allow_none=True)
    hospital_code = fields.String(allow_none=True)
    hospital_name = fields.String()
    country = fields.String()
    networks = fields.List(fields.UUID())
    profession = fields.String(allow_none=True)
    specialties = fields.List(fields.String(), allow_none=True)
    language = fields.String(allow_none=True)
    time_zone = fields.String(allow_none=True)
    share = fields.List(fields.String(), allow_none=True)
    state = fields.String(allow_none=True)
    bounced_at = Instant(
        allow_none=True,
        metadata={"description": "For the helpdesk: since when nothing is sent, for mail came back."},
    )


class ExportSchema(Schema):
    """Everything that is kept about a clinician: rows by table, and what the ids of networks and the like stand for."""

    exported_at = fields.String()
    names = fields.Dict(keys=fields.String(), values=fields.String())
    tables = fields.Dict(keys=fields.String(), values=fields.List(fields.Dict()))


class ClinicianQuery(Paged):
    """Which clinicians; `q` looks into names."""

    network = Reference()
    group = Reference()
    q = OneLine(100)


class ParticipantSchema(Schema):
    """One line of the participant list."""

    clinician = fields.UUID()
    country = fields.String()
    hospital = fields.String()
    name = fields.String()
    email = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)


class ParticipantQuery(Paged):
    """Of which network."""

    network = Reference(required=True)


@clinicians_api.get("/clinicians")
@allow("clinician.read")
@clinicians_api.query(ClinicianQuery)
@clinicians_api.response(200, listing(ClinicianSchema))
def listed(query: Json) -> Json:
    """List the active clinicians, by name; with `group` its present members.

    A page for others than the helpdesk has at most 60 records, and 60 are what they are shown within a minute.
    """
    by = principal()
    if "q" in query and by.role == Role.AUDITOR:
        raise Invalid({"q": "An auditor sees masked names and cannot search by them."})
    network = directory.find_network(query["network"], by=by) if "network" in query else None
    group = expert_groups.find(query["group"], visible_to=by) if "group" in query else None
    wanted = paging(query)
    if by.role != Role.HELPDESK:
        wanted = Paging(min(wanted.limit, bookkeeping.MOST_RECORDS), wanted.cursor)
    page = clinicians.listed(
        wanted,
        visible_to=by,
        network_id=network.id if network else None,
        among=[member.clinician_id for member in expert_groups.members(group.id)] if group else None,
        q=query.get("q"),
    )
    return items(Page(counted(page.items), page.next))


@clinicians_api.post("/clinicians")
@allow("clinician.enter")
@once
@clinicians_api.arguments(ClinicianEntry)
@clinicians_api.response(201, ClinicianSchema)
def enter(entered: Json) -> Json:
    """Enter somebody directly, active at once."""
    return _answer(joining.enter(entered, by=principal()))


@clinicians_api.get("/clinicians/<uuid:clinician_id>")
@allow("clinician.read")
@clinicians_api.response(200, ClinicianSchema)
def one(clinician_id: UUID) -> Json:
    """Read one clinician's record. Others than the helpdesk are shown those of 60 people within a minute."""
    person = clinicians.get(clinician_id, visible_to=principal())
    return versioned(counted([person])[0], person)


@clinicians_api.patch("/clinicians/<uuid:clinician_id>")
@allow("clinician.change")
@clinicians_api.arguments(PersonEntry(partial=True))
@clinicians_api.response(200, ClinicianSchema)
def change(changes: Json, clinician_id: UUID) -> Json:
    """Change the fields that are named: the helpdesk anybody's, everybody the own."""
    version = expected(required=True)
    return _answer(joining.change(clinician_id, changes, by=principal(), expected=version))


@clinicians_api.delete("/clinicians/<uuid:clinician_id>")
@allow("clinician.erase")
@clinicians_api.empty("The person is forgotten; the id stays.")
def erase(clinician_id: UUID) -> None:
    """Forget somebody: withdraw what is open, end what goes on, empty what is personal. Nobody can take it back."""
    erasing.erase(clinician_id, by=principal(), expected=expected())


@clinicians_api.get("/clinicians/<uuid:clinician_id>/export")
@allow("clinician.export")
@clinicians_api.response(200, ExportSchema)
def export(clinician_id: UUID) -> Json:
    """Read everything that is kept about a clinician: the own record, for the helpdesk anybody's."""
    return exporting.everything_about(clinician_id, by=principal())


@clinicians_api.post("/clinicians/<uuid:clinician_id>/calendar-repair")
@allow("calendar.repair")
@clinicians_api.arguments(Nothing)
@clinicians_api.response(202, RepairSchema)
def repair(_nothing: Json, clinician_id: UUID) -> Json:
    """Send everything that the person holds in the calendar once more: same entries, nothing new."""
    return {"mails": calendars.repair(clinician_id, by=principal())}


@clinicians_api.get("/participants")
@allow("participants.read")
@clinicians_api.query(ParticipantQuery)
@clinicians_api.response(200, listing(ParticipantSchema), description="Also as CSV and XLSX, by Accept.")
def participants(query: Json) -> Json | Response:
    """Read the participant list of a network; as CSV or XLSX when Accept asks for it."""
    lines = [_line(person, known) for person, known in access.participants(query["network"], by=principal())]
    accepted = request.accept_mimetypes
    media = accepted.best_match(["application/json", *sheets.WRITERS]) if accepted else "application/json"
    if media is None:
        raise NotAcceptable("The list can be had as JSON, CSV or XLSX.")
    if media == "application/json":
        return items(_part(lines, paging(query)))
    columns = ("country", "hospital", "name", "email", "phone")
    body, name = sheets.WRITERS[media](columns, lines), f"participants.{sheets.ENDINGS[media]}"
    return current_app.response_class(
        body, mimetype=media, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _part(lines: list[Json], wanted: Paging) -> Page[Json]:
    """A page of a list that is put in order as a whole: its cursor is the place of the next line."""
    if wanted.cursor is not None and not wanted.cursor.isdecimal():
        raise Invalid({"cursor": "This is not a cursor that a list gave out."})
    start = int(wanted.cursor or 0)
    end = start + wanted.limit
    return Page(lines[start:end], str(end) if end < len(lines) else None)


def counted(people: Sequence[Clinician]) -> list[Json]:
    """The records, counted as shown to the asker; Busy when these would be too many."""
    records = shown(people)
    bookkeeping.count_records([person.id for person in people], by=principal())
    return records


def shown(people: Sequence[Clinician]) -> list[Json]:
    """The records with what the asker may know of them."""
    known = access.knowledge_of(principal())
    is_desk = principal().role == Role.HELPDESK
    bounced = suppressing.bounced([person.email for person in people]) if is_desk else {}
    return [_record(person, known(person)) | {"bounced_at": bounced.get(person.email)} for person in people]


def _record(person: Clinician, known: Known) -> Json:
    full: dict[str, Any] = {name: getattr(person, name) if known.is_full else None for name in FULL}
    return {
        "id": person.id,
        "given_name": known.given_name,
        "family_name": known.family_name,
        "email": known.email,
        "phone": known.phone,
        "hospital": person.hospital_id,
        "hospital_code": person.hospital.code if person.hospital else None,
        "hospital_name": person.hospital_name,
        "country": person.country,
        "networks": sorted((place.network_id for place in person.networks), key=str),
        **full,
    }


def _answer(person: Clinician) -> Json:
    return versioned(shown([person])[0], person)


def _line(person: Clinician, known: Known) -> Json:
    return {
        "clinician": person.id,
        "country": person.country,
        "hospital": person.hospital_name,
        "name": known.name,
        "email": known.email,
        "phone": known.phone,
    }
