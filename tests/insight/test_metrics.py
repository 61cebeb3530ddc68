"""The numbers for Prometheus: each moves when its cause is made, and none says anything about a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete, event, insert, select, update

from conference_orchestrator import migrations
from conference_orchestrator.flows import delivering
from conference_orchestrator.insight import metrics
from conference_orchestrator.jobs import timetable
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.provider_findings import ProviderFinding
from conference_orchestrator.scheduling.provider_states import CreateAttempt, ProviderState
from tests.insight.conftest import World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Sample = tuple[str, str]


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def numbers() -> dict[Sample, float]:
    """By name, without the prefix, and label."""
    db.session.rollback()
    text, _ = metrics.exposed("")
    return {
        (sample.name.removeprefix("conference_orchestrator_"), ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@contextmanager
def moved() -> Iterator[dict[Sample, tuple[float, float]]]:
    """The numbers that are others after the block, before and after."""
    before, found = numbers(), {}
    yield found
    after = numbers()
    found |= {one: (before.get(one, 0), after[one]) for one in after if before.get(one, 0) != after[one]}


def alert(number: int = 1) -> None:
    with transaction() as tx:
        delivering.tell_helpdesk(tx, "A title", "A detail.", path="/", cause=f"a test:{number}")


def task(**values: Any) -> dict[str, Any]:
    usual = {"id": uuid4(), "kind": "deliver", "payload": {}, "rank": 1, "state": "open", "attempts": 0}
    return usual | values


@pytest.fixture
def without_mails(world: World) -> World:
    world.change(delete(Message))
    return world


def test_in_a_quiet_installation_every_state_stands_at_nothing(without_mails: World) -> None:
    found = numbers()
    assert {value for (name, _), value in found.items() if name.startswith(("message", "offers", "findings"))} == {0}
    assert found["double_bookings", ""] == found["tasks_dead", ""] == found["task_oldest_due_seconds", ""] == 0
    assert ("conferences_coming", "ready") in found


def test_a_mail_that_waits_is_counted_with_its_age_until_it_has_gone(without_mails: World) -> None:
    with moved() as after:
        alert()
        without_mails.house.clock.at += MINUTE
    assert after["messages_open", "queued"] == (0, 1)
    assert after["message_oldest_due_seconds", ""] == (0, 60)
    with moved() as after, transaction():
        db.session.execute(update(Message).where(Message.state == "queued").values(state="sent"))
    assert after["messages_open", "queued"] == (1, 0)
    assert after["message_oldest_due_seconds", ""] == (60, 0)


def test_a_mail_of_the_day_is_counted_by_its_fate_and_with_its_lost_answers(without_mails: World) -> None:
    alert()
    with moved() as after:
        without_mails.change(update(Message).where(Message.state == "queued").values(state="ambiguous", lost_answers=2))
    assert after["messages_last_day", "ambiguous"] == (0, 1)
    assert after["message_answers_lost_last_day", ""] == (0, 2)
    without_mails.house.clock.at += 25 * HOUR
    found = numbers()
    assert (found["messages_last_day", "ambiguous"], found["messages_open", "ambiguous"]) == (0, 1)


def test_work_in_the_outbox_is_counted_by_kind_and_what_was_put_aside_by_itself(world: World) -> None:
    table, now = migrations.metadata().tables["task"], world.house.clock.now()
    rows = [task(created_at=now, due_at=now), task(created_at=now, due_at=now - MINUTE, state="dead")]
    with moved() as after:
        world.change(insert(table).values(rows))
        world.house.clock.at += HOUR
    assert after["tasks", "deliver,open"] == after["tasks", "deliver,dead"] == (0, 1)
    assert after["tasks_dead", ""] == (0, 1)
    assert after["task_oldest_due_seconds", ""] == (0, 3600)


def test_work_for_later_is_not_late(world: World) -> None:
    table, now = migrations.metadata().tables["task"], world.house.clock.now()
    world.change(insert(table).values(task(created_at=now, due_at=now + HOUR)))
    assert numbers()["task_oldest_due_seconds", ""] == 0


def test_a_timer_that_stands_still_grows_old(world: World) -> None:
    timetable.tick("deliver-overdue")
    assert numbers()["timer_last_tick_seconds", ""] < 60
    world.house.clock.at += HOUR
    assert 3600 <= numbers()["timer_last_tick_seconds", ""] < 3660


def test_a_conference_is_counted_in_its_state_until_it_is_over(world: World) -> None:
    some = select(Conference.id).order_by(Conference.starts_at).limit(1).scalar_subquery()
    with moved() as after:
        world.change(update(Conference).where(Conference.id == some).values(state="failed"))
    assert after["conferences_coming", "failed"] == (0, 1)
    world.house.clock.at += timedelta(weeks=60)
    assert numbers()["conferences_coming", "failed"] == 0


def test_a_provider_that_is_left_alone_and_what_was_asked_of_it(world: World) -> None:
    now = world.house.clock.now()
    state = {"provider": "mock", "failures": 3, "closed_until": now + MINUTE}
    world.change(delete(ProviderState), delete(CreateAttempt))
    with moved() as after:
        world.change(
            insert(ProviderState).values(state),
            insert(CreateAttempt).values(id=uuid4(), provider="mock", host=None, created_at=now),
            insert(CreateAttempt).values(id=uuid4(), provider="mock", host=None, created_at=now - 25 * HOUR),
        )
    assert after["provider_closed", "mock"] == after["provider_creates_last_day", "mock"] == (0, 1)
    assert after["provider_failures", "mock"] == (0, 3)
    world.house.clock.at += 2 * MINUTE
    assert numbers()["provider_closed", "mock"] == 0


def test_an_orphan_counts_until_somebody_has_seen_to_it(world: World) -> None:
    row = {"id": uuid4(), "created_at": world.house.clock.now(), "version": 1, "provider": "mock", "kind": "orphan"}
    with moved() as after:
        world.change(insert(ProviderFinding).values(row | {"meeting_id": "m-1", "detail": "A meeting."}))
    assert after == {("findings_open", "orphan"): (0, 1)}
    world.change(update(ProviderFinding).values(resolved_at=world.house.clock.now(), action="ignore"))
    assert numbers()["findings_open", "orphan"] == 0


def test_a_slot_that_two_hold_would_be_seen(world: World) -> None:
    world.drop("INDEX", "uq_allocation_slot")
    with moved() as after:
        world.change(world.take(world.waiting[0], world.slot(0, 0).id))
    assert after == {("double_bookings", ""): (0, 1)}


def test_an_offer_that_did_not_end_in_time_is_overdue(world: World) -> None:
    with moved() as after:
        world.change(
            update(Allocation)
            .where(Allocation.request_id == world.offered)
            .values(expires_at=world.house.clock.now() - MINUTE)
        )
    assert after == {("offers_overdue", ""): (0, 1)}


def test_requests_are_counted_by_the_state_in_which_they_go_on(world: World) -> None:
    found = numbers()
    assert {state: found["requests_open", state] for state in ("waiting", "offered", "allocated", "submitted")} == {
        "waiting": 2,
        "offered": 1,
        "allocated": 1,
        "submitted": 0,
    }


def test_thirteen_questions_are_asked_however_much_there_is(world: World) -> None:
    asked: list[str] = []

    def note(*of: Any) -> None:
        asked.extend([of[2]] if of[2].startswith("SELECT") else [])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        metrics.exposed("")
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == 13


def test_nothing_in_them_is_about_a_person_or_a_group(world: World) -> None:
    alert()
    text = metrics.exposed("")[0].decode().lower()
    people = db.session.scalars(select(Clinician)).all()
    named = {word.lower() for one in people for word in (one.given_name, one.family_name, one.email)}
    assert len(named) > 3
    assert [word for word in {*named, world.group.code, world.group.name.lower(), "@"} if word in text] == []
