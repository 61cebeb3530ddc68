"""Adapter and sandbox against Webex's own OpenAPI description, which is test data kept beside the repository."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from flask import request
from openapi_core import OpenAPI
from openapi_core.contrib.flask import FlaskOpenAPIRequest, FlaskOpenAPIResponse

from conference_orchestrator.providers.base import MeetingChanges
from conference_orchestrator.providers.contract import ProviderContract
from conference_orchestrator.providers.webex import WebexProvider
from tests.conftest import absent

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
    for method, _, body in sandbox.bodies:
        assert body.keys() <= schema["components"]["schemas"][known[method]]["properties"].keys()
