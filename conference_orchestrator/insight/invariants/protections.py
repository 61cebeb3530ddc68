"""Whether the database still refuses what must never be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Inspector, Table, UniqueConstraint, inspect, text

from conference_orchestrator import migrations
from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel.database import db

# What migration 0002 keeps host seats apart with: an exclusion constraint, or triggers where there is none.
SEATS = {
    "postgresql": (
        ["ex_host_booking_seat"],
        "SELECT conname FROM pg_constraint WHERE contype = 'x' AND connamespace = current_schema()::regnamespace",
    ),
    "sqlite": (
        ["ex_host_booking_seat_insert", "ex_host_booking_seat_update"],
        "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    ),
}


def missing(_now: datetime) -> Iterator[Violation]:
    """Every unique index, unique constraint and check of the models is there, and what keeps host seats apart."""
    connection = db.session.connection()
    present = _present(inspect(connection))
    seats, asking = SEATS[connection.dialect.name]
    present |= set(connection.scalars(text(asking)))
    wanted = [(table.name, name) for table in migrations.metadata().sorted_tables for name in _wanted(table)]
    for table, name in sorted([*wanted, *(("host_booking", seat) for seat in seats)]):
        if name not in present:
            yield Violation("protection-missing", f"{name} of table {table}: the database refuses less than it must")


def _wanted(table: Table) -> list[str]:
    refusing = [one for one in table.constraints if isinstance(one, UniqueConstraint | CheckConstraint)]
    return [str(one.name) for one in [*refusing, *(index for index in table.indexes if index.unique)]]


def _present(inspector: Inspector) -> set[Any]:
    found = [index for of_table in inspector.get_multi_indexes().values() for index in of_table if index["unique"]]
    constraints = (inspector.get_multi_unique_constraints(), inspector.get_multi_check_constraints())
    return {one["name"] for one in found} | {
        one["name"] for of_kind in constraints for of_table in of_kind.values() for one in of_table
    }
