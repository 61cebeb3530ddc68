"""Slots, offers and requests that are not as they must be."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Update, insert, select, update

from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ChecklistItem
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.insight.conftest import World

DROPPED = "of table allocation: the database refuses less than it must"


def request(request_id: UUID, **values: object) -> Update:
    return update(ConsultationRequest).where(ConsultationRequest.id == request_id).values(**values)


def allocation(request_id: UUID, **values: object) -> Update:
    return update(Allocation).where(Allocation.request_id == request_id).values(**values)


def test_two_who_hold_one_slot(world: World) -> None:
    slot_id = world.slot(0, 0).id
    both = (world.take(world.waiting[0], slot_id), request(world.waiting[0], state="allocated", waiting_since=None))
    assert world.refuses(*both)
    world.drop("INDEX", "uq_allocation_slot")
    world.change(*both)
    assert world.lines() == [
        f"protection-missing: uq_allocation_slot {DROPPED}",
        f"slot-held-twice: slot {slot_id} is held by 2 requests",
    ]


def test_one_who_holds_two_slots(world: World) -> None:
    second = world.take(world.allocated, world.slot(0, 1).id)
    assert world.refuses(second)
    world.drop("INDEX", "uq_allocation_request")
    world.change(second)
    assert world.lines() == [
        f"protection-missing: uq_allocation_request {DROPPED}",
        f"request-holds-two-slots: request {world.allocated} holds 2 slots",
    ]


@pytest.mark.parametrize("state", ["draft", "submitted", "returned", "declined", "accepted", "withdrawn"])
def test_a_slot_held_without_right(world: World, state: str) -> None:
    world.change(request(world.allocated, state=state))
    held = world.slot(0, 0).id
    assert world.lines() == [f"slot-held-without-right: request {world.allocated} is {state} and holds slot {held}"]


@pytest.mark.parametrize("state", ["discussed", "closed"])
def test_a_case_that_was_discussed_keeps_its_slot(world: World, state: str) -> None:
    world.change(request(world.allocated, state=state))
    assert world.lines() == []


def test_a_slot_held_in_a_cancelled_session(world: World) -> None:
    session, slot = world.session(1), world.slot(1, 1)
    world.change(update(Session).where(Session.id == session.id).values(state="cancelled"))
    said = f"request {world.offered} holds slot {slot.id} of session {session.id}, which is cancelled"
    assert world.lines() == [f"slot-of-cancelled-session: {said}"]
    # One that has run out is about to end, wherever it is.
    world.change(allocation(world.offered, expires_at=world.house.clock.at))
    assert world.lines() == []


def test_a_slot_that_is_held_though_withdrawn(world: World) -> None:
    first, last = world.session(1).slots
    world.change(
        update(Slot).where(Slot.id == last.id).values(withdrawn=True),
        update(Session).where(Session.id == last.session_id).values(ends_at=first.ends_at),
    )
    said = f"request {world.offered} holds slot {last.id}, which is withdrawn"
    assert world.lines() == [f"slot-withdrawn-but-held: {said}"]


def test_an_offer_that_did_not_end(world: World) -> None:
    now = world.house.clock.at
    world.change(allocation(world.offered, expires_at=now - timedelta(minutes=5)))
    assert world.lines() == []
    world.change(allocation(world.offered, expires_at=now - timedelta(minutes=6), id=UUID(int=7)))
    said = f"of slot {world.slot(1, 1).id} to request {world.offered} ran out at 2026-11-23T08:54:00Z"
    assert world.lines() == [f"offer-overdue: offer {UUID(int=7)} {said}"]


def test_an_allocated_request_without_a_slot(world: World) -> None:
    world.change(allocation(world.allocated, released_at=world.house.clock.at))
    assert world.lines() == [f"allocated-without-slot: request {world.allocated} is allocated and has no slot"]


def test_an_offer_is_no_slot(world: World) -> None:
    world.change(request(world.offered, state="allocated", waiting_since=None))
    assert world.lines() == [f"allocated-without-slot: request {world.offered} is allocated and has no slot"]


def test_a_request_that_is_offered_nothing(world: World) -> None:
    first, _ = world.waiting
    world.change(request(first, state="offered"))
    assert world.lines() == [f"offered-without-offer: request {first} is offered a slot and has no open offer"]


def test_an_open_request_of_somebody_erased(world: World) -> None:
    of_offered = select(ConsultationRequest.requester_id).where(ConsultationRequest.id == world.offered)
    world.change(update(Clinician).where(Clinician.id == of_offered.scalar_subquery()).values(state="erased"))
    said = f"request {world.offered} is open, and its requester was erased"
    assert f"request-of-erased: {said}" in world.lines()


def test_a_slot_is_no_offer(world: World) -> None:
    world.change(request(world.allocated, state="offered", waiting_since=world.house.clock.at))
    said = f"request {world.allocated} is offered a slot and has no open offer"
    assert world.lines() == [f"offered-without-offer: {said}"]


@pytest.mark.parametrize("who", ["waiting", "offered"])
def test_one_who_waits_without_a_place(world: World, who: str) -> None:
    waits = world.offered if who == "offered" else world.waiting[1]
    world.change(request(waits, waiting_since=None))
    said = f"request {waits} waits since no time, so its place is unknown"
    assert world.lines() == [f"waiting-without-place: {said}"]


def test_two_in_one_place(world: World) -> None:
    since = world.house.clock.at
    world.change(*(request(one, waiting_since=since) for one in world.waiting))
    said = f"2 requests of group {world.group.id} wait since the same instant, 2026-11-23 09:00:00+00:00"
    assert world.lines() == [f"place-given-twice: {said}"]


@pytest.mark.parametrize("who", ["allocated", "offered", "waiting"])
def test_one_without_consent_among_those_who_compete(world: World, who: str) -> None:
    competing = {"allocated": world.allocated, "offered": world.offered, "waiting": world.waiting[0]}[who]
    world.change(request(competing, consent_confirmed=False))
    assert world.lines() == [f"request-incomplete: request {competing} is {who} and lacks: consent"]


def test_what_the_check_list_asked_for_before_counts_and_what_it_came_to_ask_later_does_not(world: World) -> None:
    def item(code: str, age: timedelta) -> object:
        made = world.house.clock.at - age
        row = {"position": 1, "label": code, "kind": "flag", "required": True, "options": [], "labels": {}}
        return insert(ChecklistItem).values(group_id=world.group.id, code=code, created_at=made, **row)

    world.house.clock.move_on(timedelta(hours=1))
    world.change(item("later", timedelta(minutes=10)))
    assert world.lines() == []
    world.change(item("before", timedelta(hours=3)))
    states = {world.allocated: "allocated", world.offered: "offered"} | dict.fromkeys(world.waiting, "waiting")
    assert world.lines() == [
        f"request-incomplete: request {request_id} is {states[request_id]} and lacks: before"
        for request_id in sorted(states, key=lambda one: one.hex)
    ]
