"""Whatever is booked, moved or taken away: no account hosts more than it can, and what is proposed is free."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from conference_orchestrator.flows import hosting
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import host_pool
from conference_orchestrator.scheduling.host_pool import HostAccount, HostBooking
from tests.scheduling.stage import TUESDAY
from tests.scheduling.test_host_pool import account, book, bookings, release, seat_for, wanted

__all__ = ["wanted"]

HALF = timedelta(minutes=30)
AT = st.integers(0, 10).map(lambda halves: TUESDAY + halves * HALF)
LENGTH = st.integers(1, 4).map(lambda halves: halves * HALF)
WHICH = st.integers(0, 7)
STEP = st.one_of(
    st.tuples(st.just("book"), WHICH, AT, LENGTH),
    st.tuples(st.just("release"), WHICH),
    st.tuples(st.just("capacity"), st.integers(0, 1), st.integers(1, 3)),
)


def emptied(capacities: Sequence[int]) -> list[UUID]:
    """A pool with accounts of these capacities, and nothing booked."""
    with transaction():
        db.session.execute(delete(HostBooking))
        db.session.execute(delete(HostAccount))
    return [account(f"host{number}", capacity=capacity).id for number, capacity in enumerate(capacities)]


def take(step: tuple[object, ...], accounts: Sequence[UUID], wanted: Sequence[UUID]) -> None:
    match step:
        case ("book", int(which), datetime() as at, timedelta() as length):
            book(wanted[which], at, at + length)
        case ("release", int(which)):
            release(wanted[which])
        case ("capacity", int(which), int(capacity)):
            hosting.change_host(accounts[which], {"capacity": capacity})


def overfull() -> list[tuple[UUID, datetime]]:
    """At which accounts, and when, there are more than the account can host."""
    capacity = dict(db.session.execute(select(HostAccount.id, HostAccount.capacity)).all())
    held = bookings()
    return [
        (one.account_id, one.starts_at)
        for one in held
        if sum(b.account_id == one.account_id and b.starts_at <= one.starts_at < b.ends_at for b in held)
        > capacity[one.account_id]
    ]


def can_be_booked(conference_id: UUID, at: datetime, length: timedelta) -> bool:
    """Whether a booking succeeds; nothing of it stays."""
    free = False
    with transaction() as tx:
        free = host_pool.book(seat_for(conference_id, at, at + length)) is not None
        tx.undo()
    return free


class TestAnyCourse:
    @given(st.tuples(st.integers(1, 3), st.integers(1, 3)), st.lists(STEP, min_size=4, max_size=14))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_account_ever_hosts_more_than_it_can(
        self, wanted: list[UUID], capacities: tuple[int, int], steps: list[tuple[object, ...]]
    ) -> None:
        accounts = emptied(capacities)
        for step in steps:
            take(step, accounts, wanted)
            assert overfull() == []

    @given(st.integers(1, 3), st.lists(st.tuples(WHICH, AT, LENGTH), min_size=2, max_size=8), WHICH, AT, LENGTH)
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_what_is_proposed_is_the_next_that_can_really_be_booked(
        self,
        wanted: list[UUID],
        capacity: int,
        held: list[tuple[int, datetime, timedelta]],
        which: int,
        at: datetime,
        length: timedelta,
    ) -> None:
        emptied([capacity])
        for other, other_at, other_length in held:
            book(wanted[other], other_at, other_at + other_length)
        proposed = host_pool.next_free(seat_for(wanted[which], at, at + length))
        tried = [at + number * HALF for number in range(1, 30)]
        assert proposed == [one for one in tried if can_be_booked(wanted[which], one, length)][:3]
        assert len(proposed) == 3

    def test_more_than_it_can_host_would_be_seen(self, wanted: list[UUID]) -> None:
        (only,) = emptied([2])
        book(wanted[0], TUESDAY, TUESDAY + HALF)
        book(wanted[1], TUESDAY, TUESDAY + HALF)
        with transaction():
            db.session.execute(HostAccount.__table__.update().values(capacity=1))
        assert overfull() == [(only, TUESDAY)] * 2
