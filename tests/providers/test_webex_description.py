"""What the adapter sends to create, invite and listen, against Webex's own OpenAPI description."""

from __future__ import annotations

import pytest

from conference_orchestrator.providers.base import Person
from conference_orchestrator.providers.webex import WebexProvider
from tests.providers.test_description import schema

__all__ = ["schema"]


@pytest.fixture
def webex(sandbox, token):
    return WebexProvider(sandbox.url, token, webhook_secret="x", is_admin=True)


@pytest.fixture
def known(schema):
    """The keys of an object that the description has a name for, and those of a webhook."""

    def keys(name):
        return schema["components"]["schemas"][name]["properties"].keys()

    webhook = schema["paths"]["/webhooks"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return lambda name: webhook["properties"].keys() if name == "webhook" else keys(name)


def test_every_key_of_a_webinar_exists(sandbox, webex, spec, known):
    webex.create(spec(kind="webinar"))
    [(_, _, body)] = sandbox.bodies
    assert "sessionTypeId" in body
    assert body.keys() <= known("CreateMeetingObject")


def test_every_key_of_an_invitation_exists(sandbox, webex, spec, known):
    meeting = webex.create(spec())
    webex.invite(meeting.ref, [Person("Ada Byron", "ada@clinic.example")], role="panellist")
    _, _, body = sandbox.bodies[-1]
    assert body.keys() <= known("CreateInviteesObject")
    assert body["items"][0].keys() <= known("CreateInviteesItemObject")


def test_every_key_of_a_webhook_exists(sandbox, webex, known):
    webex.listen("http://127.0.0.1:9/hooks/webex")
    assert {"ownedBy", "secret"} <= sandbox.bodies[0][2].keys()
    assert all(body.keys() <= known("webhook") for _, _, body in sandbox.bodies)


@pytest.mark.parametrize(
    ("path", "method", "names"),
    [
        ("/meetings", "get", {"meetingSeriesId", "meetingType", "from", "to", "max", "current", "integrationTag"}),
        ("/meetingParticipants", "get", {"meetingId", "max", "meetingStartTimeFrom", "meetingStartTimeTo"}),
        ("/meetingInvitees", "get", {"meetingId", "max", "hostEmail"}),
        ("/webhooks", "get", {"max", "ownedBy"}),
    ],
)
def test_every_parameter_of_a_list_exists(schema, path, method, names):
    assert names <= {parameter["name"] for parameter in schema["paths"][path][method]["parameters"]}
