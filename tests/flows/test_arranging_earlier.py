"""A change that is still to come: dates before it have exceptions as ever, by the rule that holds until then."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from conference_orchestrator.flows import arranging, hosting, rounds
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.scheduling.host_pool import HostBooking
from conference_orchestrator.scheduling.series import EarlierRule
from conference_orchestrator.scheduling.sessions import Session
from tests.flows.round_of_a_group import Round
from tests.house import HELPDESK, House
from tests.scheduling.stage import TUESDAY, WEEK, ProviderWithHosts, Stage

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FIRST, SECOND, THIRD, FOURTH = (date(2026, 11, 24) + weeks * WEEK for weeks in range(4))
THURSDAY = date(2026, 11, 26)
CHANGED_ON = date(2026, 12, 14)
NEW = date(2026, 12, 17)  # the first Thursday of the changed round


class ChangingRound(Round):
    """Tuesdays at eleven with two slots; from 14 December on Thursdays at three with three."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.change(from_on=CHANGED_ON, rule="FREQ=WEEKLY;BYDAY=TH", start_time=time(15), slots=3)

    def change(self, **changes: Any) -> Any:
        return arranging.change_series(self.id, changes, by=HELPDESK)

    def shapes(self, *, until: date = NEW) -> list[str]:
        """When the sessions are held, and with how many slots."""
        planned = [s for s in self.stage.sessions() if s.state == "planned" and s.occurrence_on <= until]
        return [f"{wall(s.starts_at, 'Europe/Berlin'):%d.%m. %H:%M}, {len(self.open_slots(s))}" for s in planned]

    def open_slots(self, session: Session) -> list[Any]:
        return [slot for slot in self.stage.slots(session.id) if not slot.withdrawn]


STANDING = ["24.11. 11:00, 2", "01.12. 11:00, 2", "08.12. 11:00, 2", "17.12. 15:00, 3"]


@pytest.fixture
def changing(round_of_tuesdays: Stage) -> ChangingRound:
    return ChangingRound(round_of_tuesdays)


@pytest.fixture
def busy(full: Stage) -> ChangingRound:
    return ChangingRound(full)


class TestBeforeTheChange:
    def test_a_date_is_skipped_and_taken_back(self, changing: ChangingRound) -> None:
        session_id = changing.on(SECOND).id
        changing.add(SECOND, "skip")
        assert changing.on(SECOND).reason == "Not on this date: the round skips it."
        assert changing.shapes() == [STANDING[0], *STANDING[2:]]
        changing.remove(SECOND)
        assert changing.on(SECOND).id == session_id
        assert changing.shapes() == STANDING

    def test_a_date_is_moved_and_taken_back(self, changing: ChangingRound) -> None:
        changing.add(SECOND, "move", starts_at=TUESDAY + WEEK + 26 * HOUR)
        assert changing.shapes() == [STANDING[0], "02.12. 13:00, 2", *STANDING[2:]]
        changing.remove(SECOND)
        assert changing.shapes() == STANDING

    def test_an_extra_session_has_the_hour_and_the_slots_of_then(self, changing: ChangingRound) -> None:
        changing.add(THURSDAY, "extra")
        assert changing.shapes() == [STANDING[0], "26.11. 11:00, 2", *STANDING[1:]]
        changing.remove(THURSDAY)
        assert changing.shapes() == STANDING

    def test_a_pause_across_the_change_leaves_out_dates_of_both_rules_and_gives_both_back(
        self, changing: ChangingRound
    ) -> None:
        changing.add(THIRD, "pause", until_on=NEW)
        assert changing.shapes() == STANDING[:2]
        changing.remove(THIRD)
        assert changing.shapes() == STANDING

    def test_a_pause_that_ends_before_the_change_leaves_the_changed_round_alone(self, changing: ChangingRound) -> None:
        changing.add(SECOND, "pause", until_on=CHANGED_ON - timedelta(days=1))
        assert changing.shapes() == [STANDING[0], STANDING[3]]

    def test_a_pause_that_was_there_before_the_change_is_taken_back_whole(self, round_of_tuesdays: Stage) -> None:
        """Its dates had no sessions yet when the round was changed far ahead."""
        stage, far = round_of_tuesdays, FIRST + 60 * WEEK
        pausing = stage.sessions()[0].series_id
        pause = {"on": FIRST + 30 * WEEK, "kind": "pause", "until_on": FIRST + 40 * WEEK}
        arranging.add_exception(pausing, pause, by=HELPDESK)
        arranging.change_series(pausing, {"from_on": far, "slots": 1}, by=HELPDESK)
        arranging.remove_exception(pausing, FIRST + 30 * WEEK, by=HELPDESK)
        dates = [s.occurrence_on for s in stage.sessions() if s.state == "planned" and s.occurrence_on < far]
        assert dates == [FIRST + weeks * WEEK for weeks in range(60)]

    def test_each_of_several_changes_to_come_has_its_rule(self, changing: ChangingRound) -> None:
        """Tuesdays, from 14 December on Thursdays, from 4 January on Mondays; a pause over all of that."""
        changing.change(from_on=date(2027, 1, 4), rule="FREQ=WEEKLY;BYDAY=MO", slots=1)
        until = date(2027, 1, 11)
        before = changing.shapes(until=until)
        assert before[3:] == [
            "17.12. 15:00, 3",
            "24.12. 15:00, 3",
            "31.12. 15:00, 3",
            "04.01. 15:00, 1",
            "11.01. 15:00, 1",
        ]
        changing.add(SECOND, "pause", until_on=date(2027, 1, 4))
        assert changing.shapes(until=until) == ["24.11. 11:00, 2", "11.01. 15:00, 1"]
        changing.remove(SECOND)
        assert changing.shapes(until=until) == before

    def test_who_loses_a_slot_comes_first_on_the_list(self, busy: ChangingRound) -> None:
        foreseen = busy.add(FIRST, "skip", preview=True)
        assert busy.on(FIRST).state == "planned"
        before = {mail.id for mail in busy.stage.house.messages()}
        busy.add(FIRST, "skip")
        busy.stage.work()
        sent = [mail for mail in busy.stage.house.messages() if mail.id not in before]
        assert (foreseen.mails, len(foreseen.requests)) == (len(sent), 2)
        assert foreseen.mails > 0
        assert [busy.stage.request(one).request.state for one in foreseen.requests] == ["waiting"] * 2

    def test_what_a_person_moved_by_hand_stays_where_it_is(self, changing: ChangingRound) -> None:
        rounds.move(changing.on(FIRST).id, TUESDAY + HOUR, by=HELPDESK)
        changing.add(SECOND, "skip")
        assert changing.on(FIRST).starts_at == TUESDAY + HOUR

    def test_its_last_day_lasts_as_long_as_by_its_own_clocks(self, round_of_tuesdays: Stage) -> None:
        """At one in the afternoon in Berlin the day after has begun in Auckland, where the round goes from then on."""
        moving = Round(round_of_tuesdays)
        changes = {"from_on": SECOND + timedelta(days=1), "time_zone": "Pacific/Auckland"}
        arranging.change_series(moving.id, changes, by=HELPDESK)
        evening = TUESDAY + WEEK + 8 * HOUR
        moving.add(SECOND, "move", starts_at=evening)
        moving.stage.house.clock.at = TUESDAY + WEEK + 2 * HOUR
        moving.remove(SECOND)
        assert moving.on(SECOND).starts_at == evening, "its usual hour has passed"
        moving.add(SECOND, "skip")
        assert moving.on(SECOND).state == "cancelled"


class TestOnceTheChangeHolds:
    def test_the_rule_of_before_says_nothing_any_more(self, changing: ChangingRound) -> None:
        changing.stage.house.clock.move_on(4 * WEEK)
        with pytest.raises(Invalid, match="This date has passed"):
            changing.add(THIRD, "skip")
        changing.add(date(2026, 12, 24), "skip")
        assert changing.on(date(2026, 12, 24)).state == "cancelled"

    def test_an_exception_of_before_is_taken_back_and_changes_nothing(self, changing: ChangingRound) -> None:
        changing.add(SECOND, "skip")
        changing.stage.house.clock.move_on(4 * WEEK)
        assert changing.remove(SECOND) == Touched()
        assert changing.on(SECOND).state == "cancelled"

    def test_a_change_from_today_on_leaves_no_rule_of_before(self, round_of_tuesdays: Stage, house: House) -> None:
        arranging.change_series(round_of_tuesdays.sessions()[0].series_id, {"slots": 1}, by=HELPDESK)
        assert house.count(EarlierRule) == 0


class TestRefused:
    @pytest.mark.parametrize(
        ("on", "kind", "said"),
        [
            (THURSDAY, "skip", "The round does not meet on this date."),
            (FOURTH, "skip", "The round does not meet on this date."),
            (SECOND, "extra", "The round meets on this date anyway."),
        ],
    )
    def test_what_the_rule_of_then_does_not_give(self, changing: ChangingRound, on: date, kind: str, said: str) -> None:
        with pytest.raises(Invalid) as refused:
            changing.add(on, kind)
        assert refused.value.errors == {"on": [said]}

    def test_the_preview_of_a_change_keeps_no_rule(self, round_of_tuesdays: Stage, house: House) -> None:
        changes = {"from_on": CHANGED_ON, "slots": 1}
        arranging.change_series(round_of_tuesdays.sessions()[0].series_id, changes, by=HELPDESK, preview=True)
        assert house.count(EarlierRule) == 0

    def test_what_was_changed_before_rules_were_kept(self, changing: ChangingRound) -> None:
        """As a database has it that comes from an older version: the sessions are all that is known."""
        changing.add(SECOND, "skip")
        db.session.execute(delete(EarlierRule))
        db.session.commit()
        with pytest.raises(Invalid, match="The round is arranged from 14 December 2026 on"):
            changing.add(FIRST, "skip")
        with pytest.raises(RuleBroken, match="The round was changed from 14 December 2026 on"):
            changing.remove(SECOND)
        assert changing.on(FIRST).state == "planned"


class TestSessionsOfThen:
    def test_the_host_comes_as_long_before_as_the_rule_of_then_says(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        stage.provide(ProviderWithHosts())
        hosting.add_host({"provider": "mock", "email": "ann@hosts.example", "capacity": 1, "kinds": []})
        changes = {"from_on": SECOND, "host_margin_minutes": 30}
        arranging.change_series(stage.first().series_id, changes, by=HELPDESK)
        for _ in range(3):
            stage.allocated()
        held = db.session.scalars(db.select(HostBooking.starts_at).order_by(HostBooking.starts_at)).all()
        assert held == [TUESDAY, TUESDAY + WEEK - 30 * MINUTE]

    def test_a_session_that_moves_has_the_holidays_of_the_rule_of_then(self, round_of_tuesdays: Stage) -> None:
        holidays = {"countries": ["PT"], "action": "flag"}
        changes = {"from_on": date(2027, 1, 4), "holidays": holidays}
        first = round_of_tuesdays.first()
        arranging.change_series(first.series_id, changes, by=HELPDESK)
        rounds.move(first.id, datetime(2026, 12, 8, 13, tzinfo=TUESDAY.tzinfo), by=HELPDESK)
        moved = db.session.get_one(Session, first.id)
        assert (moved.occurrence_on, moved.starts_at.day, moved.holidays) == (FIRST, 8, [])
