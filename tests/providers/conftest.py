from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from conference_orchestrator.providers.base import MeetingSpec, to_the_minute
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider

pytest.register_assert_rewrite("conference_orchestrator.providers.contract")

TOKEN = "very-secret-token"
HOST, OTHER_HOST = "round@hosts.example", "panel@hosts.example"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is reached directly, whatever proxy the machine is told to use."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def host() -> str:
    return HOST


@pytest.fixture
def other_host() -> str:
    return OTHER_HOST


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def webex(sandbox: RunningSandbox) -> WebexProvider:
    return WebexProvider(sandbox.url, TOKEN)


@pytest.fixture
def hasty_webex(sandbox: RunningSandbox) -> WebexProvider:
    """Waits for an answer for a fifth of a second only."""
    return WebexProvider(sandbox.url, TOKEN, timeouts=Timeouts(connect=5, read=0.2))


@pytest.fixture
def spec() -> Callable[..., MeetingSpec]:
    starts_at = to_the_minute(datetime.now(UTC)) + timedelta(days=60)

    def make(**instead: object) -> MeetingSpec:
        usual: dict[str, object] = {
            "key": "co-0123456789abcdef0123456789abcdef",
            "kind": "meeting",
            "title": "Brain Tumour round",
            "agenda": "Two cases of twenty minutes.",
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(hours=1),
            "time_zone": "Europe/Berlin",
            "host": HOST,
            "join_before_minutes": 10,
        }
        return MeetingSpec(**(usual | instead))

    return make
