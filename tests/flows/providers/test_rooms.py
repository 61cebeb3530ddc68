"""Providers at which a meeting is no more than an address made from the key: nothing to look for, nothing to lose."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, moving, provider_steps, rounds, sweeping
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.providers.base import Meeting, MeetingRef, MeetingSpec
from tests.faulty_provider import FaultyProvider
from tests.flows.providers.conftest import ENSURE, found, made, pass_time, updates
from tests.house import HELPDESK, House
from tests.scene import Scene, move, settle


class Rooms(FaultyProvider):
    """Rooms named by the key; of a room nothing is known until people are in it."""

    def __init__(self, name: str = "mock") -> None:
        super().__init__(name, keeps_meetings=False, find_by_key=False, native_idempotency=True)

    def _create(self, spec: MeetingSpec) -> Meeting:
        made = super()._create(spec)
        self.meetings.clear()
        address = f"https://rooms.example/{spec.key}"
        return replace(made, ref=MeetingRef(self.name, f"{spec.key}@{made.ends_at:%H%M}", None), join_url=address)


@pytest.fixture
def provider(house: House) -> Rooms:
    rooms = Rooms()
    provider_named.fill(house.app, lambda _: rooms)
    return rooms


@pytest.fixture
def standing(house: House, provider: Rooms, conference_id: UUID) -> UUID:
    """A conference that has its room, everyone invited."""
    made(house)
    return conference_id


def test_a_room_is_ready_at_once(house: House, scene: Scene, provider: Rooms, conference_id: UUID) -> None:
    began = house.clock.at
    settle(house, ENSURE, moving_the_clock=False)
    conference = scene.fresh(conference_id)
    assert (conference.state, house.clock.at) == ("ready", began)
    assert conference.join_url == f"https://rooms.example/{conference.key}"


def test_moved_it_is_made_again_at_the_same_address(
    house: House, scene: Scene, provider: Rooms, standing: UUID
) -> None:
    link, room = scene.fresh(standing).join_url, scene.fresh(standing).meeting_id
    move(scene, standing, timedelta(hours=2))
    settle(house, ENSURE, moving_the_clock=False)
    after = scene.fresh(standing)
    assert (after.join_url, after.state, after.differs) == (link, "ready", False)
    assert after.meeting_id != room, "what the provider has to know stands in the id"
    assert provider.calls == ["create"] * 2
    pass_time(house, timedelta(minutes=5), "issue-invitations")
    assert {tuple(one.facts["what_changed"]) for one in updates(house)} == {("time",)}


def test_cancelled_it_is_ended(house: House, scene: Scene, provider: Rooms, standing: UUID) -> None:
    rounds.cancel(scene.fresh(standing).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE, moving_the_clock=False)
    assert scene.fresh(standing).state == "cancelled"
    assert provider.calls == ["create", "cancel"]


@pytest.mark.parametrize("dies", ["before the call", "after the call"])
def test_after_a_crash_there_is_nothing_to_settle_and_one_link(
    house: House, scene: Scene, provider: Rooms, conference_id: UUID, dies: str
) -> None:
    step = conferencing._begin(conference_id)
    assert step is not None
    first = provider_steps.act(step).meeting if dies == "after the call" else None
    house.clock.move_on(conferencing.LEASE)
    began = house.clock.at
    settle(house, ENSURE, moving_the_clock=False)
    after = scene.fresh(conference_id)
    assert (after.state, after.attempted_at, house.clock.at) == ("ready", None, began)
    assert first is None or after.join_url == first.join_url
    assert "find" not in provider.calls


def test_where_meetings_are_kept_a_crash_is_settled_first(
    house: House, scene: Scene, provider: Rooms, conference_id: UUID
) -> None:
    """The negative control: the same crash at a provider that keeps its meetings waits for the looks."""
    keeping = FaultyProvider()
    provider_named.fill(house.app, lambda _: keeping)
    conferencing._begin(conference_id)
    house.clock.move_on(conferencing.LEASE)
    settle(house, ENSURE, moving_the_clock=False)
    assert (scene.fresh(conference_id).state, keeping.calls) == ("provisioning", ["find"])


def test_rooms_are_not_looked_for(house: House, scene: Scene, provider: Rooms, standing: UUID) -> None:
    provider.calls.clear()
    for look in (sweeping.look_near, sweeping.look_far):
        look()
        pass_time(house, timedelta(minutes=15))
    assert (provider.calls, found(), scene.fresh(standing).state) == ([], [], "ready")


@pytest.mark.parametrize("kept_first", [True, False])
def test_a_conference_moves_to_rooms_and_from_them(
    house: House, scene: Scene, provider: Any, conference_id: UUID, kept_first: bool
) -> None:
    kept, rooms = FaultyProvider("mock" if kept_first else "second"), Rooms("second" if kept_first else "mock")
    provider_named.fill(house.app, {kept.name: kept, rooms.name: rooms}.__getitem__)
    made(house)
    moving.move_to_provider(conference_id, "second", by=HELPDESK)
    pass_time(house, timedelta(minutes=5))
    assert scene.fresh(conference_id).state == "ready"
    assert len(kept.meetings) == (0 if kept_first else 1)
    assert len(updates(house)) == 3
