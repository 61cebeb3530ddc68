"""Rows by the hundred: they stand in the database as the models would have written them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from time import time_ns
from typing import Any, cast

import pytest
from sqlalchemy import Table, select
from sqlalchemy.exc import IntegrityError

from conference_orchestrator.kernel.bookkeeping import IdempotencyKey
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.inserting import insert, insert_all, new_ids
from conference_orchestrator.kernel.transaction import transaction
from tests.house import House

KEYS = cast("Table", IdempotencyKey.__table__)
AT = datetime(2026, 11, 24, 10, 20, 30, 123456, tzinfo=UTC)
AWKWARD = 'Łódź, "q\\uoted"; \N{SNOWMAN} {} % ? :name'


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture(autouse=True)
def on_both_databases(house: House) -> House:
    return house


def row(key: str, **instead: Any) -> dict[str, Any]:
    (row_id,) = new_ids(1)
    usual = {
        "id": row_id,
        "created_at": AT,
        "owner": AWKWARD,
        "path": "/",
        "key": key,
        "body_sha256": "0",
        "lease_until": AT,
        "committed_at": None,
        "status": 201,
        "headers": {"ETag": AWKWARD, "n": [1, None, True]},
    }
    return usual | instead


def by_column(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def kept(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    with transaction():
        insert_all(KEYS, by_column(*rows))
    return stored(rows[0])


def stored(names: Iterable[str]) -> list[dict[str, Any]]:
    db.session.expunge_all()
    found = db.session.scalars(select(IdempotencyKey).order_by(IdempotencyKey.key))
    return [{name: getattr(one, name) for name in names} for one in found]


def test_every_kind_of_value_comes_back_as_it_was() -> None:
    rows = [row("a"), row("b", committed_at=AT + timedelta(days=1), status=None)]
    assert kept(*rows) == rows


def test_they_are_as_an_object_would_have_been_written() -> None:
    one, other = row("a"), row("b")
    with transaction():
        db.session.add(IdempotencyKey(**one))
        db.session.flush()
        insert_all(KEYS, by_column(other))
    of = select(*(KEYS.c[name] for name in one if name not in {"id", "key"}))
    first, second = db.session.execute(of).all()
    assert first == second


def test_a_single_one_is_as_an_object_would_have_been_written() -> None:
    one, other = row("a"), row("b")
    with transaction():
        db.session.add(IdempotencyKey(**one))
        insert(IdempotencyKey(**other))
    of = select(*(KEYS.c[name] for name in one if name not in {"id", "key"}))
    first, second = db.session.execute(of).all()
    assert first == second


def test_what_they_share_each_of_them_has() -> None:
    rows = [row("a"), row("b"), row("c", path="/c")]
    own = {"id", "key", "path"}
    with transaction():
        insert_all(
            KEYS,
            {name: [one[name] for one in rows] for name in own},
            shared={name: value for name, value in rows[0].items() if name not in own},
        )
    assert stored(rows[0]) == rows


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    assert kept(row("a", lease_until=AT.astimezone(timezone(timedelta(hours=9)))))[0]["lease_until"] == AT


def test_a_naive_time_is_not_stored() -> None:
    with pytest.raises(Exception, match="an instant is aware"):
        kept(row("a", lease_until=AT.replace(tzinfo=None)))
    assert db.session.scalars(select(IdempotencyKey.id)).all() == []


def test_what_the_database_refuses_is_an_integrity_error_and_nothing_is_stored() -> None:
    with pytest.raises(IntegrityError):
        kept(row("a"), row("a"))
    assert db.session.scalars(select(IdempotencyKey.id)).all() == []


def test_no_rows_are_no_statement() -> None:
    with transaction():
        insert_all(KEYS, {"id": [], "key": []})
    assert db.session.scalars(select(IdempotencyKey.id)).all() == []


def test_new_identifiers_differ_and_rise_in_the_order_of_their_drawing() -> None:
    drawn = list(new_ids(10_000))
    assert len(set(drawn)) == 10_000
    assert sorted(drawn) == drawn
    assert {(one.version, one.variant) for one in drawn} == {(7, uuid.RFC_4122)}


def test_new_identifiers_begin_with_the_millisecond_and_end_with_what_nobody_can_guess() -> None:
    before = time_ns() // 1_000_000
    first, second = next(new_ids(1)), next(new_ids(1))
    assert before <= first.int >> 80 <= time_ns() // 1_000_000
    assert first.int & (1 << 62) - 1 != second.int & (1 << 62) - 1
