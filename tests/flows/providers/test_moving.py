"""Another provider on a person's word: everyone gets the new link, and what was left is cleared away."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import clearing, conferencing, finding, hosting, moving, rounds, sweeping
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.errors import Invalid, NoHostFree, RuleBroken, Stale
from conference_orchestrator.providers import errors
from conference_orchestrator.settings import SettingsError
from tests.faulty_provider import FaultyProvider, the_only
from tests.flows.providers.conftest import ENSURE, found, made, pass_time, the_finding, updates
from tests.house import HELPDESK, House
from tests.scene import Scene, settle


@pytest.fixture
def second(house: House, provider: FaultyProvider) -> FaultyProvider:
    """A second provider beside the first."""
    other = FaultyProvider("second")
    both = {"mock": provider, "second": other}

    def named(name: str) -> FaultyProvider:
        if name not in both:
            raise SettingsError(f"There is no provider {name}.")
        return both[name]

    provider_named.fill(house.app, named)
    return other


@pytest.fixture
def standing(house: House, second: FaultyProvider, conference_id: UUID) -> UUID:
    """A conference whose meeting stands at the first provider, everyone invited."""
    made(house)
    return conference_id


def to_second(conference_id: UUID) -> None:
    moving.move_to_provider(conference_id, "second", by=HELPDESK)


class TestWhileTheFirstIsDown:
    @pytest.fixture
    def moved(self, house: House, provider: FaultyProvider, standing: UUID) -> UUID:
        for operation in ("create", "find", "get", "update", "cancel"):
            provider.fail(operation, errors.Unreachable, times=None)
        to_second(standing)
        pass_time(house, timedelta(minutes=1))
        return standing

    def test_everyone_gets_one_update_with_the_new_link(
        self, house: House, scene: Scene, second: FaultyProvider, moved: UUID
    ) -> None:
        conference = scene.fresh(moved)
        assert (conference.state, conference.provider) == ("ready", "second")
        assert conference.join_url == the_only(second).join_url == "https://second.example/001"
        pass_time(house, timedelta(hours=1))
        assert sorted(one.address for one in updates(house)) == [
            "anna@hospital.example",
            "emil@hospital.example",
            "ines@hospital.example",
        ]
        assert {one.facts["join_url"] for one in updates(house)} == {conference.join_url}
        assert {tuple(one.facts["what_changed"]) for one in updates(house)} == {("link",)}

    @pytest.mark.usefixtures("moved")
    def test_it_is_the_same_invitation_one_sequence_on(self, house: House) -> None:
        first = {(one.address, one.facts["uid"]): one.facts["sequence"] for one in house.messages("invitation")}
        after = {(one.address, one.facts["uid"]): one.facts["sequence"] for one in updates(house)}
        assert after == {held: sequence + 1 for held, sequence in first.items()}
        assert house.messages("invitation-cancel") == []

    @pytest.mark.usefixtures("moved")
    def test_the_meeting_left_there_is_deleted_when_it_is_back(self, house: House, provider: FaultyProvider) -> None:
        pass_time(house, timedelta(minutes=30))
        assert len(provider.meetings) == 1
        provider.mend()
        pass_time(house, timedelta(minutes=2))
        assert provider.meetings == {}

    @pytest.mark.usefixtures("moved")
    def test_the_calls_there_stay_few(self, house: House, provider: FaultyProvider) -> None:
        pass_time(house, timedelta(minutes=30))
        assert provider.count("find") + provider.count("cancel") <= 35


class TestAnAttemptWithoutAnAnswer:
    @pytest.mark.parametrize("lag", [0, 1, 3])
    def test_its_meeting_is_deleted_too_however_late_the_list_shows_it(
        self, house: House, provider: FaultyProvider, second: FaultyProvider, conference_id: UUID, lag: int
    ) -> None:
        provider.list_lag = lag
        provider.fail("create", errors.Ambiguous, applied=True)
        conferencing.ensure(conference_id)
        to_second(conference_id)
        pass_time(house, timedelta(minutes=5))
        assert provider.meetings == {}
        assert provider.touched == [("cancel", "meeting-001")]
        assert len(second.meetings) == 1

    @pytest.mark.usefixtures("second")
    def test_with_a_single_look_it_would_stay(
        self,
        house: House,
        provider: FaultyProvider,
        conference_id: UUID,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(clearing, "SETTLING", [])
        provider.list_lag = 1
        provider.fail("create", errors.Ambiguous, applied=True)
        conferencing.ensure(conference_id)
        to_second(conference_id)
        pass_time(house, timedelta(minutes=5))
        assert len(provider.meetings) == 1

    @pytest.mark.usefixtures("second")
    def test_one_that_made_nothing_is_looked_for_a_few_times_only(
        self, house: House, provider: FaultyProvider, conference_id: UUID
    ) -> None:
        provider.fail("create", errors.Ambiguous)
        conferencing.ensure(conference_id)
        to_second(conference_id)
        pass_time(house, timedelta(hours=1))
        assert provider.calls == ["create"] + ["find"] * 4


class TestAWorkerThatFinishesLate:
    @pytest.mark.parametrize("answer", ["the meeting", "no answer"])
    def test_it_writes_nothing_and_its_meeting_is_cleared_away(
        self,
        house: House,
        scene: Scene,
        provider: FaultyProvider,
        second: FaultyProvider,
        conference_id: UUID,
        answer: str,
    ) -> None:
        if answer == "no answer":
            provider.fail("create", errors.Ambiguous, applied=True)

        def meanwhile() -> None:
            to_second(conference_id)
            pass_time(house, timedelta(minutes=4))

        provider.during("create", meanwhile)
        conferencing.ensure(conference_id)
        began = house.clock.at
        after = scene.fresh(conference_id)
        assert (after.state, after.provider, after.join_url) == ("ready", "second", the_only(second).join_url)
        assert (after.attempted_at, after.meeting_id) == (None, the_only(second).ref.id)
        pass_time(house, timedelta(minutes=3))
        assert provider.meetings == {}
        assert second.calls == ["create"], "the new provider is not asked about the old meeting"
        assert house.clock.at - began < timedelta(minutes=5)

    def test_the_new_meeting_does_not_wait_for_it(
        self, house: House, scene: Scene, provider: FaultyProvider, second: FaultyProvider, conference_id: UUID
    ) -> None:
        provider.during("create", lambda: to_second(conference_id))
        began = house.clock.at
        conferencing.ensure(conference_id)
        settle(house, ENSURE, moving_the_clock=False)
        assert (scene.fresh(conference_id).state, house.clock.at) == ("ready", began)
        assert second.calls == ["create"]

    def test_one_that_made_a_meeting_of_a_session_cancelled_meanwhile_is_cleared_away_after(
        self, house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
    ) -> None:
        asleep = conferencing._begin(conference_id)
        assert asleep is not None
        house.clock.move_on(conferencing.LEASE)
        settle(house, ENSURE)
        rounds.cancel(scene.fresh(conference_id).session_id, "ill", by=HELPDESK)
        settle(house, ENSURE)
        conferencing._finish(asleep, conferencing.act(asleep))
        pass_time(house, timedelta(minutes=5))
        assert provider.meetings == {}

    @pytest.mark.usefixtures("second")
    def test_taken_for_one_of_the_new_provider_its_meeting_would_stay(
        self,
        house: House,
        provider: FaultyProvider,
        conference_id: UUID,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(conferencing, "_finish_late", lambda *_: None)
        monkeypatch.setattr(moving, "_left_behind", lambda _: None)
        provider.during("create", lambda: to_second(conference_id))
        conferencing.ensure(conference_id)
        pass_time(house, timedelta(minutes=5))
        assert len(provider.meetings) == 1


class TestRefused:
    def test_an_unknown_provider(self, standing: UUID) -> None:
        with pytest.raises(Invalid) as refused:
            moving.move_to_provider(standing, "nowhere", by=HELPDESK)
        assert refused.value.errors == {"provider": ["There is no provider nowhere."]}

    def test_the_one_that_it_is_at(self, standing: UUID) -> None:
        with pytest.raises(RuleBroken, match="held at mock already"):
            moving.move_to_provider(standing, "mock", by=HELPDESK)

    def test_a_conference_that_is_over(self, house: House, scene: Scene, standing: UUID) -> None:
        house.clock.at = scene.fresh(standing).ends_at
        with pytest.raises(RuleBroken, match="over or cancelled"):
            to_second(standing)

    def test_a_conference_that_is_cancelled(self, scene: Scene, standing: UUID) -> None:
        rounds.cancel(scene.fresh(standing).session_id, "ill", by=HELPDESK)
        with pytest.raises(RuleBroken, match="over or cancelled"):
            to_second(standing)

    def test_one_that_was_changed_since_it_was_read(self, scene: Scene, standing: UUID) -> None:
        seen = scene.fresh(standing).version
        with pytest.raises(Stale):
            moving.move_to_provider(standing, "second", by=HELPDESK, expected=seen - 1)

    def test_without_a_free_host_account_nothing_is_changed(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        full = FaultyProvider("second", needs_host=True)
        provider_named.fill(house.app, {"mock": provider, "second": full}.__getitem__)
        account = {"provider": "second", "email": "only@hosts.example", "capacity": 1, "kinds": ["webinar"]}
        hosting.add_host(account)
        before = scene.fresh(standing).version
        with pytest.raises(NoHostFree):
            to_second(standing)
        after = scene.fresh(standing)
        assert (after.provider, after.state, after.version) == ("mock", "ready", before)
        assert house.queue.tasks == []
        assert len(provider.meetings) == 1


def test_back_at_the_first_it_has_a_new_meeting_there(
    house: House, scene: Scene, provider: FaultyProvider, second: FaultyProvider, standing: UUID
) -> None:
    to_second(standing)
    pass_time(house, timedelta(minutes=1))
    moving.move_to_provider(standing, "mock", by=HELPDESK)
    pass_time(house, timedelta(minutes=1))
    conference = scene.fresh(standing)
    assert (conference.provider, conference.state) == ("mock", "ready")
    assert conference.join_url == the_only(provider).join_url == "https://meet.example/002"
    assert second.meetings == {}
    assert len(updates(house)) == 6


def test_back_before_the_first_has_answered_the_old_meeting_there_goes_all_the_same(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    for operation in ("create", "find", "cancel"):
        provider.fail(operation, errors.Unreachable, times=None)
    to_second(standing)
    pass_time(house, timedelta(minutes=5))
    moving.move_to_provider(standing, "mock", by=HELPDESK)
    pass_time(house, timedelta(minutes=5))
    provider.mend()
    pass_time(house, timedelta(minutes=5))
    assert the_only(provider).key == scene.fresh(standing).key
    assert scene.fresh(standing).meeting_id == the_only(provider).ref.id


def test_a_missing_meeting_is_no_finding_any_more(house: House, provider: FaultyProvider, standing: UUID) -> None:
    provider.meetings.clear()
    sweeping.look_near()
    pass_time(house, sweeping.LOOK_AGAIN)
    assert the_finding().state == "open"
    to_second(standing)
    sweeping.look_near()
    assert found() == [("missing", "resolved")]
    with pytest.raises(RuleBroken, match="seen to already"):
        finding.resolve(the_finding().id, "recreate", by=HELPDESK)


def test_what_the_old_provider_refuses_to_delete_is_told_once_and_not_tried_again(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    provider.fail("cancel", errors.Forbidden, times=None)
    to_second(standing)
    pass_time(house, timedelta(hours=1))
    assert provider.count("cancel") == 1
    assert scene.alerts() == ["A meeting that was left could not be deleted"]


def test_what_is_over_is_not_cleared_away_any_more(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    to_second(standing)
    house.clock.at = scene.fresh(standing).ends_at
    provider.calls.clear()
    settle(house, "clear-away")
    assert provider.calls == []
