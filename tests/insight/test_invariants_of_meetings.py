"""Host accounts, conferences, invitations, messages and tasks that are not as they must be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from conference_orchestrator.flows import calendars, rounds
from conference_orchestrator.jobs.embedded import EmbeddedQueue, TaskRow
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.invitations import CalendarObject, Invitation
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.series_calendars import SeriesInvitation
from conference_orchestrator.network.expert_groups import CalendarStyle, Membership
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostAccount, HostBooking
from tests.house import HELPDESK
from tests.insight.conftest import World
from tests.mails import WORK
from tests.scene import settle

LESS = "the database refuses less than it must"


def only(column: Any) -> Any:
    return db.session.scalars(select(column)).one()


def copy(conference: Conference, **changes: Any) -> Any:
    """The statement that writes a second conference for the same subject."""
    values = {column.key: getattr(conference, column.key) for column in Conference.__table__.columns}
    return insert(Conference).values(values | {"id": UUID(int=7), "key": "another"} | changes)


def test_a_seat_booked_twice(world: World) -> None:
    session, webinar = world.conference(), world.webinar()
    on_one_seat = update(HostBooking).values(seat=1)
    assert world.refuses(on_one_seat)
    world.drop("TRIGGER", "ex_host_booking_seat_update")
    world.change(
        on_one_seat,
        update(HostBooking).where(HostBooking.conference_id == session.id).values(id=UUID(int=1)),
        update(HostBooking).where(HostBooking.conference_id == webinar.id).values(id=UUID(int=2)),
    )
    seat = f"seat 1 of host account {only(HostAccount.id)}"
    assert world.lines() == [
        f"protection-missing: ex_host_booking_seat_update of table host_booking: {LESS}",
        f"host-seat-booked-twice: {seat} is booked by conferences {session.id} and {webinar.id} at a time",
    ]


def test_a_host_booked_for_another_time(world: World) -> None:
    booking = db.session.scalars(select(HostBooking)).one()
    world.change(update(HostBooking).values(ends_at=booking.ends_at + timedelta(hours=1)))
    said = f"has host account {booking.account_id} for 2026-11-24T10:00:00Z to 2026-11-24T11:40:00Z"
    assert world.lines() == [f"booking-at-another-time: conference {booking.conference_id} {said}"]


def test_a_host_is_booked_with_the_margin(world: World) -> None:
    booking = db.session.scalars(select(HostBooking)).one()
    world.change(update(Conference).values(host_margin_minutes=10))
    said = f"has host account {booking.account_id} for 2026-11-24T10:00:00Z to 2026-11-24T10:40:00Z"
    assert world.lines() == [f"booking-at-another-time: conference {booking.conference_id} {said}"]
    world.change(update(HostBooking).values(starts_at=booking.starts_at - timedelta(minutes=10)))
    assert world.lines() == []


def test_two_conferences_for_a_session(world: World) -> None:
    session_id, second = world.session(0).id, copy(world.conference())
    assert world.refuses(second)
    world.drop_constraint("uq_conference_session_id", of="conference")
    world.change(second)
    assert world.lines() == [
        f"protection-missing: uq_conference_session_id of table conference: {LESS}",
        f"conference-twice: session {session_id} has 2 conferences",
    ]


def test_two_conferences_for_a_webinar(world: World) -> None:
    webinar = world.webinar()
    second = copy(webinar)
    assert world.refuses(second)
    world.drop_constraint("uq_conference_webinar_request_id", of="conference")
    world.change(second)
    assert world.lines() == [
        f"protection-missing: uq_conference_webinar_request_id of table conference: {LESS}",
        f"conference-twice: webinar request {webinar.webinar_request_id} has 2 conferences",
    ]


def standing_lines(world: World) -> list[str]:
    """What is said of each invitation to session 0."""
    conference = world.conference()
    rows = db.session.execute(select(Invitation.uid, Invitation.id).order_by(Invitation.uid, Invitation.id))
    said = f"stands, conference {conference.id} is cancelled"
    return [f"invited-to-cancelled: invitation {row.id} to {row.uid} {said}" for row in rows]


def test_people_who_were_not_told_of_a_cancellation(world: World) -> None:
    """The house keeps its tasks in memory: for the database they are lost."""
    rounds.cancel(world.session(0).id, "The chair is away.", by=HELPDESK)
    assert len(standing_lines(world)) == 3
    assert world.lines() == standing_lines(world)
    settle(world.house, *WORK)
    assert world.lines() == []


def test_people_who_are_about_to_be_told_of_a_cancellation(world: World) -> None:
    ports.queue.fill(world.house.app, EmbeddedQueue())
    rounds.cancel(world.session(0).id, "The chair is away.", by=HELPDESK)
    assert world.lines() == []
    world.change(update(TaskRow).where(TaskRow.kind == "issue-invitations").values(kind="refresh-group"))
    assert world.lines() == standing_lines(world)


def test_of_what_is_over_nobody_need_be_told(world: World) -> None:
    world.change(update(Conference).values(is_wanted=False))
    world.house.clock.at = world.session(0).ends_at
    assert world.lines() == []


def test_somebody_holds_a_later_sequence_than_the_object_has(world: World) -> None:
    uid = f"request-{world.allocated}"
    world.change(update(Invitation).where(Invitation.uid == uid).values(sequence=Invitation.sequence + 1))
    (invitation_id,) = db.session.scalars(select(Invitation.id).where(Invitation.uid == uid))
    assert only(select(CalendarObject.sequence).where(CalendarObject.uid == uid).subquery().c.sequence) == 0
    assert world.lines() == [f"invitation-ahead: invitation {invitation_id} has SEQUENCE 1, {uid} has 0"]


def test_somebody_holds_a_later_sequence_than_the_series_has(world: World) -> None:
    group_id, person = db.session.execute(select(Membership.group_id, Membership.clinician_id)).first()
    calendars.choose(group_id, person, CalendarStyle.SERIES, by=HELPDESK)
    settle(world.house, *WORK)
    assert world.lines() == []
    world.change(update(SeriesInvitation).values(sequence=3))
    held = db.session.execute(select(SeriesInvitation.id, SeriesInvitation.uid)).one()
    assert world.lines() == [f"invitation-ahead: invitation {held.id} has SEQUENCE 3, {held.uid} has 0"]


def test_a_message_whose_sender_is_gone(world: World) -> None:
    message = world.house.messages("invitation")[0]
    ended_at = world.house.clock.at - timedelta(minutes=10)
    sending = update(Message).where(Message.id == message.id)
    world.change(sending.values(state="sending", lease_until=ended_at))
    assert world.lines() == []
    world.house.clock.move_on(timedelta(seconds=1))
    said = f"message {message.id} (invitation) is being sent, by nobody since {ended_at:%Y-%m-%dT%H:%M:%S}Z"
    assert world.lines() == [f"message-stuck: {said}"]


@pytest.mark.parametrize("state", ["dead", "open"])
def test_a_task_that_was_put_aside(world: World, state: str) -> None:
    at, row = world.house.clock.at, {"kind": "deliver", "payload": {}, "rank": 0, "attempts": 5}
    world.change(insert(TaskRow).values(id=UUID(int=7), created_at=at, due_at=at, state=state, **row))
    said = f"task-dead: task {UUID(int=7)} (deliver) was put aside after 5 attempts"
    assert world.lines() == ([said] if state == "dead" else [])
