"""What Webex sends by itself: asking for it once, and believing only what is signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import MeetingChanges
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider

SECRET, URL = "secret-of-the-webhooks", "http://127.0.0.1:9/hooks/webex"
KINDS = {
    ("meetings", "created"),
    ("meetings", "updated"),
    ("meetings", "deleted"),
    ("meetings", "started"),
    ("meetings", "ended"),
    ("meetingParticipants", "joined"),
    ("meetingParticipants", "left"),
}


@pytest.fixture
def webex(sandbox, token):
    return WebexProvider(sandbox.url, token, webhook_secret=SECRET)


def webhooks(webex):
    return webex._webex.listed("listen", "webhooks", {})


def what(webex):
    return sorted((one["resource"], one["event"], one["targetUrl"], one["secret"]) for one in webhooks(webex))


def signed(payload, secret=SECRET):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {"X-Spark-Signature": hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}, body


def test_one_webhook_is_made_for_each_kind_of_event(webex):
    webex.listen(URL)
    assert what(webex) == sorted((*kind, URL, SECRET) for kind in KINDS)


def test_listening_twice_makes_no_second_webhook(sandbox, webex):
    webex.listen(URL)
    before = webhooks(webex)
    webex.listen(URL)
    assert webhooks(webex) == before
    assert sandbox.count("POST") == len(KINDS)


def test_what_is_missing_is_made(sandbox, webex):
    webex.listen(URL)
    before = webhooks(webex)
    webex._webex.call("listen", "DELETE", f"webhooks/{before[3]['id']}")
    webex.listen(URL)
    assert what(webex) == sorted((*kind, URL, SECRET) for kind in KINDS)
    assert sandbox.count("POST") == len(KINDS) + 1


@pytest.mark.parametrize(("url", "secret"), [(URL, "another-secret"), ("http://127.0.0.1:9/old", SECRET)])
def test_ours_of_another_secret_or_address_are_replaced(sandbox, webex, token, url, secret):
    WebexProvider(sandbox.url, token, webhook_secret=secret).listen(url)
    webex.listen(URL)
    assert what(webex) == sorted((*kind, URL, SECRET) for kind in KINDS)


def ask(webex, **instead):
    usual = {"name": "conference-orchestrator meetings created", "resource": "meetings", "event": "created"}
    webex._webex.call("listen", "POST", "webhooks", body=usual | {"targetUrl": URL, "secret": SECRET} | instead)


def test_ours_that_is_there_twice_is_there_once_afterwards(webex):
    ask(webex)
    ask(webex)
    webex.listen(URL)
    assert what(webex) == sorted((*kind, URL, SECRET) for kind in KINDS)


def test_ours_that_webex_has_switched_off_is_replaced(webex):
    ask(webex)
    [one] = webhooks(webex)
    off = {"name": one["name"], "targetUrl": URL, "status": "inactive"}
    webex._webex.call("listen", "PUT", f"webhooks/{one['id']}", body=off)
    assert [one["status"] for one in webhooks(webex)] == ["inactive"]
    webex.listen(URL)
    assert {one["status"] for one in webhooks(webex)} == {"active"}
    assert len(webhooks(webex)) == len(KINDS)


def test_ours_of_which_no_secret_is_told_is_replaced(sandbox, webex):
    ask(webex, secret="")
    webex.listen(URL)
    assert what(webex) == sorted((*kind, URL, SECRET) for kind in KINDS)


def test_webhooks_of_others_stay(webex):
    ask(webex, name="somebody else's", targetUrl="http://127.0.0.1:9/elsewhere")
    webex.listen(URL)
    assert len(webhooks(webex)) == len(KINDS) + 1


def test_webhooks_on_the_third_page_are_known(token):
    with RunningSandbox(largest_page=3) as sandbox:
        webex = WebexProvider(sandbox.url, token, webhook_secret=SECRET)
        webex.listen(URL)
        webex.listen(URL)
        assert sandbox.count("POST") == len(KINDS)


def test_one_that_is_deleted_meanwhile_is_no_error(sandbox, webex):
    ask(webex, secret="")
    sandbox.faults.add(method="DELETE", status=404)
    webex.listen(URL)


@pytest.mark.parametrize(("is_admin", "owner"), [(True, {"ownedBy": "org"}), (False, {})])
def test_an_admin_hears_of_the_meetings_of_all_hosts(sandbox, token, is_admin, owner):
    WebexProvider(sandbox.url, token, webhook_secret=SECRET, is_admin=is_admin).listen(URL)
    assert {body.get("ownedBy") for _, _, body in sandbox.bodies} == {owner.get("ownedBy")}


def test_the_secret_is_masked_where_an_error_repeats_it(sandbox, webex):
    sandbox.faults.add(method="POST", status=400, body=json.dumps({"message": f"secret {SECRET} is wrong"}))
    with pytest.raises(errors.Invalid) as told:
        webex.listen(URL)
    assert told.value.message == "secret ******** is wrong"


@pytest.mark.parametrize("call", [lambda one: one.listen(URL), lambda one: one.parse_event(*signed({}))])
def test_without_a_secret_events_are_refused(sandbox, token, call):
    with pytest.raises(errors.Invalid, match="CO_WEBEX_WEBHOOK_SECRET"):
        call(WebexProvider(sandbox.url, token))
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("resource", "event", "kind"),
    [
        ("meetings", "created", "created"),
        ("meetings", "updated", "changed"),
        ("meetings", "deleted", "deleted"),
        ("meetings", "started", "started"),
        ("meetings", "ended", "ended"),
        ("meetingParticipants", "joined", "joined"),
        ("meetingParticipants", "left", "left"),
    ],
)
def test_an_event_is_told_in_our_words(webex, resource, event, kind):
    data = {"id": "abc_I_5", "meetingId": "abc_I_5"}
    told = webex.parse_event(*signed({"resource": resource, "event": event, "data": data}))
    assert (told.kind, told.meeting_id) == (kind, "abc")


@pytest.mark.parametrize(
    ("resource", "data", "meeting_id"),
    [
        ("meetings", {"id": "abc"}, "abc"),
        ("meetings", {"id": "abc_20270105T100000Z"}, "abc"),
        ("meetings", {"id": "x_I_5", "meetingSeriesId": "abc"}, "abc"),
        ("meetingParticipants", {"id": "x", "meetingId": "abc_I_5"}, "abc"),
        ("meetings", {}, None),
        ("meetings", {"id": 5}, None),
        ("meetings", {"id": ""}, None),
        ("meetings", None, None),
    ],
)
def test_the_meeting_of_an_event_is_the_one_that_we_know(webex, resource, data, meeting_id):
    event = "deleted" if resource == "meetings" else "left"
    assert webex.parse_event(*signed({"resource": resource, "event": event, "data": data})).meeting_id == meeting_id


@pytest.mark.parametrize("payload", [{}, {"resource": "rooms", "event": "created", "data": {"id": "a"}}, {"event": []}])
def test_an_event_about_something_else_is_other(webex, payload):
    told = webex.parse_event(*signed(payload))
    assert (told.kind, told.meeting_id) == ("other", None)


def test_the_same_event_again_has_the_same_id_and_another_event_another(webex):
    first = {"id": "webhook", "resource": "meetings", "event": "updated", "data": {"id": "a", "title": "x"}}
    second = first | {"data": {"id": "a", "title": "y"}}
    ids = [webex.parse_event(*signed(payload)).id for payload in (first, first, second)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("name", ["X-SPARK-SIGNATURE", "x-spark-signature", "X-Spark-Signature"])
def test_a_signature_counts_in_any_case_of_letters(webex, name):
    headers, body = signed({"resource": "meetings"})
    webex.parse_event({name: headers["X-Spark-Signature"].upper()}, body)


GENUINE = signed({"resource": "meetings", "event": "deleted", "data": {"id": "a"}})


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (GENUINE[0], GENUINE[1] + b" "),
        (GENUINE[0], GENUINE[1].replace(b"deleted", b"created")),
        ({}, GENUINE[1]),
        ({"X-Spark-Signature": ""}, GENUINE[1]),
        ({"X-Spark-Signature": "é" * 40}, GENUINE[1]),
        (signed(GENUINE[1], "another-secret")[0], GENUINE[1]),
        ({"X-Spark-Signature": hashlib.sha1(GENUINE[1]).hexdigest()}, GENUINE[1]),
    ],
    ids=["longer", "changed", "missing", "empty", "no ASCII", "another secret", "no secret"],
)
def test_what_is_not_signed_with_our_secret_is_refused(webex, headers, body):
    webex.parse_event(*GENUINE)
    with pytest.raises(errors.BadSignature) as told:
        webex.parse_event(headers, body)
    assert (told.value.provider, told.value.operation) == ("webex", "parse_event")


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"\xff\xfe", b"{", b"[" * 100_000])
def test_a_signed_body_of_another_form_is_refused(webex, body):
    with pytest.raises(errors.Invalid):
        webex.parse_event(*signed(body))


def test_an_event_that_is_too_long_is_refused_though_it_is_genuine(webex):
    longest = json.dumps({"x": "x" * (1_000_000 - len('{"x": ""}'))}).encode()
    assert webex.parse_event(*signed(longest)).kind == "other"
    with pytest.raises(errors.Invalid, match="longer than"):
        webex.parse_event(*signed(longest + b" "))


class Listener:
    """Hears what is sent to it, on the loopback."""

    def __init__(self):
        heard = self.heard = []

        class Hear(BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                """Write nothing among the output of the tests."""

        self._server = HTTPServer(("127.0.0.1", 0), Hear)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/webex"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_what_happens_to_a_meeting_is_heard_and_understood(sandbox, webex, spec):
    with Listener() as listener:
        webex.listen(listener.url)
        meeting = webex.create(spec())
        webex.update(meeting.ref, MeetingChanges(title="Another"))
        begins = meeting.starts_at
        sandbox.hold(meeting.ref.id, ("Ada", "ada@clinic.example", begins, begins + timedelta(minutes=5)))
        webex.cancel(meeting.ref)
        assert sandbox.events
        told = [webex.parse_event(headers, body) for headers, body in listener.heard]
    assert [event.kind for event in told] == ["created", "changed", "started", "joined", "left", "ended", "deleted"]
    assert {event.meeting_id for event in told} == {meeting.ref.id}
    assert len({event.id for event in told}) == len(told)
