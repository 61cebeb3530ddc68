"""Which dates a series yields, against an expander that shares no code with ours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.scheduling import recurrence
from conference_orchestrator.scheduling.recurrence import MOST, WEEKDAYS

FIRST, LAST = date(2026, 9, 1), date(2027, 8, 31)
ZONES = ("Europe/Berlin", "Europe/Lisbon", "Atlantic/Azores", "America/Los_Angeles", "Australia/Lord_Howe", "UTC")


def dates(rule: str, starts_on: str = "2026-11-24", until_on: str = "2027-02-28", from_on: str = "") -> list[str]:
    found = recurrence.dates(
        recurrence.parse(rule),
        starts_on=date.fromisoformat(starts_on),
        from_on=date.fromisoformat(from_on or starts_on),
        until_on=date.fromisoformat(until_on),
    )
    return [str(on) for on in found]


def starts(rule: str, at: str, zone: str, *, from_on: date = FIRST, until_on: date = LAST) -> list[datetime]:
    found = recurrence.occurrences(
        recurrence.parse(rule),
        starts_on=FIRST,
        start_time=time.fromisoformat(at),
        time_zone=zone,
        from_on=from_on,
        until_on=until_on,
    )
    return [occurrence.starts_at for occurrence in found]


class TestDates:
    def test_a_weekly_round_meets_on_its_weekday_every_week(self) -> None:
        assert dates("FREQ=WEEKLY;BYDAY=TU", until_on="2026-12-15") == [
            "2026-11-24",
            "2026-12-01",
            "2026-12-08",
            "2026-12-15",
        ]

    def test_the_first_date_is_the_first_match_on_or_after_the_start(self) -> None:
        assert dates("FREQ=WEEKLY;BYDAY=MO", until_on="2026-12-05") == ["2026-11-30"]

    def test_several_weekdays_come_in_order_however_they_are_written(self) -> None:
        assert dates("FREQ=WEEKLY;BYDAY=FR,TU", until_on="2026-12-01") == ["2026-11-24", "2026-11-27", "2026-12-01"]

    def test_every_second_week_counts_from_the_week_of_the_start(self) -> None:
        assert dates("FREQ=WEEKLY;BYDAY=TU;INTERVAL=2", until_on="2026-12-31") == [
            "2026-11-24",
            "2026-12-08",
            "2026-12-22",
        ]

    def test_a_later_look_does_not_shift_the_weeks_of_an_interval(self) -> None:
        later = dates("FREQ=WEEKLY;BYDAY=TU;INTERVAL=2", from_on="2026-12-02", until_on="2026-12-31")
        assert later == ["2026-12-08", "2026-12-22"]

    def test_a_look_into_a_week_that_the_interval_leaves_out_finds_the_next(self) -> None:
        assert dates("FREQ=WEEKLY;BYDAY=TU;INTERVAL=12", from_on="2026-11-25", until_on="2027-02-28") == ["2027-02-16"]

    def test_the_second_tuesday_of_the_month(self) -> None:
        assert dates("FREQ=MONTHLY;BYDAY=2TU") == ["2026-12-08", "2027-01-12", "2027-02-09"]

    def test_the_last_friday_of_the_month(self) -> None:
        assert dates("FREQ=MONTHLY;BYDAY=-1FR") == ["2026-11-27", "2026-12-25", "2027-01-29", "2027-02-26"]

    def test_a_month_without_a_fifth_thursday_is_left_out(self) -> None:
        assert dates("FREQ=MONTHLY;BYDAY=5TH", until_on="2027-05-01") == ["2026-12-31", "2027-04-29"]

    def test_every_third_month_counts_from_the_month_of_the_start(self) -> None:
        assert dates("FREQ=MONTHLY;BYDAY=2TU;INTERVAL=3", until_on="2027-12-31", from_on="2027-01-01") == [
            "2027-02-09",
            "2027-05-11",
            "2027-08-10",
            "2027-11-09",
        ]

    def test_a_date_that_two_parts_of_a_rule_mean_comes_once(self) -> None:
        assert dates("FREQ=MONTHLY;BYDAY=4TU,-1TU") == [
            "2026-11-24",
            "2026-12-22",
            "2026-12-29",
            "2027-01-26",
            "2027-02-23",
        ]

    def test_nothing_comes_from_before_the_start(self) -> None:
        assert dates("FREQ=WEEKLY;BYDAY=TU", from_on="2020-01-01", until_on="2026-11-30") == ["2026-11-24"]

    def test_an_empty_range_has_no_dates(self) -> None:
        assert dates("FREQ=WEEKLY;BYDAY=TU", until_on="2026-11-23") == []

    @pytest.mark.parametrize("rule", ["FREQ=WEEKLY;BYDAY=FR;INTERVAL=12", "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=12"])
    def test_the_end_of_the_calendar_is_the_end(self, rule: str) -> None:
        found = dates(rule, starts_on="9998-12-01", until_on="9999-12-31")
        assert found
        assert found[-1] <= "9999-12-31"


class TestRules:
    @pytest.mark.parametrize(
        "wrong",
        [
            "",
            "TU",
            "every Tuesday",
            "FREQ=DAILY",
            "FREQ=DAILY;BYDAY=TU",
            "FREQ=YEARLY;BYDAY=2TU",
            "FREQ=HOURLY",
            "FREQ=SECONDLY",
            "FREQ=WEEKLY",
            "BYDAY=TU",
            "FREQ=WEEKLY;BYDAY=",
            "FREQ=WEEKLY;BYDAY=XX",
            "FREQ=WEEKLY;BYDAY=TU,",
            "FREQ=WEEKLY;BYDAY=TU,TU",
            "FREQ=WEEKLY;BYDAY=2TU",
            "FREQ=MONTHLY;BYDAY=TU",
            "FREQ=MONTHLY;BYDAY=0TU",
            "FREQ=MONTHLY;BYDAY=6TU",
            "FREQ=MONTHLY;BYDAY=-2TU",
            "FREQ=MONTHLY;BYDAY=2TU,2TU",
            "FREQ=MONTHLY;BYMONTHDAY=13",
            "FREQ=WEEKLY;BYDAY=TU;COUNT=10",
            "FREQ=WEEKLY;BYDAY=TU;UNTIL=20271231T000000Z",
            "FREQ=WEEKLY;BYDAY=TU;BYSETPOS=1",
            "FREQ=WEEKLY;BYDAY=TU;WKST=SU",
            "FREQ=WEEKLY;BYDAY=TU;INTERVAL=0",
            "FREQ=WEEKLY;BYDAY=TU;INTERVAL=13",
            "FREQ=WEEKLY;BYDAY=TU;INTERVAL=-1",
            "FREQ=WEEKLY;BYDAY=TU;INTERVAL=1.5",
            "FREQ=WEEKLY;BYDAY=TU;INTERVAL=",
            "FREQ=WEEKLY;BYDAY=TU;INTERVAL=٣",
            "FREQ=WEEKLY;BYDAY=TU;INTERVAL=" + "9" * 5000,
            "FREQ=WEEKLY;BYDAY=TU;BYDAY=FR",
            "FREQ=WEEKLY;FREQ=WEEKLY;BYDAY=TU",
            "FREQ=WEEKLY;BYDAY=TU;",
            "RRULE:FREQ=WEEKLY;BYDAY=TU",
            "FREQ=WEEKLY;BYDAY=TU\nDTSTART:20260101",
        ],
    )
    def test_every_other_rule_is_refused_by_name(self, wrong: str) -> None:
        with pytest.raises(Invalid, match="The rule is not possible") as refused:
            recurrence.parse(wrong)
        assert list(refused.value.errors) == ["rule"]

    @pytest.mark.parametrize("interval", range(1, 13))
    def test_an_interval_of_up_to_twelve_is_understood(self, interval: int) -> None:
        assert recurrence.parse(f"FREQ=MONTHLY;BYDAY=1MO;INTERVAL={interval}").interval == interval

    def test_case_and_order_of_the_parts_do_not_matter(self) -> None:
        assert recurrence.parse("byday=tu;freq=weekly") == recurrence.parse("FREQ=WEEKLY;BYDAY=TU")


class TestOccurrences:
    @pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/Lisbon", "America/Los_Angeles", "Australia/Lord_Howe"])
    def test_tuesday_eleven_stays_eleven_on_the_wall_all_year(self, zone: str) -> None:
        shown = [at.astimezone(another_reader(zone)) for at in starts("FREQ=WEEKLY;BYDAY=TU", "11:00", zone)]
        assert len(shown) == 53
        assert {(at.weekday(), at.hour, at.minute) for at in shown} == {(1, 11, 0)}
        assert len({at.utcoffset() for at in shown}) == 2, "the year has both offsets of the zone"

    def test_the_weeks_of_the_clock_changes_in_berlin(self) -> None:
        found = starts("FREQ=WEEKLY;BYDAY=TU", "11:00", "Europe/Berlin")
        around = [f"{at:%Y-%m-%d %H}" for at in found if at.month in {3, 10} and at.day >= 20]
        assert around == ["2026-10-20 09", "2026-10-27 10", "2027-03-23 10", "2027-03-30 09"]

    def test_a_start_in_the_repeated_hour_is_in_its_first_pass(self) -> None:
        (at,) = starts(
            "FREQ=WEEKLY;BYDAY=SU", "02:30", "Europe/Berlin", from_on=date(2026, 10, 25), until_on=date(2026, 10, 25)
        )
        assert at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    def test_an_occurrence_knows_its_date_on_the_wall_and_not_in_utc(self) -> None:
        (one,) = recurrence.occurrences(
            recurrence.parse("FREQ=WEEKLY;BYDAY=TU"),
            starts_on=date(2026, 11, 24),
            start_time=time(1),
            time_zone="Asia/Tokyo",
            from_on=date(2026, 11, 24),
            until_on=date(2026, 11, 24),
        )
        assert (one.on, one.starts_at) == (date(2026, 11, 24), datetime(2026, 11, 23, 16, 0, tzinfo=UTC))

    def test_two_hundred_occurrences_are_expanded_and_one_more_is_refused(self) -> None:
        last = FIRST + timedelta(days=MOST - 1)
        assert len(starts(EVERY_DAY, "11:00", "UTC", until_on=last)) == MOST
        with pytest.raises(Invalid, match="more than 200 sessions") as refused:
            starts(EVERY_DAY, "11:00", "UTC", until_on=last + timedelta(days=1))
        assert list(refused.value.errors) == ["rule"]

    def test_a_rule_of_ten_thousand_occurrences_is_left_after_the_two_hundred_and_first(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn = []

        def counting(*given: object, **named: object) -> object:
            for on in dates_of(*given, **named):  # type: ignore[arg-type]
                drawn.append(on)
                yield on

        dates_of = recurrence.dates
        monkeypatch.setattr(recurrence, "dates", counting)
        with pytest.raises(Invalid):
            starts(EVERY_DAY, "11:00", "UTC", until_on=date(9999, 12, 31))
        assert len(drawn) == MOST + 1


EVERY_DAY = f"FREQ=WEEKLY;BYDAY={','.join(WEEKDAYS)}"


def another_reader(name: str) -> ZoneInfo:
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


OTHER = {name: another_reader(name) for name in ZONES}
INTERVALS = st.integers(1, 12)
WEEKLY = st.builds(
    lambda days, interval: f"FREQ=WEEKLY;BYDAY={','.join(days)};INTERVAL={interval}",
    st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=3, unique=True),
    INTERVALS,
)
MONTHLY = st.builds(
    lambda days, interval: f"FREQ=MONTHLY;BYDAY={','.join(days)};INTERVAL={interval}",
    st.lists(
        st.builds("{}{}".format, st.sampled_from([1, 2, 3, 4, 5, -1]), st.sampled_from(WEEKDAYS)),
        min_size=1,
        max_size=3,
        unique=True,
    ),
    INTERVALS,
)


@given(
    rule=WEEKLY | MONTHLY,
    starts_on=st.dates(date(2025, 6, 1), date(2027, 6, 1)),
    ahead=st.integers(-400, 400),
    length=st.integers(0, 500),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    zone=st.sampled_from(ZONES),
)
def test_another_expander_finds_the_same_instants(
    rule: str, starts_on: date, ahead: int, length: int, at: time, zone: str
) -> None:
    from_on = starts_on + timedelta(days=ahead)
    until_on = from_on + timedelta(days=length)
    walls = rrule.rrulestr(rule, dtstart=datetime.combine(starts_on, at))
    expected = [
        wall.replace(tzinfo=OTHER[zone], fold=0).astimezone(UTC)
        for wall in takewhile(lambda wall: wall.date() <= until_on, walls)
        if wall.date() >= from_on
    ]
    if len(expected) > MOST:
        with pytest.raises(Invalid):
            expand(rule, starts_on, at, zone, from_on=from_on, until_on=until_on)
    else:
        assert expand(rule, starts_on, at, zone, from_on=from_on, until_on=until_on) == expected


def expand(rule: str, starts_on: date, at: time, zone: str, *, from_on: date, until_on: date) -> list[datetime]:
    found = recurrence.occurrences(
        recurrence.parse(rule), starts_on=starts_on, start_time=at, time_zone=zone, from_on=from_on, until_on=until_on
    )
    return [occurrence.starts_at for occurrence in found]
