"""What exceptions and public holidays make of the dates of a rule."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from conference_orchestrator.flows import arranging
from conference_orchestrator.scheduling import public_holidays, recurrence
from conference_orchestrator.scheduling.planning import Exceptions, Plan
from conference_orchestrator.scheduling.series import Series
from tests.house import HELPDESK
from tests.scheduling.stage import ROUND, TUESDAY, WEEK, Stage

FIRST, SECOND, THIRD = date(2026, 11, 24), date(2026, 12, 1), date(2026, 12, 8)
THURSDAY = date(2026, 11, 26)
IMMACULATE = "PT: Immaculate Conception"
INDEPENDENCE = "PT: Restoration of Independence Day"


def plan(*, countries: tuple[str, ...] = (), action: str | None = None, **exceptions: Any) -> Plan:
    of = Series(**arranging.UNLESS_SAID | ROUND | {"holiday_countries": list(countries), "holiday_action": action})
    return of.plan(Exceptions(**exceptions), from_on=FIRST, until_on=THIRD)


def days(found: Plan) -> list[date]:
    return list(found.sessions)


class TestOrder:
    def test_without_exceptions_the_plan_is_the_rule(self) -> None:
        assert days(plan()) == [FIRST, SECOND, THIRD]

    def test_a_pause_leaves_out_its_dates_both_ends_included(self) -> None:
        found = plan(pauses=[(FIRST, SECOND)])
        assert days(found) == [THIRD]
        assert found.left_out == dict.fromkeys((FIRST, SECOND), "The round pauses.")

    def test_a_skip_beats_a_pause_in_what_is_said(self) -> None:
        found = plan(skips={FIRST}, pauses=[(FIRST, SECOND)])
        assert found.why_not(FIRST) == "Not on this date: the round skips it."

    def test_a_pause_beats_a_move(self) -> None:
        assert days(plan(pauses=[(FIRST, FIRST)], moves={FIRST: TUESDAY + timedelta(hours=1)})) == [SECOND, THIRD]

    def test_an_extra_session_beats_a_pause(self) -> None:
        found = plan(pauses=[(FIRST, SECOND)], extras={SECOND: None, THURSDAY: None})
        assert days(found) == [THURSDAY, SECOND, THIRD]
        assert found.left_out == {FIRST: "The round pauses."}

    def test_a_move_keeps_the_date_that_names_the_session(self) -> None:
        moved = plan(moves={FIRST: TUESDAY + 3 * WEEK}).sessions[FIRST]
        assert (moved.on, moved.starts_at, moved.is_moved) == (FIRST, TUESDAY + 3 * WEEK, True)

    def test_a_move_of_a_date_that_the_rule_does_not_have_any_more_does_nothing(self) -> None:
        assert days(plan(moves={THURSDAY: TUESDAY})) == [FIRST, SECOND, THIRD]

    def test_a_skip_of_such_a_date_does_nothing_either(self) -> None:
        assert plan(skips={THURSDAY}).left_out == {}

    def test_an_extra_session_before_the_range_is_not_planned(self) -> None:
        assert days(plan(extras={date(2026, 11, 19): None})) == [FIRST, SECOND, THIRD]


class TestHolidays:
    def test_a_public_holiday_is_left_out_and_named(self) -> None:
        found = plan(countries=("DE", "PT"), action="skip")
        assert days(found) == [FIRST]
        assert found.why_not(SECOND) == f"Not on this date: it is a public holiday ({INDEPENDENCE})."

    def test_a_flagged_one_is_held_and_carries_the_name(self) -> None:
        found = plan(countries=("DE", "PT"), action="flag").sessions
        assert [list(one.holidays) for one in found.values()] == [[], [INDEPENDENCE], [IMMACULATE]]

    def test_a_date_that_a_person_chose_is_held_on_a_holiday_too(self) -> None:
        found = plan(
            countries=("PT",), action="skip", moves={SECOND: TUESDAY + WEEK + timedelta(hours=1)}, extras={THIRD: None}
        )
        assert [(on, list(one.holidays)) for on, one in found.sessions.items()] == [
            (FIRST, []),
            (SECOND, [INDEPENDENCE]),
            (THIRD, [IMMACULATE]),
        ]

    def test_a_session_that_is_moved_off_a_holiday_carries_no_name(self) -> None:
        found = plan(countries=("PT",), action="flag", moves={SECOND: TUESDAY + WEEK + timedelta(days=1)})
        assert list(found.sessions[SECOND].holidays) == []

    def test_a_pause_is_said_before_a_holiday(self) -> None:
        assert plan(countries=("PT",), action="skip", pauses=[(SECOND, SECOND)]).why_not(SECOND) == "The round pauses."

    def test_two_countries_are_named_in_the_order_in_which_they_were_entered(self) -> None:
        found = public_holidays.names(["PT", "DE"], [date(2026, 12, 25), date(2026, 12, 26)])
        assert found == {
            date(2026, 12, 25): ["PT: Christmas Day", "DE: Christmas Day"],
            date(2026, 12, 26): ["DE: Second Day of Christmas"],
        }

    @pytest.mark.parametrize(("country", "known"), [("DE", True), ("NZ", True), ("XX", False), ("DEU", False)])
    def test_countries_are_known_by_their_two_letters(self, country: str, known: bool) -> None:
        assert public_holidays.is_known(country) is known

    @pytest.mark.parametrize("country", ["NZ", "JP", "GR", "SA"])
    def test_every_country_has_its_names_in_english(self, country: str) -> None:
        found = public_holidays.names([country], [date(2026, 1, 1) + timedelta(days=n) for n in range(365)])
        assert found
        assert all(name.isascii() for named in found.values() for name in named)

    def test_the_library_is_not_loaded_where_no_series_names_a_country(self) -> None:
        asked = (
            "import sys; import conference_orchestrator.app; "
            "from conference_orchestrator.scheduling import public_holidays as p; "
            "assert p.names([], []) == {} and 'holidays' not in sys.modules; "
            "assert p.is_known('PT') and 'holidays' in sys.modules"
        )
        subprocess.run([sys.executable, "-c", asked], check=True)


class TestHolidaysOfSessions:
    @pytest.fixture
    def portuguese(self, stage: Stage) -> Stage:
        stage.meet(holidays={"countries": ["PT"], "action": "skip"})
        return stage

    def test_no_session_is_made_on_a_holiday(self, portuguese: Stage) -> None:
        assert [s.occurrence_on for s in portuguese.sessions()[:2]] == [FIRST, date(2026, 12, 15)]

    def test_a_round_that_flags_them_instead_has_its_sessions_with_their_names(self, portuguese: Stage) -> None:
        holidays = {"countries": ["PT"], "action": "flag"}
        arranging.change_series(portuguese.first().series_id, {"holidays": holidays}, by=HELPDESK)
        found = {s.occurrence_on: s.holidays for s in portuguese.sessions()}
        assert [found[on] for on in (FIRST, SECOND, THIRD)] == [[], [INDEPENDENCE], [IMMACULATE]]

    def test_one_that_leaves_them_out_from_now_on_says_why(self, round_of_tuesdays: Stage) -> None:
        holidays = {"countries": ["PT"], "action": "skip"}
        arranging.change_series(round_of_tuesdays.first().series_id, {"holidays": holidays}, by=HELPDESK)
        found = [(s.occurrence_on, s.reason) for s in round_of_tuesdays.sessions() if s.state == "cancelled"]
        assert found == [
            (SECOND, f"Not on this date: it is a public holiday ({INDEPENDENCE})."),
            (THIRD, f"Not on this date: it is a public holiday ({IMMACULATE})."),
        ]

    def test_without_holidays_they_come_back(self, round_of_tuesdays: Stage) -> None:
        series_id = round_of_tuesdays.first().series_id
        for holidays in ({"countries": ["PT"], "action": "skip"}, None):
            arranging.change_series(series_id, {"holidays": holidays}, by=HELPDESK)
        assert {s.state for s in round_of_tuesdays.sessions()} == {"planned"}


class TestPairs:
    def test_dates_find_their_partners_within_the_week_in_order(self) -> None:
        gone = [FIRST, THURSDAY, SECOND]
        new = [date(2026, 11, 25), date(2026, 12, 3), date(2026, 12, 4)]
        found = recurrence.pairs(gone, new, monthly=False)
        assert found == {FIRST: date(2026, 11, 25), SECOND: date(2026, 12, 3)}

    def test_or_within_the_month(self) -> None:
        assert recurrence.pairs([FIRST, THIRD], [date(2026, 11, 2), date(2027, 1, 4)], monthly=True) == {
            FIRST: date(2026, 11, 2)
        }

    def test_a_week_that_spans_the_year_is_one(self) -> None:
        assert recurrence.pairs([date(2026, 12, 31)], [date(2027, 1, 1)], monthly=False) == {
            date(2026, 12, 31): date(2027, 1, 1)
        }


def test_a_session_moved_to_another_day_is_named_by_the_holidays_of_that_day_on_its_own_wall() -> None:
    of = Series(**arranging.UNLESS_SAID | ROUND | {"time_zone": "Pacific/Auckland", "start_time": time(11)})
    of.holiday_countries, of.holiday_action = ["NZ"], "flag"
    # Late on 24 December in UTC it is Christmas in Auckland.
    moves = {date(2026, 12, 22): datetime(2026, 12, 24, 20, tzinfo=UTC)}
    found = of.plan(Exceptions(moves=moves), from_on=date(2026, 12, 22), until_on=date(2026, 12, 22))
    assert list(found.sessions[date(2026, 12, 22)].holidays) == ["NZ: Christmas Day"]
