"""Clocks that change: a round stays at its hour on the wall, and what was told is not told again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from conference_orchestrator.flows import arranging, delivering, watching
from conference_orchestrator.jobs.timetable import EVERY
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel import times
from conference_orchestrator.scheduling import waiting_list
from tests.flows.whole_timetable import DESK, HOUR, Service, begin
from tests.scheduling.stage import Stage

WEEKS = 104
ELEVEN = time(11)
# The zone, and a Tuesday whose session has the change between its first warning and its start.
CHANGES = [
    ("Europe/Berlin", date(2026, 10, 27)),
    ("Europe/Lisbon", date(2027, 3, 30)),
    ("America/New_York", date(2026, 11, 3)),
    ("Europe/Berlin", date(2027, 1, 1)),
]
# The digest is a matter of mornings, and has tests of its own.
NAMES = [name for name in EVERY if name != "send-digest"]
OF_ONE_SESSION = {
    ("jörg", watching.TITLES["warning"]): 1,
    (DESK, watching.TITLES["warning"]): 1,
    ("jörg", watching.TITLES["at-risk"]): 1,
    (DESK, watching.TITLES["at-risk"]): 1,
    (DESK, "A registration is overdue"): 1,
    ("inês", "slot-offer"): 1,
    ("jörg", "slot-offer"): 1,
    ("rui", "invitation-cancel"): 1,  # it is rui who gave the slot back
    **{(name, "reminder"): 1 for name in ("zoé", "łucja", "jörg", "rui")},  # the next look is at the start
}


def starts(stage: Stage, *, zone: str) -> list[datetime]:
    """The starts of a weekly round at eleven, extended week by week by the timer's work, on the wall of its zone."""
    first = date(2026, 10, 6)
    stage.house.clock.at = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
    stage.meet(starts_on=first, time_zone=zone)
    for _ in range(WEEKS):
        stage.house.clock.move_on(timedelta(weeks=1))
        WORK["extend-rounds"]({})
    assert [session.occurrence_on - first for session in stage.sessions()] == [
        timedelta(weeks=week) for week in range(len(stage.sessions()))
    ]
    return [session.starts_at.astimezone(ZoneInfo(zone)) for session in stage.sessions()]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/Lisbon", "America/New_York"])
def test_the_round_stays_at_eleven_for_two_years(stage: Stage, zone: str) -> None:
    on_the_wall = starts(stage, zone=zone)
    assert len(on_the_wall) > WEEKS
    assert {at.time() for at in on_the_wall} == {ELEVEN}
    assert [at.date() for at in on_the_wall] == [session.occurrence_on for session in stage.sessions()]
    assert len({at.utcoffset() for at in on_the_wall}) == 2, "both changes lie within"
    assert {slot.starts_at - of.starts_at for of in stage.sessions()[::13] for slot in stage.slots(of.id)} == {
        timedelta(),
        timedelta(minutes=20),
    }


def test_a_round_that_adds_weeks_to_an_instant_does_not_stay_at_eleven(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    in_summer = timedelta(hours=2)
    monkeypatch.setattr(times, "on_the_wall", lambda wall, _: ((wall - in_summer).replace(tzinfo=UTC), False))
    assert {at.time() for at in starts(stage, zone="Europe/Berlin")} == {ELEVEN, time(10)}


def instant_of(zone: str, on: date) -> datetime:
    return datetime.combine(on, ELEVEN, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def service(stage: Stage, zone: str, on: date) -> Service:
    weekday = ("MO", "TU", "WE", "TH", "FR")[on.weekday()]
    round_ = {"rule": f"FREQ=WEEKLY;BYDAY={weekday}", "starts_on": on, "ends_on": on, "time_zone": zone}
    return begin(stage, instant_of(zone, on), **round_)


def back_and_forth(made: Service, starts_at: datetime) -> Counter[tuple[str, str]]:
    """From eighty hours before the session until it is over everything runs, each time again an hour earlier and later.

    What was told, without what was told before that.
    """
    before = made.told()
    made.free()
    for hours in range(-80, 9, 8):
        for shift in (0, -1, 0, 1, 0):
            made.at(starts_at + (hours + shift) * HOUR, names=NAMES)
    return made.told() - before


@pytest.mark.parametrize(("zone", "on"), CHANGES)
def test_nothing_is_told_twice_when_the_clock_goes_an_hour_back_or_forth(stage: Stage, zone: str, on: date) -> None:
    made = service(stage, zone, on)
    assert back_and_forth(made, instant_of(zone, on)) == OF_ONE_SESSION
    assert [session.state for session in stage.sessions()] == ["held"]


def test_warnings_are_told_again_once_nothing_remembers_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: neither the session's marks nor the causes of the mails are kept."""
    made, number, draft = service(stage, *CHANGES[0]), count(), delivering.draft

    def forgetful(*facts: Any, cause: str, **more: Any) -> Any:
        return draft(*facts, cause=f"{cause}:{next(number)}", **more)

    monkeypatch.setattr(watching, "_mark", lambda *_, **__: None)
    monkeypatch.setattr(delivering, "draft", forgetful)
    told = back_and_forth(made, instant_of(*CHANGES[0]))
    assert told["jörg", watching.TITLES["warning"]] > 1
    assert told["jörg", watching.TITLES["at-risk"]] > 1


@pytest.mark.parametrize("keeper", ["marks", "causes"])
def test_each_of_two_memories_alone_keeps_a_warning_from_being_told_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, keeper: str
) -> None:
    made, number, draft = service(stage, *CHANGES[0]), count(), delivering.draft
    if keeper == "causes":
        monkeypatch.setattr(watching, "_mark", lambda *_, **__: None)
    else:
        monkeypatch.setattr(
            delivering, "draft", lambda *facts, cause, **more: draft(*facts, cause=f"{cause}:{next(number)}", **more)
        )
    assert back_and_forth(made, instant_of(*CHANGES[0])) == OF_ONE_SESSION


def test_a_slot_is_offered_again_and_again_once_nobody_remembers_who_had_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    made = service(stage, *CHANGES[0])
    monkeypatch.setattr(waiting_list, "declined", lambda _: set())
    assert back_and_forth(made, instant_of(*CHANGES[0]))["inês", "slot-offer"] > 1


def test_a_round_is_extended_once_though_the_clock_goes_back(stage: Stage) -> None:
    stage.meet()
    for hours in (1, -1, 24 * 7, -1, 1, 0):
        stage.house.clock.move_on(hours * HOUR)
        arranging.extend()
    dates = Counter(session.occurrence_on for session in stage.sessions())
    assert set(dates.values()) == {1}
