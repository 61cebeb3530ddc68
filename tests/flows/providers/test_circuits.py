"""A provider that fails is left alone: one looks whether it is back while the others wait."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from conference_orchestrator.flows import circuits, conferencing
from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers import errors
from conference_orchestrator.scheduling.provider_states import ProviderState
from tests.faulty_provider import FaultyProvider
from tests.flows.providers.conftest import ENSURE, pass_time, states, wanted
from tests.house import HELPDESK, House
from tests.scene import Scene, next_task, settle

DOWN = "The provider cannot be reached"
REFUSED = "A provider refuses our credentials"


def closed_until() -> datetime | None:
    db.session.rollback()
    return db.session.get_one(ProviderState, "mock", populate_existing=True).closed_until


def due_in_seconds(house: House) -> float:
    return (next_task(house, ENSURE).due_at - house.clock.at).total_seconds()


class TestFailuresInARow:
    def test_after_three_the_others_make_no_call(self, provider: FaultyProvider, group: ExpertGroup) -> None:
        six = wanted(group, 6)
        provider.fail("create", errors.Unreachable, times=None)
        for one in six:
            conferencing.ensure(one)
        assert provider.calls == ["create"] * 3

    def test_without_the_protection_each_calls(
        self, provider: FaultyProvider, group: ExpertGroup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(circuits, "closed_until", lambda *_: None)
        provider.fail("create", errors.Unreachable, times=None)
        for one in wanted(group, 6):
            conferencing.ensure(one)
        assert provider.calls == ["create"] * 6

    def test_who_waits_says_why_and_comes_back_by_itself(
        self, house: House, scene: Scene, provider: FaultyProvider, group: ExpertGroup
    ) -> None:
        *failing, waiting = wanted(group, 4)
        provider.fail("create", errors.Unreachable, times=3)
        for one in failing:
            conferencing.ensure(one)
        house.queue.tasks.clear()
        conferencing.ensure(waiting)
        shown = scene.fresh(waiting)
        assert (shown.state, shown.problem, shown.attempts) == ("wanted", conferencing.PROVIDER_CLOSED, 0)
        assert due_in_seconds(house) == 15
        settle(house, ENSURE)
        after = scene.fresh(waiting)
        assert (after.state, after.problem) == ("ready", None)

    def test_an_answer_in_between_begins_the_count_anew(self, provider: FaultyProvider, group: ExpertGroup) -> None:
        six = wanted(group, 6)
        for _ in range(2):
            provider.fail("create", errors.Unreachable, times=2)
            for one in six[:3]:
                conferencing.ensure(one)
            del six[2]
        assert provider.calls == ["create"] * 6, "two failures twice over are not four in a row"

    def test_a_refusal_is_an_answer_and_closes_nothing(self, provider: FaultyProvider, group: ExpertGroup) -> None:
        provider.fail("create", errors.Invalid, times=None)
        for one in wanted(group, 6):
            conferencing.ensure(one)
        assert provider.calls == ["create"] * 6

    def test_the_pauses_grow_to_a_minute(self, house: House, provider: FaultyProvider, group: ExpertGroup) -> None:
        (one,) = wanted(group, 1)
        provider.fail("create", errors.Unreachable, times=None)
        pauses = []
        for _ in range(8):
            house.queue.tasks.clear()
            conferencing.ensure(one)
            if until := closed_until():
                pauses.append((until - house.clock.at).total_seconds())
            house.clock.at = until or next_task(house, ENSURE).due_at
        assert pauses == [15, 30, 60, 60, 60, 60]


class TestTheLook:
    @pytest.fixture
    def closed(self, house: House, provider: FaultyProvider, group: ExpertGroup) -> list:
        """Six conferences whose provider was left alone, and is worth a look now."""
        six = wanted(group, 6)
        provider.fail("create", errors.Unreachable, times=3)
        for one in six[:3]:
            conferencing.ensure(one)
        house.clock.move_on(circuits.PAUSES[0])
        provider.calls.clear()
        house.queue.tasks.clear()
        return six

    def test_while_one_looks_the_others_wait(self, provider: FaultyProvider, closed: list) -> None:
        first, *others = closed
        seen: list[list[str]] = []

        def meanwhile() -> None:
            for one in others:
                conferencing.ensure(one)
            seen.append(list(provider.calls))

        provider.during("create", meanwhile)
        conferencing.ensure(first)
        assert seen == [["create"]]

    def test_its_success_opens_for_all(self, provider: FaultyProvider, closed: list) -> None:
        for one in closed:
            conferencing.ensure(one)
        assert states(closed) == {"ready"}
        assert provider.calls == ["create"] * 6

    def test_its_failure_keeps_it_closed_for_longer(self, house: House, provider: FaultyProvider, closed: list) -> None:
        provider.fail("create", errors.Unreachable)
        for one in closed:
            conferencing.ensure(one)
        assert provider.calls == ["create"]
        assert closed_until() == house.clock.at + circuits.PAUSES[1]

    def test_one_that_dies_is_followed_by_another(self, house: House, provider: FaultyProvider, closed: list) -> None:
        conferencing._begin(closed[0])
        conferencing.ensure(closed[1])
        assert provider.calls == []
        house.clock.move_on(circuits.LOOK)
        conferencing.ensure(closed[1])
        assert provider.calls == ["create"]


class TestAPauseThatItAsksFor:
    def test_it_holds_for_every_conference(self, house: House, provider: FaultyProvider, group: ExpertGroup) -> None:
        three = wanted(group, 3)
        provider.fail("create", errors.RateLimited, retry_after=600.0)
        for one in three:
            conferencing.ensure(one)
        pass_time(house, timedelta(seconds=599), ENSURE)
        assert provider.calls == ["create"]
        pass_time(house, timedelta(seconds=61), ENSURE)
        assert states(three) == {"ready"}

    def test_it_holds_although_another_call_was_answered_meanwhile(
        self, house: House, provider: FaultyProvider, group: ExpertGroup
    ) -> None:
        answered, refused, third = wanted(group, 3)

        def meanwhile() -> None:
            provider.fail("create", errors.RateLimited, retry_after=600.0)
            conferencing.ensure(refused)

        provider.during("create", meanwhile)
        conferencing.ensure(answered)
        house.queue.tasks.clear()
        conferencing.ensure(third)
        assert states([answered]) == {"ready"}
        assert provider.calls == ["create"] * 2
        assert due_in_seconds(house) == 600

    def test_nobody_is_alerted(self, scene: Scene, provider: FaultyProvider, group: ExpertGroup) -> None:
        provider.fail("create", errors.RateLimited, retry_after=600.0)
        for one in wanted(group, 3):
            conferencing.ensure(one)
        assert scene.alerts() == []


class TestRefusedCredentials:
    def test_one_alert_and_no_conference_is_given_up(
        self, house: House, scene: Scene, provider: FaultyProvider, group: ExpertGroup
    ) -> None:
        six = wanted(group, 6)
        provider.fail("create", errors.AuthError, times=None)
        pass_time(house, timedelta(hours=3), ENSURE)
        assert states(six) == {"wanted"}
        assert {scene.fresh(one).attempts for one in six} == {0}
        assert scene.alerts() == [REFUSED]

    def test_they_are_tried_again_every_quarter_of_an_hour_by_one(
        self, house: House, provider: FaultyProvider, group: ExpertGroup
    ) -> None:
        six = wanted(group, 6)
        provider.fail("create", errors.AuthError, times=None)
        pass_time(house, timedelta(minutes=1), ENSURE)
        assert provider.calls == ["create"]
        pass_time(house, timedelta(hours=1), ENSURE)
        assert provider.calls == ["create"] * 5
        provider.mend()
        pass_time(house, timedelta(minutes=16), ENSURE)
        assert states(six) == {"ready"}

    def test_while_one_tries_the_others_wait(self, house: House, provider: FaultyProvider, group: ExpertGroup) -> None:
        first, *others = wanted(group, 4)
        provider.fail("create", errors.AuthError)
        conferencing.ensure(first)
        house.clock.move_on(circuits.REFUSED)
        seen: list[int] = []

        def meanwhile() -> None:
            for one in others:
                conferencing.ensure(one)
            seen.append(provider.count("create"))

        provider.during("create", meanwhile)
        conferencing.ensure(first)
        assert seen == [2]

    def test_a_persons_retry_opens_at_once(self, house: House, provider: FaultyProvider, group: ExpertGroup) -> None:
        first, second = wanted(group, 2)
        provider.fail("create", errors.AuthError)
        conferencing.ensure(first)
        house.queue.tasks.clear()
        conferencing.retry(first, by=HELPDESK)
        settle(house, ENSURE, moving_the_clock=False)
        conferencing.ensure(second)
        assert states([first, second]) == {"ready"}


def test_the_state_says_what_a_person_has_to_mend(provider: FaultyProvider, group: ExpertGroup) -> None:
    provider.fail("create", errors.AuthError)
    (one,) = wanted(group, 1)
    conferencing.ensure(one)
    state = db.session.get_one(ProviderState, "mock", populate_existing=True)
    assert state.problem == "as the test told it"
    conferencing.retry(one, by=HELPDESK)
    assert db.session.get_one(ProviderState, "mock", populate_existing=True).problem is None


def test_a_sweep_wakes_nothing_at_a_provider_that_is_left_alone(
    house: House, provider: FaultyProvider, group: ExpertGroup
) -> None:
    provider.fail("create", errors.Unreachable, times=None)
    for one in wanted(group, 4):
        conferencing.ensure(one)
    house.queue.tasks.clear()
    conferencing.sweep()
    assert house.queue.of_kind(ENSURE) == [], "they come back by themselves"
    house.clock.move_on(circuits.PAUSES[0])
    conferencing.sweep()
    assert len(house.queue.of_kind(ENSURE)) == 4, "what was lost on its way is not lost for good"
