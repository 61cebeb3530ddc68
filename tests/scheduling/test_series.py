"""What a series may be, and the sessions that it yields."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from conference_orchestrator.flows import arranging, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.scheduling import series, sessions
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.house import HELPDESK
from tests.scheduling.stage import ROUND, TUESDAY, WEEK, Stage

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def check(**changes: Any) -> None:
    Series(**{**arranging.UNLESS_SAID, **ROUND, **changes}).check(now=NOW)


class TestWhatMayBe:
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"rule": "FREQ=DAILY"}, "rule"),
            ({"rule": "FREQ=WEEKLY;BYDAY=TU;COUNT=3"}, "rule"),
            ({"rule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "ends_on": date(2053, 1, 1)}, "rule"),
            ({"time_zone": "CEST"}, "time_zone"),
            ({"time_zone": "europe/berlin"}, "time_zone"),
            ({"start_time": time(11, 0, 30)}, "start_time"),
            ({"start_time": time(11, 0, 0, 1)}, "start_time"),
            ({"start_time": time(11, tzinfo=UTC)}, "start_time"),
            ({"slots": 1, "slot_minutes": 9}, "slot_minutes"),
            ({"slots": 2, "slot_minutes": 720}, "slot_minutes"),
            ({"slots": 0}, "slots"),
            ({"slots": -2, "slot_minutes": -20}, "slots"),
            ({"slots": 51, "slot_minutes": 1}, "slots"),
            ({"slots": 2, "slot_minutes": 690, "break_minutes": 60}, "slot_minutes"),
            ({"slots": 3, "slot_minutes": 0, "break_minutes": 10}, "slot_minutes"),
            ({"break_minutes": 61}, "break_minutes"),
            ({"break_minutes": -1}, "break_minutes"),
            ({"host_margin_minutes": 61}, "host_margin_minutes"),
            ({"holiday_countries": ["DE", "XX"], "holiday_action": "skip"}, "holidays.countries"),
            ({"holiday_countries": ["DEU"], "holiday_action": "flag"}, "holidays.countries"),
            ({"starts_on": date(2028, 6, 1)}, "starts_on"),
            ({"starts_on": date.max}, "starts_on"),
            ({"ends_on": date(2026, 8, 31)}, "ends_on"),
            ({"ends_on": date(2026, 11, 22)}, "ends_on"),
            ({"ends_on": date(2026, 11, 23)}, "ends_on"),
            ({"rule": "FREQ=WEEKLY;BYDAY=SU", "start_time": time(2, 30)}, "start_time"),
        ],
    )
    def test_what_cannot_be_held_is_refused_by_the_name_of_its_field(self, wrong: dict[str, Any], field: str) -> None:
        with pytest.raises(Invalid) as refused:
            check(**wrong)
        assert list(refused.value.errors) == [field]

    @pytest.mark.parametrize(
        "right",
        [
            {},
            {"slots": 1, "slot_minutes": 10},
            {"slots": 1, "slot_minutes": 23 * 60 + 59},
            {"slots": 2, "slot_minutes": 5, "break_minutes": 60, "host_margin_minutes": 60},
            {"holiday_countries": ["DE", "PT", "AQ"], "holiday_action": "skip"},
            {"ends_on": date(2026, 11, 24)},
            {"starts_on": date(2027, 11, 2)},
            {"starts_on": date(2016, 5, 3), "ends_on": date(2027, 12, 31)},
            {"rule": "FREQ=WEEKLY;BYDAY=SU", "start_time": time(3)},
            {"rule": "FREQ=WEEKLY;BYDAY=SA", "start_time": time(2, 30)},
            {"rule": "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=12"},
        ],
    )
    def test_what_can_be_held_is_taken(self, right: dict[str, Any]) -> None:
        check(**right)

    def test_a_start_in_the_skipped_hour_is_refused_with_the_day_and_what_to_do(self) -> None:
        with pytest.raises(
            Invalid, match="On 28 March 2027 no clock in Europe/Berlin shows 02:30: choose another time"
        ):
            check(rule="FREQ=WEEKLY;BYDAY=SU", start_time=time(2, 30))

    def test_a_round_that_is_over_before_the_hour_is_skipped_may_have_that_start(self) -> None:
        check(rule="FREQ=WEEKLY;BYDAY=SU", start_time=time(2, 30), ends_on=date(2027, 3, 27))

    def test_nothing_of_a_refused_series_is_stored(self, stage: Stage) -> None:
        with pytest.raises(Invalid):
            stage.meet(start_time=time(2, 30), rule="FREQ=WEEKLY;BYDAY=SU")
        assert (stage.house.count(Series), stage.house.count(Session)) == (0, 0)


class TestSessions:
    def test_the_sessions_of_26_weeks_exist_at_once(self, round_of_tuesdays: Stage) -> None:
        found = round_of_tuesdays.sessions()
        assert len(found) == 26
        assert (found[0].starts_at, found[-1].occurrence_on) == (TUESDAY, date(2027, 5, 18))

    def test_a_session_is_as_long_as_its_slots(self, round_of_tuesdays: Stage) -> None:
        session = round_of_tuesdays.first()
        slots = [(s.number, s.starts_at - TUESDAY, s.ends_at - TUESDAY) for s in round_of_tuesdays.slots(session.id)]
        m = timedelta(minutes=1)
        assert slots == [(1, 0 * m, 20 * m), (2, 20 * m, 40 * m)]
        assert session.ends_at - session.starts_at == 40 * m

    def test_a_break_lies_between_the_slots_and_not_after_the_last(self, stage: Stage) -> None:
        stage.meet(slots=3, break_minutes=10)
        session = stage.first()
        minutes = [
            ((slot.starts_at - TUESDAY) // timedelta(minutes=1), (slot.ends_at - TUESDAY) // timedelta(minutes=1))
            for slot in stage.slots(session.id)
        ]
        assert minutes == [(0, 20), (30, 50), (60, 80)]
        assert session.ends_at - session.starts_at == timedelta(minutes=80)

    def test_the_session_stays_at_eleven_across_both_clock_changes(self, stage: Stage) -> None:
        stage.house.clock.at = datetime(2026, 10, 19, 9, 0, tzinfo=UTC)
        stage.meet()
        found = stage.sessions()
        assert {wall(s.starts_at, "Europe/Berlin").time() for s in found} == {time(11)}
        assert [f"{s.starts_at:%m-%d %H}" for s in found[:2]] == ["10-20 09", "10-27 10"]
        assert {f"{s.starts_at:%m-%d %H}" for s in found} >= {"03-23 10", "03-30 09"}
        assert {s.local_start.isoformat()[-14:] for s in found} == {"11:00:00+02:00", "11:00:00+01:00"}

    def test_a_start_in_the_repeated_hour_is_in_its_first_pass(self, stage: Stage) -> None:
        stage.house.clock.at = datetime(2026, 10, 19, 9, 0, tzinfo=UTC)
        stage.meet(rule="FREQ=WEEKLY;BYDAY=SU", start_time=time(2, 30), ends_on=date(2026, 11, 1))
        assert [s.starts_at.isoformat()[:16] for s in stage.sessions()] == ["2026-10-25T00:30", "2026-11-01T01:30"]

    def test_a_session_of_today_that_has_begun_is_not_made_any_more(self, stage: Stage) -> None:
        stage.meet(rule="FREQ=WEEKLY;BYDAY=MO", start_time=time(10))  # It is ten in Berlin.
        assert stage.first().occurrence_on == date(2026, 11, 30)

    def test_a_round_that_ends_has_no_session_after_its_last_day(self, stage: Stage) -> None:
        stage.meet(ends_on=date(2026, 12, 8))
        assert [s.occurrence_on.day for s in stage.sessions()] == [24, 1, 8]

    def test_a_round_that_starts_later_has_no_session_before(self, stage: Stage) -> None:
        stage.meet(starts_on=date(2027, 5, 1))
        assert [s.occurrence_on for s in stage.sessions()] == [date(2027, 5, 4), date(2027, 5, 11), date(2027, 5, 18)]


class TestExtending:
    def test_extending_twice_changes_nothing(self, round_of_tuesdays: Stage) -> None:
        before = {s.id for s in round_of_tuesdays.sessions()}
        arranging.extend()
        assert {s.id for s in round_of_tuesdays.sessions()} == before
        assert round_of_tuesdays.house.count(Slot) == 52

    def test_the_horizon_grows_with_the_clock(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.house.clock.move_on(3 * WEEK)
        arranging.extend()
        found = round_of_tuesdays.sessions()
        assert len(found) == 29
        assert found[-1].occurrence_on == date(2027, 6, 8)
        assert len(round_of_tuesdays.slots(found[-1].id)) == 2

    def test_a_moved_session_is_not_made_again_at_its_old_place(self, round_of_tuesdays: Stage) -> None:
        session = round_of_tuesdays.first()
        rounds.move(session.id, TUESDAY + timedelta(days=1), by=HELPDESK)
        arranging.extend()
        assert round_of_tuesdays.house.count(Session) == 26

    def test_a_cancelled_session_does_not_come_back(self, round_of_tuesdays: Stage) -> None:
        rounds.cancel(round_of_tuesdays.first().id, "Congress.", by=HELPDESK)
        arranging.extend()
        assert round_of_tuesdays.house.count(Session) == 26

    def test_a_closed_round_grows_no_more(self, stage: Stage) -> None:
        arranging.close_series(stage.meet(), by=HELPDESK)
        stage.house.clock.move_on(3 * WEEK)
        arranging.extend()
        assert stage.house.count(Session) == 26

    def test_a_round_that_was_closed_while_the_timer_came_to_it_grows_no_more(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        series_id = stage.meet()
        open_then = series.open_series()
        arranging.close_series(series_id, by=HELPDESK)
        stage.house.clock.move_on(3 * WEEK)
        monkeypatch.setattr(series, "open_series", lambda: open_then)
        arranging.extend()
        assert stage.house.count(Session) == 26


class TestExtendingAtOnce:
    """Two timers that extend at the same time."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_two_at_once_make_each_session_and_slot_once(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.house.clock.move_on(10 * WEEK)
        assert round_of_tuesdays.house.at_once(2, lambda _: arranging.extend()) == [None, None]  # type: ignore[func-returns-value]
        assert (round_of_tuesdays.house.count(Session), round_of_tuesdays.house.count(Slot)) == (36, 72)

    def test_without_the_locks_they_collide_and_the_database_keeps_one_session_a_day(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All four have seen what lacks before the first one writes."""
        series_id = stage.meet()
        stage.house.clock.move_on(10 * WEEK)
        make, all_there = sessions.make, threading.Barrier(4, timeout=30)

        def make_together(*given: Any, **named: Any) -> int:
            all_there.wait()
            return make(*given, **named)

        def extend_without_the_locks(_: int) -> int:
            made = sessions.extend(series.get(series_id), now=stage.house.clock.at)
            db.session.commit()
            return made

        monkeypatch.setattr(sessions, "make", make_together)
        outcomes = stage.house.at_once(4, extend_without_the_locks)
        assert outcomes.count(10) == 1
        assert sum(isinstance(one, DBAPIError) for one in outcomes) == 3
        assert (stage.house.count(Session), stage.house.count(Slot)) == (36, 72)


def test_there_is_no_series_of_an_unknown_id(stage: Stage) -> None:
    with pytest.raises(NotFound, match="no such series"):
        series.get(stage.group.id)
    assert db.session.get(Series, stage.group.id) is None
