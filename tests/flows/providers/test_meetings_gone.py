"""The look at what providers really have: meetings that are gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, finding, rounds, sweeping
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.providers import errors
from tests.faulty_provider import FaultyProvider, the_only
from tests.flows.providers.conftest import ENSURE, found, late_list, made, pass_time, the_finding, updates
from tests.house import HELPDESK, House
from tests.scene import Scene, move, settle

GONE = "A meeting is gone at the provider"


@pytest.fixture
def standing(house: House, provider: FaultyProvider, conference_id: UUID) -> UUID:
    """A conference whose meeting stands, everyone invited."""
    made(house)
    provider.calls.clear()
    return conference_id


@pytest.fixture
def missing(house: House, provider: FaultyProvider, standing: UUID) -> UUID:
    """One whose meeting two looks did not find."""
    provider.meetings.clear()
    sweeping.look_near()
    pass_time(house, sweeping.LOOK_AGAIN)
    return standing


def test_what_stands_is_no_finding(scene: Scene, provider: FaultyProvider, standing: UUID) -> None:
    for look in (sweeping.look_near, sweeping.look_far):
        look()
    assert (found(), scene.alerts(), provider.touched) == ([], [], [])
    assert provider.calls == ["ours"] * 2


def test_gone_in_one_look_is_nothing_yet(scene: Scene, provider: FaultyProvider, standing: UUID) -> None:
    provider.meetings.clear()
    sweeping.look_near()
    assert (scene.fresh(standing).state, found(), scene.alerts()) == ("ready", [], [])


def test_there_again_at_the_second_look_is_nothing(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    kept = dict(provider.meetings)
    for _ in range(3):
        provider.meetings.clear()
        sweeping.look_near()
        provider.meetings.update(kept)
        pass_time(house, sweeping.LOOK_AGAIN)
    assert (scene.fresh(standing).state, found()) == ("ready", [])


def test_gone_twice_is_missing_told_once_and_its_link_is_given_to_nobody(
    house: House, scene: Scene, missing: UUID
) -> None:
    for _ in range(4):
        sweeping.look_near()
        pass_time(house, timedelta(minutes=15))
    conference = scene.fresh(missing)
    assert (conference.state, conference.link_for_people) == ("missing", None)
    assert found() == [("missing", "open")]
    assert scene.alerts() == [GONE]
    assert updates(house) == [], "nobody is told before a person has decided"


def test_it_is_not_replaced_by_itself(house: House, provider: FaultyProvider, missing: UUID) -> None:
    conferencing.sweep()
    conferencing.ensure(missing)
    pass_time(house, timedelta(hours=1))
    assert "create" not in provider.calls
    assert provider.meetings == {}


def test_what_a_person_read_does_not_become_stale_by_further_looks(scene: Scene, missing: UUID) -> None:
    before = scene.fresh(missing).version
    sweeping.look_near()
    assert scene.fresh(missing).version == before


def test_there_again_it_is_ready_and_the_finding_is_no_more(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    kept = dict(provider.meetings)
    provider.meetings.clear()
    sweeping.look_near()
    pass_time(house, sweeping.LOOK_AGAIN)
    provider.meetings.update(kept)
    sweeping.look_near()
    conference = scene.fresh(standing)
    assert (conference.state, conference.link_for_people) == ("ready", conference.join_url)
    assert the_finding().resolved_by == "the meeting is there again"


def test_gone_again_it_is_told_again(house: House, scene: Scene, provider: FaultyProvider, standing: UUID) -> None:
    kept = dict(provider.meetings)
    for _ in range(2):
        provider.meetings.clear()
        sweeping.look_near()
        pass_time(house, sweeping.LOOK_AGAIN)
        provider.meetings.update(kept)
        sweeping.look_near()
    assert scene.alerts() == [GONE] * 2
    assert found() == [("missing", "resolved")] * 2


def test_recreated_everyone_gets_the_new_link_once(
    house: House, scene: Scene, provider: FaultyProvider, missing: UUID
) -> None:
    gone = scene.fresh(missing).join_url
    decided = finding.resolve(the_finding().id, "recreate", by=HELPDESK)
    assert decided.state == "resolved"
    pass_time(house, timedelta(minutes=5))
    conference = scene.fresh(missing)
    assert (conference.state, conference.join_url) == ("ready", the_only(provider).join_url)
    assert [one.facts["join_url"] for one in updates(house)] == [conference.join_url] * 3
    assert conference.join_url != gone


def test_ignored_it_stays_missing_and_is_told_no_more(house: House, scene: Scene, missing: UUID) -> None:
    finding.resolve(the_finding().id, "ignore", by=HELPDESK)
    sweeping.look_near()
    pass_time(house, timedelta(minutes=15))
    assert (scene.fresh(missing).state, found(), scene.alerts()) == ("missing", [("missing", "resolved")], [GONE])


@pytest.mark.parametrize("overtaken", ["retried", "cancelled"])
def test_what_was_seen_to_in_another_way_is_no_finding_any_more(
    house: House, scene: Scene, missing: UUID, overtaken: str
) -> None:
    if overtaken == "retried":
        conferencing.retry(missing, by=HELPDESK)
    else:
        rounds.cancel(scene.fresh(missing).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    sweeping.look_near()
    assert found() == [("missing", "resolved")]


@pytest.mark.parametrize("outage", [errors.Unreachable, errors.Transient, errors.RateLimited, errors.AuthError])
def test_an_outage_is_no_loss(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID, outage: type[errors.ProviderError]
) -> None:
    for operation in ("ours", "get"):
        provider.fail(operation, outage, times=None, retry_after=1.0)
    for _ in range(4):
        sweeping.look_near()
        pass_time(house, timedelta(minutes=15))
    conference = scene.fresh(standing)
    assert (conference.state, conference.missed, found()) == ("ready", 0, [])


def test_an_outage_that_begins_during_the_look_is_no_loss_and_ends_the_asking(
    scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    provider.meetings.clear()
    provider.fail("get", errors.RateLimited, times=None, retry_after=600.0)
    sweeping.look_near()
    sweeping.look_near()
    assert provider.calls == ["ours", "get"]
    assert scene.fresh(standing).missed == 0


def test_a_list_that_lags_behind_is_made_good_by_asking_for_the_meeting(
    scene: Scene, provider: FaultyProvider, standing: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "_ours", lambda *_: [])
    for _ in range(3):
        sweeping.look_near()
    assert provider.calls == ["ours", "get"] * 3
    assert (scene.fresh(standing).state, scene.fresh(standing).missed, found()) == ("ready", 0, [])


def test_without_asking_for_it_a_lag_would_be_a_loss(
    provider: FaultyProvider, standing: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(provider, "_ours", lambda *_: [])
    monkeypatch.setattr(sweeping, "_check", lambda _, conference: sweeping._noted(conference, None))
    for _ in range(2):
        sweeping.look_near()
    assert found() == [("missing", "open")]


class TestAtWork:
    def test_a_conference_that_somebody_is_at_work_on_is_not_judged(
        self, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        move(scene, standing, timedelta(hours=1))
        assert conferencing._begin(standing) is not None
        provider.meetings.clear()
        for _ in range(3):
            sweeping.look_near()
        assert (scene.fresh(standing).missed, found()) == (0, [])

    def test_one_that_was_deleted_on_purpose_while_the_provider_answered_is_not_judged(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        def cancelled() -> None:
            rounds.cancel(scene.fresh(standing).session_id, "ill", by=HELPDESK)
            settle(house, ENSURE, moving_the_clock=False)

        late_list(provider, then=cancelled)
        sweeping.look_near()
        assert (scene.fresh(standing).state, found(), scene.alerts()) == ("cancelled", [], [])


@pytest.mark.parametrize("without", [{"is_durable": False}, {"keeps_meetings": False}, {"find_by_key": False}])
def test_a_provider_that_cannot_tell_is_not_asked(
    house: House, scene: Scene, standing: UUID, without: dict[str, Any]
) -> None:
    forgetful = FaultyProvider(**without)
    provider_named.fill(house.app, lambda _: forgetful)
    sweeping.look_near()
    sweeping.look_far()
    assert forgetful.calls == []
    assert scene.fresh(standing).state == "ready"


def test_nothing_is_asked_while_a_transaction_is_open(house: House, provider: FaultyProvider, missing: UUID) -> None:
    sweeping.look_near()
    finding.resolve(the_finding().id, "recreate", by=HELPDESK)
    pass_time(house, timedelta(minutes=5))
    assert not provider.sees_transaction_open
