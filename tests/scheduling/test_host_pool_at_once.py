"""Many conferences want seats at once, on both databases: never more than there are, and nobody waits in a ring."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from conference_orchestrator.flows import hosting
from conference_orchestrator.kernel.database import STEPS, db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import host_pool
from conference_orchestrator.scheduling.host_pool import HostAccount, HostBooking
from tests.scheduling.stage import TUESDAY, Stage
from tests.scheduling.test_host_pool import (
    HOUR,
    MINUTE,
    account,
    book,
    bookings,
    release,
    seat_for,
    wanted,
    without_the_constraint,
)

__all__ = ["wanted"]


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def three_seats(wanted: list[UUID]) -> list[HostAccount]:
    """Three seats at two accounts."""
    assert len(wanted) > 12
    made = [account("ann"), account("bea", capacity=2)]
    db.session.remove()
    return made


def most_at_once(held: list[HostBooking]) -> int:
    """How many of the bookings there are at the busiest instant."""
    return max((sum(b.starts_at <= at < b.ends_at for b in held) for at in (b.starts_at for b in held)), default=0)


def hour_of(number: int) -> datetime:
    return TUESDAY + (number % 4) * HOUR


@pytest.mark.usefixtures("three_seats")
class TestThreeSeats:
    def test_twelve_that_want_overlapping_hours_never_get_more_than_there_are(
        self, round_of_tuesdays: Stage, wanted: list[UUID]
    ) -> None:
        starts = [TUESDAY + number * 15 * MINUTE for number in range(12)]
        answers = round_of_tuesdays.house.at_once(12, lambda n: book(wanted[n], starts[n], starts[n] + HOUR))
        assert set(answers) <= {"ann", "bea", None}
        assert most_at_once(bookings()) == 3
        refused = [starts[n] for n in range(12) if answers[n] is None]
        assert [book(wanted[12], at, at + HOUR) for at in refused] == [None] * len(refused)

    def test_adjacent_hours_share_a_seat(self, round_of_tuesdays: Stage, wanted: list[UUID]) -> None:
        answers = round_of_tuesdays.house.at_once(12, lambda n: book(wanted[n], hour_of(n), hour_of(n) + HOUR))
        assert Counter(answers) == {"ann": 4, "bea": 8}
        assert Counter((b.account_id, b.seat) for b in bookings()).most_common()[-1][1] == 4

    def test_nobody_waits_in_a_ring_while_all_book_move_and_give_back(
        self, round_of_tuesdays: Stage, wanted: list[UUID]
    ) -> None:
        def act(number: int) -> list[str | None]:
            said = [book(wanted[number], hour_of(n), hour_of(n) + HOUR) for n in (number, number + 1, number + 2)]
            if number % 2:
                release(wanted[number])
            return said

        answers = round_of_tuesdays.house.at_once(12, act)
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        assert most_at_once(bookings()) <= 3
        assert len(bookings()) <= 6

    def test_an_account_that_is_withdrawn_while_all_book_holds_nothing_in_the_end(
        self, round_of_tuesdays: Stage, wanted: list[UUID], three_seats: list[HostAccount]
    ) -> None:
        ann = three_seats[0].id

        def act(number: int) -> object:
            if number == 12:
                return hosting.change_host(ann, {"is_active": False})
            return book(wanted[number], hour_of(number), hour_of(number) + HOUR)

        answers = round_of_tuesdays.house.at_once(13, act)
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        assert Counter(b.account_id for b in bookings()) == {three_seats[1].id: 8}

    def test_twelve_collide_once_lock_and_constraint_are_taken_away(
        self, round_of_tuesdays: Stage, wanted: list[UUID], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_the_constraint()
        db.session.remove()
        active, everybody_has_looked = host_pool.active, threading.Barrier(12, timeout=30)
        monkeypatch.setattr(host_pool, "active", lambda provider, **_: active(provider))
        monkeypatch.setattr(host_pool, "release", lambda _: everybody_has_looked.wait())

        def act(number: int) -> object:
            db.session.connection(execution_options={STEPS: True})  # On SQLite each statement by itself.
            found = host_pool.book(seat_for(wanted[number], hour_of(number), hour_of(number) + HOUR))
            db.session.commit()
            return found

        round_of_tuesdays.house.at_once(12, act)
        overlapping = Counter((b.account_id, b.seat, b.starts_at) for b in bookings())
        assert max(overlapping.values()) > 1, "the harness can no longer see the bug it guards against"

    def test_an_account_that_is_withdrawn_is_booked_all_the_same_once_it_is_not_locked(
        self,
        round_of_tuesdays: Stage,
        wanted: list[UUID],
        three_seats: list[HostAccount],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        active, has_looked, is_withdrawn = host_pool.active, threading.Event(), threading.Event()

        def unlocked(provider: str, **_: bool) -> Sequence[HostAccount]:
            found = active(provider)
            has_looked.set()
            assert is_withdrawn.wait(30)
            return found

        monkeypatch.setattr(host_pool, "active", unlocked)

        def act(number: int) -> object:
            if number:
                assert has_looked.wait(30)
                for one in three_seats:
                    hosting.change_host(one.id, {"is_active": False})
                is_withdrawn.set()
                return None
            db.session.connection(execution_options={STEPS: True})  # On SQLite each statement by itself.
            host_pool.book(seat_for(wanted[0], TUESDAY, TUESDAY + HOUR))
            db.session.commit()
            return None

        assert round_of_tuesdays.house.at_once(2, act) == [None, None]
        assert len(bookings()) == 1, "the harness can no longer see the bug it guards against"


class TestTheOrderOfLocks:
    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    @pytest.mark.usefixtures("three_seats")
    def test_two_that_lock_the_accounts_in_different_orders_wait_in_a_ring(
        self, round_of_tuesdays: Stage, wanted: list[UUID]
    ) -> None:
        both_hold_one = threading.Barrier(2, timeout=30)

        def disorderly(number: int) -> object:
            first, second = (HostAccount.id, HostAccount.id.desc())[:: 1 - 2 * number]
            with transaction():
                for order in (first, second):
                    db.session.execute(select(HostAccount.id).order_by(order).limit(1).with_for_update())
                    if order is first:
                        both_hold_one.wait()
                return book_in(wanted[number])

        def book_in(conference_id: UUID) -> object:
            return host_pool.book(seat_for(conference_id, TUESDAY, TUESDAY + HOUR))

        answers = round_of_tuesdays.house.at_once(2, disorderly)
        assert [type(answer) for answer in answers].count(OperationalError) == 1, "a ring is no longer seen"
