"""Adapter and sandbox against Webex's own OpenAPI description, which is test data kept beside the repository."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import request
from openapi_core import OpenAPI
from openapi_core.contrib.flask import FlaskOpenAPIRequest, FlaskOpenAPIResponse

from conference_orchestrator.providers.base import MeetingChanges
from conference_orchestrator.providers.contract import ProviderContract
from conference_orchestrator.providers.webex import WebexProvider
from tests.conftest import absent
from tests.providers.sandbox.client import ANN, FORM, HOST, Client, body

DESCRIPTION = Path(__file__).parents[2].parent / "shared" / "webex" / "webex-meeting-subset.json"


@pytest.fixture(scope="session")
def schema():
    if not DESCRIPTION.exists():
        absent("webex-description", f"{DESCRIPTION.name} is not in {DESCRIPTION.parent.name}/ beside the repository")
    return json.loads(DESCRIPTION.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def description(schema):
    ours = copy.deepcopy(schema)
    ours["servers"] = [{"url": "http://127.0.0.1/v1"}]
    # False alarms: a PATCH is sent as application/json, whatever the description calls it; 204 has no body, and a 404
    # of DELETE has the body of every error; that an agenda may be null is said in its prose alone.
    patch = ours["paths"]["/meetings/{meetingId}"]["patch"]["requestBody"]["content"]
    patch["application/json"] = patch.pop("application/json-patch+json")
    for status in ("204", "404"):
        del ours["paths"]["/meetings/{meetingId}"]["delete"]["responses"][status]["content"]
    ours["components"]["schemas"]["PatchMeetingObject"]["properties"]["agenda"]["nullable"] = True
    return OpenAPI.from_dict(ours)


UNDESCRIBED = re.compile(
    r"/v1/(access_token|meetings/(join|sessionTypes)|meetings/[^/]+/registrants/.+"
    r"|webhooks/.+|meetingInvitees/(?!bulkInsert).+)"
)
"""The description is a part of Webex's, which has no such paths; on every other path a call must be in it."""


class OnPortEighty(FlaskOpenAPIRequest):
    """The request as if the sandbox had the port that the description knows, its path still to be read."""

    def __init__(self, asked):
        super().__init__(asked)
        self.parameters.path = {}

    @property
    def host_url(self):
        return "http://127.0.0.1"


class AsSent(FlaskOpenAPIResponse):
    """The response with its whole content type, charset and all, as the description writes it."""

    @property
    def content_type(self):
        return self.response.headers.get("Content-Type", "")


@pytest.fixture
def complaints(sandbox, description):
    """What is wrong by the description, gathered while the sandbox is used."""
    found = []

    def check(answer):
        if UNDESCRIBED.fullmatch(request.path):
            return answer
        asked = OnPortEighty(request)
        for look in (
            lambda: description.validate_request(asked),
            lambda: description.validate_response(asked, AsSent(answer)),
        ):
            try:
                look()
            except Exception as error:  # noqa: BLE001  - whatever is raised here is a finding
                found.append(f"{request.method} {request.path} {answer.status_code}: {error!r} {error.__cause__!r}")
        return answer

    # These are called from the last to the first, and this one looks at the answer as it is sent.
    sandbox.app.after_request_funcs[None].insert(0, check)
    return found


class TestTrafficByTheDescription(ProviderContract):
    """The whole contract again, with every request and response validated."""

    @pytest.fixture
    def provider(self, webex, complaints):
        yield webex
        assert complaints == []


def test_the_check_sees_a_field_that_is_missing_in_a_response(sandbox, webex, spec, complaints):
    meeting = webex.create(spec())
    body = '{"id": "a", "title": "x", "start": "2027-01-05T10:00:00Z", "end": "2027-01-05T11:00:00Z", '
    body += '"webLink": "https://site.example/j", "hostEmail": "round@hosts.example"}'
    sandbox.faults.add(method="GET", status=200, body=body)
    assert complaints == []
    webex.get(meeting.ref)
    assert len(complaints) == 1


def test_errors_have_the_form_of_the_description(sandbox, webex, spec, complaints, other_host):
    meeting = webex.create(spec())
    stranger = WebexProvider(sandbox.url, "x" * 9)
    for status in (400, 401, 403, 404, 409, 423, 429, 500, 503):
        sandbox.faults.add(method="GET", status=status)
        with pytest.raises(Exception, match="webex get"):
            stranger.get(meeting.ref)
    assert [found for found in complaints if "POST" in found] == []


def test_every_key_that_is_sent_exists_in_the_description(sandbox, webex, spec, schema):
    meeting = webex.create(spec())
    starts_at, ends_at = spec().starts_at, spec().ends_at
    every_change = {"title": "x", "agenda": None, "starts_at": starts_at, "ends_at": ends_at, "lobby": True}
    webex.update(meeting.ref, MeetingChanges(**every_change, time_zone="UTC", join_before_minutes=5))
    known = {"POST": "CreateMeetingObject", "PATCH": "PatchMeetingObject"}
    assert {method for method, _, _ in sandbox.bodies} == set(known)
    for method, _, sent in sandbox.bodies:
        assert sent.keys() <= schema["components"]["schemas"][known[method]]["properties"].keys()


def every_call(client):
    """Calls each operation of the description once and well; yields its method, its path there, and the status."""
    meeting_id = client.webinar(invitees=[ANN])
    path, of = f"meetings/{meeting_id}", {"meetingId": meeting_id}
    whole = {"password": "secret-1", "hostEmail": HOST, "sendEmail": False}
    whole |= {name: body()[name] for name in ("title", "start", "end")}
    person = {"email": "bo@clinic.example", "displayName": "Bo Lind", "panelist": True, "sendEmail": False}
    hook = {
        "name": "ours",
        "targetUrl": "http://127.0.0.1:1/",
        "resource": "meetings",
        "event": "ended",
        "secret": "shh",
    }
    series = {"meetingSeriesId": meeting_id, "hostEmail": HOST, "from": "2026-01-01", "to": "2040-01-01", "max": 1}
    yield "post", "/meetings", client("POST", json=body(scheduledType="meeting", integrationTags=["ours"]))
    yield "get", "/meetings", client("GET", params=series | {"integrationTag": "ours", "current": "false"})
    yield "get", "/meetings", client("GET", params=series | {"meetingType": "meeting", "state": "ended"})
    yield "get", "/meetings/{meetingId}", client("GET", path, params={"hostEmail": HOST})
    yield "patch", "/meetings/{meetingId}", client("PATCH", path, json={"title": "Another", "hostEmail": HOST})
    yield "put", "/meetings/{meetingId}", client("PUT", path, json=whole)
    yield "post", "/meetingInvitees", client("POST", "meetingInvitees", json=person | of)
    many = {"items": [{"email": "cy@clinic.example", "coHost": True, "sendEmail": False}]}
    yield "post", "/meetingInvitees/bulkInsert", client("POST", "meetingInvitees/bulkInsert", json=many | of)
    yield "get", "/meetingInvitees", client("GET", "meetingInvitees", params=of | {"max": 1})
    yield "post", "/meetings/{meetingId}/registrants", client("POST", f"{path}/registrants", json=FORM)
    yield "get", "/meetings/{meetingId}/registrants", client("GET", f"{path}/registrants")
    yield "get", "/meetingParticipants", client("GET", "meetingParticipants", params=of | {"max": 100})
    yield "post", "/webhooks", client("POST", "webhooks", json=hook)
    yield "get", "/webhooks", client("GET", "webhooks")
    yield "delete", "/meetings/{meetingId}", client("DELETE", path, params={"sendEmail": "false", "hostEmail": HOST})


@pytest.mark.parametrize("left", [False, True])
def test_every_operation_of_the_description_is_answered_by_it(sandbox, schema, complaints, left):
    known = {(method, path) for path, calls in schema["paths"].items() for method in calls if method != "parameters"}
    called = set()
    for method, path, answer in every_call(Client(sandbox)):
        assert answer.status_code in {200, 204}, f"{method} {path}: {answer.text}"
        called.add((method, path))
        if path == "/meetings/{meetingId}/registrants":
            now = datetime.now(UTC)
            sandbox.hold(sandbox.meetings()[0]["id"], ("Ann", ANN["email"], now, now if left else None))
    assert called == known
    assert complaints == []


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("POST", "meetings", body(registration={"autoAcceptRequest": "yes"})),
        ("POST", "meetingInvitees", {"meetingId": "none"}),
        ("POST", "webhooks", {"name": "ours"}),
    ],
)
def test_the_check_sees_a_request_that_is_wrong(sandbox, complaints, method, path, sent):
    Client(sandbox)(method, path, json=sent)
    assert len(complaints) == 1


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "meetingParticipants?meetingId=none", "/meetingParticipants"),
        ("GET", "meetingInvitees?meetingId=none", "/meetingInvitees"),
        ("GET", "webhooks", "/webhooks"),
    ],
)
def test_the_check_sees_an_answer_that_is_wrong(sandbox, complaints, method, path, template):
    sandbox.faults.add(path=f"/v1{template}", status=200, body='{"items": 5}')
    Client(sandbox)(method, path)
    assert len(complaints) == 1


@pytest.mark.parametrize(
    "path", ["meetings", "meetingInvitees?meetingId=m", "meetingParticipants?meetingId=m", "webhooks"]
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_errors_of_lists_have_the_form_of_the_description(sandbox, complaints, path, status):
    sandbox.faults.add(status=status)
    assert Client(sandbox)("GET", path).status_code == status
    assert complaints == []
