"""Host accounts that meetings are made with, and what conferences promise besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import time, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import conferencing, hosting, panels, provider_steps, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers import errors
from conference_orchestrator.scheduling.host_pool import HostBooking
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.scene import Scene, move, settle

ENSURE = "ensure-conference"


@pytest.fixture
def licensed(house: House, scene: Scene) -> FaultyProvider:
    """A provider that books host accounts, of which there are two, and two groups that meet at different hours."""
    made = FaultyProvider(needs_host=True)
    provider_named.fill(house.app, lambda _: made)
    for email in ("first@hosts.example", "second@hosts.example"):
        hosting.add_host({"provider": "mock", "email": email, "capacity": 1, "kinds": []})
    return made


def bookings() -> Counter[UUID]:
    db.session.rollback()
    return Counter(db.session.scalars(select(HostBooking.conference_id)))


def moved_to_another_host(scene: Scene, *, before: Callable[[UUID], None]) -> UUID:
    """A conference whose session was moved to an hour at which its own account hosts another group."""
    ines, anna = scene.clinician("ines"), scene.clinician("anna")
    early, late = scene.group("early", anna), scene.group("late", anna, at=time(15))
    scene.allocated(ines, early)
    scene.allocated(ines, late)
    mine, other = scene.conference(early), scene.conference(late)
    assert mine.host == other.host, "the one account serves both, one after the other"
    host = mine.host
    before(mine.id)
    rounds.move(scene.session(early).id, scene.session(late).starts_at, by=HELPDESK)
    assert scene.fresh(mine.id).host != host
    return mine.id


def test_a_session_that_moves_to_another_host_account_gets_its_meeting_there(
    house: House, scene: Scene, licensed: FaultyProvider
) -> None:
    conference_id = moved_to_another_host(scene, before=lambda _: settle(house, ENSURE) and None)
    settle(house, ENSURE)
    conference = scene.fresh(conference_id)
    (meeting,) = [m for m in licensed.meetings.values() if m.key == conference.key]
    assert (meeting.ref.host, meeting.starts_at) == (conference.host, conference.starts_at)
    assert (conference.join_url, conference.state) == (meeting.join_url, "ready")
    assert len(licensed.meetings) == 2


def test_a_meeting_in_doubt_is_looked_for_under_the_account_that_it_was_asked_of(
    house: House, scene: Scene, licensed: FaultyProvider
) -> None:
    licensed.fail("create", errors.Ambiguous, applied=True)
    conference_id = moved_to_another_host(scene, before=conferencing.ensure)
    settle(house, ENSURE)
    conference = scene.fresh(conference_id)
    (meeting,) = [m for m in licensed.meetings.values() if m.key == conference.key]
    assert (meeting.ref.host, meeting.starts_at) == (conference.host, conference.starts_at)


def test_a_webinar_given_up_before_its_meeting_was_made_gives_its_account_back(
    house: House, scene: Scene, licensed: FaultyProvider
) -> None:
    conference_id = scene.approved()
    assert bookings() == {conference_id: 1}
    conferencing.cancel(conference_id, "no speaker", by=HELPDESK)
    settle(house, ENSURE)
    assert bookings() == {}
    assert licensed.calls == []


def test_a_webinar_given_up_loses_its_meeting_and_its_account(
    house: House, scene: Scene, licensed: FaultyProvider
) -> None:
    conference_id = scene.approved()
    settle(house, ENSURE)
    key = scene.fresh(conference_id).key
    conferencing.cancel(conference_id, "no speaker", by=HELPDESK)
    settle(house, ENSURE)
    assert licensed.meetings == {}
    assert bookings() == {}
    assert scene.fresh(conference_id).key != key, "a later meeting is not taken for this one"


def test_the_meeting_of_a_session_is_cancelled_with_its_session_only(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    with pytest.raises(RuleBroken, match="cancel the session"):
        conferencing.cancel(conference_id, "ill", by=HELPDESK)


def test_a_conference_without_a_host_waits_until_an_account_is_added(house: House, scene: Scene) -> None:
    made = FaultyProvider(needs_host=True)
    provider_named.fill(house.app, lambda _: made)
    only = {"provider": "mock", "email": "only@hosts.example", "capacity": 1, "kinds": ["webinar"]}
    hosting.add_host(only)
    first = scene.approved()
    with pytest.raises(Exception, match="Every host account is busy"):
        scene.approved(topic="Another one")
    ines, anna = scene.clinician("ines"), scene.clinician("anna")
    other = {"provider": "mock", "email": "other@hosts.example", "capacity": 1, "kinds": ["session"]}
    hosting.add_host(other)
    brain, ewing = scene.group("brain", anna), scene.group("ewing", anna)
    scene.allocated(ines, brain)
    scene.allocated(ines, ewing)
    settle(house, ENSURE)
    waiting = scene.conference(ewing)
    assert (waiting.state, waiting.problem) == ("wanted", "no-host-free")
    assert scene.fresh(first).state == "ready"
    hosting.add_host({**other, "email": "third@hosts.example"})
    settle(house, ENSURE)
    assert scene.conference(ewing).state == "ready"
    assert the_hosts(made) == {"only@hosts.example": 1, "other@hosts.example": 1, "third@hosts.example": 1}


def the_hosts(provider: FaultyProvider) -> Counter[str | None]:
    return Counter(meeting.ref.host for meeting in provider.meetings.values())


def test_nothing_is_called_over_the_network_while_a_transaction_is_open(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, applied=True)
    settle(house, ENSURE)
    move(scene, conference_id, timedelta(hours=1))
    settle(house, ENSURE)
    rounds.cancel(scene.fresh(conference_id).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert set(provider.calls) == {"create", "find", "update", "cancel"}
    assert not provider.sees_transaction_open


def test_a_step_inside_a_transaction_is_refused(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    step = conferencing._begin(conference_id)
    with transaction(), pytest.raises(RuntimeError, match="while a transaction is open"):
        provider_steps.act(step)
    assert provider.calls == []


def test_a_conference_shows_how_many_are_invited_and_what_they_said(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE, "issue-invitations")
    view = conferencing.conference(conference_id, by=HELPDESK)
    assert view.audience_size == 3
    assert view.answers == {"sent": 3, "accepted": 0, "declined": 0, "tentative": 0, "none": 3}


def test_a_released_slot_keeps_the_meeting_of_its_session(
    house: House, scene: Scene, provider: FaultyProvider, group: ExpertGroup
) -> None:
    settle(house, ENSURE)
    other = scene.allocated(scene.clinician("olga"), group, slot=1)
    panels.release(other, by=HELPDESK)
    settle(house, ENSURE)
    assert provider.calls == ["create"]
    assert scene.conference(group).state == "ready"


def test_each_conference_is_marked_by_a_key_of_its_own(scene: Scene, group: ExpertGroup) -> None:
    scene.allocated(scene.clinician("olga"), group, session=1)
    keys = {scene.conference(group, number).key for number in (0, 1)}
    assert len(keys) == 2
    assert all(len(key) <= 64 and key.startswith("co-") for key in keys)
