"""Two that were found, attempts that are used up, and who hosts what: over HTTP to the sandbox, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, hosting, provider_steps, sweeping
from conference_orchestrator.flows.hosting import ensure_later
from conference_orchestrator.kernel import audit
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from tests.house import House
from tests.scene import Scene, settle

ENSURE = "ensure-conference"
THREE = datetime(2026, 12, 3, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def make_twice_and_die(house: House, wanted: UUID) -> None:
    step = conferencing._begin(wanted)
    for _ in range(2):
        provider_steps.act(step)
    house.clock.move_on(conferencing.LEASE)
    house.queue.tasks.append(ensure_later(wanted))


def acts() -> list[tuple[str, str]]:
    """What the audit says was done to what."""
    return [(entry.action, entry.subject) for entry in audit.listed(Paging(), visible_to=SYSTEM).items]


def test_of_two_that_are_found_one_is_kept_and_one_cancelled_and_the_helpdesk_told(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    make_twice_and_die(house, wanted)
    kept = min(meeting["id"] for meeting in sandbox.meetings())
    settle(house, ENSURE)
    assert [meeting["id"] for meeting in sandbox.meetings()] == [kept]
    assert scene.fresh(wanted).meeting_id == kept
    assert sandbox.count("DELETE") == 1
    assert scene.alerts() == ["A meeting existed twice"]
    assert acts()[-1] == ("meeting.duplicate-cancelled", f"conference:{wanted}")


def test_one_that_shows_only_after_the_last_look_is_cancelled_by_the_sweep(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    sandbox.faults.add(method="POST", list_lag=4)
    provider_steps.act(conferencing._begin(wanted))  # and here the process dies
    house.clock.move_on(conferencing.LEASE)
    house.queue.tasks.append(ensure_later(wanted))
    settle(house, ENSURE)
    assert len(sandbox.meetings()) == 2, "the list lagged behind longer than we looked"
    sweeping.look_near()
    (meeting,) = sandbox.meetings()
    assert meeting["id"] == scene.fresh(wanted).meeting_id
    assert scene.alerts() == ["A meeting existed twice"]
    assert [action for action, _ in acts()][-1] == "meeting.duplicate-cancelled"


def test_after_six_creates_without_a_meeting_it_is_given_up_and_told(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    sandbox.faults.add(method="POST", path="/v1/meetings", status=502, times=None)
    settle(house, ENSURE)
    assert sandbox.count("POST") == 6
    assert (scene.fresh(wanted).state, sandbox.meetings()) == ("failed", [])
    assert "A meeting could not be made" in scene.alerts()
    conferencing.sweep()
    settle(house, ENSURE)
    assert sandbox.count("POST") == 6, "what was given up waits for a person"


def add_hosts(*names: str, capacity: int = 1) -> None:
    for name in names:
        account = {"provider": "mock", "email": f"{name}@hosts.example", "capacity": capacity, "kinds": []}
        hosting.add_host(account)


def test_meetings_that_overlap_get_different_hosts(
    house: House, scene: Scene, webex: WebexProvider, sandbox: RunningSandbox
) -> None:
    add_hosts("ann", "bea")
    scene.approved(at=THREE)
    scene.approved(at=THREE + HOUR / 2)
    settle(house, ENSURE)
    assert {meeting["host"] for meeting in sandbox.meetings()} == {"ann@hosts.example", "bea@hosts.example"}


def test_meetings_that_follow_each_other_may_share_a_host(
    house: House, scene: Scene, webex: WebexProvider, sandbox: RunningSandbox
) -> None:
    add_hosts("ann")
    scene.approved(at=THREE)
    scene.approved(at=THREE + HOUR)
    settle(house, ENSURE)
    assert [meeting["host"] for meeting in sandbox.meetings()] == ["ann@hosts.example"] * 2
