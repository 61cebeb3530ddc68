"""The audit: rows are added at the end of one chain, and whatever is changed afterwards is seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from conference_orchestrator.insight.invariants import records
from conference_orchestrator.kernel import audit
from conference_orchestrator.kernel.audit import AuditEntry
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from tests.house import HELPDESK, House

TOKEN, PERSON = UUID(int=7), UUID(int=8)
AT_THE_DESK = Principal(role=Role.HELPDESK, token_id=TOKEN)
ANNA = Principal(role=Role.CLINICIAN, token_id=UUID(int=9), clinician_id=PERSON)
NEVER = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def done(action: str, *, by: Principal = AT_THE_DESK, subject: str = "session:1", reason: str | None = None) -> None:
    with transaction() as tx:
        tx.record(action, subject, by=by, reason=reason)


def record_and_fail() -> None:
    with transaction() as tx:
        tx.record("failure", "session:1", by=HELPDESK)
        raise RuntimeError("the flow fails")


def entries() -> list[AuditEntry]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.sequence)))


def behind_our_back(statement: str) -> None:
    """Change a row as somebody would who has the database's own powers."""
    db.session.rollback()
    with db.engine.begin() as connection:
        for drop in _without_protection():
            connection.execute(text(drop))
        connection.execute(text(statement))


def _without_protection() -> Iterator[str]:
    on = " ON audit" if db.engine.dialect.name == "postgresql" else ""
    for event in ("update", "delete"):
        yield f"DROP TRIGGER audit_refuses_{event}{on}"


def test_says_who_did_what_to_what_and_why(house: House) -> None:
    done("session.cancel", reason="The chair is ill.")
    (entry,) = entries()
    said = (entry.sequence, entry.at, entry.actor, entry.action, entry.subject, entry.reason)
    assert said == (1, house.clock.at, f"helpdesk:{TOKEN}", "session.cancel", "session:1", "The chair is ill.")


def test_a_clinician_is_named_by_the_person_and_not_by_the_token(house: House) -> None:
    done("offer.accept", by=ANNA)
    assert [entry.actor for entry in entries()] == [f"clinician:{PERSON}"]


def test_each_row_is_bound_to_the_one_before(house: House) -> None:
    done("one")
    with transaction() as tx:
        tx.record("two", "session:2", by=SYSTEM)
        tx.record("three", "session:3", by=SYSTEM)
    first, second, third = entries()
    assert first.previous_hash == audit.BEGINNING
    assert (second.previous_hash, third.previous_hash) == (first.hash, second.hash)
    assert list(audit.broken()) == []


def test_what_was_not_committed_was_not_done(house: House) -> None:
    with transaction() as tx:
        tx.record("preview", "session:1", by=HELPDESK)
        tx.undo()
    with pytest.raises(RuntimeError, match="fails"):
        record_and_fail()
    assert entries() == []


def test_many_who_act_at_once_make_one_chain(house: House) -> None:
    raised = house.at_once(8, lambda number: [done(f"{number}.{time}") for time in range(5)])
    assert not [one for one in raised if isinstance(one, Exception)]
    assert [entry.sequence for entry in entries()] == list(range(1, 41))
    assert list(audit.broken()) == []


@pytest.mark.parametrize("both_schemas", ["postgres"], indirect=True)
def test_without_the_lock_all_see_the_same_end_and_only_one_can_add_to_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control. SQLite has one writer at a time: there the lock is the transaction itself."""
    together = threading.Barrier(8, timeout=30)

    def seen_by_all(connection: Connection) -> tuple[int, str]:
        last = connection.exec_driver_sql(audit.LAST).one_or_none()
        together.wait()
        return (last[0], last[1]) if last else (0, audit.BEGINNING)

    monkeypatch.setattr(audit, "_end_of_chain", seen_by_all)
    raised = house.at_once(8, lambda number: done(str(number)))
    assert sum(isinstance(one, IntegrityError) for one in raised) == 7


@pytest.mark.parametrize("statement", ["UPDATE audit SET reason = 'other'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_what_was_written(house: House, statement: str) -> None:
    done("session.cancel")
    with pytest.raises(DBAPIError, match="only added to"), db.engine.begin() as connection:
        connection.execute(text(statement))
    assert len(entries()) == 1


@pytest.mark.parametrize(
    ("change", "row", "wrong"),
    [
        ("UPDATE audit SET reason = 'other' WHERE sequence = 2", 2, "does not say what was written"),
        ("UPDATE audit SET actor = 'helpdesk' WHERE sequence = 3", 3, "does not say what was written"),
        ("DELETE FROM audit WHERE sequence = 2", 3, "follows row 1"),
        ("DELETE FROM audit WHERE sequence = 1", 2, "follows row 0"),
    ],
    ids=["a reason", "an actor", "a row between", "the first row"],
)
def test_the_row_that_was_changed_is_named(house: House, change: str, row: int, wrong: str) -> None:
    for number in range(4):
        done(f"act.{number}", reason="as it was")
    assert list(records.audit_broken(NEVER)) == []
    behind_our_back(change)
    (violation,) = records.audit_broken(NEVER)
    assert str(violation).startswith(f"audit-broken: row {row} {wrong}")


def test_a_row_that_was_written_anew_with_its_hash_breaks_the_one_after(house: House) -> None:
    for number in range(3):
        done(f"act.{number}")
    second = entries()[1]
    second.reason = "other"
    behind_our_back(f"UPDATE audit SET reason = 'other', hash = '{second.digest()}' WHERE sequence = 2")
    assert list(audit.broken()) == [(3, "is not bound to the row before")]


def test_an_auditor_reads_all_a_clinician_what_is_about_it_the_helpdesk_what_it_did(house: House) -> None:
    done("own", by=AT_THE_DESK)
    done("about anna", by=HELPDESK, subject=f"clinician:{PERSON}")
    done("by anna", by=ANNA)
    read = {
        role: [entry.action for entry in audit.listed(Paging(), visible_to=by).items]
        for role, by in {"auditor": Principal(role=Role.AUDITOR), "desk": AT_THE_DESK, "anna": ANNA}.items()
    }
    assert read == {"auditor": ["own", "about anna", "by anna"], "desk": ["own"], "anna": ["about anna"]}
