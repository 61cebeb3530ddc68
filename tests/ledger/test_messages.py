"""Messages: written once for each cause, claimed by one worker at a time, found again when their task is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, event, select, update
from sqlalchemy.exc import IntegrityError

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.transaction import steps, transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.marks import Marks
from conference_orchestrator.ledger.messages import (
    AMBIGUOUS_BUDGET,
    LEASE,
    Draft,
    Message,
    Outcome,
    Recipient,
    State,
)
from tests.house import House

A_SECOND = timedelta(seconds=1)


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def draft(name: str, **more: Any) -> Draft:
    to = Recipient(address=f"{name}@hospital.example", name=name, language="en", time_zone="Europe/Lisbon")
    return Draft(**{"kind": "desk-alert", "facts": {}, "cause": "because", "to": to, **more})


def write(*drafts: Draft) -> list[UUID]:
    with transaction() as tx:
        return list(messages.write(drafts, now=tx.now))


def put(message_id: UUID, **values: Any) -> None:
    with transaction():
        db.session.execute(update(Message).where(Message.id == message_id).values(values))


def row(message_id: UUID) -> Message:
    db.session.rollback()
    found = select(Message).where(Message.id == message_id).execution_options(populate_existing=True)
    return db.session.scalars(found).one()


# ---- written ---------------------------------------------------------------------------------------------------------


def test_the_same_cause_recipient_and_kind_is_the_same_message(house: House) -> None:
    assert len(write(draft("a"), draft("b"), draft("a"))) == 2
    assert write(draft("a")) == []
    assert len(write(draft("a", cause="another"), draft("a", kind="request-waiting"))) == 2
    assert house.count(Message) == 4


def test_writing_tells_the_ids_of_the_new_ones_only(house: House) -> None:
    write(draft("a"))
    new = draft("b")
    assert write(draft("a"), new) == [new.id]


def test_the_database_itself_refuses_a_second_one(house: House) -> None:
    write(draft("a"))

    def again() -> None:
        with transaction():
            known = db.session.scalars(select(Message)).one()
            values = {c.name: getattr(known, c.key) for c in Message.__table__.columns if c.computed is None}
            db.session.add(Message(**values | {"id": uuid4()}))

    with pytest.raises(IntegrityError):
        again()


def test_a_large_mailing_is_written_in_few_statements(house: House) -> None:
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    assert len(write(*[draft(f"n{number}") for number in range(2500)])) == 2500
    assert house.count(Message) == 2500
    assert sum(said.startswith("INSERT INTO message") for said in statements) <= 3


# ---- claimed ---------------------------------------------------------------------------------------------------------


def claimed(connection: Connection, message_id: UUID, *, now: datetime, worker: str = "me") -> bool:
    return bool(messages.claim(connection, [message_id], worker=worker, now=now))


@pytest.mark.parametrize(
    ("values", "may"),
    [
        ({"state": "queued"}, True),
        ({"state": "deferred"}, True),
        ({"state": "ambiguous", "lost_answers": AMBIGUOUS_BUDGET}, True),
        ({"state": "ambiguous", "lost_answers": AMBIGUOUS_BUDGET + 1}, False),
        ({"state": "sent"}, False),
        ({"state": "failed"}, False),
        ({"state": "suppressed"}, False),
    ],
)
def test_only_what_has_to_go_is_claimed(house: House, values: dict[str, Any], may: bool) -> None:
    (message_id,) = write(draft("a"))
    put(message_id, **values)
    with steps() as connection:
        assert claimed(connection, message_id, now=house.clock.at) is may


def test_a_claim_holds_others_off_until_its_lease_is_over(house: House) -> None:
    (message_id,) = write(draft("a"))
    with steps() as connection:
        assert claimed(connection, message_id, now=house.clock.at)
        for later, may in [(timedelta(0), False), (LEASE, False), (LEASE + A_SECOND, True)]:
            assert claimed(connection, message_id, now=house.clock.at + later, worker="other") is may
    assert (row(message_id).state, row(message_id).worker, row(message_id).attempts) == ("sending", "other", 2)


def test_nothing_is_claimed_before_it_is_due(house: House) -> None:
    (message_id,) = write(draft("a"))
    put(message_id, due_at=house.clock.at + A_SECOND)
    with steps() as connection:
        assert not claimed(connection, message_id, now=house.clock.at)
        assert claimed(connection, message_id, now=house.clock.at + A_SECOND)


@pytest.mark.parametrize(
    ("values", "may"),
    [
        ({"state": "queued"}, False),
        ({"state": "sending"}, False),
        ({"state": "deferred"}, False),
        ({"state": "ambiguous", "lost_answers": 1}, False),
        ({"state": "ambiguous", "lost_answers": AMBIGUOUS_BUDGET + 1}, True),
        ({"state": "sent"}, True),
        ({"state": "failed"}, True),
        ({"state": "suppressed"}, True),
    ],
)
def test_one_of_a_chain_waits_until_those_before_it_are_done(house: House, values: dict[str, Any], may: bool) -> None:
    (first,) = write(draft("a", cause="1", chain="uid:a", number=1))
    (second,) = write(draft("a", cause="2", chain="uid:a", number=2))
    (foreign,) = write(draft("b", cause="2", chain="uid:b", number=2))
    put(first, **values)
    with steps() as connection:
        assert claimed(connection, second, now=house.clock.at) is may
        assert claimed(connection, foreign, now=house.clock.at), "another person's chain is another one"


def marked(connection: Connection, done: Outcome, *, worker: str) -> int:
    """How many messages came to their end by this mark."""
    with Marks(connection, worker=worker) as marks:
        marks.write(done)
    return marks.ended


def test_only_the_worker_that_holds_a_message_marks_it(house: House) -> None:
    (message_id,) = write(draft("a"))
    with steps() as connection:
        claimed(connection, message_id, now=house.clock.at)
        failed = Outcome(message_id=message_id, state=State.FAILED, answer="no")
        sent = Outcome(message_id=message_id, state=State.SENT, answer="x" * 900)
        assert not marked(connection, failed, worker="other")
        assert marked(connection, sent, worker="me")
        assert not marked(connection, failed, worker="me")
    assert (row(message_id).state, row(message_id).lease_until, len(row(message_id).last_answer)) == ("sent", None, 500)


def test_a_batch_is_claimed_at_once_but_for_what_another_worker_holds(house: House) -> None:
    (first,), (second,), (third,) = (write(draft(name)) for name in "abc")
    now = house.clock.at
    with steps() as connection:
        claimed(connection, second, now=now, worker="other")
        taken = messages.claim(connection, [third, second, first], worker="me", now=now)
    assert [(one.name, one.attempts, one.tried_since) for one in taken] == [("c", 1, now), ("a", 1, now)]
    assert [json.loads(one.facts) for one in taken] == [row(third).facts, row(first).facts]
    assert [row(one).worker for one in (first, second, third)] == ["me", "other", "me"]
    assert (row(first).state, row(first).sent_at, row(first).lease_until) == ("sending", None, now + LEASE)


@pytest.mark.parametrize(
    "before",
    [
        {"state": "queued", "attempts": 0, "tried_since": None},
        {"state": "deferred", "attempts": 3, "tried_since": datetime(2026, 11, 22, 9, tzinfo=UTC)},
        {"state": "ambiguous", "attempts": 2, "lost_answers": 1},
    ],
)
def test_what_was_claimed_and_not_sent_is_given_back_as_it_was(house: House, before: dict[str, Any]) -> None:
    (mine,), (other,) = write(draft("a")), write(draft("b"))
    put(mine, **before)
    with steps() as connection:
        claimed(connection, mine, now=house.clock.at)
        claimed(connection, other, now=house.clock.at, worker="other")
        messages.release(connection, [mine, other], worker="me")
    assert {name: getattr(row(mine), name) for name in before} == before
    assert (row(mine).worker, row(mine).lease_until) == (None, None)
    assert (row(other).state, row(other).worker) == ("sending", "other")


def test_a_mark_keeps_what_it_does_not_tell(house: House) -> None:
    (message_id,) = write(draft("a"))
    now = house.clock.at
    put(message_id, sent_at=now - timedelta(days=1))
    with steps() as connection:
        claimed(connection, message_id, now=now)
        lost = Outcome(message_id=message_id, state=State.AMBIGUOUS, answer="?", due_at=now + A_SECOND, is_lost=True)
        assert not marked(connection, lost, worker="me"), "it has not come to its end"
    assert (row(message_id).sent_at, row(message_id).due_at) == (now - timedelta(days=1), now + A_SECOND)
    assert (row(message_id).attempts, row(message_id).lost_answers) == (1, 1)


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("queued", "deferred"),
        ("deferred", "deferred"),
        ("ambiguous", "ambiguous"),
        ("sending", None),
        ("sent", None),
    ],
)
def test_a_message_that_nobody_has_in_hand_waits_without_an_attempt(house: House, state: str, then: str | None) -> None:
    (message_id,) = write(draft("a"))
    put(message_id, state=state)
    later = house.clock.at + timedelta(minutes=5)
    with steps() as connection:
        messages.postpone(connection, message_id, until=later, answer="too fast")
    found = row(message_id)
    assert (found.state, found.attempts) == (then or state, 0)
    assert (found.due_at == later, found.last_answer) == (then is not None, "too fast" if then else None)


# ---- found again -----------------------------------------------------------------------------------------------------


def instants(message_ids: list[UUID]) -> dict[UUID, datetime]:
    return {message_id: at for message_id, at, _ in messages.unfinished(message_ids)}


def test_what_still_has_to_go_is_told_with_its_instant(house: House) -> None:
    now = house.clock.at
    names = ("queued", "deferred", "sending", "sent", "doubtful", "given-up")
    kept = {name: write(draft(name))[0] for name in names}
    put(kept["deferred"], state="deferred", due_at=now + timedelta(minutes=5))
    put(kept["sending"], state="sending", lease_until=now + LEASE)
    put(kept["sent"], state="sent")
    put(kept["doubtful"], state="ambiguous", lost_answers=1, due_at=now + A_SECOND)
    put(kept["given-up"], state="ambiguous", lost_answers=AMBIGUOUS_BUDGET + 1)
    assert instants(list(kept.values())) == {
        kept["queued"]: now,
        kept["deferred"]: now + timedelta(minutes=5),
        kept["sending"]: now + LEASE,
        kept["doubtful"]: now + A_SECOND,
    }


def test_who_waits_for_another_has_the_instant_of_that_one(house: House) -> None:
    now = house.clock.at
    (first,) = write(draft("a", cause="1", chain="uid:a", number=1))
    (second,) = write(draft("a", cause="2", chain="uid:a", number=2))
    put(first, state="deferred", due_at=now + timedelta(hours=1))
    assert instants([second]) == {second: now + timedelta(hours=1)}
    put(first, state="sent")
    assert instants([second]) == {second: now}


def test_what_is_overdue_is_listed_by_urgency_and_without_those_that_wait(house: House) -> None:
    now = house.clock.at
    (normal,) = write(draft("normal"))
    (urgent,) = write(draft("urgent", rank=Rank.URGENT))
    (first,) = write(draft("a", cause="1", chain="uid:a", number=1, rank=Rank.BULK))
    write(draft("a", cause="2", chain="uid:a", number=2))
    (leased,) = write(draft("leased"))
    put(leased, state="sending", lease_until=now + LEASE)
    (sent,) = write(draft("sent"))
    put(sent, state="sent")
    assert list(messages.overdue(before=now)) == []
    assert messages.overdue(before=now + A_SECOND) == [
        (urgent, Rank.URGENT),
        (normal, Rank.NORMAL),
        (first, Rank.BULK),
    ]
    assert (leased, Rank.NORMAL) in messages.overdue(before=now + LEASE + A_SECOND)


def test_what_a_later_one_of_its_chain_replaced_is_known(house: House) -> None:
    (first,) = write(draft("a", cause="1", chain="uid:a", number=1))
    assert not messages.is_replaced(messages.get(first))
    (second,) = write(draft("a", cause="2", chain="uid:a", number=2))
    (alone,) = write(draft("b"))
    assert messages.is_replaced(messages.get(first))
    assert not messages.is_replaced(messages.get(second))
    assert not messages.is_replaced(messages.get(alone))


def test_a_message_that_there_is_not_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        messages.get(uuid4())
