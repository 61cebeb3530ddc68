"""Connections to PostgreSQL that rest between two requests: one that was ended meanwhile is nobody's error."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import OperationalError

from conference_orchestrator.kernel import database
from conference_orchestrator.kernel.database import db
from tests.house import House

RESTING = 3


@pytest.fixture
def house_database(postgres_schema: str) -> str:
    return postgres_schema


@pytest.fixture
def ended(house: House, postgres_schema: str) -> None:
    """All connections of the pool were ended by the server while they rested."""
    db.session.remove()
    db.engine.dispose()
    with ExitStack() as held:
        backends = [
            held.enter_context(db.engine.connect()).scalar(text("SELECT pg_backend_pid()")) for _ in range(RESTING)
        ]
    address = make_url(postgres_schema).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as operator:
        for backend in backends:
            assert operator.execute("SELECT pg_terminate_backend(%s, 10000)", [backend]).fetchone() == (True,)


@pytest.fixture
def asked(house: House, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The connections of which the server was asked whether they are alive."""
    told: list[object] = []
    dialect = db.engine.dialect
    ping = dialect.do_ping

    def note(connection: Any) -> bool:
        told.append(connection)
        return ping(connection)

    monkeypatch.setattr(dialect, "do_ping", note)
    return told


def answer() -> int:
    with db.engine.connect() as connection:
        return int(connection.scalar(text("SELECT 42")))


@pytest.mark.usefixtures("ended")
def test_what_the_server_ended_is_replaced_before_it_is_used(asked: list[object]) -> None:
    with ExitStack() as held:
        for _ in range(RESTING):
            assert held.enter_context(db.engine.connect()).scalar(text("SELECT 42")) == 42
    assert len(asked) == 1, "after the first all the others are given up, too"


@pytest.mark.usefixtures("ended")
def test_without_a_look_the_next_question_fails() -> None:
    [look] = [one for one in db.engine.pool.dispatch.checkout if isinstance(one, partial)]
    event.remove(db.engine, "checkout", look)
    with pytest.raises(OperationalError):
        answer()


def test_a_connection_that_rested_a_moment_is_used_without_a_question(asked: list[object]) -> None:
    assert [answer() for _ in range(5)] == [42] * 5
    assert not asked


def test_after_a_long_rest_the_server_is_asked(asked: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    answer()
    monkeypatch.setattr(database, "ASKED_AFTER_SECONDS", 0)
    assert answer() == 42
    assert len(asked) == 1
