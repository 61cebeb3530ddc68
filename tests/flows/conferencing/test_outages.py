"""A provider that is away, busy or refuses: what waits, what is given up, what a human can do."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.providers import errors
from tests.faulty_provider import FaultyProvider, the_only
from tests.house import HELPDESK, House
from tests.scene import Scene, move, next_task, settle

ENSURE = "ensure-conference"


def test_an_unreachable_provider_costs_no_attempt_and_is_told_once(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Unreachable, times=9)
    conferencing.ensure(conference_id)
    waiting = scene.fresh(conference_id)
    assert (waiting.state, waiting.attempts, waiting.problem) == ("wanted", 0, "as the test told it")
    settle(house, ENSURE)
    after = scene.fresh(conference_id)
    assert (after.state, after.attempts, after.waits, after.problem) == ("ready", 1, 0, None)
    assert provider.calls == ["create"] * 10, "nothing was looked for, because nothing can have been made"
    assert scene.alerts() == ["The provider cannot be reached"]


def test_the_waits_grow_to_a_minute(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    house.queue.tasks.clear()
    provider.fail("create", errors.Unreachable, times=7)
    waits = []
    for _ in range(7):
        conferencing.ensure(conference_id)
        due_at = next_task(house, ENSURE).due_at
        waits.append((due_at - house.clock.at).total_seconds())
        house.clock.at = due_at
        house.queue.tasks.clear()
    assert waits == [2, 5, 15, 30, 60, 60, 60]


def test_the_provider_is_left_alone_as_long_as_it_asks(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    house.queue.tasks.clear()
    provider.fail("create", errors.RateLimited, retry_after=600.0)
    conferencing.ensure(conference_id)
    assert next_task(house, ENSURE).due_at == house.clock.at + timedelta(minutes=10)
    settle(house, ENSURE)
    assert len(provider.meetings) == 1


@pytest.mark.parametrize("refusal", [errors.Invalid, errors.Forbidden, errors.Conflict])
def test_a_refusal_fails_at_once_with_one_alert(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID, refusal: type[errors.ProviderError]
) -> None:
    provider.fail("create", refusal, times=None)
    settle(house, ENSURE)
    conferencing.ensure(conference_id)
    conferencing.sweep()
    settle(house, ENSURE)
    failed = scene.fresh(conference_id)
    assert (failed.state, failed.problem) == ("failed", "as the test told it")
    assert provider.calls == ["create"]
    assert scene.alerts() == ["A meeting could not be made"]


def test_another_time_is_worth_a_new_try(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Invalid, times=1)
    settle(house, ENSURE)
    assert scene.fresh(conference_id).state == "failed"
    move(scene, conference_id, timedelta(hours=1))
    settle(house, ENSURE)
    ready = scene.fresh(conference_id)
    assert ready.state == "ready"
    assert the_only(provider).starts_at == ready.starts_at


def test_after_six_attempts_a_human_has_to_look(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, times=None)
    settle(house, ENSURE)
    assert provider.count("create") == 6
    assert scene.fresh(conference_id).state == "failed"
    assert scene.alerts() == ["A meeting could not be made"]


def test_the_helpdesk_tries_again_what_was_given_up(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, times=None)
    settle(house, ENSURE)
    provider.mend()
    view = conferencing.retry(conference_id, by=HELPDESK)
    assert (view.conference.state, view.conference.attempts) == ("wanted", 0)
    settle(house, ENSURE)
    assert scene.fresh(conference_id).meeting_id == the_only(provider).ref.id


def test_what_stands_is_not_tried_again(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    settle(house, ENSURE)
    with pytest.raises(RuleBroken, match="nothing to try again"):
        conferencing.retry(conference_id, by=HELPDESK)


def test_the_sweep_wakes_what_was_lost_on_its_way(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    house.queue.tasks.clear()
    conferencing.sweep()
    settle(house, ENSURE)
    assert len(provider.meetings) == 1
    conferencing.sweep()
    assert house.queue.of_kind(ENSURE) == [], "what stands as wanted is left alone"


def test_the_sweep_lets_the_past_be_held(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE)
    house.clock.at = scene.fresh(conference_id).ends_at
    conferencing.sweep()
    assert scene.fresh(conference_id).state == "held"
    conferencing.ensure(conference_id)
    assert provider.calls == ["create"]


def test_nothing_is_done_for_a_conference_that_is_over(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    house.clock.at = scene.fresh(conference_id).ends_at
    settle(house, ENSURE)
    assert provider.calls == []
