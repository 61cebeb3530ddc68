"""The database handle, the base of all models, and how connections behave on SQLite and PostgreSQL.

Flows that write carry the execution option WRITES (see `kernel/transaction.py`): on SQLite they begin with BEGIN
IMMEDIATE, because a plain BEGIN that turns into a write later fails with "database is locked" under load.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache, partial
from select import POLLIN, poll
from time import monotonic
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    CheckConstraint,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Result,
    Select,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    any_,
    bindparam,
    cast,
    event,
    func,
    literal_column,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, declared_attr, mapped_column, registry
from sqlalchemy.pool import ConnectionPoolEntry

from conference_orchestrator.kernel.errors import Stale

WRITES = "conference_orchestrator_writes"
STEPS = "conference_orchestrator_steps"
RESTS_SINCE = "conference_orchestrator_rests_since"
# Firewalls forget connections after some minutes.
ASKED_AFTER_SECONDS = 30


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware on both sides, UTC inside. A naive value is refused, because SQLite would drop its offset."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return _utc(value).replace(tzinfo=None) if dialect.name == "sqlite" else _utc(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """For SQLite the text in one step: a round has some hundred instants."""
        return as_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002
        """What makes an instant of what the driver gives: in one step, for a calendar has thousands."""
        return _from_text if dialect.name == "sqlite" else _in_utc


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise TypeError("an instant is aware")
    return at if at.tzinfo is UTC else at.astimezone(UTC)


# The rows of one change share most of their instants, and writing one out costs two microseconds.
@lru_cache(maxsize=512)
def as_text(at: datetime | None) -> str | None:
    """As SQLAlchemy writes it into SQLite: "2026-11-24 10:00:00.000000", without the offset."""
    return None if at is None else _utc(at).isoformat(" ", "microseconds")[:26]


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

TYPES: dict[Any, Any] = {
    datetime: UtcDateTime(),
    date: Date(),
    time: Time(),
    uuid.UUID: Uuid(),
    str: String(),
    dict[str, Any]: JSON(),
    list[str]: JSON(),
    list[Any]: JSON(),
}


class Model(DeclarativeBase):
    """The base of every table."""

    registry = registry(type_annotation_map=TYPES, metadata=MetaData(naming_convention=NAMES))


class Identified:
    """A row with an identifier of its own and the instant it was made."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))

    @property
    def revision(self) -> int:
        """What stands behind the ETag, another after each change. One that is never changed, only removed, has 1."""
        return 1

    def must_match(self, expected: int | None) -> None:
        """Stale unless `expected` (from If-Match; None when none was sent) is the present revision."""
        if expected is not None and expected != self.revision:
            raise Stale("It was changed since you read it; read it again and repeat your change.")


class Versioned(Identified):
    """A row that people edit: `version` rises with each change of it."""

    version: Mapped[int] = mapped_column(Integer, default=1)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.__table__.c.version}  # type: ignore[attr-defined]

    @property
    def revision(self) -> int:
        return self.version


def personal(kind: str) -> dict[str, Any]:
    """Column info: the column tells about a person. Export, erasure and masking are built from it.

    `kind` is one of identity, contact, profession, preference, content.
    """
    return {"personal": kind}


def one_of(column: str, allowed: type[Any]) -> CheckConstraint:
    """A CHECK that keeps a state column inside its enumeration (a StrEnum)."""
    listed = ", ".join(f"'{value}'" for value in allowed)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


db = SQLAlchemy(model_class=Model, session_options={"expire_on_commit": False}, disable_autonaming=True)


def connect(app: Flask, url: str) -> None:
    """Bind the handle to the database at `url` and teach its connections our manners."""
    sqlite_options = {"pool_size": 20, "max_overflow": 0, "connect_args": {"check_same_thread": False}}
    postgres_options = {"pool_size": 10, "max_overflow": 10}
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    options: dict[str, Any] = sqlite_options if url.startswith("sqlite") else postgres_options
    # Errors go into logs and into what the helpdesk sees: values of rows do not.
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {**options, "hide_parameters": True}
    db.init_app(app)
    with app.app_context():
        prepare(db.engine)


def prepare(engine: Engine) -> None:
    """Set pragmas, time-outs and the way a transaction begins on every connection of the engine."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    else:
        event.listen(engine, "connect", _postgres_connect)
        event.listen(engine, "checkin", _note_rest)
        event.listen(engine, "checkout", partial(_must_be_alive, engine.dialect))


def _sqlite_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_sqlite_begin` does
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "busy_timeout = 30000", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(STEPS):
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITES) else "BEGIN")


def _postgres_connect(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '10s'")
        cursor.execute("SET statement_timeout = '30s'")
        cursor.execute("SET timezone = 'UTC'")
    connection.commit()


def _note_rest(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[RESTS_SINCE] = monotonic()


def _must_be_alive(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """InvalidatePoolError, which the pool answers with new connections, when this one was ended while it rested.

    In place of `pool_pre_ping`, which asks the server each time: a request has few questions, and that is one more. A
    server that ends a connection sends something, so only if there is something to read, or after a long rest, in which
    the way there may have been forgotten, is the server asked.
    """
    now = monotonic()
    rested = now - record.info.get(RESTS_SINCE, now)
    if rested < ASKED_AFTER_SECONDS and not _has_something_to_read(connection):
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _has_something_to_read(connection: Any) -> bool:
    looked = poll()
    looked.register(connection.fileno(), POLLIN)
    return bool(looked.poll(0))


def rows_of(statement: Select[Any], values: Mapping[str, Any]) -> Result[*tuple[Any, ...]]:
    """The answer to a statement that asks for columns alone; what has changed so far is written before.

    As `db.session.execute`, but without its way from columns to objects, which costs as much as the rest.
    """
    db.session.flush()
    return db.session.connection().execute(statement, values)


def insert_new(table: type[Model] | Table) -> Any:
    """An INSERT that leaves rows out which a unique constraint refuses, instead of failing the transaction.

    Add `.returning(...)` to learn which rows were new.
    """
    if db.engine.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def among(column: InstrumentedAttribute[Any], name: str, *, dialect: str) -> ColumnElement[bool]:
    """`column IN` the list that the statement is given under that name, however many they are; no value has lines.

    PostgreSQL gets them as one text, so that it knows the statement already; making an array costs the driver more.
    """
    if dialect == "sqlite":
        return column.in_(bindparam(name, expanding=True))
    given = func.string_to_array(bindparam(name, type_=_Lines), literal_column("chr(10)"))
    return column == any_(cast(given, postgresql.ARRAY(column.type)))


class _Lines(TypeDecorator[Sequence[Any]]):
    """A list as a text with a line for each value."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str:  # noqa: ARG002
        return "\n".join(map(str, value or ()))
