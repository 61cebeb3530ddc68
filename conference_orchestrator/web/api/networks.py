"""/networks: an ERN or the COVID19 Clinicians Network."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import directory
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.network import networks
from conference_orchestrator.network.networks import ListStyle, Network
from conference_orchestrator.web.fields import Choice, Code, Count, Email, Language, OneLine
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, items, listing, paging, versioned
from conference_orchestrator.web.policy import allow, principal

networks_api = Resource("networks", "An ERN or the COVID19 Clinicians Network.")


class ConferenceDefaults(Form):
    """What the network's web conferences have unless a request says otherwise."""

    duration_minutes = Count(1, 24 * 60, allow_none=True)
    language = Language(allow_none=True)
    expected_audience = Count(1, allow_none=True)


class NetworkEntry(Form):
    """A network to be entered."""

    code = Code(required=True)
    name = OneLine(required=True)
    helpdesk_address = Email(allow_none=True)
    helpdesk_hours = OneLine(allow_none=True)
    funding_line = OneLine(500, allow_none=True)
    participant_list = Choice(ListStyle)
    web_conference = fields.Nested(ConferenceDefaults)


class NetworkSchema(Schema):
    """A network."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    helpdesk_address = fields.String(allow_none=True)
    helpdesk_hours = fields.String(allow_none=True)
    funding_line = fields.String(allow_none=True)
    participant_list = fields.String()
    web_conference = fields.Dict()


@networks_api.get("/networks")
@allow("network.read")
@networks_api.query(Paged)
@networks_api.response(200, listing(NetworkSchema))
def listed(query: Json) -> Json:
    """List the networks, by code."""
    return items(networks.listed(paging(query), visible_to=principal()))


@networks_api.post("/networks")
@allow("network.change")
@once
@networks_api.arguments(NetworkEntry)
@networks_api.response(201, NetworkSchema)
def enter(entered: Json) -> Network:
    """Enter a network."""
    return versioned(directory.add_network(entered, by=principal()))


@networks_api.get("/networks/<uuid:network_id>")
@allow("network.read")
@networks_api.response(200, NetworkSchema)
def one(network_id: UUID) -> Network:
    """Read one network."""
    return versioned(_visible(network_id, by=principal()))


def _visible(network_id: UUID, *, by: Principal) -> Network:
    if by.network_id not in {None, network_id}:
        raise NotFound("There is no such network.")
    return networks.get(network_id)
