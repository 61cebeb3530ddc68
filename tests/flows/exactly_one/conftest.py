"""A scene whose conferences are made at a sandbox that a test sets faults in."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from tests.house import House
from tests.scene import Scene

TIMEOUTS = Timeouts(connect=5, read=1)


@pytest.fixture
def scene(house: House) -> Scene:
    return Scene(house)


@pytest.fixture
def sandbox(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RunningSandbox(now=house.clock.now) as running:
        yield running


@pytest.fixture
def webex(house: House, sandbox: RunningSandbox) -> WebexProvider:
    made = WebexProvider(sandbox.url, "token-of-the-test", timeouts=TIMEOUTS)
    provider_named.fill(house.app, lambda _: made)
    return made


def wanted_conference(scene: Scene) -> UUID:
    """The conference of a session with one case, whose meeting nobody has made yet."""
    ines = scene.clinician("ines")
    group = scene.group("brain", scene.clinician("anna"))
    scene.allocated(ines, group)
    return scene.conference(group).id


@pytest.fixture
def wanted(scene: Scene, webex: WebexProvider) -> UUID:
    return wanted_conference(scene)
