"""Sessions and slots: what may move where, what the database refuses, and what is free."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotFound, RuleBroken, SlotTaken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import allocations, sessions
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.sessions import Session, Slot, State
from tests.scheduling.stage import TUESDAY, Stage

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def session(state: str = State.PLANNED, starts_at: datetime = TUESDAY) -> Session:
    """A session of two slots; nothing is stored."""
    slots = [
        Slot(number=n + 1, starts_at=starts_at + n * 20 * MINUTE, ends_at=starts_at + (n + 1) * 20 * MINUTE)
        for n in range(2)
    ]
    ends_at = starts_at + 40 * MINUTE
    return Session(state=state, starts_at=starts_at, ends_at=ends_at, time_zone="Europe/Berlin", slots=slots)


class TestMoving:
    def test_a_session_keeps_its_length_and_takes_its_slots_along(self) -> None:
        moving = session()
        moving.move(TUESDAY + 26 * HOUR + 5 * MINUTE, at=NOW)
        start = TUESDAY + 26 * HOUR + 5 * MINUTE
        assert (moving.starts_at, moving.ends_at) == (start, start + 40 * MINUTE)
        assert [(s.starts_at - start, s.ends_at - start) for s in moving.slots] == [
            (0 * MINUTE, 20 * MINUTE),
            (20 * MINUTE, 40 * MINUTE),
        ]

    def test_a_session_may_be_held_earlier(self) -> None:
        moving = session()
        moving.move(NOW + MINUTE, at=NOW)
        assert moving.slots[1].ends_at == NOW + 41 * MINUTE

    @pytest.mark.parametrize(
        ("to", "said"),
        [
            (NOW, "The new time has passed already."),
            (NOW - HOUR, "The new time has passed already."),
            (TUESDAY + timedelta(seconds=1), "A session begins at a whole minute."),
            (TUESDAY + timedelta(microseconds=1), "A session begins at a whole minute."),
            (NOW + timedelta(days=548) + MINUTE, "The new time is more than 18 months away."),
        ],
    )
    def test_a_time_that_cannot_be_is_refused_by_the_name_of_its_field(self, to: datetime, said: str) -> None:
        moving = session()
        with pytest.raises(Invalid) as refused:
            moving.move(to, at=NOW)
        assert refused.value.errors == {"starts_at": [said]}
        assert moving.starts_at == moving.slots[0].starts_at == TUESDAY

    def test_eighteen_months_are_just_possible(self) -> None:
        session().move(NOW + timedelta(days=548), at=NOW)

    @pytest.mark.parametrize("state", [State.CANCELLED, State.HELD])
    def test_only_a_planned_session_is_moved_or_cancelled(self, state: str) -> None:
        for change in (lambda s: s.move(TUESDAY + HOUR, at=NOW), lambda s: s.cancel("Ill.", at=NOW)):
            with pytest.raises(RuleBroken, match=f"The session is {state}.") as refused:
                change(session(state))
            assert refused.value.extra == {"state": state}

    @pytest.mark.parametrize("since", [timedelta(0), MINUTE, HOUR])
    def test_a_session_that_has_begun_is_neither_moved_nor_cancelled(self, since: timedelta) -> None:
        for change in (
            lambda s: s.move(TUESDAY + 5 * HOUR, at=TUESDAY + since),
            lambda s: s.cancel("Ill.", at=TUESDAY + since),
        ):
            with pytest.raises(RuleBroken, match="has already begun"):
                change(session())

    def test_who_named_the_session_by_a_field_is_told_the_field(self) -> None:
        with pytest.raises(Invalid) as refused:
            session(State.CANCELLED).must_be_planned(at=NOW, field="slot")
        assert refused.value.errors == {"slot": ["The session is cancelled."]}

    def test_the_start_is_shown_on_the_clocks_of_its_own_zone(self) -> None:
        assert session().local_start.isoformat() == "2026-11-24T11:00:00+01:00"


class TestFree:
    @pytest.mark.usefixtures("stage")
    def test_there_is_no_session_of_an_unknown_id(self) -> None:
        with pytest.raises(NotFound, match="no such session"):
            sessions.get(uuid4())

    @pytest.mark.usefixtures("stage")
    def test_an_unknown_slot_is_refused_by_the_name_of_its_field(self) -> None:
        with pytest.raises(Invalid) as refused, transaction():
            sessions.hold_still(uuid4())
        assert list(refused.value.errors) == ["slot"]


class TestWhatTheDatabaseRefuses:
    """Straight inserts, past all our rules, on both databases."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_a_slot_that_is_held_is_not_given_to_another(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        holder, other = stage.allocated(), stage.accepted()
        slot = stage.slots(stage.first().id)[0]
        with pytest.raises(SlotTaken), transaction() as tx:
            allocations.take(slot.id, other, because=[], at=tx.now)
        taken = Allocation(slot_id=slot.id, request_id=other, taken_at=NOW, released_at=None, reasons=[])
        with pytest.raises(IntegrityError), transaction():
            db.session.add(taken)
        assert [one.request_id for one in db.session.scalars(select(Allocation))] == [holder]

    def test_a_request_does_not_hold_two_slots(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        request_id = stage.allocated()
        second = stage.slots(stage.first().id)[1]
        with pytest.raises(SlotTaken), transaction() as tx:
            allocations.take(second.id, request_id, because=[], at=tx.now)

    def test_a_series_has_one_session_a_day(self, round_of_tuesdays: Stage) -> None:
        twin = round_of_tuesdays.sessions()[1]
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(
                update(Session)
                .where(Session.id == twin.id)
                .values(occurrence_on=round_of_tuesdays.first().occurrence_on)
            )

    @pytest.mark.usefixtures("round_of_tuesdays")
    def test_a_session_has_each_slot_once(self) -> None:
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(update(Slot).where(Slot.number == 2).values(number=1))

    @pytest.mark.usefixtures("round_of_tuesdays")
    def test_a_state_outside_the_list_is_not_stored(self) -> None:
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(update(Session).values(state="forgotten"))
