"""The look at what providers really have: meetings that somebody changed there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import finding, sweeping
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.conferences import Conference
from tests.faulty_provider import FaultyProvider, the_only
from tests.flows.providers.conftest import findings, found, late_list, made, pass_time, the_finding
from tests.house import HELPDESK, House
from tests.scene import Scene, move, settle

CHANGED, BADLY_SET = "A meeting was changed at the provider", "A meeting is not set up as promised"


@pytest.fixture
def standing(house: House, provider: FaultyProvider, conference_id: UUID) -> UUID:
    """A conference whose meeting stands, everyone invited."""
    made(house)
    provider.calls.clear()
    return conference_id


def changed_there(provider: FaultyProvider, **changes: Any) -> None:
    """Somebody changes the meeting at the provider."""
    meeting = the_only(provider)
    provider.meetings[meeting.ref.id] = replace(meeting, **changes)


def moved_there(provider: FaultyProvider, by: timedelta) -> None:
    meeting = the_only(provider)
    changed_there(provider, starts_at=meeting.starts_at + by, ends_at=meeting.ends_at + by)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_meeting_that_was_moved_is_one_finding_however_often_it_is_looked_at(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID, hours: int
) -> None:
    moved_there(provider, timedelta(hours=hours))
    for look in (sweeping.look_near, sweeping.look_far, sweeping.look_near):
        look()
        house.clock.move_on(timedelta(minutes=15))
    assert found() == [("drift", "open")]
    assert scene.alerts() == [CHANGED]
    assert provider.touched == [], "a person decides"


def test_its_detail_says_what_is_and_what_should_be(provider: FaultyProvider, standing: UUID) -> None:
    moved_there(provider, timedelta(hours=1))
    sweeping.look_near()
    assert the_finding().detail == (
        "Brain panel, 24 November 2026: it begins at 2026-11-24T11:00:00Z, not at 2026-11-24T10:00:00Z; "
        "it ends at 2026-11-24T11:40:00Z, not at 2026-11-24T10:40:00Z."
    )


def test_moved_on_it_is_the_same_finding_with_the_new_detail(provider: FaultyProvider, standing: UUID) -> None:
    for _ in range(2):
        moved_there(provider, timedelta(hours=1))
        sweeping.look_near()
    assert "2026-11-24T12:00:00Z" in the_finding().detail
    assert the_finding().version == 2


def test_another_end_alone_is_a_change(provider: FaultyProvider, standing: UUID) -> None:
    changed_there(provider, ends_at=the_only(provider).ends_at + timedelta(minutes=20))
    sweeping.look_near()
    assert found() == [("drift", "open")]


def test_seconds_are_no_change(scene: Scene, provider: FaultyProvider, standing: UUID) -> None:
    conference = scene.fresh(standing)
    conference.present_start += timedelta(seconds=30)
    db.session.commit()
    sweeping.look_near()
    assert found() == []


@pytest.mark.parametrize("days", [5, 180])
def test_moved_far_away_it_is_found_all_the_same(provider: FaultyProvider, standing: UUID, days: int) -> None:
    moved_there(provider, timedelta(days=days))
    sweeping.look_near()
    assert found() == [("drift", "open")]


def test_restored_it_stands_where_it_was_wanted(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    moved_there(provider, timedelta(days=180))
    sweeping.look_near()
    finding.resolve(the_finding().id, "restore", by=HELPDESK)
    pass_time(house, timedelta(minutes=1))
    assert the_only(provider).starts_at == scene.fresh(standing).starts_at
    sweeping.look_near()
    assert found() == [("drift", "resolved")]
    assert house.messages("invitation-update") == [], "nobody was told of the other time"


def test_ignored_it_stays_so_while_it_is_the_same(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    moved_there(provider, timedelta(hours=1))
    sweeping.look_near()
    finding.resolve(the_finding().id, "ignore", by=HELPDESK)
    house.clock.move_on(timedelta(hours=1))
    sweeping.look_near()
    assert found() == [("drift", "resolved")]
    moved_there(provider, timedelta(hours=1))
    sweeping.look_near()
    assert found() == [("drift", "resolved"), ("drift", "open")]
    assert scene.alerts() == [CHANGED] * 2


def test_put_back_by_whoever_changed_it_the_finding_is_no_more(provider: FaultyProvider, standing: UUID) -> None:
    for hours in (1, -1):
        moved_there(provider, timedelta(hours=hours))
        sweeping.look_near()
    assert the_finding().resolved_by == "the meeting is as wanted again"


def test_decided_once_it_is_not_decided_again(provider: FaultyProvider, standing: UUID) -> None:
    moved_there(provider, timedelta(hours=1))
    sweeping.look_near()
    finding.resolve(the_finding().id, "ignore", by=HELPDESK)
    with pytest.raises(RuleBroken, match="seen to already"):
        finding.resolve(the_finding().id, "restore", by=HELPDESK)


@pytest.mark.parametrize("action", ["delete", "recreate"])
def test_what_makes_no_sense_for_a_change_is_refused(provider: FaultyProvider, standing: UUID, action: str) -> None:
    moved_there(provider, timedelta(hours=1))
    sweeping.look_near()
    with pytest.raises(Invalid) as refused:
        finding.resolve(the_finding().id, action, by=HELPDESK)
    assert refused.value.errors == {"action": ["For a drift choose ignore or restore."]}
    assert found() == [("drift", "open")]


def test_our_own_move_while_the_provider_answered_is_no_change(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    late_list(provider, then=lambda: moved_by_us(house, scene, standing))
    sweeping.look_near()
    assert (found(), scene.alerts()) == ([], [])
    assert scene.fresh(standing).state == "ready"


def test_without_the_version_our_own_move_would_be_a_change(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    noted = sweeping._noted

    def hasty(before: Conference, meeting: Any) -> None:
        noted(scene.fresh(before.id), meeting)

    monkeypatch.setattr(sweeping, "_noted", hasty)
    # Nor is the list compared with what was wanted when it was asked for.
    monkeypatch.setattr(sweeping, "_is_as_known", lambda *_: False)
    late_list(provider, then=lambda: moved_by_us(house, scene, standing))
    sweeping.look_near()
    assert found() == [("drift", "open")]


def moved_by_us(house: House, scene: Scene, conference_id: UUID) -> None:
    move(scene, conference_id, timedelta(hours=2))
    settle(house, "ensure-conference", moving_the_clock=False)


class TestSettings:
    @pytest.mark.parametrize("wrong", [{"lobby": False}, {"public": True}, {"has_password": False}])
    def test_switched_off_at_the_provider_no_mail_carries_the_link(
        self,
        house: House,
        scene: Scene,
        provider: FaultyProvider,
        standing: UUID,
        group: ExpertGroup,
        wrong: dict[str, Any],
    ) -> None:
        changed_there(provider, **wrong)
        for _ in range(3):
            sweeping.look_near()
        conference = scene.fresh(standing)
        assert (conference.state, conference.link_for_people) == ("degraded", None)
        assert scene.alerts() == [BADLY_SET]
        before = len(scene.invitations())
        scene.allocated(scene.clinician("olga"), group, slot=1)
        pass_time(house, timedelta(minutes=1), "issue-invitations")
        assert len(scene.invitations()) == before

    def test_mended_there_the_link_is_given_again(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID, group: ExpertGroup
    ) -> None:
        changed_there(provider, lobby=False)
        sweeping.look_near()
        scene.allocated(scene.clinician("olga"), group, slot=1)
        pass_time(house, timedelta(minutes=1), "issue-invitations")
        before = len(scene.invitations())
        changed_there(provider, lobby=True)
        sweeping.look_near()
        pass_time(house, timedelta(minutes=1), "issue-invitations")
        assert (scene.fresh(standing).state, scene.fresh(standing).problem) == ("ready", None)
        assert len(scene.invitations()) == before + 1, "who came meanwhile is invited, nobody else gets a mail"

    @pytest.mark.usefixtures("standing")
    def test_switched_off_again_it_is_told_again(self, house: House, scene: Scene, provider: FaultyProvider) -> None:
        for lobby in (False, True, False):
            changed_there(provider, lobby=lobby)
            sweeping.look_near()
            house.clock.move_on(timedelta(minutes=15))
        assert scene.alerts() == [BADLY_SET] * 2

    def test_a_change_of_time_restored_gives_no_link_while_the_lobby_is_off(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        moved_there(provider, timedelta(hours=1))
        changed_there(provider, lobby=False)
        sweeping.look_near()
        finding.resolve(the_finding().id, "restore", by=HELPDESK)
        assert scene.fresh(standing).link_for_people is None
        pass_time(house, timedelta(minutes=1))
        assert scene.fresh(standing).state == "degraded"
        assert the_only(provider).starts_at == scene.fresh(standing).starts_at


class TestHowFar:
    @pytest.mark.usefixtures("standing")
    def test_the_near_look_ends_after_two_weeks_and_the_far_one_looks_at_everything(
        self, house: House, scene: Scene, provider: FaultyProvider, group: ExpertGroup
    ) -> None:
        scene.allocated(scene.clinician("rosa"), group, session=15)
        made(house)
        late = scene.conference(group, 15).id
        meeting = provider.meetings[scene.fresh(late).meeting_id or ""]
        provider.meetings[meeting.ref.id] = replace(meeting, ends_at=meeting.ends_at + timedelta(minutes=5))
        sweeping.look_near()
        assert findings() == []
        sweeping.look_far()
        assert the_finding().conference_id == late
