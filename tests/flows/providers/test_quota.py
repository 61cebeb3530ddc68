"""A host account may create so many meetings in 24 hours, failed attempts included: what is beyond that waits."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import circuits, conferencing, hosting
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers import errors
from tests.faulty_provider import FaultyProvider
from tests.flows.providers.conftest import ENSURE, pass_time, states, wanted
from tests.house import House
from tests.scene import Scene, move, next_task, settle

USED = "A host account has used its quota"
DAY = timedelta(days=1)


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    made = FaultyProvider(creates_per_day=3)
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def five(scene: Scene, provider: FaultyProvider) -> list[UUID]:
    """Five conferences, two more than may be made within a day."""
    return wanted(scene.group("brain", scene.clinician("anna")), 5)


def test_what_is_beyond_it_waits_until_the_oldest_is_a_day_old(
    house: House, scene: Scene, provider: FaultyProvider, five: list[UUID]
) -> None:
    began = house.clock.at
    conferencing.ensure(five[0])
    house.clock.move_on(timedelta(hours=6))
    for one in five[1:3]:
        conferencing.ensure(one)
    house.queue.tasks.clear()
    conferencing.ensure(five[3])
    waiting = scene.fresh(five[3])
    assert (waiting.state, waiting.problem) == ("wanted", conferencing.QUOTA_USED)
    assert next_task(house, ENSURE).due_at == began + DAY
    pass_time(house, began + DAY - house.clock.at, ENSURE)
    assert scene.fresh(five[3]).state == "ready"
    assert provider.count("create") == 4


def test_it_rolls_with_the_hours(house: House, provider: FaultyProvider, five: list[UUID]) -> None:
    began = house.clock.at
    conferencing.ensure(five[0])
    house.clock.move_on(timedelta(hours=6))
    pass_time(house, began + DAY - house.clock.at, ENSURE)
    assert len(provider.meetings) == 4, "one is a day old, the other two are not"
    pass_time(house, timedelta(hours=6), ENSURE)
    assert states(five) == {"ready"}


def test_failed_attempts_count(house: House, provider: FaultyProvider, five: list[UUID]) -> None:
    provider.fail("create", errors.Invalid, times=2)
    pass_time(house, timedelta(hours=23), ENSURE)
    assert provider.count("create") == 3
    assert len(provider.meetings) == 1


def test_without_the_count_all_are_asked_for_at_once(
    house: House, provider: FaultyProvider, five: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(circuits, "quota_used_until", lambda *_: None)
    pass_time(house, timedelta(hours=1), ENSURE)
    assert provider.count("create") == 5


def test_it_is_told_once_a_day(house: House, scene: Scene, five: list[UUID]) -> None:
    for _ in range(20):
        conferencing.sweep()
        pass_time(house, timedelta(hours=1), ENSURE)
    assert scene.alerts() == [USED]


def test_each_host_account_has_its_own(house: House, scene: Scene) -> None:
    provider = FaultyProvider(needs_host=True, creates_per_day=2)
    provider_named.fill(house.app, lambda _: provider)
    for email in ("first@hosts.example", "second@hosts.example"):
        hosting.add_host({"provider": "mock", "email": email, "capacity": 1, "kinds": []})
    anna = scene.clinician("anna")
    both = [wanted(scene.group(code, anna), 3) for code in ("brain", "ewing")]
    settle(house, ENSURE, moving_the_clock=False)
    made = [meeting.ref.host for meeting in provider.meetings.values()]
    assert sorted(map(str, made)) == ["first@hosts.example"] * 2 + ["second@hosts.example"] * 2
    assert states([one for ids in both for one in ids]) == {"ready", "wanted"}
    assert scene.alerts() == [USED] * 2, "each account is named"


def test_what_stands_may_be_changed_all_the_same(
    house: House, provider: FaultyProvider, five: list[UUID], scene: Scene
) -> None:
    settle(house, ENSURE, moving_the_clock=False)
    move(scene, five[0], timedelta(hours=1))
    conferencing.ensure(five[0])
    assert provider.calls[-1] == "update"


def test_a_provider_without_a_known_quota_is_asked_for_all(house: House, scene: Scene, group: ExpertGroup) -> None:
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    six = wanted(group, 6)
    settle(house, ENSURE)
    assert states(six) == {"ready"}
