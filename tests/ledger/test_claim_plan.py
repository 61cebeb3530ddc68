"""What the database reads to claim a batch: its messages and their chains, and not all that is open.

PostgreSQL plans by statistics. Once a mailing is through they say that nothing is open, and stand until they are
gathered again, while the next mailing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement, Connection, and_, event, text

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import steps, transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.messages import AMBIGUOUS_BUDGET, Draft, Message, Recipient
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
        next_batch = {**given, "wanted": "\n".join(map(str, waiting[BATCH : 2 * BATCH]))}
        cursor = connection.connection.cursor()
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", next_batch)
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


def test_a_claim_that_asks_for_what_is_open_looks_at_all_that_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""

    def open_and(of: type[Message]) -> ColumnElement[bool]:
        return and_(of.is_open, of.lost_answers <= AMBIGUOUS_BUDGET)

    monkeypatch.setattr(messages, "_still_to_go", open_and)
    assert rows_looked_at_to_claim(house) >= OPEN, "the harness can no longer see what it guards against"


def test_claiming_writes_rows_beside_the_old_ones_and_leaves_the_indexes_alone(house: House) -> None:
    waiting = told(OPEN, cause="the mailing")
    with steps() as connection:
        for start in range(0, OPEN, BATCH):
            messages.claim(connection, waiting[start : start + BATCH], worker="w", now=house.clock.now())
        taken, in_place = updates(connection)
    assert taken == OPEN
    assert in_place > OPEN * 0.9


def test_a_claim_that_changes_what_an_index_looks_at_is_written_into_all_of_them(house: House) -> None:
    """The negative control."""
    with db.engine.begin() as connection:
        connection.execute(text("CREATE INDEX by_state ON message (state)"))
    waiting = told(OPEN, cause="the mailing")
    with steps() as connection:
        messages.claim(connection, waiting, worker="w", now=house.clock.now())
        assert updates(connection) == (OPEN, 0), "the harness can no longer see what it guards against"


def updates(connection: Connection) -> tuple[int, int]:
    """How many messages were changed over the connection, and how many of them without a word to any index (HOT)."""
    # What a connection counted is told when it has nothing to do, and at most once a second unless it is asked to.
    connection.execute(text("SELECT pg_stat_force_next_flush()"))
    counted = text("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'message'")
    changed, in_place = connection.execute(counted).one()
    return changed, in_place
