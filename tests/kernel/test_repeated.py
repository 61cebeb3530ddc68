"""A statement that is run again and again says of each run how many rows it changed, and leaves its connection fit."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Integer, String, Table, Update, bindparam, func, literal_column, select, update

from conference_orchestrator.kernel.bookkeeping import IdempotencyKey
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.inserting import insert_all, new_ids
from conference_orchestrator.kernel.repeated import Repeated, repeated
from conference_orchestrator.kernel.transaction import steps, transaction
from tests.house import House

AT = datetime(2026, 11, 24, 10, 20, 30, 123456, tzinfo=UTC)
AWKWARD = 'Łódź, "q\\uoted" {} % ? :name $1'
IDS = tuple(new_ids(3))


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture(autouse=True)
def three_rows(house: House) -> None:
    shared = {"created_at": AT, "owner": "o", "path": "/", "body_sha256": "0", "lease_until": AT}
    with transaction():
        insert_all(cast("Table", IdempotencyKey.__table__), {"id": IDS, "key": ["a", "b", "c"]}, shared=shared)


@cache
def changing() -> Update:
    return (
        update(IdempotencyKey)
        .where(IdempotencyKey.id == bindparam("of"))
        .values(
            owner=bindparam("new_owner", type_=String),
            status=func.coalesce(IdempotencyKey.status, literal_column("0")) + bindparam("more", type_=Integer),
            committed_at=func.coalesce(
                bindparam("at", type_=IdempotencyKey.lease_until.type), IdempotencyKey.committed_at
            ),
        )
    )


def change(place: int, **instead: Any) -> dict[str, Any]:
    return {"of": IDS[place], "new_owner": AWKWARD, "more": 200, "at": AT} | instead


def run_and_settle(statement: Repeated, values: dict[str, Any]) -> None:
    statement.run(values, then=lambda _: None)
    statement.settle()


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    of = IdempotencyKey
    return [tuple(row) for row in connection.execute(select(of.owner, of.status, of.committed_at).order_by(of.key))]


def test_every_run_changes_its_row_and_is_told_of() -> None:
    told: list[int] = []
    with steps() as connection:
        statement = repeated(changing(), connection)
        statement.run(change(0), then=told.append)
        statement.run(change(0, more=1, at=None), then=told.append)
        statement.run(change(1, of=next(new_ids(1))), then=told.append)
        statement.settle()
        assert told == [1, 1, 0]
        assert rows(connection) == [(AWKWARD, 201, AT), ("o", None, None), ("o", None, None)]


def test_each_run_is_committed_by_itself() -> None:
    with steps() as connection:
        statement = repeated(changing(), connection)
        statement.run(change(0), then=lambda _: None)
        statement.run(change(1), then=lambda _: None)
        with db.engine.connect() as other:
            assert rows(other)[0] == (AWKWARD, 200, AT), "the first is confirmed when the second is run"
        statement.settle()


def test_who_settles_again_is_told_nothing_more() -> None:
    told: list[int] = []
    with steps() as connection:
        statement = repeated(changing(), connection)
        statement.run(change(0), then=told.append)
        statement.settle()
        statement.settle()
        assert told == [1]


def test_a_run_that_the_database_does_not_do_is_an_error_and_the_next_one_is_done() -> None:
    with steps() as connection:
        statement = repeated(changing(), connection)
        with pytest.raises(connection.dialect.loaded_dbapi.Error):
            run_and_settle(statement, change(0, new_owner=None))
        run_and_settle(statement, change(1))
        assert [row[0] for row in rows(connection)] == ["o", AWKWARD, "o"]


def test_the_connection_serves_the_next_after_somebody_rolled_back() -> None:
    """The driver forgets the statements that it prepared when it sees a rollback."""
    with steps() as connection:
        statement = repeated(changing(), connection)
        run_and_settle(statement, change(0))
    with db.engine.connect() as connection:
        connection.execute(select(1))
        connection.rollback()
    with steps() as connection:
        statement = repeated(changing(), connection)
        run_and_settle(statement, change(1))
        assert [row[0] for row in rows(connection)] == [AWKWARD, AWKWARD, "o"]
