"""What a provider tells by itself: only a reason to look, and the same thing told twice is one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import circuits, conferencing, provider_events, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.jobs.timetable import EVERY
from conference_orchestrator.kernel.errors import NotFound, NotPermitted
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.providers import errors
from conference_orchestrator.scheduling.provider_states import SeenEvent
from conference_orchestrator.settings import SettingsError
from tests.faulty_provider import FaultyProvider, the_only
from tests.flows.providers.conftest import ENSURE, found, made, pass_time
from tests.house import HELPDESK, House
from tests.scene import Scene

SIGNED = {"X-Signature": "ours"}
CHECK = "check-meeting"


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    provider = FaultyProvider(events=True)
    provider_named.fill(house.app, lambda _: provider)
    return provider


@pytest.fixture
def standing(house: House, provider: FaultyProvider, conference_id: UUID) -> UUID:
    """A conference whose meeting `meeting-001` stands, everyone invited."""
    made(house)
    provider.calls.clear()
    return conference_id


def told(what: str, *, by: str = "mock") -> None:
    provider_events.receive(by, SIGNED, what.encode())


def test_a_meeting_deleted_there_is_found_missing_within_a_minute(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    provider.meetings.clear()
    told("e-1 deleted meeting-001")
    pass_time(house, timedelta(minutes=1))
    assert scene.fresh(standing).state == "missing"
    assert found() == [("missing", "open")]


def test_it_is_not_believed(house: House, scene: Scene, provider: FaultyProvider, standing: UUID) -> None:
    told("e-1 deleted meeting-001")
    pass_time(house, timedelta(minutes=5))
    assert (scene.fresh(standing).state, found(), provider.calls) == ("ready", [], ["get"])


def test_a_meeting_changed_there_is_found(house: House, provider: FaultyProvider, standing: UUID) -> None:
    meeting = the_only(provider)
    provider.meetings["meeting-001"] = replace(meeting, ends_at=meeting.ends_at + timedelta(hours=1))
    told("e-1 changed meeting-001")
    pass_time(house, timedelta(minutes=1))
    assert found() == [("drift", "open")]


def test_the_same_event_sent_again_is_one_look(house: House, provider: FaultyProvider, standing: UUID) -> None:
    for _ in range(3):
        told("e-1 changed meeting-001")
    assert len(house.queue.of_kind(CHECK)) == 1
    told("e-2 changed meeting-001")
    assert len(house.queue.of_kind(CHECK)) == 2
    assert house.count(SeenEvent) == 2


@pytest.mark.usefixtures("standing")
class TestManyAtOnce:
    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_the_same_event_sent_by_eight_at_once_is_one_look(self, house: House) -> None:
        assert house.at_once(8, lambda _: told("e-1 changed meeting-001")) == [None] * 8
        assert len(house.queue.of_kind(CHECK)) == 1

    def test_eight_different_ones_are_eight(self, house: House) -> None:
        """The negative control."""
        house.at_once(8, lambda number: told(f"e-{number} changed meeting-001"))
        assert len(house.queue.of_kind(CHECK)) == 8


def test_a_wrong_signature_is_refused_and_nothing_is_stored(house: House, standing: UUID) -> None:
    with pytest.raises(NotPermitted, match="not signed with our secret"):
        provider_events.receive("mock", {"X-Signature": "theirs"}, b"e-1 deleted meeting-001")
    assert house.count(SeenEvent) == 0
    assert house.queue.tasks == []


def test_an_event_of_a_meeting_that_nobody_here_has_is_nothing(
    house: House, provider: FaultyProvider, standing: UUID
) -> None:
    told("e-1 deleted of-somebody-else")
    pass_time(house, timedelta(minutes=1))
    assert (provider.calls, found()) == ([], [])


@pytest.mark.parametrize("kind", ["started", "ended", "joined", "left", "other"])
def test_what_tells_of_no_change_is_no_look(house: House, standing: UUID, kind: str) -> None:
    told(f"e-1 {kind} meeting-001")
    assert house.queue.of_kind(CHECK) == []


def test_an_event_of_a_meeting_that_we_have_deleted_ourselves_is_nothing(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    rounds.cancel(scene.fresh(standing).session_id, "ill", by=HELPDESK)
    provider.during("cancel", lambda: told("e-1 deleted meeting-001"))
    pass_time(house, timedelta(minutes=5))
    assert (scene.fresh(standing).state, found(), scene.alerts()) == ("cancelled", [], [])


def test_one_that_comes_before_our_deletion_is_answered_is_nothing(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    """The provider tells of it while the worker still waits for the answer to it."""
    rounds.cancel(scene.fresh(standing).session_id, "ill", by=HELPDESK)

    def early() -> None:
        provider.meetings.clear()
        for number in range(2):
            told(f"e-{number} deleted meeting-001")
            pass_time(house, timedelta(seconds=30), CHECK)

    provider.during("cancel", early)
    conferencing.ensure(standing)
    assert (scene.fresh(standing).state, found(), scene.alerts()) == ("cancelled", [], [])


def test_while_the_provider_is_left_alone_an_event_makes_no_call(
    house: House, provider: FaultyProvider, standing: UUID
) -> None:
    for _ in range(3):
        with transaction() as tx:
            circuits.noted(tx, "mock", errors.Unreachable("down", provider="mock", operation="get"))
    told("e-1 changed meeting-001")
    pass_time(house, timedelta(seconds=10), CHECK)
    assert provider.calls == []


def test_a_provider_that_sends_none_is_sent_away(house: House, standing: UUID) -> None:
    silent = FaultyProvider()
    provider_named.fill(house.app, lambda _: silent)
    with pytest.raises(NotFound, match="No events are received"):
        told("e-1 changed meeting-001")


def test_so_is_one_that_is_not_set_up(house: House, standing: UUID) -> None:
    def unknown(name: str) -> FaultyProvider:
        raise SettingsError(f"There is no provider {name}.")

    provider_named.fill(house.app, unknown)
    with pytest.raises(NotFound, match="No events are received"):
        told("e-1 changed meeting-001", by="nowhere")


class TestListening:
    def test_once_a_day_the_provider_is_told_where_to(self, provider: FaultyProvider) -> None:
        provider_events.listen()
        assert provider.listens_at == ["http://127.0.0.1:8000/hooks/mock"]
        assert EVERY["listen-to-providers"] == timedelta(days=1)

    def test_one_without_events_is_not_asked(self, house: House) -> None:
        silent = FaultyProvider()
        provider_named.fill(house.app, lambda _: silent)
        provider_events.listen()
        assert silent.calls == []

    def test_one_that_is_left_alone_is_not_asked(self, provider: FaultyProvider) -> None:
        provider.fail("listen", errors.Unreachable, times=None)
        for _ in range(5):
            provider_events.listen()
        assert provider.calls == ["listen"] * 3

    def test_it_goes_on_when_the_provider_is_back(self, house: House, provider: FaultyProvider) -> None:
        provider.fail("listen", errors.Unreachable, times=3)
        for _ in range(3):
            provider_events.listen()
        house.clock.move_on(timedelta(minutes=1))
        provider_events.listen()
        assert len(provider.listens_at) == 1


def test_the_work_of_a_conference_goes_on_beside_events(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.during("create", lambda: told("e-1 created meeting-001"))
    pass_time(house, timedelta(minutes=1), ENSURE, CHECK)
    assert (scene.fresh(conference_id).state, scene.fresh(conference_id).missed) == ("ready", 0)
