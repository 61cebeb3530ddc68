"""/hooks: where providers send their events. The signature over the body is the right to do so."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.jobs.embedded import TaskRow
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers.webex import WebexProvider
from conference_orchestrator.scheduling.provider_states import SeenEvent
from tests.faulty_provider import FaultyProvider

SECRET = "only-for-these-tests"
DELETED = json.dumps({"resource": "meetings", "event": "deleted", "data": {"id": "870f51ff287b41be8648412901e0402f"}})


@pytest.fixture
def listening(service) -> Iterator:
    """The service with Webex as it is set up for events; nothing here calls it."""
    webex = WebexProvider("http://127.0.0.1:9/v1/", "token-of-the-test", webhook_secret=SECRET)
    provider_named.fill(service.app, lambda _: webex)
    return service


def signed(body: str, *, secret: str = SECRET) -> dict[str, str]:
    return {"X-Spark-Signature": hmac.new(secret.encode(), body.encode(), hashlib.sha1).hexdigest()}


def send(service, body: str = DELETED, *, headers: dict[str, str] | None = None, to: str = "webex"):
    return service.client().post(f"/hooks/{to}", data=body, headers=signed(body) if headers is None else headers)


def stored(service) -> tuple[int, int]:
    """How many events are kept, and how many looks are due because of them."""
    with service.app.app_context():
        events = db.session.scalar(select(func.count()).select_from(SeenEvent))
        looks = db.session.scalar(select(func.count()).where(TaskRow.kind == "check-meeting"))
        db.session.remove()
    return events or 0, looks or 0


def test_a_signed_event_is_taken_without_a_word(listening):
    answer = send(listening)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert stored(listening) == (1, 1)


def test_the_same_event_sent_again_is_taken_and_does_nothing(listening):
    assert [send(listening).status_code for _ in range(3)] == [204] * 3
    assert stored(listening) == (1, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Spark-Signature": ""},
        {"X-Spark-Signature": "0" * 40},
        {"X-Spark-Signature": "ä"},
        signed(DELETED, secret="another"),
        signed(DELETED + " "),
    ],
    ids=["none", "empty", "made up", "no hexadecimal", "another secret", "another body"],
)
def test_one_that_is_not_signed_with_our_secret_is_refused_and_nothing_is_kept(listening, headers):
    answer = send(listening, headers=headers)
    assert (answer.status_code, answer.json["type"]) == (403, "/problems/not-permitted")
    assert stored(listening) == (0, 0)


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "1" * 10_000])
def test_a_signed_body_that_is_no_event_is_refused(listening, body):
    assert send(listening, body).status_code == 422
    assert stored(listening) == (0, 0)


def test_a_body_beyond_a_megabyte_is_refused(listening):
    body = json.dumps({"resource": "meetings", "event": "deleted", "data": "x" * 1024 * 1024})
    assert send(listening, body).status_code == 413
    assert stored(listening) == (0, 0)


def test_a_provider_that_sends_none_has_no_such_address(service):
    provider_named.fill(service.app, lambda _: FaultyProvider())
    assert send(service, to="mock").status_code == 404


def test_webex_without_a_secret_has_none_either(service):
    webex = WebexProvider("http://127.0.0.1:9/v1/", "token-of-the-test")
    provider_named.fill(service.app, lambda _: webex)
    assert send(service, headers=signed(DELETED, secret="")).status_code == 404


@pytest.mark.parametrize("name", ["nowhere", "%2e%2e", "jitsi"])
def test_an_unknown_provider_has_none(service, name):
    assert send(service, to=name).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_it_only_takes(listening, method):
    assert listening.client().open("/hooks/webex", method=method).status_code == 405


def test_what_it_says_is_answered_to_nobody(listening):
    """An event about a meeting of others, or of nobody, is taken like any other."""
    body = json.dumps({"resource": "meetings", "event": "deleted", "data": {"id": "of-somebody-else"}})
    assert send(listening, body).status_code == send(listening).status_code == 204
