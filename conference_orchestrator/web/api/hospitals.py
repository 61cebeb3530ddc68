"""/hospitals: a reference centre is one that may ask for webinars."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import directory
from conference_orchestrator.network import hospitals
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.web.fields import Code, Country, Flag, OneLine, Reference, Zone
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import (
    Form,
    Json,
    Paged,
    Resource,
    expected,
    items,
    listing,
    paging,
    versioned,
)
from conference_orchestrator.web.policy import allow, principal

hospitals_api = Resource("hospitals", "Hospitals; a reference centre is one that may ask for webinars.")


class HospitalEntry(Form):
    """A hospital to be entered."""

    code = Code(required=True)
    name = OneLine(required=True)
    city = OneLine(required=True)
    country = Country(required=True)
    time_zone = Zone(required=True)
    is_reference_centre = Flag()
    networks = fields.List(Reference())


class HospitalSchema(Schema):
    """A hospital. `networks` are ids, `network_codes` the same by code."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    city = fields.String()
    country = fields.String()
    time_zone = fields.String()
    is_reference_centre = fields.Boolean()
    networks = fields.Pluck("NetworkSchema", "id", many=True)
    network_codes = fields.Pluck("NetworkSchema", "code", many=True, attribute="networks", dump_only=True)


class HospitalQuery(Paged):
    """Which hospitals."""

    network = Reference()


@hospitals_api.get("/hospitals")
@allow("hospital.read")
@hospitals_api.query(HospitalQuery)
@hospitals_api.response(200, listing(HospitalSchema))
def listed(query: Json) -> Json:
    """List the hospitals, by code."""
    by = principal()
    network = directory.find_network(query["network"], by=by) if "network" in query else None
    return items(hospitals.listed(paging(query), visible_to=by, network=network))


@hospitals_api.post("/hospitals")
@allow("hospital.change")
@once
@hospitals_api.arguments(HospitalEntry)
@hospitals_api.response(201, HospitalSchema)
def enter(entered: Json) -> Hospital:
    """Enter a hospital."""
    return versioned(directory.add_hospital(entered, by=principal()))


@hospitals_api.get("/hospitals/<uuid:hospital_id>")
@allow("hospital.read")
@hospitals_api.response(200, HospitalSchema)
def one(hospital_id: UUID) -> Hospital:
    """Read one hospital."""
    return versioned(hospitals.get(hospital_id, visible_to=principal()))


@hospitals_api.patch("/hospitals/<uuid:hospital_id>")
@allow("hospital.change")
@hospitals_api.arguments(HospitalEntry(partial=True))
@hospitals_api.response(200, HospitalSchema)
def change(changes: Json, hospital_id: UUID) -> Hospital:
    """Change the fields that are named."""
    version = expected(required=True)
    return versioned(directory.change_hospital(hospital_id, changes, by=principal(), expected=version))
