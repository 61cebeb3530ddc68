from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.providers.sandbox.client import HOST, Client

CLIENTS = {"ours": "our-secret", "theirs": "their-secret"}


def form(token):
    client = {"client_id": "ours", "client_secret": "our-secret"}
    return client | {"grant_type": "refresh_token", "refresh_token": token}


def refresh(sandbox, token, **instead):
    return requests.post(f"{sandbox.url}access_token", data=form(token) | instead, timeout=5)


def client_with(sandbox, *, name="ours"):
    answer = refresh(sandbox, sandbox.tokens.issue(name), client_id=name, client_secret=CLIENTS[name])
    return Client(sandbox, answer.json()["access_token"])


@pytest.fixture
def sandbox(clock):
    with RunningSandbox(clients=CLIENTS, token_lifetime=timedelta(hours=1), now=clock) as running:
        yield running


@pytest.fixture
def rotating():
    with RunningSandbox(clients=CLIENTS, rotates=True) as running:
        yield running


def test_a_refresh_token_gives_an_access_token_that_is_good(sandbox):
    first = sandbox.tokens.issue("ours")
    answer = refresh(sandbox, first)
    given = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert given.keys() == {"access_token", "expires_in", "refresh_token", "refresh_token_expires_in"}
    assert (given["expires_in"], given["refresh_token_expires_in"]) == (3600, 90 * 24 * 3600)
    assert given["refresh_token"] == first
    assert Client(sandbox, given["access_token"])("GET").status_code == 200


def test_a_token_that_was_not_issued_is_refused_once_there_are_clients(sandbox):
    answer = Client(sandbox, "any-token")("GET")
    assert (answer.status_code, answer.json().keys()) == (401, {"message", "errors", "trackingId"})


def test_a_refresh_token_is_no_access_token(sandbox):
    assert Client(sandbox, sandbox.tokens.issue("ours"))("GET").status_code == 401


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": "guessed"}, 401, "invalid_client"),
        ({"client_id": "theirs", "client_secret": "their-secret"}, 400, "invalid_grant"),
        ({"refresh_token": "guessed"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_grant_is_refused_as_oauth_says(sandbox, wrong, status, error):
    answer = refresh(sandbox, sandbox.tokens.issue("ours"), **wrong)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_without_clients_nothing_is_issued():
    with RunningSandbox() as sandbox:
        assert refresh(sandbox, "any").json()["error"] == "invalid_client"
        with pytest.raises(KeyError):
            sandbox.tokens.issue("ours")


def test_an_access_token_expires_after_its_lifetime(sandbox, clock):
    client = client_with(sandbox)
    clock.at += timedelta(minutes=59)
    assert client("GET").status_code == 200
    clock.at += timedelta(minutes=1)
    assert client("GET").status_code == 401


def test_a_refresh_token_expires_after_ninety_days(sandbox, clock):
    first = sandbox.tokens.issue("ours")
    clock.at += timedelta(days=89)
    assert refresh(sandbox, first).json()["refresh_token_expires_in"] == 24 * 3600
    clock.at += timedelta(days=1)
    assert refresh(sandbox, first).json()["error"] == "invalid_grant"


def test_all_access_tokens_may_expire_at_once_and_the_refresh_token_stays(sandbox):
    first = sandbox.tokens.issue("ours")
    client = Client(sandbox, refresh(sandbox, first).json()["access_token"])
    sandbox.tokens.expire()
    assert client("GET").status_code == 401
    assert refresh(sandbox, first).status_code == 200


def test_a_revoked_client_has_no_tokens_and_another_keeps_its_own(sandbox):
    first = sandbox.tokens.issue("ours")
    ours, theirs = Client(sandbox, refresh(sandbox, first).json()["access_token"]), client_with(sandbox, name="theirs")
    sandbox.tokens.revoke("ours")
    assert (ours("GET").status_code, theirs("GET").status_code) == (401, 200)
    assert refresh(sandbox, first).json()["error"] == "invalid_grant"


def test_a_token_that_does_not_rotate_works_again(sandbox):
    first = sandbox.tokens.issue("ours")
    assert [refresh(sandbox, first).status_code for _ in range(2)] == [200, 200]


def test_a_rotated_refresh_token_replaces_the_one_before(rotating):
    first = rotating.tokens.issue("ours")
    second = refresh(rotating, first).json()["refresh_token"]
    assert second != first
    assert refresh(rotating, first).json()["error"] == "invalid_grant"
    assert refresh(rotating, second).status_code == 200


def test_the_tags_of_a_client_stay_its_own_across_its_tokens(sandbox):
    span = {"start": "2027-03-02T10:00:00Z", "end": "2027-03-02T11:00:00Z"}
    meeting_id = client_with(sandbox).create(integrationTags=["ours"], **span)
    query = {"hostEmail": HOST, "integrationTag": "ours"}
    assert client_with(sandbox).ids(**query) == [meeting_id]
    assert client_with(sandbox, name="theirs").ids(**query) == []


def test_the_token_endpoint_meets_faults_and_keeps_no_secret(sandbox):
    sandbox.faults.add(path="/v1/access_token", status=503)
    first = sandbox.tokens.issue("ours")
    assert [refresh(sandbox, first).status_code for _ in range(2)] == [503, 200]
    assert [path for _, path, _ in sandbox.requests] == ["/v1/access_token"] * 2
    assert sandbox.bodies == []
