from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from tests.providers.sandbox.client import HOST, Client

KINDS = [("meetings", event) for event in ("created", "updated", "deleted", "started", "ended")]
KINDS += [("meetingParticipants", "joined"), ("meetingParticipants", "left")]


def webhook(url, resource="meetings", event="created", **instead):
    return {"name": "ours", "targetUrl": url, "resource": resource, "event": event, "secret": "shh"} | instead


@pytest.fixture
def listening(client, listener):
    """A listener that hears of all kinds of events."""
    for resource, event in KINDS:
        client("POST", "webhooks", json=webhook(listener.url, resource, event))
    return listener


def happened(sandbox):
    return [f"{message.json['resource']}/{message.json['event']}" for message in sandbox.events]


def test_each_thing_that_happens_is_told_once_and_in_order(sandbox, client, listening, clock):
    meeting_id = client.create()
    client("PATCH", f"meetings/{meeting_id}", json={"title": "Another"})
    sandbox.hold(meeting_id, ("Ann", "ann@clinic.example", clock.at, clock.at))
    client("DELETE", f"meetings/{meeting_id}")
    assert happened(sandbox) == [
        "meetings/created",
        "meetings/updated",
        "meetings/started",
        "meetingParticipants/joined",
        "meetingParticipants/left",
        "meetings/ended",
        "meetings/deleted",
    ]
    assert [message.status for message in sandbox.events] == [200] * 7
    assert [body for _, body in listening.heard] == [message.body for message in sandbox.events]


def test_an_event_names_its_webhook_and_its_meeting_and_tells_no_secret(sandbox, client, listener):
    hook = client("POST", "webhooks", json=webhook(listener.url)).json()
    made = client.create()
    [message] = sandbox.events
    told = message.json
    assert (told["id"], told["resource"], told["event"], told["data"]["id"]) == (
        hook["id"],
        "meetings",
        "created",
        made,
    )
    assert "password" not in message.body.decode().lower()
    assert "shh" not in message.body.decode()


def test_events_of_a_room_name_the_instance_and_the_person(sandbox, client, listening, clock):
    meeting_id = client.create()
    sandbox.hold(meeting_id, ("Ann", "ann@clinic.example", clock.at, None))
    _, started, joined = (message.json["data"] for message in sandbox.events)
    assert (started["id"], started["meetingSeriesId"]) == (f"{meeting_id}_I_1", meeting_id)
    assert (joined["meetingId"], joined["email"]) == (f"{meeting_id}_I_1", "ann@clinic.example")


def test_the_signature_is_over_the_raw_body(sandbox, client, listener):
    client("POST", "webhooks", json=webhook(listener.url, secret="ключ"))
    client.create(title="Łódź")
    assert sandbox.events
    [(headers, body)] = listener.heard
    assert headers["X-Spark-Signature"] == hmac.new("ключ".encode(), body, hashlib.sha1).hexdigest()
    assert json.loads(body)["data"]["title"] == "Łódź"


def test_without_a_secret_nothing_is_signed(sandbox, client, listener):
    client("POST", "webhooks", json=webhook(listener.url, secret=None))
    client.create()
    assert sandbox.events
    assert "X-Spark-Signature" not in listener.heard[0][0]


def test_a_webhook_is_listed_read_changed_and_deleted(sandbox, client, listener):
    made = client("POST", "webhooks", json=webhook(listener.url)).json()
    path = f"webhooks/{made['id']}"
    assert client.items("webhooks") == [made] == [client("GET", path).json()]
    changed = client("PUT", path, json={"name": "another", "targetUrl": listener.url, "status": "inactive"}).json()
    assert changed == made | {"name": "another", "status": "inactive"}
    client.create()
    assert sandbox.events == []
    assert [client("DELETE", path).status_code for _ in range(2)] == [204, 404]
    assert client.items("webhooks") == []


def test_a_webhook_is_its_client_s_own(sandbox, client, listener):
    made = client("POST", "webhooks", json=webhook(listener.url)).json()
    stranger = Client(sandbox, "second-client")
    assert stranger.items("webhooks") == []
    assert stranger("DELETE", f"webhooks/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"targetUrl": "https://hooks.example/events"},
        {"targetUrl": "http://127.0.0.1.hooks.example/events"},
        {"targetUrl": "http://192.0.2.1/events"},
        {"targetUrl": "http://127.0.0.1@hooks.example/events"},
        {"targetUrl": "ftp://127.0.0.1/events"},
        {"targetUrl": "http://[::1"},
        {"targetUrl": None},
        {"name": ""},
        {"resource": "rooms"},
        {"event": "joined"},
        {"secret": 5},
    ],
)
def test_a_webhook_elsewhere_or_for_nothing_is_refused(client, listener, wrong):
    assert client("POST", "webhooks", json=webhook(listener.url, **wrong)).status_code == 400
    assert client.items("webhooks") == []


@pytest.mark.parametrize("wrong", [{"targetUrl": "https://hooks.example/"}, {"name": None}, {"status": "asleep"}])
def test_a_wrong_change_of_a_webhook_changes_nothing(client, listener, wrong):
    made = client("POST", "webhooks", json=webhook(listener.url)).json()
    answer = client("PUT", f"webhooks/{made['id']}", json={"name": "x", "targetUrl": listener.url} | wrong)
    assert answer.status_code == 400
    assert client.items("webhooks") == [made]


@pytest.mark.parametrize("status", [302, 500])
def test_an_event_is_sent_once_whatever_the_answer(sandbox, client, listener, status):
    listener.status = status
    client("POST", "webhooks", json=webhook(listener.url))
    client.create()
    assert [message.status for message in sandbox.events] == [status]


def test_an_event_that_nobody_takes_is_noted_without_a_status(sandbox, client):
    client("POST", "webhooks", json=webhook("http://127.0.0.1:1/events"))
    client.create()
    assert [message.status for message in sandbox.events] == [None]


def test_a_refused_request_tells_nothing(sandbox, client, listening):
    client.create()
    client("PATCH", "meetings/none", json={"title": "x"})
    client("DELETE", "meetings/none")
    assert happened(sandbox) == ["meetings/created"]


def test_what_was_applied_is_told_though_the_answer_was_dropped(sandbox, client, listening):
    sandbox.faults.add(method="POST", status=502, applied=True)
    sandbox.faults.add(method="POST", status=502)
    client("POST", json={"title": "x"} | {"start": "2099-01-01T10:00Z", "end": "2099-01-01T11:00Z", "hostEmail": HOST})
    client("POST", json={"title": "x"})
    assert happened(sandbox) == ["meetings/created"]


def test_an_event_may_be_sent_twice(sandbox, client, listening):
    sandbox.faults.add(event="duplicate")
    client.create()
    first, second = sandbox.events
    assert (first.body, first.headers) == (second.body, second.headers)


def test_an_event_may_be_lost(sandbox, client, listening):
    sandbox.faults.add(event="drop", path="meetings/created")
    meeting_id = client.create()
    client("DELETE", f"meetings/{meeting_id}")
    assert happened(sandbox) == ["meetings/deleted"]


def test_an_event_may_come_after_the_one_that_followed(sandbox, client, listening):
    sandbox.faults.add(event="hold-back", path="meetings/created")
    meeting_id = client.create()
    assert happened(sandbox) == []
    client("DELETE", f"meetings/{meeting_id}")
    assert happened(sandbox) == ["meetings/deleted", "meetings/created"]


def test_faults_of_events_and_of_requests_keep_apart(sandbox, client, listening):
    sandbox.faults.add(event="drop", times=None)
    sandbox.faults.add(path="/v1/meetings", times=1, status=503)
    assert client("POST", json={}).status_code == 503
    client.create()
    assert happened(sandbox) == []
