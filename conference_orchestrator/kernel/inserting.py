"""Inserting rows past the bookkeeping of single objects: a round has some hundred, made at once."""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from time import time_ns
from types import MappingProxyType
from typing import Any

from sqlalchemy import JSON, Date, Dialect, Integer, Table, Text, Uuid, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from conference_orchestrator.kernel.database import Model, UtcDateTime, as_text, db

# Makes of a column's values what the driver gets for them.
Bind = Callable[[Sequence[Any]], list[Any]]


def new_ids(count: int) -> Iterator[uuid.UUID]:
    """So many new identifiers of version 7 (RFC 9562, section 5.7), in rising order.

    They begin with the milliseconds since 1970, so rows that are made together lie together in each index: with random
    ones a commit of a hundred rows writes a hundred pages. 62 bits of each are random.
    """
    began = time_ns() // 1_000_000
    for place, drawn in enumerate(struct.unpack(f"{count}Q", os.urandom(8 * count))):
        carried, counted = divmod(place, 4096)
        yield uuid.UUID(int=(began + carried) << 80 | 7 << 76 | counted << 64 | 2 << 62 | drawn >> 2)


def insert_all(
    table: Table, columns: Mapping[str, Sequence[Any]], *, shared: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Insert rows past the bookkeeping that single objects need: `columns` holds the values of all rows by column.

    What is `shared` every row has. PostgreSQL gets an array for each column: a parameter for each value costs several
    times as much. For SQLite the values are bound here, without what SQLAlchemy does for each row besides.
    """
    connection, number = db.session.connection(), len(next(iter(columns.values())))
    if not number:
        return
    if connection.dialect.name == "sqlite":
        text, binds = _insert_values(table, (*columns, *shared), connection.dialect)
        ready = (
            bind([shared[name]]) * number if name in shared else _each(bind, columns[name])
            for name, bind in binds.items()
        )
        connection.exec_driver_sql(text, list(zip(*ready, strict=True)))
    else:
        text, write, binds = _insert_from_arrays(table, tuple(columns), tuple(shared), connection.dialect)
        arrays = {name: f"{{{','.join(_each(write[name], values))}}}" for name, values in columns.items()}
        connection.exec_driver_sql(text, arrays | {name: binds[name](value) for name, value in shared.items()})


def insert(row: Model) -> None:
    """Insert one row at once, every column of it set. The session does not know it: it writes no later change of it."""
    table = row.metadata.tables[row.__tablename__]
    insert_all(table, {one.name: [getattr(row, one.name)] for one in table.columns})


def _each(bind: Bind, values: Sequence[Any]) -> list[Any]:
    """What the driver gets for each; where all are alike it is made once."""
    first = values[0]
    return bind([first]) * len(values) if first == values[-1] and values.count(first) == len(values) else bind(values)


@cache
def _insert_from_arrays(
    table: Table, names: tuple[str, ...], shared: tuple[str, ...], dialect: Dialect
) -> tuple[str, Mapping[str, Bind], Mapping[str, Callable[[Any], Any]]]:
    """The statement, what writes a column's values as they stand in the text of an array, what binds a shared one."""
    types = {name: table.c[name].type for name in (*names, *shared)}
    arrays = [cast(bindparam(name, type_=Text), postgresql.ARRAY(types[name])) for name in names]
    given = func.unnest(*arrays).table_valued(*(column(name, types[name]) for name in names), name="given")
    once = [bindparam(name, type_=types[name]) for name in shared]
    statement = table.insert().from_select([*types], select(*given.render_derived().c, *once))
    write = {name: IN_ARRAY.get(type(types[name]), _texts) for name in names}
    binds = {name: types[name].dialect_impl(dialect).bind_processor(dialect) or _as_it_is for name in shared}
    return str(statement.compile(dialect=dialect)), write, binds


def _as_it_is(value: Any) -> Any:
    return value


def _instants(values: Sequence[datetime | None]) -> list[str]:
    return ["NULL" if at is None else f"{as_text(at)}+00" for at in values]


def _texts(values: Sequence[object]) -> list[str]:
    return ["NULL" if value is None else _quoted(str(value)) for value in values]


def _quoted(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


# What has neither quotes nor commas in it goes as it is.
IN_ARRAY: Mapping[type, Bind] = {
    UtcDateTime: _instants,
    Uuid: lambda values: ["NULL" if value is None else value.hex for value in values],
    Date: lambda values: ["NULL" if value is None else str(value) for value in values],
    Integer: lambda values: ["NULL" if value is None else str(value) for value in values],
    JSON: lambda values: [_quoted(json.dumps(value)) for value in values],
}


@cache
def _insert_values(table: Table, names: tuple[str, ...], dialect: Dialect) -> tuple[str, Mapping[str, Bind]]:
    """The statement, and in the order of its place-holders what makes the driver's values of a column's."""
    compiled = table.insert().values({name: bindparam(name) for name in names}).compile(dialect=dialect)
    return str(compiled), {name: _bind(table.c[name].type, dialect) for name in compiled.positiontup or []}


def _bind(kind: TypeEngine[Any], dialect: Dialect) -> Bind:
    # A call for each of a hundred values costs as much as the rest of a statement.
    if isinstance(kind, Uuid):
        return lambda values: [None if value is None else value.hex for value in values]
    if isinstance(kind, Date):
        return lambda values: [None if value is None else value.isoformat() for value in values]
    one = kind.dialect_impl(dialect).bind_processor(dialect)
    return list if one is None else lambda values: list(map(one, values))
