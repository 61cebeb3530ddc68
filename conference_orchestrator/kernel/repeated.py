"""A statement that changes one row, again and again over one connection: each time committed by itself.

In a large mailing SQLAlchemy's and the driver's ways to such a statement cost more than the statement. PostgreSQL is
given each in one piece, and its answer is read with the next: it commits while the caller goes on. What it was given it
does, also when this process dies before the answer.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Connection, Dialect, Update
from sqlalchemy.dialects import postgresql

# The server ends a statement after 30 s (`statement_timeout`); a server that is silent for longer is not there.
SILENCE_SECONDS = 40.0

Values = Mapping[str, Any]


Then = Callable[[int], None]


class Repeated(Protocol):
    """The statement on one connection, which may be used for nothing else until it is settled."""

    def run(self, values: Values, *, then: Then) -> None:
        """Change a row; `then` is told how many rows were changed, by the next run or by `settle` at the latest."""
        ...

    def settle(self) -> None:
        """Wait for the answer that is still awaited, if any."""
        ...


def repeated(statement: Update, connection: Connection) -> Repeated:
    """The statement, made ready. `connection` commits each statement by itself (see `kernel.transaction.steps`).

    Both ways raise an error of the driver when the database does not do it.
    """
    if connection.dialect.name == "sqlite":
        return _OnSqlite(_ready_for_sqlite(statement, connection.dialect), connection)
    return _OnPostgres(_ready_for_postgres(statement), connection)


@dataclass(frozen=True)
class _Ready:
    """The text of the statement, its values in the order of their places, and what makes the driver's of ours."""

    text: str
    places: Sequence[str]
    bind: Mapping[str, Callable[[Any], Any]]


@cache
def _ready_for_sqlite(statement: Update, dialect: Dialect) -> _Ready:
    compiled = statement.compile(dialect=dialect)
    bind = {
        name: processor
        for name, parameter in compiled.binds.items()
        if (processor := parameter.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    }
    return _Ready(str(compiled), compiled.positiontup or [], bind)


@cache
def _ready_for_postgres(statement: Update) -> _Ready:
    compiled = statement.compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call]
    return _Ready(str(compiled), compiled.positiontup or [], {})


class _OnSqlite:
    def __init__(self, ready: _Ready, connection: Connection) -> None:
        self._ready, self._driver = ready, connection.connection.driver_connection

    def run(self, values: Values, *, then: Then) -> None:
        bind = self._ready.bind
        given = [bind[name](values[name]) if name in bind else values[name] for name in self._ready.places]
        then(self._driver.execute(self._ready.text, given).rowcount)  # type: ignore[union-attr]

    def settle(self) -> None:
        """Nothing is awaited: SQLite has done what it was told when it returns."""


class _OnPostgres:
    def __init__(self, ready: _Ready, connection: Connection) -> None:
        self._ready, self._driver = ready, connection.dialect.dbapi
        self._server: Any = connection.connection.driver_connection.pgconn  # type: ignore[union-attr]
        self._then: Then | None = None
        # Without a name: the driver forgets named ones when somebody rolls back (it sends DEALLOCATE ALL).
        self._must_be(self._server.prepare(b"", ready.text.encode()))

    def run(self, values: Values, *, then: Then) -> None:
        self.settle()
        self._server.send_query_prepared(b"", [_as_text(values[name]) for name in self._ready.places])
        self._then = then
        while self._server.flush():
            self._wait(select.POLLOUT)

    def settle(self) -> None:
        if self._then is None:
            return
        then, self._then = self._then, None
        self._server.consume_input()
        while self._server.is_busy():
            self._wait(select.POLLIN)
            self._server.consume_input()
        result = self._server.get_result()
        while self._server.get_result() is not None:
            continue
        then(int(self._must_be(result).command_tuples or 0))

    def _must_be(self, result: Any) -> Any:
        if result is None or result.status != self._driver.pq.ExecStatus.COMMAND_OK:  # type: ignore[union-attr]
            said = b"no answer" if result is None else result.error_message
            raise self._driver.OperationalError(said.decode("utf-8", "replace"))  # type: ignore[union-attr]
        return result

    def _wait(self, until: int) -> None:
        poll = select.poll()
        poll.register(self._server.socket, until)
        if not poll.poll(SILENCE_SECONDS * 1000):
            raise self._driver.OperationalError("the database does not answer")  # type: ignore[union-attr]


def _as_text(value: Any) -> bytes | None:
    if value is None:
        return None
    return (value.isoformat() if isinstance(value, datetime) else str(value)).encode()
