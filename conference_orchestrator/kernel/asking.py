"""A question that stands alone, asked again and again, day and night: one row, outside any transaction.

SQLAlchemy's way to such an answer takes longer than the database, and a transaction around it is begun and rolled back
with a message each that PostgreSQL is waited for as long as for the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.exc import OperationalError

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import is_open

Made = Callable[[Any], Any]


def ask(statement: Select[Any], values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row of the answer, its values as of the statement's types; None when there is none.

    `values` are those of its bound parameters. Other values in it are part of it: build it once. RuntimeError while a
    transaction is open, of which it would not see the changes; sqlalchemy's OperationalError when the database does not
    answer.
    """
    if is_open():
        raise RuntimeError("a transaction is open: its changes are not seen here")
    engine = db.engine
    ready = _ready(statement, engine.dialect)
    given = {**ready.given, **{name: ready.bind[name](value) for name, value in values.items()}}
    pooled = engine.raw_connection()
    try:
        row = _first_row(pooled.driver_connection, ready, given)
    except BaseException as error:
        pooled.invalidate()  # nobody knows in which state it is
        if isinstance(error, engine.dialect.loaded_dbapi.OperationalError):
            raise OperationalError(ready.text, None, error, hide_parameters=True) from error
        raise
    pooled.close()
    return None if row is None else tuple(read(value) for read, value in zip(ready.read, row, strict=True))


@dataclass(frozen=True)
class _Ready:
    """The text of the statement, the driver's values that are part of it, what makes the others, and reads the row."""

    text: str
    places: Sequence[str] | None
    given: Mapping[str, Any]
    bind: Mapping[str, Made]
    read: Sequence[Made]


@lru_cache(maxsize=32)
def _ready(statement: Select[Any], dialect: Dialect) -> _Ready:
    compiled = statement.compile(dialect=dialect)
    bind = {
        name: parameter.type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is
        for name, parameter in compiled.binds.items()
    }
    given = {name: bind[name](value) for name, value in compiled.params.items()}
    read = [
        column.type.dialect_impl(dialect).result_processor(dialect, None) or _as_it_is
        for column in statement.selected_columns
    ]
    return _Ready(str(compiled), compiled.positiontup, given, bind, read)


def _as_it_is(value: Any) -> Any:
    return value


def _first_row(driver: Any, ready: _Ready, given: Mapping[str, Any]) -> Sequence[Any] | None:
    if ready.places is not None:  # SQLite
        row: Sequence[Any] | None = driver.execute(ready.text, [given[name] for name in ready.places]).fetchone()
        return row
    driver.autocommit = True
    row = driver.execute(ready.text, given).fetchone()
    driver.autocommit = False
    return row
