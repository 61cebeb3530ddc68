"""/clinicians/{id}/addresses: further addresses that are known to be a clinician's."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import addresses
from conference_orchestrator.network.clinicians import ClinicianAddress
from conference_orchestrator.web.fields import Email, Instant
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, items, listing, paging
from conference_orchestrator.web.policy import allow, principal

addresses_api = Resource("addresses", "Further addresses of clinicians: answers to invitations from them count.")


class AddressEntry(Form):
    """An address that is the person's too."""

    email = Email(required=True)


class AddressSchema(Schema):
    """A further address."""

    id = fields.UUID()
    email = fields.String()
    created_at = Instant()


@addresses_api.get("/clinicians/<uuid:clinician_id>/addresses")
@allow("address.read")
@addresses_api.query(Paged)
@addresses_api.response(200, listing(AddressSchema))
def listed(query: Json, clinician_id: UUID) -> Json:
    """List the further addresses of a clinician, in the order in which they were entered."""
    return items(addresses.listed(paging(query), clinician_id, by=principal()))


@addresses_api.post("/clinicians/<uuid:clinician_id>/addresses")
@allow("address.change")
@once
@addresses_api.arguments(AddressEntry)
@addresses_api.response(201, AddressSchema)
def add(entered: Json, clinician_id: UUID) -> ClinicianAddress:
    """Have an address known to be the clinician's too."""
    return addresses.add(clinician_id, entered["email"], by=principal())


@addresses_api.delete("/clinicians/<uuid:clinician_id>/addresses/<uuid:address_id>")
@allow("address.change")
@addresses_api.empty("The address is not known any more.")
def remove(clinician_id: UUID, address_id: UUID) -> None:
    """Forget a further address."""
    addresses.remove(clinician_id, address_id, by=principal())
