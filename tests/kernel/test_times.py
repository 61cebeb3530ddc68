"""Wall times and instants, for every zone and both kinds of clock change, against a reader that shares no code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.times import SystemClock

ZONES = (
    "Europe/Berlin",
    "Europe/Lisbon",
    "Europe/Dublin",
    "Europe/Athens",
    "Atlantic/Azores",
    "America/Los_Angeles",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "UTC",
)


def other(name: str) -> ZoneInfo:
    """The zone as the standard library reads it from the package tzdata, whatever the machine has."""
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


OTHER = {name: other(name) for name in ZONES}
WALLS = st.datetimes(datetime(2025, 1, 1), datetime(2030, 12, 31, 23, 59)).map(  # noqa: DTZ001  - wall times
    lambda wall: wall.replace(second=0, microsecond=0)
)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(wall=WALLS, name=st.sampled_from(ZONES))
def test_a_wall_time_is_the_instant_that_another_reader_of_zones_finds(wall: datetime, name: str) -> None:
    # With fold=0 the standard library takes the first pass of a repeated hour and moves a skipped one on by the gap.
    assert times.instant(wall, name) == wall.replace(tzinfo=OTHER[name], fold=0).astimezone(UTC)


def changes(name: str) -> list[datetime]:
    """The last whole hours before the clock changes of five years."""

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(OTHER[name]).utcoffset()

    day, hour = timedelta(days=1), timedelta(hours=1)
    days = [datetime(2026, 1, 1, tzinfo=UTC) + n * day for n in range(5 * 365)]
    around = [at + n * hour for at in days if offset(at) != offset(at + day) for n in range(24)]
    return [at for at in around if offset(at) != offset(at + hour)]


@pytest.mark.parametrize("name", ZONES)
def test_every_quarter_hour_around_the_clock_changes_of_five_years_agrees_with_another_reader(name: str) -> None:
    for at in changes(name):
        middle = at.astimezone(OTHER[name]).replace(tzinfo=None)
        for quarter in range(-12, 13):
            shown = middle + quarter * timedelta(minutes=15)
            assert times.instant(shown, name) == shown.replace(tzinfo=OTHER[name], fold=0).astimezone(UTC), shown


def test_the_search_for_clock_changes_finds_them() -> None:
    assert [at.isoformat()[:13] for at in changes("Europe/Berlin")[1:3]] == ["2026-10-25T00", "2027-03-28T00"]
    assert changes("UTC") == []


@pytest.mark.parametrize(
    ("day", "utc"),
    [("2026-10-20", 9), ("2026-10-27", 10), ("2027-03-23", 10), ("2027-03-30", 9)],
)
def test_eleven_in_berlin_is_eleven_on_both_sides_of_a_clock_change(day: str, utc: int) -> None:
    at = times.instant(wall(f"{day}T11:00"), "Europe/Berlin")
    assert at == datetime.fromisoformat(f"{day}T{utc:02}:00+00:00")
    assert times.wall(at, "Europe/Berlin") == wall(f"{day}T11:00")


def test_a_repeated_hour_counts_in_its_first_pass() -> None:
    assert times.instant(wall("2026-10-25T02:30"), "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_skipped_hour_moves_forward_by_the_gap() -> None:
    at = times.instant(wall("2027-03-28T02:30"), "Europe/Berlin")
    assert times.wall(at, "Europe/Berlin") == wall("2027-03-28T03:30")


def test_only_the_skipped_hour_is_skipped() -> None:
    shown = ["2027-03-28T01:59", "2027-03-28T02:00", "2027-03-28T02:59", "2027-03-28T03:00", "2026-10-25T02:30"]
    assert [times.on_the_wall(wall(text), "Europe/Berlin")[1] for text in shown] == [False, True, True, False, False]


def test_an_instant_is_shown_with_the_offset_of_that_instant() -> None:
    summer = times.local(datetime(2026, 7, 1, 9, tzinfo=UTC), "Europe/Berlin")
    winter = times.local(datetime(2026, 12, 1, 9, tzinfo=UTC), "Europe/Berlin")
    assert (summer.isoformat(), winter.isoformat()) == ("2026-07-01T11:00:00+02:00", "2026-12-01T10:00:00+01:00")


def test_an_instant_of_any_offset_is_shown_alike() -> None:
    at = datetime(2026, 7, 1, 18, tzinfo=timezone(timedelta(hours=9)))
    assert times.wall(at, "Europe/Berlin") == wall("2026-07-01T11:00")


@pytest.mark.parametrize("name", ["europe/berlin", "Europe/Atlantis", "CEST", "", "+01:00", "../etc/passwd"])
def test_an_unknown_zone_is_refused_by_name(name: str) -> None:
    assert not times.is_zone(name)
    with pytest.raises(Invalid) as refused:
        times.instant(wall("2026-11-24T11:00"), name)
    assert list(refused.value.errors) == ["time_zone"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("europe/berlin", "Europe/Berlin"), ("Europe/Berlin", "Europe/Berlin"), ("UTC", "UTC"), ("Mars/Olympus", None)],
)
def test_a_zone_that_others_write_in_another_case_is_known(written: str, meant: str | None) -> None:
    assert times.zone_in_any_case(written) == meant


def test_naive_and_aware_are_never_confused() -> None:
    aware, naive = datetime(2026, 11, 24, 11, tzinfo=UTC), wall("2026-11-24T11:00")
    with pytest.raises(TypeError, match="a wall time is naive"):
        times.instant(aware, "Europe/Berlin")
    for takes_instants in (times.rfc3339, lambda at: times.local(at, "UTC"), lambda at: times.wall(at, "UTC")):
        with pytest.raises(TypeError, match="an instant is aware"):
            takes_instants(naive)


def test_an_instant_is_written_in_utc_with_z() -> None:
    assert times.rfc3339(datetime(2026, 7, 1, 11, tzinfo=timezone(timedelta(hours=2)))) == "2026-07-01T09:00:00Z"
    assert times.rfc3339(datetime(2026, 7, 1, 9, 0, 0, 500, tzinfo=UTC)) == "2026-07-01T09:00:00.000500Z"


def test_the_machines_clock_tells_an_aware_time_in_utc() -> None:
    assert SystemClock().now().tzinfo == UTC
