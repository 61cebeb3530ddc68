"""What is found out at the providers, and what is mended without a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from conference_orchestrator.flows import rounds, verifying
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.jobs.embedded import EmbeddedQueue, TaskRow
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers.errors import (
    AuthError,
    Forbidden,
    ProviderError,
    RateLimited,
    Transient,
    Unreachable,
)
from conference_orchestrator.providers.mock import MockProvider
from conference_orchestrator.scheduling import allocations
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.settings import SettingsError
from tests.faulty_provider import FaultyProvider, the_only
from tests.house import HELPDESK, House
from tests.mails import WORK, move_session
from tests.scene import Scene, settle


@pytest.fixture
def scene(house: House) -> Scene:
    return Scene(house)


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    made = FaultyProvider()
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def group(house: House, scene: Scene, provider: FaultyProvider) -> ExpertGroup:
    """A group with one case in its first session, the meeting made and everybody invited; all mails are out."""
    made = scene.group("brain", scene.clinician("anna"))
    scene.allocated(scene.clinician("ines"), made)
    settle(house, *WORK)
    change(update(Message).values(state="sent"))
    provider.calls.clear()
    return made


@pytest.fixture
def conference(scene: Scene, group: ExpertGroup) -> Conference:
    return scene.conference(group)


def lines() -> list[str]:
    """What is said of the meetings."""
    return [str(trouble) for trouble in verifying.look_at_meetings().troubles]


def repair(misinformed: Sequence[UUID] = ()) -> list[str]:
    return verifying.repair(verifying.look_at_meetings().troubles, misinformed=misinformed)


def change(*statements: Any) -> None:
    with transaction():
        for statement in statements:
            db.session.execute(statement)


def beside(provider: FaultyProvider, **changes: Any) -> None:
    """Put a copy of the meeting beside it."""
    meeting = the_only(provider)
    provider.meetings["copy"] = replace(meeting, ref=replace(meeting.ref, id="copy"), **changes)
    provider._hidden["copy"] = 0


def test_a_meeting_as_it_should_be_is_no_trouble(conference: Conference, provider: FaultyProvider) -> None:
    assert lines() == []
    assert provider.calls == ["find"]
    assert not provider.sees_transaction_open


def test_a_meeting_that_is_gone(conference: Conference, provider: FaultyProvider) -> None:
    provider.meetings.clear()
    assert lines() == [f"meeting-missing: conference {conference.id}: there is no meeting meeting-001"]


def test_a_second_meeting_under_the_key(conference: Conference, provider: FaultyProvider) -> None:
    beside(provider)
    said = "there is a meeting copy besides meeting-001"
    assert lines() == [f"meeting-twice: conference {conference.id}: {said}"]


def test_a_meeting_of_another_is_none_of_ours(conference: Conference, provider: FaultyProvider) -> None:
    beside(provider, key="of somebody else")
    assert lines() == []


@pytest.mark.parametrize("days", [0, 3])
def test_a_meeting_at_another_time(conference: Conference, provider: FaultyProvider, days: int) -> None:
    meeting, by = the_only(provider), timedelta(days=days, minutes=15)
    moved = replace(meeting, starts_at=meeting.starts_at + by, ends_at=meeting.ends_at + by)
    provider.meetings[meeting.ref.id] = moved
    held = f"2026-11-{24 + days}T10:15:00Z to 2026-11-{24 + days}T10:55:00Z, wanted from 2026-11-24T10:00:00Z"
    said = f"the meeting meeting-001 is held {held}"
    assert lines() == [f"meeting-at-another-time: conference {conference.id}: {said}"]


def test_a_meeting_that_lost_our_key(conference: Conference, provider: FaultyProvider) -> None:
    provider.meetings["meeting-001"] = replace(the_only(provider), key=None)
    said = "the meeting meeting-001 has lost our key"
    assert lines() == [f"meeting-unmarked: conference {conference.id}: {said}"]


def test_a_list_that_lags_behind_is_no_trouble(conference: Conference, provider: FaultyProvider) -> None:
    provider._hidden["meeting-001"] = 1
    assert lines() == []
    assert provider.calls == ["find", "get"]


def test_a_provider_without_a_list_is_asked_for_the_meeting(
    house: House, conference: Conference, provider: FaultyProvider
) -> None:
    without = FaultyProvider(find_by_key=False)
    without.meetings = provider.meetings
    provider_named.fill(house.app, lambda _: without)
    assert lines() == []
    assert without.calls == ["get"]


@pytest.mark.parametrize("kind", [Unreachable, RateLimited, Transient, AuthError])
def test_a_provider_that_does_not_answer_is_one_line_and_asked_once(
    house: House, scene: Scene, group: ExpertGroup, provider: FaultyProvider, kind: type[ProviderError]
) -> None:
    scene.allocated(scene.clinician("olga"), group, session=1)
    settle(house, *WORK)
    provider.calls.clear()
    provider.fail("find", kind, times=None)
    assert lines() == ["mock: cannot be asked: as the test told it (meetings not looked at: 2)"]
    assert provider.calls == ["find"]


def test_a_meeting_that_is_not_shown_does_not_hide_the_others(
    house: House, scene: Scene, group: ExpertGroup, provider: FaultyProvider, conference: Conference
) -> None:
    first = conference.id
    scene.allocated(scene.clinician("olga"), group, session=1)
    settle(house, *WORK)
    second = scene.conference(group, 1).id
    provider.fail("find", Forbidden)
    del provider.meetings["meeting-002"]
    assert lines() == [
        f"meeting-not-shown: conference {first}: mock does not show the meeting: as the test told it",
        f"meeting-missing: conference {second}: there is no meeting meeting-002",
    ]


def test_a_provider_without_its_settings_is_one_line(house: House, conference: Conference) -> None:
    def unset(_: str) -> FaultyProvider:
        raise SettingsError("The provider needs a token.")

    provider_named.fill(house.app, unset)
    assert lines() == ["mock: cannot be asked: The provider needs a token. (meetings not looked at: 1)"]


def test_meetings_in_the_memory_of_another_process_are_not_asked_for(house: House, conference: Conference) -> None:
    provider_named.fill(house.app, lambda _: MockProvider())
    look = verifying.look_at_meetings()
    assert look.troubles == []
    assert look.not_asked == ["mock: meetings live in the serving process, not asked"]


def test_what_is_over_is_not_asked_for(house: House, group: ExpertGroup, provider: FaultyProvider) -> None:
    house.clock.move_on(timedelta(days=2))
    assert lines() == []
    assert provider.calls == []


def test_what_the_service_is_at_work_on_is_not_asked_for(
    house: House, scene: Scene, group: ExpertGroup, provider: FaultyProvider
) -> None:
    ports.queue.fill(house.app, EmbeddedQueue())
    move_session(scene, group, minutes=30)
    assert lines() == []
    assert provider.calls == []
    change(update(TaskRow).values(lock=None))
    assert lines()[0].startswith("meeting-at-another-time: ")


def test_what_is_changed_while_it_is_asked_about_is_no_trouble(
    scene: Scene, group: ExpertGroup, provider: FaultyProvider
) -> None:
    provider.meetings.clear()
    provider.during("get", lambda: move_session(scene, group, minutes=30))
    assert lines() == []
    assert lines()[0].startswith("meeting-missing: ")


def test_where_nothing_is_wrong_nothing_is_done(house: House, conference: Conference) -> None:
    assert repair() == []
    assert [task for task in house.queue.tasks if task.kind != "deliver"] == []


def test_a_missing_meeting_is_made_again_and_people_get_its_link(
    house: House, scene: Scene, conference: Conference, provider: FaultyProvider
) -> None:
    provider.meetings.clear()
    assert repair() == [f"conference {conference.id}: its meeting is made again"]
    settle(house, *WORK)
    assert the_only(provider).ref.id == "meeting-002"
    assert scene.fresh(conference.id).state == "ready"
    assert {m.facts["join_url"] for m in house.messages("invitation-update")} == {"https://meet.example/002"}
    assert (lines(), repair()) == ([], [])


def test_a_meeting_at_another_time_is_moved(house: House, conference: Conference, provider: FaultyProvider) -> None:
    meeting = the_only(provider)
    provider.meetings["meeting-001"] = replace(meeting, ends_at=meeting.ends_at + timedelta(hours=1))
    assert repair() == [f"conference {conference.id}: its meeting is moved to its time"]
    settle(house, *WORK)
    assert (lines(), the_only(provider).ends_at) == ([], meeting.ends_at)
    assert house.messages("invitation-update") == []


def test_a_second_meeting_is_left_to_a_person(conference: Conference, provider: FaultyProvider) -> None:
    beside(provider)
    assert repair() == []
    assert len(provider.meetings) == 2


def test_what_was_given_up_is_left_to_a_person(conference: Conference, provider: FaultyProvider) -> None:
    change(update(Conference).values(state="failed"))
    provider.meetings.clear()
    assert len(lines()) == 1
    assert repair() == []


def test_what_was_changed_since_the_look_is_left_alone(
    scene: Scene, group: ExpertGroup, provider: FaultyProvider, conference: Conference
) -> None:
    provider.meetings.clear()
    seen = verifying.look_at_meetings().troubles
    move_session(scene, group, minutes=30)
    assert verifying.repair(seen, misinformed=[]) == [f"conference {conference.id}: its meeting is looked at again"]
    assert scene.fresh(conference.id).state == "ready"


def test_a_conference_without_its_meeting_is_looked_at_again(house: House, scene: Scene, group: ExpertGroup) -> None:
    scene.allocated(scene.clinician("olga"), group, session=1)
    house.queue.tasks.clear()
    waiting = scene.conference(group, 1)
    assert repair() == [f"conference {waiting.id}: its meeting is looked at again"]
    settle(house, *WORK)
    assert scene.fresh(waiting.id).state == "ready"


def test_those_who_were_told_nothing_are_told(
    house: House, scene: Scene, group: ExpertGroup, conference: Conference
) -> None:
    rounds.cancel(conference.session_id, "The chair is away.", by=HELPDESK)
    house.queue.tasks.clear()
    assert repair([conference.id, conference.id])[0] == (
        f"conference {conference.id}: its invitations are looked at again"
    )
    settle(house, *WORK)
    assert len(house.messages("invitation-cancel")) == 2


def test_a_past_session_is_closed(house: House, scene: Scene, group: ExpertGroup) -> None:
    house.clock.at = scene.session(group).ends_at
    assert repair() == [f"session {scene.session(group).id}: closed"]
    assert scene.session(group).state == "held"


def test_an_offer_that_ran_out_gets_the_task_that_ends_it(house: House, scene: Scene, group: ExpertGroup) -> None:
    request_id = scene.accepted(scene.clinician("olga"), group)
    change(update(Message).values(state="sent"))
    until, slot = house.clock.at + timedelta(hours=1), scene.session(group).slots[1]
    with transaction() as tx:
        offer = allocations.take(slot.id, request_id, because=["First."], at=tx.now, offered_until=until)
    assert repair() == []
    house.clock.at = until
    assert repair() == [f"offer {offer}: ends"]
    assert house.queue.of_kind("expire-offers") == [{}]


def test_messages_that_nobody_came_back_for_get_the_task_that_finds_them(house: House, conference: Conference) -> None:
    message, due_at = house.messages("invitation")[0], house.clock.at - timedelta(minutes=20)
    sending = {"state": "sending", "due_at": due_at, "lease_until": house.clock.at - timedelta(minutes=11)}
    change(update(Message).where(Message.id == message.id).values(**sending))
    assert repair() == ["mail: messages that nobody came back for are sent, 1 of them"]
    assert house.queue.of_kind("deliver-overdue") == [{}]


def test_a_dead_task_runs_again_from_the_beginning(house: House) -> None:
    at, task_id = house.clock.at - timedelta(hours=1), uuid4()
    row = {"id": task_id, "created_at": at, "due_at": at, "kind": "deliver", "payload": {}, "rank": 0}
    change(insert(TaskRow).values(**row, state="dead", attempts=5, worker="one:1", last_error="ValueError"))
    assert repair() == [f"task {task_id} (deliver): runs again"]
    again = db.session.scalars(select(TaskRow)).one()
    assert (again.state, again.attempts, again.due_at, again.worker) == ("open", 0, house.clock.at, None)
    assert repair() == []
