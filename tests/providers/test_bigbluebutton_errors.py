"""What comes of answers that are no success: with status 200 and a FAILED inside, or not BigBlueButton's at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import Person
from conference_orchestrator.providers.bigbluebutton import BigBlueButtonProvider
from conference_orchestrator.providers.contract_server import MisbehavingServer
from conference_orchestrator.providers.exchange import Timeouts

SECRET = "639259d4-9dd8-4b25-bf01-95f9567eaf4b"
ADA = Person("Ada Byron", "ada@clinic.example")
BOMB = '<!DOCTYPE response [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE response [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
SUCCESS = "<returncode>SUCCESS</returncode>"


@pytest.fixture
def now(spec):
    starts_at = datetime.now(UTC)
    return spec(starts_at=starts_at, ends_at=starts_at + timedelta(hours=1))


@pytest.fixture
def answering():
    """An adapter whose server answers every call with this."""
    servers = []

    def start(body):
        servers.append(MisbehavingServer(lambda to: to.answer(200, body if isinstance(body, bytes) else body.encode())))
        return BigBlueButtonProvider(servers[-1].__enter__().url, SECRET, timeouts=Timeouts(connect=5, read=5))

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def failed(key, message="It is said why."):
    said = f"<messageKey>{key}</messageKey><message>{message}</message>"
    return f"<response><returncode>FAILED</returncode>{said}</response>"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("checksumError", errors.AuthError),
        ("notFound", errors.NotFound),
        ("invalidMeetingIdentifier", errors.NotFound),
        ("idNotUnique", errors.Conflict),
        ("noInstanceFound", errors.Transient),
        ("validationError", errors.Invalid),
        ("inventedLater", errors.Invalid),
    ],
)
def test_the_message_key_tells_what_may_be_done(answering, now, key, expected):
    with pytest.raises(errors.ProviderError) as told:
        answering(failed(key)).create(now)
    assert (type(told.value), told.value.code, told.value.message) == (expected, key, "It is said why.")


@pytest.mark.parametrize(
    "body",
    [
        "<html><body>Gateway</body></html>",
        '{"returncode": "SUCCESS"}',
        f"<response>{SUCCESS}",
        "<response></response>",
        "<response><returncode> </returncode></response>",
        f"{BOMB}<response>{SUCCESS}&b;</response>",
        f"{FILE}<response>{SUCCESS}<running>&a;</running></response>",
        f"<!DOCTYPE response><response>{SUCCESS}</response>",
        f"<response>{SUCCESS}&undeclared;</response>",
        '<?xml version="1.0" encoding="invented"?><response/>',
        "<a>" * 100_000,
        b"\xff\xfe\x00",
    ],
    ids=[
        "html", "json", "cut off", "empty", "blank code", "bomb", "file", "document type", "entity", "encoding", "deep",
        "no text",
    ],
)  # fmt: skip
def test_what_is_no_answer_of_bigbluebutton_is_asked_again(answering, now, body):
    with pytest.raises(errors.Transient):
        answering(body).create(now)


def test_letters_of_every_script_in_an_answer_are_read(answering, now):
    with pytest.raises(errors.Invalid, match="Łódź & 東京"):
        answering(failed("x", "Łódź &amp; 東京")).create(now)


def test_a_room_without_its_time_is_no_room(answering, now):
    bbb = answering(f"<response>{SUCCESS}</response>")
    with pytest.raises(errors.Transient, match="createTime is missing"):
        bbb.join_link(bbb.create(now).ref, ADA, "attendee")


def test_a_message_that_repeats_the_call_is_masked(now):
    def echo(to):
        query = to.heard.split()[1].decode()
        to.answer(200, failed("x", query.replace("&", "&amp;")).encode())

    with MisbehavingServer(echo) as server:
        bbb = BigBlueButtonProvider(server.url, SECRET)
        with pytest.raises(errors.Invalid) as told:
            bbb.create(now)
        assert "meetingID=" in told.value.message
        assert "checksum=********" in told.value.message
