"""Exactly one meeting, wherever we are interrupted, in doubt, or several at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, provider_steps
from conference_orchestrator.providers import errors
from tests.faulty_provider import FaultyProvider, the_only
from tests.house import House
from tests.scene import Scene, next_task, settle

ENSURE = "ensure-conference"


def test_the_attempt_is_committed_before_the_provider_is_called(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    seen: list[Any] = []
    provider.during("create", lambda: seen.append(scene.fresh(conference_id).state))
    conferencing.ensure(conference_id)
    assert seen == ["provisioning"]


def test_a_meeting_made_before_a_crash_is_adopted(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(conferencing, "_finish", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            conferencing.ensure(conference_id)
    house.clock.move_on(conferencing.LEASE)
    conferencing.ensure(conference_id)
    assert provider.calls == ["create", "find"]
    assert scene.fresh(conference_id).meeting_id == the_only(provider).ref.id


def test_a_crash_between_intent_and_call_is_settled_before_the_next_create(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    conferencing._begin(conference_id)
    house.clock.move_on(conferencing.LEASE)
    began = house.clock.at
    settle(house, ENSURE)
    assert provider.calls == ["find"] * 4 + ["create"]
    assert house.clock.at - began == sum(conferencing.SETTLING, timedelta())
    assert len(provider.meetings) == 1


def test_while_one_worker_holds_the_lease_another_comes_back_later(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    conferencing._begin(conference_id)
    house.queue.tasks.clear()
    conferencing.ensure(conference_id)
    assert provider.calls == []
    assert next_task(house, ENSURE).due_at == house.clock.at + conferencing.LEASE


@pytest.mark.parametrize("times", [1, 2, 5])
def test_lost_answers_are_followed_by_looks_and_never_by_a_second_meeting(
    house: House, provider: FaultyProvider, conference_id: UUID, times: int
) -> None:
    provider.fail("create", errors.Ambiguous, times=times)
    settle(house, ENSURE)
    assert provider.count("create") == times + 1
    assert provider.count("find") == 3 * times
    assert len(provider.meetings) == 1


def test_of_two_meetings_the_smallest_id_stays_and_the_desk_is_told(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    step = conferencing._begin(conference_id)
    for _ in range(3):
        provider_steps.act(step)
    house.clock.move_on(conferencing.LEASE)
    conferencing.ensure(conference_id)
    assert the_only(provider).ref.id == "meeting-001"
    assert scene.fresh(conference_id).state == "ready"
    assert scene.alerts() == ["A meeting existed twice"]


def test_a_cancellation_of_a_surplus_meeting_that_fails_is_done_again(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    step = conferencing._begin(conference_id)
    for _ in range(3):
        provider_steps.act(step)
    house.clock.move_on(conferencing.LEASE)
    provider.fail("cancel", errors.Transient, applied=True)
    settle(house, ENSURE)
    assert the_only(provider).ref.id == "meeting-001"


def test_a_worker_that_wakes_up_after_its_lease_leaves_one_meeting(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    asleep = conferencing._begin(conference_id)
    house.clock.move_on(conferencing.LEASE)
    settle(house, ENSURE)
    known = scene.fresh(conference_id).meeting_id
    house.clock.move_on(timedelta(seconds=1))
    conferencing._finish(asleep, provider_steps.act(asleep))
    assert len(provider.meetings) == 2
    settle(house, ENSURE)
    assert the_only(provider).ref.id == known, "the link that may have been mailed stays"
    assert scene.fresh(conference_id).meeting_id == known
    assert scene.alerts() == ["A meeting existed twice"]


def test_a_worker_that_wakes_up_while_another_creates_leaves_one_meeting(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    asleep = conferencing._begin(conference_id)
    house.clock.move_on(conferencing.LEASE)

    def wake_up() -> None:
        house.clock.move_on(timedelta(seconds=1))
        conferencing._finish(asleep, provider_steps.act(asleep))

    provider.during("create", wake_up)
    settle(house, ENSURE)
    assert provider.count("create") == 2
    assert scene.fresh(conference_id).meeting_id == the_only(provider).ref.id


class TestManyAtOnce:
    """Eight workers on one conference, on both databases."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_one_of_eight_workers_creates(
        self, house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
    ) -> None:
        eight_at_once(house, provider, conference_id)
        assert provider.calls == ["create"]
        settle(house, ENSURE)
        assert scene.fresh(conference_id).meeting_id == the_only(provider).ref.id

    def test_all_eight_create_once_lease_and_look_are_taken_away(
        self, house: House, provider: FaultyProvider, conference_id: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conferencing, "LEASE", timedelta(0))
        monkeypatch.setattr(conferencing, "_next", lambda *_, **__: "create")
        eight_at_once(house, provider, conference_id, all_create=True)
        assert provider.count("create") > 1, "the harness can no longer see the fault it guards against"


def eight_at_once(house: House, provider: FaultyProvider, conference_id: UUID, *, all_create: bool = False) -> None:
    """Run eight workers; the one that creates waits in the provider until the others are done (or create too)."""
    go_on, together = threading.Event(), threading.Barrier(8)
    for _ in range(8):
        provider.during("create", (lambda: together.wait(20)) if all_create else (lambda: go_on.wait(20)))

    def work() -> None:
        with house.app.app_context():
            conferencing.ensure(conference_id)

    with ThreadPoolExecutor(8) as threads:
        running = {threads.submit(work) for _ in range(8)}
        while not all_create and len(running) > 1:
            done, running = wait(running, timeout=20, return_when="FIRST_COMPLETED")
            assert done, "no worker came to an end"
        go_on.set()
        for one in running:
            one.result(timeout=20)
