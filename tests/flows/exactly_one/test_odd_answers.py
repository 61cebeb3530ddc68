"""R11: answers too slow, too long, without an end or of another form cost neither time, memory nor a second meeting."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.flows.provider_steps import Outcome, Step, act
from conference_orchestrator.providers import exchange
from conference_orchestrator.providers.errors import Ambiguous, Transient
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from tests.house import House
from tests.scene import Scene, settle

ENSURE = "ensure-conference"
READ_SECONDS = 2.0
"""So long may a good answer take too: a machine that stands still for half a second is nothing odd."""
MOST_SECONDS = 10 * 2 * READ_SECONDS
"""Tenfold the head and the body of an answer: a guard against hanging, not a measurement."""
MOST_BYTES = 25_000_000
"""Half of the longest answer. The flow itself takes some 10 MB here, for its statements and their compilation."""

WRONG_TYPES = {"id": 7, "title": ["a"], "start": {"at": 1}, "end": None, "integrationTags": "x", "hostEmail": 0}
ODD: dict[str, dict[str, Any]] = {
    "1 byte/s": {"bytes_per_second": 1},
    "endless": {"fault": "endless"},
    "50 MB": {"fault": "large"},
    "a page": {"fault": "html"},
    "wrong types": {"status": 200, "applied": True, "body": json.dumps(WRONG_TYPES)},
}


@pytest.fixture
def webex(house: House, sandbox: RunningSandbox) -> WebexProvider:
    timeouts = Timeouts(connect=5, read=READ_SECONDS)
    made = WebexProvider(sandbox.url, "token-of-the-test", timeouts=timeouts)
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def errors_of_steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, type[Exception]]]:
    """What was to be done, and the class of the error that came of it, for each step that failed."""
    seen: list[tuple[str, type[Exception]]] = []

    def noting(step: Step) -> Outcome:
        outcome = act(step)
        if outcome.error is not None:
            seen.append((step.do, type(outcome.error)))
        return outcome

    monkeypatch.setattr(conferencing, "act", noting)
    return seen


@contextmanager
def within_bounds() -> Iterator[None]:
    """Fails when the block took more memory or time than ten such answers may."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        yield
        took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took < MOST_SECONDS, f"{took:.1f} s"
    assert peak < MOST_BYTES, f"{peak} bytes"


@pytest.mark.parametrize("odd", ODD)
def test_a_create_that_is_answered_oddly_is_ambiguous_and_ends_in_one_meeting(
    house: House,
    scene: Scene,
    sandbox: RunningSandbox,
    wanted: UUID,
    errors_of_steps: list[tuple[str, type[Exception]]],
    odd: str,
) -> None:
    sandbox.faults.add(method="POST", **ODD[odd])
    with within_bounds():
        settle(house, ENSURE)
    (meeting,) = sandbox.meetings()
    conference = scene.fresh(wanted)
    assert (conference.state, conference.meeting_id) == ("ready", meeting["id"])
    assert (errors_of_steps, sandbox.count("POST")) == ([("create", Ambiguous)], 1)


@pytest.mark.parametrize("odd", ODD)
def test_a_look_that_is_answered_oddly_passes_and_is_done_again(
    house: House,
    scene: Scene,
    sandbox: RunningSandbox,
    wanted: UUID,
    errors_of_steps: list[tuple[str, type[Exception]]],
    odd: str,
) -> None:
    sandbox.faults.add(method="POST", fault="apply-then-drop")
    sandbox.faults.add(method="GET", **ODD[odd])
    with within_bounds():
        settle(house, ENSURE)
    (meeting,) = sandbox.meetings()
    conference = scene.fresh(wanted)
    assert (conference.state, conference.meeting_id) == ("ready", meeting["id"])
    assert errors_of_steps == [("create", Ambiguous), ("look", Transient)]
    assert sandbox.count("POST") == 1


def test_without_the_bound_on_a_body_50_mb_would_be_taken(
    house: House, sandbox: RunningSandbox, wanted: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: what is measured shows an answer that was read to its end."""
    monkeypatch.setattr(exchange, "LARGEST_BODY", 10**9)
    sandbox.faults.add(method="POST", fault="large")
    with pytest.raises(AssertionError, match="bytes"), within_bounds():
        settle(house, ENSURE)
