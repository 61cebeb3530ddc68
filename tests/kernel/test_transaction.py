"""Where changes commit: everything of a block with its tasks, or nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, func, select

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.bookkeeping import UsedChallenge
from conference_orchestrator.kernel.database import WRITES, db
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.transaction import is_open, steps, transaction, with_next_commit
from tests.house import House

TASK = Task(kind="look-after-it", payload={"what": "it"})


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture(autouse=True)
def on_both_databases(house: House) -> House:
    return house


def challenge(house: House, digest: str = "d") -> UsedChallenge:
    return UsedChallenge(digest=digest, expires_at=house.clock.at)


def kept() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(UsedChallenge)) or 0


class Broken(Exception):
    """What a test breaks a block with."""


class NoQueue:
    """A queue whose table is gone."""

    def enqueue(self, tasks: Sequence[Task], **_: object) -> None:
        raise Broken(tasks)

    def wake(self) -> None:
        raise AssertionError("nothing was committed")


def test_the_change_and_its_tasks_are_there_after_the_block(house: House) -> None:
    with transaction() as tx:
        db.session.add(challenge(house))
        tx.after(TASK)
    assert kept() == 1
    assert house.queue.tasks == [TASK]


def test_the_instant_of_a_transaction_stands_still(house: House) -> None:
    with transaction() as tx:
        assert tx.now == house.clock.at


def test_an_error_leaves_neither_the_change_nor_its_tasks(house: House) -> None:
    def change_and_break() -> None:
        with transaction() as tx:
            db.session.add(challenge(house))
            db.session.flush()
            tx.after(TASK)
            raise Broken

    with pytest.raises(Broken):
        change_and_break()
    assert kept() == 0
    assert house.queue.tasks == []


def test_without_its_tasks_a_change_is_not_kept(house: House) -> None:
    ports.queue.fill(house.app, NoQueue())

    def change() -> None:
        with transaction() as tx:
            db.session.add(challenge(house))
            tx.after(TASK)

    with pytest.raises(Broken):
        change()
    assert kept() == 0


def test_the_tasks_are_written_on_the_connection_of_the_change(house: House) -> None:
    seen = []

    class Looking:
        def enqueue(self, _: Sequence[Task], *, on: Connection, **__: object) -> None:
            seen.append(on.execute(select(UsedChallenge.digest)).scalars().all())

        def wake(self) -> None:
            seen.append("woken")

    ports.queue.fill(house.app, Looking())
    with transaction() as tx:
        db.session.add(challenge(house))
        tx.after(TASK)
    assert seen == [["d"], "woken"]


def test_nobody_is_woken_for_a_change_without_tasks(house: House) -> None:
    ports.queue.fill(house.app, NoQueue())
    with transaction():
        db.session.add(challenge(house))
    assert kept() == 1


def test_an_undone_block_leaves_no_trace_and_no_error(house: House) -> None:
    with transaction() as tx:
        db.session.add(challenge(house))
        db.session.flush()
        tx.after(TASK)
        tx.undo()
    assert kept() == 0
    assert house.queue.tasks == []
    assert not db.session.new
    assert not is_open()
    with transaction():
        db.session.add(challenge(house))
    assert kept() == 1


def test_a_transaction_does_not_nest(house: House) -> None:
    with transaction():
        db.session.add(challenge(house))
        with pytest.raises(RuntimeError, match="open already"), transaction():
            pytest.fail("the inner block was entered")
    assert kept() == 1, "the outer one is unharmed"


def test_a_second_application_context_does_not_hide_the_first_transaction(house: House) -> None:
    with (
        transaction(),
        house.app.app_context(),
        pytest.raises(RuntimeError, match="open already"),
        transaction(),
    ):
        pytest.fail("the inner block was entered")


def test_a_transaction_may_follow_one_that_failed(house: House) -> None:
    with pytest.raises(Broken), transaction():
        raise Broken
    with transaction():
        db.session.add(challenge(house))
    assert kept() == 1


def test_a_new_thing_from_outside_is_not_committed_by_accident(house: House) -> None:
    db.session.add(challenge(house))
    with pytest.raises(RuntimeError, match="before the transaction began"), transaction():
        pytest.fail("the block was entered")
    db.session.rollback()


def test_a_change_or_a_removal_from_outside_is_not_committed_by_accident(house: House) -> None:
    with transaction():
        db.session.add(challenge(house))
    thing = db.session.scalars(select(UsedChallenge)).one()
    thing.expires_at = house.clock.at.replace(year=2027)
    with pytest.raises(RuntimeError, match="before the transaction began"), transaction():
        pytest.fail("the block was entered")
    db.session.rollback()
    db.session.delete(thing)
    with pytest.raises(RuntimeError, match="before the transaction began"), transaction():
        pytest.fail("the block was entered")
    db.session.rollback()
    assert kept() == 1


def test_a_transaction_ends_the_reading_before_it_and_may_write_at_once(house: House) -> None:
    assert kept() == 0  # Begins to read, as the policy of a view does.
    with transaction():
        assert db.session.connection().get_execution_options()[WRITES] is True
        db.session.add(challenge(house))
    assert kept() == 1


def test_every_one_of_many_writers_at_once_gets_through(house: House) -> None:
    def read_and_write(number: int) -> None:
        seen = kept()  # The look that turns a plain BEGIN of SQLite into "database is locked".
        with transaction():
            db.session.add(challenge(house, f"{number}-{seen}"))

    assert house.at_once(15, read_and_write) == [None] * 15
    assert kept() == 15


def test_what_is_to_be_marked_with_the_commit_is_there_if_and_only_if_the_change_is(house: House) -> None:
    def mark(connection: Connection) -> None:
        connection.execute(UsedChallenge.__table__.insert(), {"digest": "mark", "expires_at": house.clock.at})

    with with_next_commit(mark):
        with pytest.raises(Broken), transaction():
            raise Broken
        assert kept() == 0
        with transaction():
            db.session.add(challenge(house))
    assert kept() == 2
    with transaction():
        db.session.add(challenge(house, "later"))
    assert kept() == 3, "outside of the block nothing is marked"


def test_a_transaction_is_known_to_be_open_exactly_while_it_is() -> None:
    assert not is_open()
    with transaction():
        assert is_open()
    assert not is_open()
    with pytest.raises(Broken), transaction():
        raise Broken
    assert not is_open()


def test_nothing_is_delivered_inside_a_transaction() -> None:
    with transaction(), pytest.raises(RuntimeError, match="nothing may be delivered"), steps():
        pytest.fail("the block was entered")


def test_each_step_commits_by_itself(house: House) -> None:
    row = UsedChallenge.__table__.insert()

    def take_two_steps_and_break() -> None:
        with steps() as connection:
            connection.execute(row, {"digest": "first", "expires_at": house.clock.at})
            with house.app.app_context():
                assert db.session.scalars(select(UsedChallenge.digest)).all() == ["first"], "others see it already"
            connection.execute(row, {"digest": "second", "expires_at": house.clock.at})
            raise Broken

    with pytest.raises(Broken):
        take_two_steps_and_break()
    assert kept() == 2
