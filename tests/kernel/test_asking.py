"""A question that stands alone gets what SQLAlchemy would give, and leaves the connection as it found it."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import bindparam, func, literal, select, text
from sqlalchemy.exc import OperationalError

from conference_orchestrator.kernel.asking import ask
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.networks import Network
from tests.house import House

ONE = select(Network.id, Network.name, Network.created_at, func.count().over()).where(
    Network.created_at <= bindparam("until"), Network.code != "none", Network.id == bindparam("wanted")
)
NEVER = datetime(1999, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def house_database(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(f"{request.param}_schema")
    return address


def test_the_row_is_the_one_that_sqlalchemy_reads(covid: Network) -> None:
    given = {"until": datetime.now(UTC), "wanted": covid.id}
    row = ask(ONE, given)
    assert row == tuple(db.session.execute(ONE, given).one())
    assert row == (covid.id, covid.name, covid.created_at, 1)


def test_without_a_row_there_is_none(covid: Network) -> None:
    assert ask(ONE, {"until": NEVER, "wanted": covid.id}) is None


def test_what_was_committed_since_is_seen_though_the_session_reads_an_older_state(covid: Network, house: House) -> None:
    statement = select(Network.name).where(Network.id == bindparam("wanted"))
    assert db.session.execute(statement, {"wanted": covid.id}).scalar() == covid.name
    with house.app.app_context(), transaction():
        db.session.execute(text("UPDATE network SET name = 'Another'"))
    assert ask(statement, {"wanted": covid.id}) == ("Another",)


def test_it_is_not_asked_inside_a_transaction(covid: Network) -> None:
    with transaction(), pytest.raises(RuntimeError, match="a transaction is open"):
        ask(ONE, {"until": NEVER, "wanted": covid.id})


@pytest.mark.parametrize("house_database", ["postgres"], indirect=True)
@pytest.mark.usefixtures("house")
def test_a_database_that_ends_the_connection_is_told_as_sqlalchemy_tells_it() -> None:
    with pytest.raises(OperationalError) as raised:
        ask(select(func.pg_terminate_backend(func.pg_backend_pid())), {})
    assert isinstance(raised.value.orig, psycopg.errors.AdminShutdown)
    assert ask(select(literal(1)), {}) == (1,)


@pytest.mark.usefixtures("covid")
def test_after_an_error_the_next_transaction_can_be_undone() -> None:
    with pytest.raises((psycopg.Error, OperationalError)):
        ask(select(func.no_such_function()), {})
    with transaction() as tx:
        db.session.execute(text("UPDATE network SET name = 'x'"))
        tx.undo()
    assert db.session.scalars(select(Network.id).where(Network.name == "x")).all() == []
