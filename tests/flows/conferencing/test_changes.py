"""What changes while a meeting is made, and meetings that are not as they were asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.providers import errors
from tests.faulty_provider import FaultyProvider, the_only
from tests.house import HELPDESK, House
from tests.scene import Scene, move, settle

ENSURE = "ensure-conference"


def test_a_session_moved_while_its_meeting_is_made_has_one_meeting_in_the_new_window(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.during("create", lambda: move(scene, conference_id, timedelta(hours=3)))
    settle(house, ENSURE)
    after = scene.fresh(conference_id)
    assert (the_only(provider).starts_at, the_only(provider).ends_at) == (after.starts_at, after.ends_at)
    assert (after.state, after.differs) == ("ready", False)


def test_a_session_moved_while_its_meeting_is_in_doubt_is_looked_for_where_it_was(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, applied=True)
    conferencing.ensure(conference_id)
    move(scene, conference_id, timedelta(days=40))
    settle(house, ENSURE)
    assert provider.count("create") == 1
    assert the_only(provider).starts_at == scene.fresh(conference_id).starts_at


def test_a_session_cancelled_while_its_meeting_is_made_leaves_none(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    session_id = scene.fresh(conference_id).session_id
    provider.during("create", lambda: rounds.cancel(session_id, "ill", by=HELPDESK))
    settle(house, ENSURE)
    assert provider.meetings == {}
    assert scene.fresh(conference_id).state == "cancelled"


def test_a_session_cancelled_while_its_meeting_is_in_doubt_leaves_none(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, applied=True)
    provider.list_lag = 1
    conferencing.ensure(conference_id)
    rounds.cancel(scene.fresh(conference_id).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert provider.meetings == {}
    assert scene.fresh(conference_id).state == "cancelled"


def test_a_session_cancelled_before_anything_was_made_asks_the_provider_nothing(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    rounds.cancel(scene.fresh(conference_id).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert provider.calls == []
    assert scene.fresh(conference_id).state == "cancelled"


def test_a_change_during_an_outage_is_made_up_for(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE)
    provider.fail("update", errors.Transient, times=3)
    move(scene, conference_id, timedelta(hours=1))
    conferencing.ensure(conference_id)
    assert scene.fresh(conference_id).link_for_people is not None, "people keep their link meanwhile"
    settle(house, ENSURE)
    assert the_only(provider).starts_at == scene.fresh(conference_id).starts_at
    assert provider.count("create") == 1


def test_a_meeting_that_somebody_deleted_is_made_anew_and_people_get_the_new_link(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE, "issue-invitations")
    gone = scene.fresh(conference_id).join_url
    provider.meetings.clear()
    move(scene, conference_id, timedelta(hours=1))
    house.queue.tasks = [task for task in house.queue.tasks if task.kind == ENSURE]
    settle(house, ENSURE, "issue-invitations")
    after = scene.fresh(conference_id)
    assert the_only(provider).join_url == after.join_url != gone
    updates = house.messages("invitation-update")
    assert {message.facts["join_url"] for message in updates} == {after.join_url}
    assert {tuple(message.facts["what_changed"]) for message in updates} == {("time", "link")}
    assert len(updates) == 3


def test_a_new_meeting_that_cannot_be_seen_yet_is_not_taken_for_deleted(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.during("create", lambda: move(scene, conference_id, timedelta(hours=3)))
    provider.fail("update", errors.NotFound)
    provider.list_lag = 2
    settle(house, ENSURE)
    assert provider.count("create") == 1
    assert the_only(provider).starts_at == scene.fresh(conference_id).starts_at


def test_what_the_provider_keeps_otherwise_than_asked_is_not_asked_for_without_end(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings = {"title": "AS THE PROVIDER LIKES IT"}
    settle(house, ENSURE)
    move(scene, conference_id, timedelta(hours=1))
    settle(house, ENSURE)
    assert provider.calls == ["create", "update"]
    assert scene.fresh(conference_id).state == "ready"


def test_a_title_too_long_for_the_provider_is_shortened_there_alone(house: House, scene: Scene) -> None:
    provider = FaultyProvider(title_length=40)
    provider_named.fill(house.app, lambda _: provider)
    long = scene.group("long", scene.clinician("anna"), name="Rare tumours of the central nervous system in the young")
    scene.allocated(scene.clinician("ines"), long)
    settle(house, ENSURE)
    conference = scene.conference(long)
    assert the_only(provider).title == "Rare tumours of the central nervous sys…"
    assert (conference.state, conference.differs) == ("ready", False)
    assert conference.title.endswith("24 November 2026")


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"public": True}, "public"),
        ({"lobby": False}, "no-lobby"),
        ({"lobby": None}, "no-lobby"),
        ({"has_password": False}, "no-password"),
        ({"recording": True}, "recording"),
    ],
)
def test_no_mail_carries_the_link_of_a_meeting_that_is_not_set_up_as_promised(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID, setting: dict[str, Any], problem: str
) -> None:
    provider.settings = setting
    settle(house, ENSURE, "issue-invitations")
    conference = scene.fresh(conference_id)
    assert (conference.state, conference.problem) == ("degraded", problem)
    assert scene.invitations() == []
    assert scene.alerts() == ["A meeting is not set up as promised"]


def test_once_the_settings_are_mended_a_retry_invites(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings = {"public": True}
    settle(house, ENSURE, "issue-invitations")
    provider.settings = {"public": False}
    conferencing.retry(conference_id, by=HELPDESK)
    settle(house, ENSURE, "issue-invitations")
    assert scene.fresh(conference_id).state == "ready"
    assert len(scene.invitations()) == 3
    assert provider.count("create") == 1


def test_a_degraded_meeting_of_a_session_cancelled_meanwhile_goes(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings = {"public": True}
    session_id = scene.fresh(conference_id).session_id
    provider.during("create", lambda: rounds.cancel(session_id, "ill", by=HELPDESK))
    settle(house, ENSURE, moving_the_clock=False)
    assert provider.meetings == {}
