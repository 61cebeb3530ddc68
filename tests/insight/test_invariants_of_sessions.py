"""Sessions that do not agree with their slots, their series or their conferences."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Update, update

from conference_orchestrator.flows import panels
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostBooking
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.house import HELPDESK
from tests.insight.conftest import World
from tests.mails import WORK
from tests.scene import settle


def session(of: Session, **values: object) -> Update:
    return update(Session).where(Session.id == of.id).values(**values)


def slot(of: Slot, **values: object) -> Update:
    return update(Slot).where(Slot.id == of.id).values(**values)


def test_a_session_longer_than_its_slots(world: World) -> None:
    third = world.session(2)
    world.change(session(third, ends_at=third.ends_at + timedelta(minutes=5)))
    held = (
        "is held 2026-12-08T10:00:00Z to 2026-12-08T10:45:00Z, its slots 2026-12-08T10:00:00Z to 2026-12-08T10:40:00Z"
    )
    assert world.lines() == [f"session-beside-its-slots: session {third.id} {held}"]


def test_a_slot_out_of_its_session(world: World) -> None:
    first, _ = world.session(2).slots
    world.change(slot(first, starts_at=first.starts_at - timedelta(minutes=5)))
    held = (
        "is held 2026-12-08T10:00:00Z to 2026-12-08T10:40:00Z, its slots 2026-12-08T09:55:00Z to 2026-12-08T10:40:00Z"
    )
    assert world.lines() == [f"session-beside-its-slots: session {first.session_id} {held}"]


def test_slots_that_overlap(world: World) -> None:
    first, _ = world.session(2).slots
    world.change(slot(first, ends_at=first.ends_at + timedelta(minutes=1)))
    assert world.lines() == [f"slots-overlap: slot 1 of session {first.session_id} ends after the begin of slot 2"]


def test_slots_numbered_against_the_clock(world: World) -> None:
    first, second = world.session(2).slots
    world.change(slot(first, number=9), slot(second, number=1), slot(first, number=2))
    assert world.lines() == [f"slots-overlap: slot 1 of session {first.session_id} ends after the begin of slot 2"]


def test_slots_with_a_break_between_them_do_not_overlap(world: World) -> None:
    first, _ = world.session(2).slots
    world.change(slot(first, ends_at=first.ends_at - timedelta(minutes=5)))
    assert world.lines() == []


def test_slots_numbered_with_a_gap(world: World) -> None:
    _, second = world.session(2).slots
    world.change(slot(second, number=3))
    said = f"session {second.session_id} has 2 slots, the last of which has the number 3"
    assert world.lines() == [f"slots-misnumbered: {said}"]


def test_a_session_without_slots(world: World) -> None:
    third = world.session(2)
    world.change(*(slot(one, withdrawn=True) for one in third.slots))
    said = f"session {third.id} has 0 slots, the last of which has the number none"
    assert world.lines() == [f"slots-misnumbered: {said}"]


def test_a_cancelled_session_need_not_have_sound_slots(world: World) -> None:
    third = world.session(2)
    world.change(session(third, state="cancelled", ends_at=third.starts_at), slot(third.slots[1], number=3))
    assert world.lines() == []


def test_a_session_that_nobody_closed(world: World) -> None:
    first = world.session(0)
    world.house.clock.at = first.ends_at + timedelta(hours=1)
    assert world.lines() == []
    world.house.clock.move_on(timedelta(seconds=1))
    assert world.lines() == [f"session-not-closed: session {first.id} is planned and ended at 2026-11-24T10:40:00Z"]


def test_two_sessions_for_one_date_of_a_series(world: World) -> None:
    one, other = world.session(2), world.session(3)
    twice = session(other, occurrence_on=one.occurrence_on)
    assert world.refuses(twice)
    name = "uq_session_series_id_occurrence_on"
    world.drop_constraint(name, of="session")
    world.change(twice)
    assert world.lines() == [
        f"protection-missing: {name} of table session: the database refuses less than it must",
        f"occurrence-twice: series {one.series_id} has 2 planned sessions for 2026-12-08",
    ]


def test_a_case_whose_session_has_no_conference(world: World) -> None:
    first, _ = world.waiting
    got = update(ConsultationRequest).where(ConsultationRequest.id == first)
    taken = world.slot(2, 0)
    world.change(world.take(first, taken.id), got.values(state="allocated", waiting_since=None))
    said = f"session {taken.session_id} has a case, and no conference is wanted for it"
    assert world.lines() == [f"session-without-conference: {said}"]


def test_a_case_whose_conference_is_not_wanted(world: World) -> None:
    world.change(update(Conference).values(is_wanted=False), update(Invitation).values(method="CANCEL"))
    said = f"session {world.session(0).id} has a case, and no conference is wanted for it"
    assert world.lines() == [f"session-without-conference: {said}"]


def test_an_offer_needs_no_conference(world: World) -> None:
    assert world.session(1).conference is None
    assert world.lines() == []


@pytest.mark.parametrize("bound", ["starts_at", "ends_at"])
def test_a_conference_at_another_time_than_its_session(world: World, bound: str) -> None:
    conference = world.conference()
    window = {"starts_at": conference.starts_at, "ends_at": conference.ends_at}
    window[bound] += timedelta(minutes=5)
    world.change(update(Conference).values(**window), update(HostBooking).values(**window))
    starts_at, ends_at = (f"{at:%Y-%m-%dT%H:%M:%S}Z" for at in window.values())
    said = f"is wanted {starts_at} to {ends_at}, session {conference.session_id} begins at 2026-11-24T10:00:00Z"
    assert world.lines() == [f"conference-at-another-time: conference {conference.id} {said}"]


def test_a_conference_that_is_wanted_for_a_cancelled_session(world: World) -> None:
    session_id, conference_id = world.session(0).id, world.conference().id
    panels.withdraw(world.allocated, by=HELPDESK)
    settle(world.house, *WORK)
    cancelled = update(Session).where(Session.id == session_id).values(state="cancelled")
    world.change(cancelled, update(Invitation).values(method="CANCEL"))
    said = f"conference {conference_id} is wanted, session {session_id} is cancelled"
    assert world.lines() == [f"conference-of-cancelled-session: {said}"]
