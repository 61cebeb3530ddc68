"""The invariants: what must be so in the database at any moment, whatever happened before.

Each is a function of the present instant that yields its violations. All read and none writes. `docs/verify.md` says
what each line means and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from conference_orchestrator import migrations
from conference_orchestrator.insight.invariants import (
    calendars,
    deliveries,
    hosts,
    protections,
    records,
    requests,
    sessions,
    slots,
)
from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db

__all__ = ["ALL", "SCHEMA_DIFFERS", "Violation", "violations"]

ALL: tuple[Callable[[datetime], Iterable[Violation]], ...] = (
    protections.missing,
    slots.held_twice,
    slots.held_two_by_one_request,
    slots.held_without_right,
    slots.held_in_cancelled_session,
    slots.held_though_withdrawn,
    slots.offered_for_too_long,
    requests.allocated_without_slot,
    requests.offered_without_offer,
    requests.waiting_without_place,
    requests.place_given_twice,
    requests.incomplete,
    requests.open_though_erased,
    sessions.beside_slots,
    sessions.slots_overlapping,
    sessions.slots_misnumbered,
    sessions.not_closed,
    sessions.on_one_date,
    sessions.without_conference,
    sessions.conference_at_another_time,
    sessions.cancelled_with_conference,
    hosts.seat_booked_twice,
    hosts.booked_for_another_time,
    hosts.conference_twice,
    calendars.invited_to_cancelled,
    calendars.ahead_of_object,
    deliveries.messages_stuck,
    deliveries.tasks_dead,
    records.audit_broken,
)
SCHEMA_DIFFERS = Violation(
    "schema-differs",
    "the database has not the schema of this version; run `conference-orchestrator db upgrade`, then verify again",
)


def violations() -> list[Violation]:
    """What is wrong in the database now; only SCHEMA_DIFFERS when its tables are not those that could be asked."""
    if not migrations.is_current(db.engine):
        return [SCHEMA_DIFFERS]
    now = ports.clock().now()
    session = db.session()
    session.close()
    try:
        if db.engine.dialect.name == "postgresql":
            # The service goes on meanwhile: all invariants are asked of one state, as on SQLite.
            one_state = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            session.connection(execution_options=one_state)
        return [violation for invariant in ALL for violation in invariant(now)]
    finally:
        session.close()
