"""The yearly rule of a zone's clocks is what the zone does, or there is none."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
import pytz

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.times import ClockRule, clock_rule, nth_weekday

HOUR = timedelta(hours=1)


def offset_by(rule: ClockRule, at: datetime) -> timedelta:
    """How far the clocks are ahead at the instant, by the rule alone."""
    passed = []
    for year in range(at.year - 1, at.year + 1):
        for change in rule.changes:
            on = nth_weekday(year, change.month, change.nth, change.weekday)
            instant = datetime.combine(on, change.at, tzinfo=UTC) - change.before
            passed += [(instant, change.after)] if instant <= at else []
    return max(passed)[1] if passed else rule.offset


def test_the_clocks_of_berlin_go_forward_in_march_and_back_in_october() -> None:
    rule = clock_rule("Europe/Berlin")
    assert rule is not None
    assert (rule.offset, rule.name) == (HOUR, "CET")
    forward, back = rule.changes
    assert (forward.month, forward.nth, forward.weekday, forward.at, forward.name) == (3, -1, 6, time(2), "CEST")
    assert (back.month, back.nth, back.weekday, back.at, back.name) == (10, -1, 6, time(3), "CET")
    assert (forward.before, forward.after, back.before, back.after) == (HOUR, 2 * HOUR, 2 * HOUR, HOUR)


@pytest.mark.parametrize("zone", [z for z in pytz.common_timezones if z.startswith(("Europe/", "Atlantic/"))])
def test_every_zone_of_europe_has_a_rule_that_holds_each_day_until_2029(zone: str) -> None:
    rule = clock_rule(zone)
    assert rule is not None
    days = [datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(4 * 365)]
    assert [offset_by(rule, at) for at in days] == [times.local(at, zone).utcoffset() for at in days]


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "America/Nuuk", "Asia/Jerusalem", "America/Santiago"])
def test_a_zone_whose_clocks_no_calendar_can_express_has_no_rule(zone: str) -> None:
    assert clock_rule(zone) is None


def test_a_rule_that_the_zone_does_not_follow_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "zone", lambda _: pytz.timezone("Europe/London"))
    clock_rule.cache_clear()
    assert clock_rule("Europe/Berlin") is None
    monkeypatch.undo()
    clock_rule.cache_clear()
    assert clock_rule("Europe/Berlin") is not None


def test_a_zone_without_changes_has_its_offset_alone() -> None:
    assert clock_rule("Asia/Kolkata") == ClockRule(5.5 * HOUR, "IST")


@pytest.mark.parametrize(
    ("nth", "weekday", "on"), [(1, 6, date(2026, 3, 1)), (2, 1, date(2026, 3, 10)), (-1, 6, date(2026, 3, 29))]
)
def test_a_weekday_of_a_month_is_counted_from_its_beginning_or_its_end(nth: int, weekday: int, on: date) -> None:
    assert nth_weekday(2026, 3, nth, weekday) == on
