"""No reminder twice and none for the past: with several timers, a clock that jumps, and after a downtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from conference_orchestrator.flows import delivering, reminding
from conference_orchestrator.flows.delivering import open_mail
from conference_orchestrator.flows.reminding import Coming
from conference_orchestrator.jobs.timetable import EVERY, tick
from conference_orchestrator.ledger import reminders
from conference_orchestrator.ledger.reminders import Reminder
from conference_orchestrator.notify import kinds
from tests.house import House
from tests.mails import WORK
from tests.post import Post, told
from tests.scene import settle
from tests.scheduling.stage import TUESDAY, Stage

HOUR = timedelta(hours=1)
DOWN = 49 * HOUR
TIMERS = 5
# The session for three people, the first slot for two, the second for one.
OF_ONE_START = 6
# The second slot begins twenty minutes after the first: by then its reminders are due too.
DAY_BEFORE, HOUR_BEFORE = TUESDAY - 23 * HOUR, TUESDAY - timedelta(minutes=30)


def remind_at(house: House, at: datetime) -> int:
    """How many reminders there are after the timer has run at that time."""
    house.clock.at = at
    reminding.remind()
    return len(house.messages("reminder"))


def forget_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing keeps what was due."""

    def all_new(_: str, people: Collection[UUID], *, hours: Collection[int], **__: Any) -> list[tuple[UUID, int]]:
        return [(person, before) for person in people for before in hours]

    monkeypatch.setattr(reminders, "write_down", all_new)


def forget_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message has a cause of its own."""
    number, draft = count(), delivering.draft

    def forgetful(*facts: Any, cause: str, **more: Any) -> Any:
        return draft(*facts, cause=f"{cause}:{next(number)}", **more)

    monkeypatch.setattr(reminding, "draft", forgetful)


class TestTwoTimers:
    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    @pytest.mark.usefixtures("full")
    def test_timers_that_run_at_once_remind_each_person_once(self, house: House) -> None:
        house.clock.at = DAY_BEFORE
        assert house.at_once(TIMERS, lambda _: reminding.remind()) == [None] * TIMERS
        assert len(house.messages("reminder")) == OF_ONE_START
        # The reminder an hour before is still to come.
        assert house.count(Reminder) == OF_ONE_START

    @pytest.mark.usefixtures("full")
    def test_timers_remind_several_times_once_nothing_remembers(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        forget_rows(monkeypatch)
        forget_causes(monkeypatch)
        house.clock.at = DAY_BEFORE
        assert house.at_once(TIMERS, lambda _: reminding.remind()) == [None] * TIMERS
        assert len(house.messages("reminder")) == OF_ONE_START * TIMERS

    @pytest.mark.usefixtures("full")
    @pytest.mark.parametrize("forget", [forget_rows, forget_causes], ids=["causes", "rows"])
    def test_each_of_two_memories_alone_keeps_a_person_from_being_reminded_twice(
        self, house: House, monkeypatch: pytest.MonkeyPatch, forget: Any
    ) -> None:
        forget(monkeypatch)
        assert [remind_at(house, DAY_BEFORE) for _ in range(2)] == [OF_ONE_START] * 2


class TestClocks:
    def back_and_forth(self, full: Stage) -> Counter[tuple[str, str, str]]:
        """Hour by hour until it is over, each time again an hour earlier and later: who was reminded of which start."""
        for hours in range(-25, 3):
            for shift in (0, -1, 0, 1, 0):
                remind_at(full.house, TUESDAY + timedelta(minutes=20) + (hours + shift) * HOUR)
        mails = full.house.messages("reminder")
        return Counter((mail.address, mail.cause.partition(":")[0], mail.facts["starts_at"]) for mail in mails)

    def test_each_reminder_is_sent_once_though_the_clock_goes_back_and_forth(self, full: Stage) -> None:
        told = self.back_and_forth(full)
        assert len(told) == OF_ONE_START
        assert set(told.values()) == {2}, "a day and an hour before"

    def test_they_are_sent_again_and_again_once_nothing_remembers(
        self, full: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        forget_rows(monkeypatch)
        forget_causes(monkeypatch)
        assert min(self.back_and_forth(full).values()) > 2

    def test_the_longer_one_does_not_come_after_the_shorter(self, full: Stage) -> None:
        assert remind_at(full.house, HOUR_BEFORE) == OF_ONE_START
        assert remind_at(full.house, DAY_BEFORE) == OF_ONE_START

    def test_the_timer_asks_every_five_minutes(self, full: Stage) -> None:
        full.house.queue.tasks.clear()
        assert EVERY["send-reminders"] == timedelta(minutes=5)
        assert [tick("send-reminders"), tick("send-reminders")] == [True, False]
        full.house.clock.at = DAY_BEFORE
        settle(full.house, "send-reminders")
        assert len(full.house.messages("reminder")) == OF_ONE_START


@pytest.fixture
def down(stage: Stage) -> Stage:
    """Sessions on Tuesday and Friday, a case in each; everybody was invited eighty hours before Tuesday's."""
    stage.house.clock.at = TUESDAY - 80 * HOUR
    stage.meet(rule="FREQ=WEEKLY;BYDAY=TU,FR", starts_on=date(2026, 11, 24), ends_on=date(2026, 11, 27), slots=1)
    for case in ("CASE-1", "CASE-2"):
        stage.allocated(case_reference=case)
    settle(stage.house, *WORK, moving_the_clock=False)
    assert len(stage.sessions()) == 2
    assert remind_at(stage.house, TUESDAY - 30 * HOUR) == 0
    return stage


OF_TUESDAY = 4  # zoé, łucja and jörg, and rui with the case


def dropped(logs: list[Any]) -> Counter[str]:
    """How many reminders were dropped, by the reason."""
    found: Counter[str] = Counter()
    for line in logs:
        if line["event"] == "reminders are dropped":
            found[line["reason"]] += line["number"]
    return found


class TestDowntime:
    def test_after_49_hours_reminders_of_the_past_are_dropped_with_a_reason_and_once(self, down: Stage) -> None:
        up = TUESDAY - 30 * HOUR + DOWN
        with capture_logs() as logs:
            assert [remind_at(down.house, up + timedelta(minutes=minutes)) for minutes in (0, 5, 10)] == [0, 0, 0]
        assert dropped(logs) == {"it has begun": 2 * OF_TUESDAY}
        friday = TUESDAY + 72 * HOUR
        assert remind_at(down.house, friday - 24 * HOUR) == OF_TUESDAY, "what was to come, comes"

    def test_people_are_reminded_of_the_past_once_nobody_looks_at_the_clock(
        self, down: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(Coming, "has_begun", lambda *_: False)
        assert remind_at(down.house, TUESDAY - 30 * HOUR + DOWN) == OF_TUESDAY

    def test_of_several_that_are_due_at_once_only_the_latest_is_sent(self, down: Stage) -> None:
        with capture_logs() as logs:
            assert [remind_at(down.house, TUESDAY - HOUR / 2) for _ in range(3)] == [OF_TUESDAY] * 3
        assert dropped(logs) == {"a later reminder is due as well": OF_TUESDAY}
        assert {mail.cause.rpartition(":")[2] for mail in down.house.messages("reminder")} == {"1"}

    def test_several_are_sent_at_once_when_each_is_looked_at_alone(
        self, down: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        for hours in (24, 1):
            monkeypatch.setattr(Coming, "due", lambda *_, one=hours: [one])
            remind_at(down.house, TUESDAY - HOUR / 2)
        assert len([m for m in down.house.messages("reminder") if m.facts["starts_at"].startswith("2026-11-24")]) == (
            2 * OF_TUESDAY
        )

    def test_a_reminder_of_the_day_before_is_sent_late(self, down: Stage) -> None:
        assert remind_at(down.house, TUESDAY - 5 * HOUR) == OF_TUESDAY


class TestDelay:
    def delivered_after_the_start(self, down: Stage) -> tuple[str, str | None]:
        post = Post()
        open_mail.fill(down.house.app, lambda: post)
        remind_at(down.house, TUESDAY - HOUR)
        down.house.clock.at = TUESDAY
        delivering.deliver([mail.id for mail in down.house.messages("reminder")])
        rui = told("Rui Großmann", kind="reminder")
        assert ("rui" in post.names()) == (rui.state == "sent")
        return rui.state, rui.last_answer

    def test_a_reminder_that_is_delayed_until_the_start_is_not_sent(self, down: Stage) -> None:
        assert self.delivered_after_the_start(down) == ("suppressed", "not sent: outdated since 2026-11-24T10:00:00Z")

    def test_it_is_sent_all_the_same_once_nobody_looks_whether_it_is_outdated(
        self, down: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(kinds.Reminder, "outdated_at", None)
        assert self.delivered_after_the_start(down) == ("sent", "250 taken")
