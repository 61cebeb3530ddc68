from __future__ import annotations

import json
import socket

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import MeetingChanges, MeetingRef
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.webex import WebexProvider

REF = MeetingRef("webex", "0123456789abcdef", "round@hosts.example")
METHODS = {"create": "POST", "find": "GET", "get": "GET", "update": "PATCH", "cancel": "DELETE"}
REPEATABLE = ["find", "get", "update", "cancel"]


@pytest.fixture
def do(spec):
    """Calls one operation of the port by its name."""

    def call(webex, operation):
        wanted = spec()
        return {
            "create": lambda: webex.create(wanted),
            "find": lambda: webex.find(wanted.key, wanted.host, wanted.starts_at, wanted.ends_at),
            "get": lambda: webex.get(REF),
            "update": lambda: webex.update(REF, MeetingChanges(title="Another")),
            "cancel": lambda: webex.cancel(REF),
        }[operation]()

    return call


@pytest.mark.parametrize("operation", METHODS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, errors.Invalid),
        (307, errors.Invalid),
        (400, errors.Invalid),
        (401, errors.AuthError),
        (403, errors.Forbidden),
        (405, errors.Invalid),
        (409, errors.Conflict),
        (415, errors.Invalid),
        (422, errors.Invalid),
        (423, errors.RateLimited),
        (428, errors.Invalid),
        (429, errors.RateLimited),
    ],
)
def test_a_refusal_is_of_the_class_that_says_what_may_be_done(sandbox, webex, do, operation, status, expected):
    sandbox.faults.add(method=METHODS[operation], status=status)
    with pytest.raises(errors.ProviderError) as told:
        do(webex, operation)
    assert type(told.value) is expected
    assert (told.value.provider, told.value.operation, told.value.status) == ("webex", operation, status)
    assert told.value.maybe_applied is False
    assert told.value.tracking_id.startswith("SANDBOX_")
    assert "A scripted fault." in told.value.message


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("operation", ["create", "find", "get", "update"])
def test_what_is_gone_is_not_found(sandbox, webex, do, operation, status):
    sandbox.faults.add(method=METHODS[operation], status=status)
    with pytest.raises(errors.NotFound):
        do(webex, operation)


@pytest.mark.parametrize("status", [404, 410])
def test_cancelling_what_is_gone_is_no_error(sandbox, webex, do, status):
    sandbox.faults.add(method="DELETE", status=status)
    assert do(webex, "cancel") is False


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_a_server_error_on_create_may_have_made_a_meeting(sandbox, webex, do, status):
    sandbox.faults.add(method="POST", status=status)
    with pytest.raises(errors.Ambiguous) as told:
        do(webex, "create")
    assert (told.value.status, told.value.maybe_applied, told.value.repeatable) == (status, True, False)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("operation", REPEATABLE)
def test_a_server_error_elsewhere_is_repeated(sandbox, webex, do, operation, status):
    sandbox.faults.add(method=METHODS[operation], status=status)
    with pytest.raises(errors.Transient) as told:
        do(webex, operation)
    assert (told.value.status, told.value.maybe_applied, told.value.repeatable) == (status, False, True)


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        ({"fault": "drop-before-apply"}, 0),
        ({"fault": "apply-then-drop"}, 1),
        ({"fault": "reset-in-body"}, 1),
        ({"fault": "empty-object"}, 1),
        ({"fault": "html"}, 1),
        ({"status": 502, "applied": True}, 1),
        ({"status": 502}, 0),
        ({"delay": 60}, 1),
    ],
)
def test_a_create_without_a_readable_answer_is_ambiguous_whether_made_or_not(sandbox, hasty_webex, do, fault, made):
    sandbox.faults.add(method="POST", **fault)
    with pytest.raises(errors.Ambiguous):
        do(hasty_webex, "create")
    assert len(sandbox.meetings()) == made


@pytest.mark.parametrize("operation", REPEATABLE)
@pytest.mark.parametrize(
    "fault",
    [{"fault": "drop-before-apply"}, {"fault": "apply-then-drop"}, {"fault": "reset-in-body"}, {"delay": 60}],
)
def test_a_lost_answer_elsewhere_is_repeated(sandbox, hasty_webex, do, operation, fault):
    sandbox.faults.add(method=METHODS[operation], **fault)
    with pytest.raises(errors.Transient):
        do(hasty_webex, operation)


@pytest.mark.parametrize("operation", ["find", "get", "update"])
@pytest.mark.parametrize("fault", ["empty-object", "html"])
def test_an_answer_of_another_form_is_not_taken_for_nothing(sandbox, webex, do, operation, fault):
    sandbox.faults.add(method=METHODS[operation], fault=fault)
    with pytest.raises(errors.Transient):
        do(webex, operation)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 5},
        {"start": "tomorrow"},
        {"start": "2027-01-05T10:00:00"},
        {"end": None},
        {"webLink": "javascript:alert(1)"},
        {"integrationTags": "co-1"},
        {"title": ["x"]},
    ],
)
def test_a_field_of_another_type_makes_a_create_ambiguous(sandbox, webex, do, wrong):
    answer = {
        "id": "a",
        "title": "x",
        "start": "2027-01-05T10:00:00Z",
        "end": "2027-01-05T11:00:00Z",
        "webLink": "https://site.example/j",
        "hostEmail": "round@hosts.example",
    }
    sandbox.faults.add(method="POST", status=200, body=json.dumps(answer))
    do(webex, "create")
    sandbox.faults.add(method="POST", status=200, body=json.dumps(answer | wrong))
    with pytest.raises(errors.Ambiguous):
        do(webex, "create")


@pytest.mark.parametrize("body", ["[]", "null", "5", "[" * 100_000, '{"items": 5}', '{"items": [5]}', "\ufeff{}"])
def test_a_list_of_another_form_is_not_an_empty_one(sandbox, webex, do, body):
    sandbox.faults.add(method="GET", status=200, body=body)
    with pytest.raises(errors.Transient):
        do(webex, "find")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("0", 1.0), ("86400", 3600.0), (None, 15.0), ("soon", 15.0), ("-5", 15.0)],
)
@pytest.mark.parametrize("status", [423, 429])
def test_a_limited_rate_always_tells_how_long_to_wait(sandbox, webex, do, status, said, seconds):
    sandbox.faults.add(method="POST", status=status, retry_after=said)
    with pytest.raises(errors.RateLimited) as told:
        do(webex, "create")
    assert told.value.retry_after == seconds
    assert told.value.repeatable


def test_the_wait_that_a_server_error_asks_for_is_handed_on(sandbox, webex, do):
    sandbox.faults.add(method="POST", status=503, retry_after="30")
    with pytest.raises(errors.Ambiguous) as told:
        do(webex, "create")
    assert told.value.retry_after == 30.0


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", '{"message": 5, "errors": 7}', '{"errors": [5, {}, {"description": null}]}', "x" * 900_000],
)
def test_an_error_body_of_any_form_leaves_the_class_as_it_is(sandbox, webex, do, body):
    sandbox.faults.add(method="POST", status=400, body=body)
    with pytest.raises(errors.Invalid) as told:
        do(webex, "create")
    assert told.value.message == "no explanation was given"


def test_a_message_is_one_bounded_printable_line(sandbox, webex, do):
    body = {"message": "first\r\nsecond\x1b[31m\u2028third", "errors": [{"description": "long " * 500}]}
    sandbox.faults.add(method="POST", status=400, body=json.dumps(body))
    with pytest.raises(errors.Invalid) as told:
        do(webex, "create")
    assert told.value.message.startswith("first second [31m third long long")
    assert len(told.value.message) <= 300


def test_a_redirect_is_not_followed_with_the_token(sandbox, webex, do):
    @sandbox.app.after_request
    def redirect(answer):
        answer.status_code = 307
        answer.headers["Location"] = f"{sandbox.url}elsewhere"
        return answer

    with pytest.raises(errors.Invalid):
        do(webex, "create")
    assert [path for _, path, _ in sandbox.requests] == ["/v1/meetings"]


@pytest.mark.parametrize(
    "where", ["http://127.0.0.2:{port}", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "ftp://x"]
)
def test_a_next_page_at_another_origin_is_refused(sandbox, webex, do, where):
    port = sandbox.url.split(":")[2].split("/")[0]

    @sandbox.app.after_request
    def lead_away(answer):
        answer.headers["Link"] = f'<{where.format(port=port)}/v1/meetings?offset=1>; rel="next"'
        return answer

    with pytest.raises(errors.Invalid, match="elsewhere"):
        do(webex, "find")
    assert sandbox.count("GET") == 1


@pytest.mark.parametrize("operation", METHODS)
def test_a_refused_connection_is_unreachable(do, operation, token):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        webex = WebexProvider(f"http://127.0.0.1:{unused.getsockname()[1]}/v1/", token)
        with pytest.raises(errors.Unreachable) as told:
            do(webex, operation)
    assert (told.value.maybe_applied, told.value.repeatable) == (False, True)


def test_a_name_that_does_not_exist_is_unreachable(do, token, monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(errors.Unreachable):
        do(WebexProvider("https://nowhere.example/v1/", token), "create")


def test_a_server_without_tls_is_unreachable(sandbox, do, token):
    with pytest.raises(errors.Unreachable):
        do(WebexProvider(sandbox.url.replace("http://", "https://"), token), "create")
    assert sandbox.meetings() == []


def test_a_handshake_that_hangs_is_unreachable(do, token):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}/v1/"
        with pytest.raises(errors.Unreachable):
            do(WebexProvider(address, token, timeouts=Timeouts(connect=0.2, read=30)), "create")
