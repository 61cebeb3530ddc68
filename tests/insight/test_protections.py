"""What keeps slots, requests and host seats apart is named when the database has it no more."""

from __future__ import annotations

import pytest

from conference_orchestrator.kernel.database import db
from tests.insight.conftest import World


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def lacking(world: World) -> list[str]:
    """The names that are said to be missing."""
    said = [line.removeprefix("protection-missing: ").split(" of table ") for line in world.lines()]
    assert all(rest.endswith(": the database refuses less than it must") for _, rest in said)
    return [name for name, _ in said]


@pytest.mark.parametrize("name", ["uq_allocation_slot", "uq_allocation_request", "uq_membership_current"])
def test_a_unique_index_is_missed(world: World, name: str) -> None:
    world.drop("INDEX", name)
    assert lacking(world) == [name]


def test_an_index_that_is_not_unique_is_none(world: World) -> None:
    world.drop("INDEX", "uq_allocation_slot")
    world.drop("INDEX", "ix_allocation_slot_id")
    with db.engine.begin() as connection:
        connection.exec_driver_sql("CREATE INDEX uq_allocation_slot ON allocation (slot_id)")
    assert lacking(world) == ["uq_allocation_slot"]


def test_what_keeps_host_seats_apart_is_missed(world: World) -> None:
    if db.engine.dialect.name == "sqlite":
        names = ["ex_host_booking_seat_insert", "ex_host_booking_seat_update"]
        for name in names:
            world.drop("TRIGGER", name)
    else:
        names = ["ex_host_booking_seat"]
        world.drop_constraint(names[0], of="host_booking")
    assert lacking(world) == names


def test_what_keeps_the_audit_as_it_was_is_missed(world: World) -> None:
    on = " ON audit" if db.engine.dialect.name == "postgresql" else ""
    with db.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER audit_refuses_update{on}")
    assert lacking(world) == ["audit_refuses_update"]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("uq_conference_session_id", "conference"),
        ("uq_slot_session_id_number", "slot"),
        ("ck_allocation_offer_held", "allocation"),
    ],
)
def test_a_constraint_is_missed(world: World, name: str, table: str) -> None:
    world.drop_constraint(name, of=table)
    assert lacking(world) == [name]
