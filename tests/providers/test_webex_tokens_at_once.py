"""Many calls whose token is refused at the same time: one renewal, whoever asks."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.errors import NotFound, Unreachable
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.tokens import TokensInMemory
from conference_orchestrator.providers.webex import provider
from conference_orchestrator.settings import Settings

CLIENT, CLIENT_SECRET, MANY = "client-of-the-test", "client-secret-of-the-test", 10
NOWHERE = MeetingRef("webex", "0123456789abcdef", None)

# Calls Webex once, with the store in the database: says when its token was refused, and goes on when told to.
PROCESS = """
import sys
from contextlib import contextmanager
from flask import Flask
from conference_orchestrator.flows.credentials import SealedTokens
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import connect
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.errors import NotFound
from conference_orchestrator.providers.webex import provider
from conference_orchestrator.settings import Settings
from tests.house import StandingClock

_, address, url, refresh_token, protection = sys.argv

def tell(what):
    print(what, flush=True)
    assert sys.stdin.readline().strip() == "go on"

class Store(SealedTokens):
    @contextmanager
    def alone(self, name):
        tell("refused")
        if protection == "without":
            yield
        else:
            with super().alone(name):
                yield

    def save(self, name, tokens):
        if protection == "without":
            tell("renewed")
        super().save(name, tokens)

app = Flask("process")
connect(app, address)
settings = Settings(
    secret_key="only-for-tests", webex_url=url, webex_client_id="client-of-the-test",
    webex_client_secret="client-secret-of-the-test", webex_refresh_token=refresh_token,
)
ports.settings.fill(app, settings)
ports.clock.fill(app, StandingClock())
with app.app_context():
    try:
        provider(settings, Store()).get(MeetingRef("webex", "0123456789abcdef", None))
    except NotFound:
        print("called", flush=True)
"""


@pytest.fixture
def rotates():
    return True


@pytest.fixture
def sandbox(rotates):
    with RunningSandbox(clients={CLIENT: CLIENT_SECRET}, rotates=rotates) as running:
        yield running


@pytest.fixture
def refresh_token(sandbox):
    return sandbox.tokens.issue(CLIENT)


class Together(TokensInMemory):
    """Lets nobody renew before all have come that far."""

    def __init__(self):
        super().__init__()
        self.meeting = threading.Barrier(MANY)

    @contextmanager
    def alone(self, name):
        self.meeting.wait(timeout=30)
        with super().alone(name):
            yield


class Unprotected(Together):
    """The same without the lock; nobody stores before all have renewed."""

    @contextmanager
    def alone(self, _name):
        self.meeting.wait(timeout=30)
        yield

    def save(self, name, tokens):
        self.meeting.wait(timeout=30)
        super().save(name, tokens)


def refreshes(sandbox):
    return sum(path == "/v1/access_token" for _, path, _ in sandbox.requests)


def settings_of(sandbox, refresh_token):
    return Settings(
        webex_url=sandbox.url,
        webex_client_id=CLIENT,
        webex_client_secret=CLIENT_SECRET,
        webex_refresh_token=refresh_token,
    )


def call_at_once(sandbox, refresh_token, store):
    """Many calls with a token that is refused to each of them."""
    first = TokensInMemory()
    settings = settings_of(sandbox, refresh_token)
    with pytest.raises(NotFound):
        provider(settings, first).get(NOWHERE)
    TokensInMemory.save(store, "webex", first.load("webex"))
    sandbox.tokens.expire()
    sandbox.requests.clear()
    webex = provider(settings, store)

    def call(_):
        with pytest.raises(NotFound):
            webex.get(NOWHERE)

    with ThreadPoolExecutor(MANY) as threads:
        list(threads.map(call, range(MANY)))
    assert [status for _, _, status in sandbox.requests].count(401) == MANY


def test_ten_refusals_at_once_lead_to_one_renewal(sandbox, refresh_token):
    call_at_once(sandbox, refresh_token, Together())
    assert refreshes(sandbox) == 1


@pytest.mark.parametrize("rotates", [False])
def test_each_of_ten_renews_once_the_protection_is_taken_away(sandbox, refresh_token):
    call_at_once(sandbox, refresh_token, Unprotected())
    assert refreshes(sandbox) == MANY, "the harness can no longer see the fault it guards against"


def in_two_processes(sandbox, address, refresh_token, protection):
    """One call in each of two processes; each has its token refused, or none, before either may renew."""
    arguments = [sys.executable, "-c", PROCESS, address, sandbox.url, refresh_token, protection]
    with ExitStack() as running:
        both = [
            running.enter_context(subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(2)
        ]
        said = []
        for stage in ["refused", "renewed"] if protection == "without" else ["refused"]:
            assert [process.stdout.readline().strip() for process in both] == [stage] * 2
            for process in both:
                process.stdin.write("go on\n")
                process.stdin.flush()
        said = [process.communicate(timeout=60)[0].strip() for process in both]
    assert said == ["called"] * 2


def test_two_processes_renew_once(sandbox, sqlite_schema, refresh_token):
    in_two_processes(sandbox, sqlite_schema, refresh_token, "with")
    assert refreshes(sandbox) == 1


@pytest.mark.parametrize("rotates", [False])
def test_two_processes_renew_twice_once_the_protection_is_taken_away(sandbox, sqlite_schema, refresh_token):
    in_two_processes(sandbox, sqlite_schema, refresh_token, "without")
    assert refreshes(sandbox) == 2, "the harness can no longer see the fault it guards against"


def test_who_cannot_wait_any_longer_may_try_again_later(sandbox, refresh_token):
    class Busy(TokensInMemory):
        def alone(self, _name):
            raise TimeoutError

    with pytest.raises(Unreachable, match="another process"):
        provider(settings_of(sandbox, refresh_token), Busy()).get(NOWHERE)
    assert sandbox.requests == []
