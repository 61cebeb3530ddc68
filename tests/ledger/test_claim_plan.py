"""What the database reads to claim a batch: its messages and their chains, and not all that is open.

PostgreSQL plans by statistics. Once a mailing is through they say that nothing is open, and stand until they are
gathered again, while the next mailing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement, Connection, event, or_, text

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import steps, transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.messages import AMBIGUOUS_BUDGET, Draft, Message, Recipient, State
from tests.house import House

OPEN = 2000
BATCH = 50


@pytest.fixture
def house_database(postgres_schema: str) -> str:
    return postgres_schema


@pytest.fixture(autouse=True)
def planned_anew() -> Iterator[None]:
    messages._taking.cache_clear()
    yield
    messages._taking.cache_clear()


def told(number: int, *, cause: str) -> list[UUID]:
    def draft(name: str) -> Draft:
        to = Recipient(address=f"{name}@hospital.example", name=name, language="en", time_zone="Europe/Lisbon")
        return Draft(kind="desk-alert", facts={}, cause=cause, to=to, chain=f"{cause}:{name}")

    with transaction() as tx:
        return list(messages.write([draft(f"p{n}") for n in range(number)], now=tx.now))


def gather_statistics() -> None:
    db.session.rollback()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE message"))


def rows_looked_at_to_claim(house: House) -> float:
    """For a batch out of a mailing that was written after statistics said that nothing is open."""
    told(OPEN, cause="the first")
    with transaction():
        db.session.execute(text("UPDATE message SET state = 'sent'"))
    gather_statistics()
    waiting = told(OPEN, cause="the second")
    asked: list[tuple[str, dict[str, Any]]] = []

    def remember(_connection: Connection, _cursor: object, statement: str, given: dict[str, Any], *_: object) -> None:
        asked.append((statement, given))

    with steps() as connection:
        event.listen(connection, "before_cursor_execute", remember)
        assert len(messages.claim(connection, waiting[:BATCH], worker="w", now=house.clock.now())) == BATCH
        [(statement, given)] = asked
        next_batch = {**given, "wanted": [str(message_id) for message_id in waiting[BATCH : 2 * BATCH]]}
        cursor = connection.connection.cursor()
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", next_batch)
        [plan] = cursor.fetchone()[0]
        cursor.close()
    return sum(_looked_at(plan["Plan"]))


def _looked_at(plan: dict[str, Any]) -> Iterator[float]:
    """The rows that each scan looked at, those too that it left out."""
    if plan["Node Type"].endswith("Scan") and "Relation Name" in plan:
        yield (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    for below in plan.get("Plans", []):
        yield from _looked_at(below)


def test_a_claim_looks_at_the_messages_of_the_batch_and_few_others_though_many_are_open(house: House) -> None:
    assert rows_looked_at_to_claim(house) <= 4 * BATCH


def test_a_claim_that_lets_the_statistics_choose_looks_at_all_that_is_open(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    def bare(of: type[Message]) -> ColumnElement[bool]:
        waiting = messages.is_one_of(of, State.QUEUED, State.SENDING, State.DEFERRED)
        return or_(waiting, messages.is_one_of(of, State.AMBIGUOUS) & (of.lost_answers <= AMBIGUOUS_BUDGET))

    monkeypatch.setattr(messages, "_still_to_go", bare)
    assert rows_looked_at_to_claim(house) >= OPEN, "the harness can no longer see what it guards against"
