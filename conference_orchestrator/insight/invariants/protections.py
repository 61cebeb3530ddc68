"""Whether the database still refuses what must never be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Inspector, Table, UniqueConstraint, inspect, text

from conference_orchestrator import migrations
from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel.database import db

# What the migrations refuse besides what stands in the models: two bookings of a host's seat (an exclusion constraint,
# or triggers where there is none), a change of the audit.
BY_HAND = {
    "postgresql": (
        {
            "ex_host_booking_seat": "host_booking",
            "audit_refuses_update": "audit",
            "audit_refuses_delete": "audit",
            "audit_refuses_truncate": "audit",
        },
        (
            "SELECT conname FROM pg_constraint WHERE contype = 'x' AND connamespace = current_schema()::regnamespace"
            " UNION ALL SELECT tgname FROM pg_trigger WHERE tgenabled = 'O' AND tgrelid = 'audit'::regclass"
        ),
    ),
    "sqlite": (
        {
            "ex_host_booking_seat_insert": "host_booking",
            "ex_host_booking_seat_update": "host_booking",
            "audit_refuses_update": "audit",
            "audit_refuses_delete": "audit",
        },
        "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    ),
}


def missing(_now: datetime) -> Iterator[Violation]:
    """Every unique index, unique constraint and check of the models is there, and what the migrations added by hand."""
    connection = db.session.connection()
    present = _present(inspect(connection))
    by_hand, asking = BY_HAND[connection.dialect.name]
    present |= set(connection.scalars(text(asking)))
    wanted = [(table.name, name) for table in migrations.metadata().sorted_tables for name in _wanted(table)]
    for table, name in sorted([*wanted, *((table, name) for name, table in by_hand.items())]):
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
