"""Exactly one meeting over HTTP, however the provider answers: tried against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import requests

from conference_orchestrator.flows import conferencing, provider_steps, rounds
from conference_orchestrator.flows.hosting import ensure_later, provider_named
from conference_orchestrator.kernel.transaction import Transaction
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from conference_orchestrator.scheduling.conferences import Conference
from tests.house import HELPDESK, House
from tests.scene import Scene, settle

ENSURE = "ensure-conference"


@pytest.fixture
def sandbox(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RunningSandbox(now=house.clock.now) as running:
        webex = WebexProvider(running.url, "token-of-the-test", timeouts=Timeouts(connect=5, read=1))
        provider_named.fill(house.app, lambda _: webex)
        yield running


@pytest.fixture
def wanted(scene: Scene, sandbox: RunningSandbox) -> UUID:
    """A conference whose meeting is to be made at the sandbox."""
    ines = scene.clinician("ines")
    made = scene.group("brain", scene.clinician("anna"))
    scene.allocated(ines, made)
    return scene.conference(made).id


FAULTS: dict[str, tuple[dict[str, Any] | None, int]] = {
    "none": (None, 1),
    "applied, no answer": ({"fault": "apply-then-drop"}, 1),
    "applied, half an answer": ({"fault": "reset-in-body"}, 1),
    "applied, an empty object": ({"fault": "empty-object"}, 1),
    "applied, a page": ({"fault": "html"}, 1),
    "applied, then 502": ({"status": 502, "applied": True}, 1),
    "applied, answered too late": ({"delay": 30}, 1),
    "dropped before": ({"fault": "drop-before-apply"}, 2),
    "503 before": ({"status": 503}, 2),
    "429": ({"status": 429, "retry_after": "7"}, 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_create_that_goes_wrong_ends_in_exactly_one_meeting(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID, fault: str
) -> None:
    rule, attempts = FAULTS[fault]
    if rule is not None:
        sandbox.faults.add(method="POST", **rule)
    settle(house, ENSURE)
    (meeting,) = sandbox.meetings()
    conference = scene.fresh(wanted)
    assert conference.state == "ready"
    assert conference.meeting_id == meeting["id"]
    assert conference.attempts == attempts
    assert requests.get(conference.join_url, timeout=10).status_code == 200, "the link is dead"
    assert sandbox.mails == [], "the provider mails nobody"


def test_creating_at_once_again_makes_two_meetings(
    house: House, sandbox: RunningSandbox, wanted: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the look the harness sees what the look prevents."""
    before = conferencing._next

    def hasty(tx: Transaction, conference: Conference) -> str | None:
        return "create" if conference.attempted_at is not None else before(tx, conference)

    monkeypatch.setattr(conferencing, "_next", hasty)
    sandbox.faults.add(method="POST", fault="apply-then-drop")
    settle(house, ENSURE)
    assert len(sandbox.meetings()) == 2


def test_a_list_that_lags_behind_leads_to_no_second_meeting(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    sandbox.faults.add(method="POST", list_lag=3)
    step = conferencing._begin(wanted)
    provider_steps.act(step)  # and here the process dies
    house.clock.move_on(conferencing.LEASE)
    house.queue.tasks.append(ensure_later(wanted))
    settle(house, ENSURE)
    assert len(sandbox.meetings()) == 1
    assert sandbox.count("POST") == 1
    assert scene.fresh(wanted).state == "ready"


def test_a_moved_session_keeps_its_meeting_and_its_link(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    settle(house, ENSURE)
    before = scene.fresh(wanted)
    link, session_id = before.join_url, before.session_id
    rounds.move(session_id, before.starts_at + timedelta(hours=2), by=HELPDESK)
    settle(house, ENSURE)
    after = scene.fresh(wanted)
    (meeting,) = sandbox.meetings()
    assert datetime.fromisoformat(meeting["start"]) == after.starts_at
    assert (after.join_url, after.state, after.differs) == (link, "ready", False)
    assert sandbox.count("POST") == 1


def test_a_cancelled_session_leaves_no_meeting(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    settle(house, ENSURE)
    rounds.cancel(scene.fresh(wanted).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert sandbox.meetings() == []
    assert scene.fresh(wanted).state == "cancelled"


def test_a_refused_token_is_told_once_and_tried_again_after_a_quarter_of_an_hour(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    sandbox.faults.add(method="POST", status=401, times=None)
    settle(house, ENSURE, moving_the_clock=False)
    conferencing.ensure(wanted)
    assert scene.fresh(wanted).state == "wanted", "whoever mends the credentials has nothing to press"
    assert sandbox.count("POST") == 1
    assert scene.alerts() == ["A provider refuses our credentials"]
    sandbox.faults.clear()
    house.clock.move_on(timedelta(minutes=15))
    settle(house, ENSURE, moving_the_clock=False)
    assert scene.fresh(wanted).state == "ready"
