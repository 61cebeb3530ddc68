"""The pool of host accounts: a seat is booked once at a time, and the database keeps it so under any concurrency."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError

from conference_orchestrator.flows import hosting
from conference_orchestrator.kernel.database import STEPS, db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import conferences, host_pool
from conference_orchestrator.scheduling.host_pool import HostAccount, HostBooking, Wanted
from tests.scheduling.stage import TUESDAY, Stage

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
END = TUESDAY + HOUR


def account(name: str, capacity: int = 1, kinds: Sequence[str] = ()) -> HostAccount:
    return hosting.add_host(
        {"provider": "webex", "email": f"{name}@hosts.example", "capacity": capacity, "kinds": list(kinds)}
    )


@pytest.fixture
def wanted(round_of_tuesdays: Stage) -> list[UUID]:
    """A conference for each session of the round, none with a host yet."""
    with transaction() as tx:
        network_id = round_of_tuesdays.network.id
        return [
            conferences.for_session(
                session, network_id=network_id, title="Panel", provider="webex", host_margin_minutes=0, at=tx.now
            ).id
            for session in round_of_tuesdays.sessions()
        ]


def seat_for(conference_id: UUID, starts_at: datetime, ends_at: datetime, kind: str = "session") -> Wanted:
    return Wanted(conference_id=conference_id, provider="webex", kind=kind, starts_at=starts_at, ends_at=ends_at)


def book(
    conference_id: UUID, starts_at: datetime = TUESDAY, ends_at: datetime = END, kind: str = "session"
) -> str | None:
    with transaction():
        host = host_pool.book(seat_for(conference_id, starts_at, ends_at, kind))
    return host.email.partition("@")[0] if host else None


def release(conference_id: UUID) -> None:
    with transaction():
        host_pool.release(conference_id)


def bookings() -> list[HostBooking]:
    statement = select(HostBooking).order_by(HostBooking.seat, HostBooking.starts_at)
    return list(db.session.scalars(statement.execution_options(populate_existing=True)))


class TestBooking:
    def test_an_account_hosts_one_at_a_time(self, wanted: list[UUID]) -> None:
        account("ann")
        assert [book(wanted[0]), book(wanted[1])] == ["ann", None]

    def test_two_at_the_same_hour_get_two_hosts(self, wanted: list[UUID]) -> None:
        account("ann")
        account("bea")
        assert {book(wanted[0]), book(wanted[1])} == {"ann", "bea"}
        assert book(wanted[2]) is None

    def test_an_account_of_two_seats_hosts_two_at_a_time(self, wanted: list[UUID]) -> None:
        account("ann", capacity=2)
        assert [book(one) for one in wanted[:3]] == ["ann", "ann", None]
        assert [booking.seat for booking in bookings()] == [1, 2]

    @pytest.mark.parametrize("gap", [timedelta(0), MINUTE])
    def test_one_after_the_other_shares_a_seat(self, wanted: list[UUID], gap: timedelta) -> None:
        account("ann")
        assert [book(wanted[0]), book(wanted[1], END + gap, END + HOUR), book(wanted[2], TUESDAY - HOUR, TUESDAY)] == [
            "ann"
        ] * 3
        assert [booking.seat for booking in bookings()] == [1, 1, 1]

    @pytest.mark.parametrize(
        ("start", "end"),
        [(0, 60), (59, 61), (-1, 1), (10, 20), (-10, 70)],
    )
    def test_whatever_shares_a_minute_does_not_share_a_seat(self, wanted: list[UUID], start: int, end: int) -> None:
        account("ann")
        book(wanted[0])
        assert book(wanted[1], TUESDAY + start * MINUTE, TUESDAY + end * MINUTE) is None

    def test_an_account_is_asked_only_for_the_kinds_that_it_hosts(self, wanted: list[UUID]) -> None:
        account("ann", kinds=["webinar"])
        assert book(wanted[0], kind="session") is None
        assert book(wanted[0], kind="webinar") == "ann"

    def test_a_withdrawn_account_gets_nothing_new(self, wanted: list[UUID]) -> None:
        ann = account("ann")
        hosting.change_host(ann.id, {"is_active": False})
        assert book(wanted[0]) is None

    def test_a_released_seat_is_free(self, wanted: list[UUID]) -> None:
        account("ann")
        book(wanted[0])
        release(wanted[0])
        assert book(wanted[1]) == "ann"
        release(wanted[0])
        assert len(bookings()) == 1, "who has none gives none back"


class TestBookingAgain:
    @pytest.mark.parametrize("place", range(3))
    def test_the_account_that_it_had_is_preferred(self, wanted: list[UUID], place: int) -> None:
        for name in ("ann", "bea", "cem"):
            account(name)
        hosts = [book(one) for one in wanted[:3]]
        for other in {0, 1, 2} - {place}:
            release(wanted[other])
        assert book(wanted[place], TUESDAY + MINUTE, END + MINUTE) == hosts[place]

    def test_its_own_booking_is_not_in_its_way(self, wanted: list[UUID]) -> None:
        account("ann")
        book(wanted[0])
        assert book(wanted[0], TUESDAY + 30 * MINUTE, END + 30 * MINUTE) == "ann"
        assert [(b.starts_at, b.ends_at) for b in bookings()] == [(TUESDAY + 30 * MINUTE, END + 30 * MINUTE)]

    def test_another_account_takes_over_when_its_own_is_busy(self, wanted: list[UUID]) -> None:
        account("ann")
        first = book(wanted[0])
        book(wanted[1], END, END + HOUR)
        account("bea")
        assert {first, book(wanted[0], END, END + HOUR)} == {"ann", "bea"}

    def test_without_a_free_one_it_keeps_what_it_had(self, wanted: list[UUID]) -> None:
        account("ann")
        book(wanted[0])
        book(wanted[1], END, END + HOUR)
        assert book(wanted[0], END, END + HOUR) is None
        assert {(b.conference_id, b.starts_at) for b in bookings()} == {(wanted[0], TUESDAY), (wanted[1], END)}


class TestNextFree:
    def next_free(self, wanted: UUID, length: timedelta = HOUR, kind: str = "session") -> list[float]:
        """The proposals after Tuesday's start, in hours."""
        found = host_pool.next_free(seat_for(wanted, TUESDAY, TUESDAY + length, kind))
        return [(at - TUESDAY) / HOUR for at in found]

    def test_the_next_three_half_hours_at_which_a_seat_is_free(self, wanted: list[UUID]) -> None:
        account("ann")
        book(wanted[0])
        book(wanted[1], TUESDAY + 2 * HOUR, TUESDAY + 3 * HOUR)
        assert self.next_free(wanted[2]) == [1, 3, 3.5]
        assert self.next_free(wanted[2], 30 * MINUTE) == [1, 1.5, 3]

    def test_each_proposal_can_really_be_booked(self, wanted: list[UUID]) -> None:
        account("ann", capacity=2)
        account("bea")
        for number, conference_id in enumerate(wanted[:-1]):
            book(conference_id, TUESDAY + number * 20 * MINUTE, TUESDAY + number * 20 * MINUTE + HOUR)
        for hours in self.next_free(wanted[-1]):
            assert book(wanted[-1], TUESDAY + hours * HOUR, TUESDAY + (hours + 1) * HOUR) is not None

    def test_the_booking_that_it_would_give_up_is_not_in_its_way(self, wanted: list[UUID]) -> None:
        account("ann")
        book(wanted[0])
        assert self.next_free(wanted[0]) == [0.5, 1, 1.5]
        assert self.next_free(wanted[1]) == [1, 1.5, 2]

    def test_who_sits_on_a_seat_that_was_taken_away_is_hosted_in_place_of_another(self, wanted: list[UUID]) -> None:
        account("ann", capacity=2)
        book(wanted[0])
        book(wanted[1])
        release(wanted[0])
        with transaction():  # as a file that is loaded does it, or while the conference is held
            db.session.execute(update(HostAccount).values(capacity=1))
        assert [b.seat for b in bookings()] == [2]
        assert self.next_free(wanted[2]) == [1, 1.5, 2]
        assert book(wanted[2]) is None

    def test_nothing_is_proposed_beyond_a_week_or_without_an_account(self, wanted: list[UUID]) -> None:
        assert self.next_free(wanted[1]) == []
        account("ann")
        book(wanted[0], TUESDAY, TUESDAY + timedelta(days=7, minutes=1))
        assert self.next_free(wanted[1]) == []
        assert self.next_free(wanted[1], kind="webinar") == []


class TestAccounts:
    def test_a_provider_with_accounts_is_pooled_even_when_none_is_active(self, stage: Stage) -> None:
        assert not host_pool.is_pooled("webex")
        ann = account("ann", kinds=["webinar"])
        hosting.change_host(ann.id, {"is_active": False})
        assert host_pool.is_pooled("webex")
        assert not host_pool.is_pooled("mock")
        assert stage.house.count(HostAccount) == 1

    def test_accounts_are_listed_by_provider_and_address(self, stage: Stage) -> None:
        for name in ("cem", "ann", "bea"):
            account(name)
        assert [one.email[:3] for one in host_pool.listed(Paging()).items] == ["ann", "bea", "cem"]
        assert stage.house.count(HostBooking) == 0

    @pytest.mark.usefixtures("stage")
    def test_there_is_no_account_of_an_unknown_id(self) -> None:
        with pytest.raises(NotFound, match="no such host account"):
            host_pool.get(uuid4())


class TestWhatTheDatabaseRefuses:
    """Bookings on both databases, past our rules and at once."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def insert(self, account_id: UUID, conference_id: UUID, start: int, end: int, seat: int = 1) -> None:
        """A booking in minutes after Tuesday's start, straight into the table."""
        row: dict[str, Any] = {
            "id": uuid4(),
            "created_at": TUESDAY,
            "account_id": account_id,
            "seat": seat,
            "starts_at": TUESDAY + start * MINUTE,
            "ends_at": TUESDAY + end * MINUTE,
            "conference_id": conference_id,
        }
        with transaction():
            db.session.execute(insert(HostBooking.__table__).values(row))

    def test_a_seat_is_not_booked_twice_at_a_time(self, wanted: list[UUID]) -> None:
        ann, bea = account("ann", capacity=2), account("bea")
        self.insert(ann.id, wanted[0], 0, 60)
        for start, end in ((0, 60), (59, 61), (-1, 1), (10, 20), (-10, 70)):
            with pytest.raises(DBAPIError):
                self.insert(ann.id, wanted[1], start, end)
        self.insert(ann.id, wanted[1], 0, 60, seat=2)
        self.insert(bea.id, wanted[2], 0, 60)
        self.insert(ann.id, wanted[3], 60, 120)
        self.insert(ann.id, wanted[4], -60, 0)
        assert len(bookings()) == 5

    def test_a_booking_is_not_stretched_over_another(self, wanted: list[UUID]) -> None:
        ann = account("ann")
        self.insert(ann.id, wanted[0], 0, 60)
        self.insert(ann.id, wanted[1], 60, 120)
        mine = update(HostBooking).where(HostBooking.conference_id == wanted[0])
        with pytest.raises(DBAPIError), transaction():
            db.session.execute(mine.values(ends_at=END + MINUTE))
        with transaction():
            db.session.execute(mine.values(ends_at=END - MINUTE))

    def test_a_booking_does_not_end_before_it_begins(self, wanted: list[UUID]) -> None:
        ann = account("ann")
        for end in (0, -1):
            with pytest.raises(DBAPIError):
                self.insert(ann.id, wanted[0], 0, end)

    def test_a_conference_has_one_seat(self, wanted: list[UUID]) -> None:
        ann = account("ann", capacity=2)
        self.insert(ann.id, wanted[0], 0, 60)
        with pytest.raises(DBAPIError):
            self.insert(ann.id, wanted[0], 0, 60, seat=2)

    def test_of_twenty_at_once_exactly_one_gets_the_seat(self, round_of_tuesdays: Stage, wanted: list[UUID]) -> None:
        account("ann")
        db.session.remove()
        answers = round_of_tuesdays.house.at_once(20, lambda n: book(wanted[n]))
        assert sorted(answers, key=str) == [None] * 19 + ["ann"]
        assert len(bookings()) == 1

    def test_ten_collide_once_the_protection_is_taken_away(
        self, round_of_tuesdays: Stage, wanted: list[UUID], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account("ann")
        without_the_constraint()
        db.session.remove()
        active, everybody_has_looked = host_pool.active, threading.Barrier(10, timeout=30)
        monkeypatch.setattr(host_pool, "active", lambda provider, **_: active(provider))
        monkeypatch.setattr(host_pool, "release", lambda _: everybody_has_looked.wait())

        def book_without_a_lock(number: int) -> object:
            db.session.connection(execution_options={STEPS: True})  # On SQLite each statement by itself.
            found = host_pool.book(seat_for(wanted[number], TUESDAY, END))
            db.session.commit()
            return found

        round_of_tuesdays.house.at_once(10, book_without_a_lock)
        overlapping = [b for b in bookings() if b.seat == 1 and b.starts_at == TUESDAY]
        assert len(overlapping) > 1, "the harness can no longer see the bug it guards against"


def without_the_constraint() -> None:
    with transaction():
        if db.engine.dialect.name == "postgresql":
            db.session.execute(text("ALTER TABLE host_booking DROP CONSTRAINT ex_host_booking_seat"))
        else:
            db.session.execute(text("DROP TRIGGER ex_host_booking_seat_insert"))
