"""A create that goes wrong ends in exactly one meeting, at every provider, however it went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing
from conference_orchestrator.flows.hosting import ensure_later, provider_named
from conference_orchestrator.providers.base import Person
from conference_orchestrator.providers.errors import Transient
from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.flows.exactly_one.conftest import wanted_conference
from tests.flows.exactly_one.rigs import BigBlueButtonRig, JitsiRig, MockRig, Rig, WebexRig, running
from tests.house import House
from tests.scene import Scene, settle

ENSURE = "ensure-conference"
FAULTS = [
    "time-out before",
    "time-out after",
    "503 before",
    "502 after",
    "reset before",
    "reset after",
    "reset in the body",
    "an empty object",
    "a page",
    "list lag",
]
ADA = Person("Ada Byron", "ada@clinic.example")


class OneMeeting:
    """What holds at every provider that is called to make a meeting."""

    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError

    @pytest.fixture
    def wanted(self, house: House, scene: Scene, rig: Rig) -> UUID:
        provider_named.fill(house.app, lambda _: rig)
        return wanted_conference(scene)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_create_that_goes_wrong_ends_in_exactly_one_meeting(
        self, house: House, scene: Scene, rig: Rig, wanted: UUID, fault: str
    ) -> None:
        if why := rig.leaves_out.get(fault):
            pytest.skip(why)
        rig.meet(fault)
        settle(house, ENSURE)
        conference = scene.fresh(wanted)
        assert rig.has_met, "nothing went wrong"
        assert (conference.state, rig.meetings()) == ("ready", [conference.meeting_id])
        assert conference.attempts == rig.attempts.get(fault, 1)

    def test_a_create_that_nobody_came_back_from_ends_in_exactly_one_meeting(
        self, house: House, scene: Scene, rig: Rig, wanted: UUID
    ) -> None:
        rig.create(conferencing._begin(wanted).spec)  # and here the process dies
        house.clock.move_on(conferencing.LEASE)
        house.queue.tasks.append(ensure_later(wanted))
        settle(house, ENSURE)
        conference = scene.fresh(wanted)
        assert (conference.state, rig.meetings()) == ("ready", [conference.meeting_id])


class TestWebex(OneMeeting):
    @pytest.fixture
    def rig(self, sandbox: RunningSandbox) -> Iterator[Rig]:
        with running(WebexRig(sandbox)) as rig:
            yield rig


class TestWebexOnPostgres(TestWebex):
    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema


class TestMock(OneMeeting):
    @pytest.fixture
    def rig(self) -> Rig:
        return MockRig()


class TestBigBlueButton(OneMeeting):
    """A room that lives only while people are in it: exactly one address, and behind it one room."""

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        rig = BigBlueButtonRig()
        with rig.server, running(rig):
            yield rig

    def test_a_room_whose_making_was_not_answered_is_the_one_that_the_next_asker_gets(
        self, house: House, scene: Scene, rig: BigBlueButtonRig, wanted: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settle(house, ENSURE)
        conference = scene.fresh(wanted)
        ref = conferencing._step("look", conference, worker="").ref
        monkeypatch.setattr(rig._provider, "_clock", house.clock)
        house.clock.at = conference.starts_at
        with monkeypatch.context() as broken:
            answer = rig.server.answer
            broken.setattr(rig.server, "answer", lambda target: answer(target)[:20])
            with pytest.raises(Transient):
                rig.join_link(ref, ADA, "moderator")
        (room,) = rig.server.rooms.values()
        assert f"createTime={room.create_time}" in rig.join_link(ref, ADA, "attendee")
        assert len(rig.server.rooms) == 1


class TestJitsi:
    """Nothing is sent to Jitsi, so that none of the faults can be met: the address is made from the key."""

    @pytest.fixture
    def wanted(self, house: House, scene: Scene) -> UUID:
        rig = JitsiRig()
        provider_named.fill(house.app, lambda _: rig)
        return wanted_conference(scene)

    def test_whoever_was_interrupted_gives_the_same_address_again(
        self, house: House, scene: Scene, wanted: UUID
    ) -> None:
        rig = provider_named()("jitsi")
        lost = rig.create(conferencing._begin(wanted).spec)  # and here the process dies
        house.clock.move_on(conferencing.LEASE)
        house.queue.tasks.append(ensure_later(wanted))
        settle(house, ENSURE)
        conference = scene.fresh(wanted)
        assert (conference.state, conference.join_url) == ("ready", lost.join_url)
        assert rig.meetings() == [conference.meeting_id]
