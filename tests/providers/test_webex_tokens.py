"""Access tokens that a refresh token renews, against a sandbox that accepts only those that it issued."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.tokens import TokensInMemory
from conference_orchestrator.providers.webex import WebexProvider, provider
from conference_orchestrator.providers.webex_tokens import Client, RenewedToken
from conference_orchestrator.settings import Settings
from tests.house import StandingClock

CLIENT, CLIENT_SECRET = "client-of-the-test", "client-secret-of-the-test"
LIFETIME = timedelta(days=14)
ENDPOINT = "/v1/access_token"
NOWHERE = MeetingRef("webex", "0123456789abcdef", None)


@pytest.fixture(params=[False, True], ids=["same", "rotating"])
def rotates(request):
    return request.param


@pytest.fixture
def sandbox(rotates):
    with RunningSandbox(clients={CLIENT: CLIENT_SECRET}, token_lifetime=LIFETIME, rotates=rotates) as running:
        yield running


@pytest.fixture
def refresh_token(sandbox):
    return sandbox.tokens.issue(CLIENT)


@pytest.fixture
def tokens():
    return TokensInMemory()


@pytest.fixture
def webex(sandbox, refresh_token, tokens):
    return started(sandbox, refresh_token, tokens)


def started(sandbox, refresh_token, tokens):
    """The adapter as a start of the service makes it."""
    settings = Settings(
        webex_url=sandbox.url,
        webex_client_id=CLIENT,
        webex_client_secret=CLIENT_SECRET,
        webex_refresh_token=refresh_token,
    )
    return provider(settings, tokens)


def with_clock(sandbox, refresh_token, tokens, clock):
    client = Client(CLIENT, CLIENT_SECRET, refresh_token)
    return WebexProvider(sandbox.url, RenewedToken(sandbox.url, client, tokens, now=clock.now))


def refreshes(sandbox):
    return sum(path == ENDPOINT for _, path, _ in sandbox.requests)


def look(webex):
    """A call that needs a token; there is no such meeting."""
    with pytest.raises(errors.NotFound):
        webex.get(NOWHERE)


def failure(webex):
    with pytest.raises(errors.ProviderError) as told:
        webex.get(NOWHERE)
    return told.value


def test_one_token_serves_many_calls(sandbox, webex):
    for _ in range(3):
        look(webex)
    assert [path for _, path, _ in sandbox.requests] == [ENDPOINT, *["/v1/meetings/0123456789abcdef"] * 3]


def test_a_refused_token_is_renewed_once_and_the_call_repeated_once(sandbox, webex, spec):
    look(webex)
    sandbox.tokens.expire()
    sandbox.requests.clear()
    webex.create(spec())
    assert sandbox.requests[:3] == [
        ("POST", "/v1/meetings", 401),
        ("POST", ENDPOINT, 200),
        ("POST", "/v1/meetings", 200),
    ]
    assert len(sandbox.meetings()) == 1


def test_a_token_that_is_refused_though_it_is_new_is_the_end(sandbox, webex):
    sandbox.faults.add(method="GET", times=None, status=401)
    assert type(failure(webex)) is errors.AuthError
    assert [status for _, _, status in sandbox.requests] == [200, 401, 200, 401]


def test_a_create_that_is_lost_when_it_is_repeated_is_ambiguous(sandbox, webex, spec):
    look(webex)
    sandbox.tokens.expire()
    sandbox.faults.add(method="POST", path="/v1/meetings", status=401)
    sandbox.faults.add(method="POST", path="/v1/meetings", fault="apply-then-drop")
    with pytest.raises(errors.Ambiguous):
        webex.create(spec())
    assert len(sandbox.meetings()) == 1


@pytest.mark.parametrize(("left", "renewed"), [(timedelta(minutes=2), 0), (timedelta(seconds=59), 1)])
def test_a_token_is_renewed_before_it_ends_as_told(sandbox, refresh_token, tokens, left, renewed):
    clock = StandingClock(datetime.now(UTC))
    webex = with_clock(sandbox, refresh_token, tokens, clock)
    look(webex)
    clock.move_on(LIFETIME - left)
    sandbox.requests.clear()
    look(webex)
    assert refreshes(sandbox) == renewed
    assert 401 not in [status for _, _, status in sandbox.requests]


class Slow(TokensInMemory):
    """Who waits for the right to renew finds a token of somebody else that has ended meanwhile."""

    @contextmanager
    def alone(self, name):
        kept = self.load(name)
        if kept is not None:
            ended = datetime.now(UTC) - timedelta(hours=1)
            self.save(name, replace(kept, access_token="an-ended-token", access_expires_at=ended))
        with super().alone(name):
            yield


def test_a_token_of_somebody_else_that_has_ended_is_not_used(sandbox, refresh_token):
    webex = started(sandbox, refresh_token, Slow())
    look(webex)
    sandbox.tokens.expire()
    look(webex)
    assert refreshes(sandbox) == 2


@pytest.mark.parametrize("lifetime", [None, "soon", True, -5, 0, 1e300])
def test_a_token_of_unknown_lifetime_is_used_until_it_is_refused(tokens, lifetime):
    with RunningSandbox() as sandbox:
        answer = {"access_token": "an-access-token", "expires_in": lifetime}
        sandbox.faults.add(path=ENDPOINT, times=None, status=200, body=json.dumps(answer))
        webex = started(sandbox, "a-refresh-token", tokens)
        look(webex)
        look(webex)
        assert refreshes(sandbox) == 1
        sandbox.faults.add(method="GET", status=401)
        look(webex)
        assert refreshes(sandbox) == 2


def test_a_restart_goes_on_with_what_is_stored(sandbox, webex, refresh_token, tokens):
    look(webex)
    look(started(sandbox, refresh_token, tokens))
    assert refreshes(sandbox) == 1
    sandbox.tokens.expire()
    look(started(sandbox, refresh_token, tokens))
    assert refreshes(sandbox) == 2


class Dying(TokensInMemory):
    """The process dies right after the store has stored."""

    def save(self, name, tokens):
        super().save(name, tokens)
        raise KeyboardInterrupt


class Forgetting(TokensInMemory):
    """The process dies before anything is stored."""

    def save(self, _name, _tokens):
        raise KeyboardInterrupt


@pytest.mark.parametrize("rotates", [True])
def test_a_token_that_was_rotated_in_by_a_process_that_died_is_used(sandbox, refresh_token, tokens):
    dying = Dying()
    with pytest.raises(KeyboardInterrupt):
        started(sandbox, refresh_token, dying).get(NOWHERE)
    assert [path for _, path, _ in sandbox.requests] == [ENDPOINT], "the token was used before it was stored"
    tokens.save("webex", dying.load("webex"))
    sandbox.tokens.expire()
    look(started(sandbox, refresh_token, tokens))


@pytest.mark.parametrize("rotates", [True])
def test_a_rotated_token_that_is_not_stored_is_lost(sandbox, refresh_token, tokens):
    with pytest.raises(KeyboardInterrupt):
        started(sandbox, refresh_token, Forgetting()).get(NOWHERE)
    error = failure(started(sandbox, refresh_token, tokens))
    assert type(error) is errors.AuthError, "the harness can no longer see the fault it guards against"


def test_a_new_refresh_token_in_the_settings_goes_before_what_is_stored(sandbox, webex, tokens):
    look(webex)
    sandbox.tokens.revoke(CLIENT)
    assert type(failure(webex)) is errors.AuthError
    look(started(sandbox, sandbox.tokens.issue(CLIENT), tokens))


def test_an_access_token_of_former_settings_is_not_used_with_new_ones(sandbox, webex, tokens):
    look(webex)
    look(started(sandbox, sandbox.tokens.issue(CLIENT), tokens))
    assert refreshes(sandbox) == 2


def test_a_revoked_grant_is_an_error_that_a_person_must_mend(sandbox, webex):
    sandbox.tokens.revoke(CLIENT)
    error = failure(webex)
    assert (type(error), error.status, error.code, error.operation) == (errors.AuthError, 400, "invalid_grant", "get")
    assert "CO_WEBEX_REFRESH_TOKEN" in error.message
    assert [path for _, path, _ in sandbox.requests] == [ENDPOINT]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_of_any_form_is_an_error_that_a_person_must_mend(sandbox, webex, status):
    sandbox.faults.add(path=ENDPOINT, status=status, body="<html>")
    assert type(failure(webex)) is errors.AuthError


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503},
        {"status": 302},
        {"status": 404},
        {"fault": "drop-before-apply"},
        {"fault": "html"},
        {"fault": "empty-object"},
        {"status": 200, "body": '{"access_token": 5}'},
        {"status": 200, "body": '{"access_token": "two words"}'},
        {"status": 200, "body": '{"access_token": "x", "refresh_token": null}'},
    ],
)
def test_a_create_was_not_sent_when_the_token_could_not_be_had(sandbox, webex, spec, fault):
    sandbox.faults.add(path=ENDPOINT, **fault)
    with pytest.raises(errors.Unreachable) as told:
        webex.create(spec())
    assert (told.value.maybe_applied, told.value.repeatable) == (False, True)
    assert [path for _, path, _ in sandbox.requests] == [ENDPOINT]


def test_a_token_endpoint_that_does_not_answer_is_unreachable(sandbox, refresh_token, tokens):
    sandbox.faults.add(path=ENDPOINT, delay=60)
    client = Client(CLIENT, CLIENT_SECRET, refresh_token)
    token = RenewedToken(sandbox.url, client, tokens, timeouts=Timeouts(connect=5, read=0.2))
    assert type(failure(WebexProvider(sandbox.url, token))) is errors.Unreachable


def test_a_token_endpoint_that_nobody_serves_is_unreachable(tokens):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1/"
        webex = provider(
            Settings(webex_url=url, webex_client_id="x", webex_client_secret="x", webex_refresh_token="x"), tokens
        )
        assert type(failure(webex)) is errors.Unreachable


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), (None, 15.0)])
def test_a_token_endpoint_that_is_called_too_often_tells_how_long_to_wait(sandbox, webex, said, seconds):
    sandbox.faults.add(path=ENDPOINT, status=429, retry_after=said)
    error = failure(webex)
    assert (type(error), error.retry_after) == (errors.RateLimited, seconds)


def test_no_token_and_no_secret_shows_anywhere(sandbox, webex, refresh_token, tokens, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    look(webex)
    first = tokens.load("webex")
    sandbox.tokens.expire()
    look(webex)
    second = tokens.load("webex")
    secrets = [CLIENT_SECRET, refresh_token, *(kept.access_token for kept in (first, second))]
    secrets += [kept.refresh_token.partition(":")[2] for kept in (first, second)]
    echo = json.dumps(
        {"error": " ".join(secrets), "message": f"you said {' '.join(secrets)}", "trackingId": secrets[3]}
    )
    said = [repr(webex), repr(Client(CLIENT, CLIENT_SECRET, refresh_token)), repr(first)]
    for rule in (
        {"path": ENDPOINT, "status": 400, "body": echo},
        {"path": ENDPOINT, "status": 503, "body": echo},
        {"path": ENDPOINT, "status": 200, "body": echo},
        {"path": ENDPOINT, "fault": "reset-in-body"},
    ):
        sandbox.tokens.expire()
        sandbox.faults.add(**rule)
        error = failure(webex)
        said += [*traceback.format_exception(error), repr(vars(error))]
    said += [caplog.text, *capsys.readouterr()]
    assert len(set(secrets)) >= 4
    assert not [secret for secret in secrets if secret in "".join(said)]


def test_a_renewed_token_that_a_proxy_repeats_is_masked(sandbox, webex, tokens):
    look(webex)
    old = tokens.load("webex").access_token
    sandbox.faults.add(method="GET", status=401)
    sandbox.faults.add(path=ENDPOINT, status=200, body='{"access_token": "a-renewed-token"}')
    sandbox.faults.add(method="GET", status=403, body=json.dumps({"message": f"{old} or a-renewed-token"}))
    assert failure(webex).message == "******** or ********"
