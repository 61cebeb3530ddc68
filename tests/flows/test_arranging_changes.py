"""A round that changes from a date on: which sessions stay, which move, which fall out, and who is told."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import arranging, hosting, reconciling, rounds
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NoHostFree, RuleBroken, Stale
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import requests
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostBooking
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, ProviderWithHosts, Stage

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FIRST, SECOND = date(2026, 11, 24), date(2026, 12, 1)


def change(stage: Stage, *, preview: bool = False, **changes: Any) -> Any:
    return arranging.change_series(series_of(stage), changes, by=HELPDESK, preview=preview)


def series_of(stage: Stage) -> UUID:
    return stage.sessions()[0].series_id


def planned(stage: Stage) -> list[Session]:
    return [session for session in stage.sessions() if session.state == "planned"]


def starts(stage: Stage, many: int = 4) -> list[str]:
    return [f"{wall(session.starts_at, 'Europe/Berlin'):%d.%m. %H:%M}" for session in planned(stage)[:many]]


class TestTimes:
    def test_sessions_before_the_date_stay_and_those_from_it_on_are_at_the_new_time(
        self, round_of_tuesdays: Stage
    ) -> None:
        change(round_of_tuesdays, from_on=SECOND, start_time=time(14, 30))
        assert starts(round_of_tuesdays, 3) == ["24.11. 11:00", "01.12. 14:30", "08.12. 14:30"]
        assert len(planned(round_of_tuesdays)) == 26

    def test_without_a_date_it_changes_from_today_on(self, round_of_tuesdays: Stage) -> None:
        change(round_of_tuesdays, start_time=time(14, 30))
        assert starts(round_of_tuesdays, 2) == ["24.11. 14:30", "01.12. 14:30"]
        assert arranging.one_series(series_of(round_of_tuesdays), by=HELPDESK).from_on == date(2026, 11, 23)

    def test_sessions_keep_their_ids_and_cases_and_calendar_objects(self, full: Stage) -> None:
        before = [session.id for session in full.sessions()]
        invited = sorted((mail["to"], mail["uid"]) for mail in full.mails("invitation"))
        change(full, rule="FREQ=WEEKLY;BYDAY=TH", start_time=time(9))
        full.work()
        assert [session.id for session in full.sessions()] == before
        assert starts(full, 2) == ["26.11. 09:00", "03.12. 09:00"]
        assert [one.case_reference for one in requests.holding_slots_of(full.first().id)] == ["CPMS-1", "CPMS-2"]
        assert sorted((mail["to"], mail["uid"]) for mail in full.mails("invitation-update")) == invited
        assert full.mails("invitation-cancel") == []

    def test_a_round_in_another_zone_keeps_its_hour_on_the_wall(self, round_of_tuesdays: Stage) -> None:
        change(round_of_tuesdays, time_zone="Europe/Lisbon")
        session = round_of_tuesdays.first()
        assert (session.starts_at, session.time_zone) == (TUESDAY + HOUR, "Europe/Lisbon")

    def test_what_was_moved_by_hand_stays_where_it_is(self, round_of_tuesdays: Stage) -> None:
        rounds.move(round_of_tuesdays.first().id, TUESDAY + 30 * HOUR, by=HELPDESK)
        change(round_of_tuesdays, start_time=time(14, 30), slots=3)
        moved = round_of_tuesdays.first()
        assert moved.starts_at == TUESDAY + 30 * HOUR
        assert [slot.starts_at - moved.starts_at for slot in round_of_tuesdays.slots(moved.id)] == [
            0 * MINUTE,
            20 * MINUTE,
            40 * MINUTE,
        ]

    def test_it_would_move_if_its_own_place_were_not_compared_with_the_plan(
        self, round_of_tuesdays: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reconciling, "_start", lambda _row, _was, planned: planned.starts_at)
        rounds.move(round_of_tuesdays.first().id, TUESDAY + 30 * HOUR, by=HELPDESK)
        change(round_of_tuesdays, start_time=time(14, 30))
        assert starts(round_of_tuesdays, 1) == ["24.11. 14:30"]

    def test_a_session_of_today_that_would_have_begun_already_stays(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.house.clock.at = TUESDAY - HOUR
        change(round_of_tuesdays, start_time=time(9))
        assert starts(round_of_tuesdays, 2) == ["24.11. 11:00", "01.12. 09:00"]

    def test_a_session_that_has_begun_stays(self, full: Stage) -> None:
        full.house.clock.at = TUESDAY + 5 * MINUTE
        change(full, start_time=time(14))
        assert starts(full, 2) == ["24.11. 11:00", "01.12. 14:00"]


class TestRules:
    def test_a_session_takes_the_new_date_of_its_week_and_what_is_left_falls_out(self, stage: Stage) -> None:
        stage.meet(rule="FREQ=WEEKLY;BYDAY=TU,TH")
        ids = [session.id for session in stage.sessions()[:4]]
        change(stage, rule="FREQ=WEEKLY;BYDAY=FR")
        assert starts(stage, 2) == ["27.11. 11:00", "04.12. 11:00"]
        assert [session.id for session in planned(stage)[:2]] == [ids[0], ids[2]]
        gone = db.session.get(Session, ids[1])
        assert gone is not None
        assert (gone.state, gone.reason, gone.left_out) == ("cancelled", "The round was changed.", True)

    def test_a_date_that_both_rules_have_keeps_its_session(self, stage: Stage) -> None:
        stage.meet(rule="FREQ=WEEKLY;BYDAY=TU,TH")
        (tuesday, thursday) = [session.id for session in stage.sessions()[:2]]
        change(stage, rule="FREQ=WEEKLY;BYDAY=WE,TH")
        found = {session.occurrence_on.day: session.id for session in planned(stage)[:2]}
        assert found == {25: tuesday, 26: thursday}

    def test_between_monthly_rules_a_session_takes_the_new_date_of_its_month(self, stage: Stage) -> None:
        stage.meet(rule="FREQ=MONTHLY;BYDAY=2TU")
        ids = [session.id for session in stage.sessions()]
        change(stage, rule="FREQ=MONTHLY;BYDAY=-1FR")
        assert starts(stage, 3) == ["27.11. 11:00", "25.12. 11:00", "29.01. 11:00"]
        assert [session.id for session in planned(stage)[1:]] == ids

    def test_a_session_that_a_person_cancelled_keeps_its_date_to_itself(self, stage: Stage) -> None:
        stage.meet(rule="FREQ=WEEKLY;BYDAY=TU,TH")
        thursday = next(session for session in stage.sessions() if session.occurrence_on == date(2026, 11, 26))
        rounds.cancel(thursday.id, "Congress.", by=HELPDESK)
        change(stage, rule="FREQ=WEEKLY;BYDAY=TH")
        assert [session.state for session in stage.sessions()[:2]] == ["cancelled", "cancelled"]
        assert starts(stage, 1) == ["03.12. 11:00"]

    def test_sessions_that_a_change_left_out_come_back_with_the_next_one(self, round_of_tuesdays: Stage) -> None:
        change(round_of_tuesdays, ends_on=SECOND)
        assert len(planned(round_of_tuesdays)) == 2
        change(round_of_tuesdays, ends_on=None)
        assert len(planned(round_of_tuesdays)) == round_of_tuesdays.house.count(Session) == 26

    def test_the_weeks_of_an_interval_are_counted_as_before_unless_the_rule_is_another(self, stage: Stage) -> None:
        stage.meet(rule="FREQ=WEEKLY;BYDAY=TU;INTERVAL=2", starts_on=FIRST)
        change(stage, from_on=SECOND, start_time=time(12))
        assert starts(stage, 2) == ["24.11. 11:00", "08.12. 12:00"]
        change(stage, from_on=date(2026, 12, 14), rule="FREQ=WEEKLY;BYDAY=TU;INTERVAL=3")
        assert starts(stage, 4) == ["24.11. 11:00", "08.12. 12:00", "15.12. 12:00", "05.01. 12:00"]
        found = arranging.one_series(series_of(stage), by=HELPDESK)
        assert (found.starts_on, found.from_on) == (date(2026, 12, 14), date(2026, 12, 14))

    def test_a_change_far_ahead_leaves_no_gap_before_it(self, round_of_tuesdays: Stage) -> None:
        change(round_of_tuesdays, from_on=date(2027, 8, 2), start_time=time(12))
        dates = [session.occurrence_on for session in planned(round_of_tuesdays)]
        assert dates == [FIRST + timedelta(weeks=n) for n in range(36)]
        round_of_tuesdays.house.clock.move_on(14 * WEEK)
        arranging.extend()
        assert [f"{s.starts_at:%d.%m. %H}" for s in planned(round_of_tuesdays)[-6:-2]] == [
            "20.07. 09",
            "27.07. 09",
            "03.08. 10",
            "10.08. 10",
        ]

    def test_the_timer_extends_by_the_new_rule(self, round_of_tuesdays: Stage) -> None:
        change(round_of_tuesdays, from_on=SECOND, rule="FREQ=WEEKLY;BYDAY=WE")
        round_of_tuesdays.house.clock.move_on(2 * WEEK)
        arranging.extend()
        assert planned(round_of_tuesdays)[-1].occurrence_on == date(2027, 6, 2)
        assert round_of_tuesdays.house.count(Session) == 28


class TestSlots:
    def test_more_slots_are_added_to_the_coming_sessions(self, full: Stage) -> None:
        change(full, slots=3, break_minutes=5)
        slots = full.slots(full.first().id)
        assert [(slot.starts_at - TUESDAY) // MINUTE for slot in slots] == [0, 25, 50]
        assert [one.case_reference for one in requests.holding_slots_of(full.first().id)] == ["CPMS-1", "CPMS-2"]
        conference = db.session.scalars(select(Conference)).one()
        assert conference.ends_at == TUESDAY + 70 * MINUTE

    def test_whoever_holds_a_slot_that_goes_comes_first_and_is_told(self, full: Stage) -> None:
        change(full, slots=1)
        full.work()
        (kept,) = requests.holding_slots_of(full.first().id)
        assert kept.case_reference == "CPMS-1"
        (told,) = full.mails("request-waiting")
        assert (told["to"], told["position"], told["reason"]) == (
            "jörg@graz.example",
            1,
            "The round has fewer slots now; it comes first when a slot is free.",
        )
        assert [mail["to"] for mail in full.mails("invitation-cancel")] == ["jörg@graz.example"]

    def test_slots_that_were_withdrawn_are_the_same_ones_when_they_are_wanted_again(self, full: Stage) -> None:
        before = [slot.id for slot in full.slots(full.first().id)]
        change(full, slots=1)
        assert [slot.withdrawn for slot in full.slots(full.first().id)] == [False, True]
        change(full, slots=2, slot_minutes=30)
        slots = full.slots(full.first().id)
        assert [(slot.id, slot.withdrawn) for slot in slots] == [(slot_id, False) for slot_id in before]
        assert [(slot.ends_at - TUESDAY) // MINUTE for slot in slots] == [30, 60]
        assert full.house.count(Slot) == 52

    def test_a_withdrawn_slot_is_shown_to_nobody(self, round_of_tuesdays: Stage) -> None:
        change(round_of_tuesdays, slots=1)
        assert len(rounds.session(round_of_tuesdays.first().id, by=HELPDESK).session.slots) == 1


class TestWhatMayBe:
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"from_on": date(2026, 11, 22), "slots": 3}, "from_on"),
            ({"from_on": date(2028, 6, 1), "slots": 3}, "from_on"),
            ({"rule": "FREQ=DAILY"}, "rule"),
            ({"rule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "ends_on": date(2053, 1, 1)}, "rule"),
            ({"ends_on": date(2026, 11, 22)}, "ends_on"),
            ({"slot_minutes": 4}, "slot_minutes"),
            ({"break_minutes": 61}, "break_minutes"),
            ({"holidays": {"countries": [], "action": "skip"}}, "holidays.countries"),
            ({"rule": "FREQ=WEEKLY;BYDAY=SU", "start_time": time(2, 30)}, "start_time"),
        ],
    )
    def test_what_cannot_be_held_is_refused_and_changes_nothing(
        self, round_of_tuesdays: Stage, wrong: dict[str, Any], field: str
    ) -> None:
        before = [(s.id, s.starts_at, s.state, s.version) for s in round_of_tuesdays.sessions()]
        with pytest.raises(Invalid) as refused:
            change(round_of_tuesdays, **wrong)
        assert list(refused.value.errors) == [field]
        db.session.rollback()
        db.session.expunge_all()
        assert [(s.id, s.starts_at, s.state, s.version) for s in round_of_tuesdays.sessions()] == before

    def test_a_change_before_one_that_is_arranged_already_is_refused(self, round_of_tuesdays: Stage) -> None:
        change(round_of_tuesdays, from_on=SECOND, slots=3)
        with pytest.raises(Invalid, match="The round changes on 1 December 2026 already") as refused:
            change(round_of_tuesdays, slots=4)
        assert list(refused.value.errors) == ["from_on"]

    @pytest.mark.parametrize("sooner", [{"from_on": FIRST}, {}])
    def test_the_same_after_a_change_of_the_rule(self, round_of_tuesdays: Stage, sooner: dict[str, Any]) -> None:
        change(round_of_tuesdays, from_on=SECOND, rule="FREQ=WEEKLY;BYDAY=TH")
        with pytest.raises(Invalid, match="The round changes on 1 December 2026 already") as refused:
            change(round_of_tuesdays, slots=4, **sooner)
        assert list(refused.value.errors) == ["from_on"]

    def test_a_round_that_has_not_begun_changes_as_a_whole_as_often_as_need_be(self, stage: Stage) -> None:
        stage.meet(starts_on=date(2027, 1, 5))
        change(stage, slots=3)
        change(stage, rule="FREQ=WEEKLY;BYDAY=TH")
        change(stage, from_on=SECOND, start_time=time(12))
        assert starts(stage, 2) == ["07.01. 12:00", "14.01. 12:00"]
        assert len(stage.slots(planned(stage)[0].id)) == 3

    def test_too_many_sessions_before_the_date_are_refused_by_its_name(self, stage: Stage) -> None:
        stage.meet(rule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")
        with pytest.raises(Invalid, match="More than 200 sessions lie before this date") as refused:
            change(stage, from_on=date(2028, 1, 3), slots=3)
        assert list(refused.value.errors) == ["from_on"]

    def test_a_change_of_what_somebody_changed_meanwhile_is_stale(self, round_of_tuesdays: Stage) -> None:
        series_id = series_of(round_of_tuesdays)
        seen = arranging.one_series(series_id, by=HELPDESK).version
        arranging.change_series(series_id, {"slots": 3}, by=HELPDESK, expected=seen)
        with pytest.raises(Stale):
            arranging.change_series(series_id, {"slots": 4}, by=HELPDESK, expected=seen)

    def test_a_round_that_has_ended_is_not_changed(self, round_of_tuesdays: Stage) -> None:
        arranging.close_series(series_of(round_of_tuesdays), by=HELPDESK)
        with pytest.raises(RuleBroken, match="The round has ended"):
            change(round_of_tuesdays, slots=3)


class TestPreview:
    @pytest.mark.parametrize(
        "changes",
        [
            {"start_time": time(12)},
            {"slots": 1},
            {"slot_minutes": 15, "break_minutes": 10},
            {"slot_minutes": 25},
            {"rule": "FREQ=WEEKLY;BYDAY=TH"},
            {"rule": "FREQ=WEEKLY;BYDAY=MO", "ends_on": date(2026, 12, 7), "from_on": FIRST},
        ],
        ids=["time", "slots", "break", "length", "rule", "end"],
    )
    def test_a_preview_counts_the_mails_that_the_change_then_causes(self, full: Stage, changes: dict[str, Any]) -> None:
        foreseen = change(full, preview=True, **changes)
        assert starts(full, 2) == ["24.11. 11:00", "01.12. 11:00"]
        assert db.session.scalars(select(Series.version)).one() == 1
        before = {mail.id for mail in full.house.messages()}
        change(full, **changes)
        full.work()
        sent = [mail for mail in full.house.messages() if mail.id not in before]
        assert (foreseen.mails, foreseen.people) == (len(sent), len({mail.address for mail in sent}))
        assert foreseen.mails > 0

    def test_what_touches_nobody_is_empty(self, full: Stage) -> None:
        assert change(full, preview=True, from_on=SECOND, host_margin_minutes=10) == Touched()


class TestHosts:
    @pytest.fixture
    def hosted(self, round_of_tuesdays: Stage, other_group: ExpertGroup) -> Stage:
        """Two groups with one host account; ours meets at eleven, theirs has moved to twelve."""
        stage = round_of_tuesdays
        stage.provide(ProviderWithHosts())
        hosting.add_host({"provider": "mock", "email": "ann@hosts.example", "capacity": 1, "kinds": []})
        theirs = next(s for s in stage.sessions() if s.group_id == other_group.id)
        rounds.move(theirs.id, TUESDAY + HOUR, by=HELPDESK)
        stage.allocated(group="ewing")
        stage.allocated()
        return stage

    def test_a_change_to_where_no_host_is_free_changes_nothing(self, hosted: Stage) -> None:
        (series_id,) = {s.series_id for s in hosted.sessions() if s.group_id == hosted.group.id}
        for preview in (True, False):
            with pytest.raises(NoHostFree):
                arranging.change_series(series_id, {"start_time": time(12)}, by=HELPDESK, preview=preview)
        db.session.rollback()
        db.session.expunge_all()
        ours = [s for s in hosted.sessions() if s.series_id == series_id]
        assert {wall(s.starts_at, "Europe/Berlin").time() for s in ours} == {time(11)}

    def test_a_longer_time_to_join_is_held_for_the_host_at_once(self, hosted: Stage) -> None:
        (series_id,) = {s.series_id for s in hosted.sessions() if s.group_id == hosted.group.id}
        arranging.change_series(series_id, {"host_margin_minutes": 15}, by=HELPDESK)
        held = db.session.scalars(select(HostBooking.starts_at).order_by(HostBooking.starts_at)).all()
        assert held == [TUESDAY - 15 * MINUTE, TUESDAY + HOUR]

    def test_without_a_host_free_so_early_it_is_refused(self, hosted: Stage) -> None:
        (series_id,) = {s.series_id for s in hosted.sessions() if s.group_id != hosted.group.id}
        with pytest.raises(NoHostFree):
            arranging.change_series(series_id, {"host_margin_minutes": 25}, by=HELPDESK)
        arranging.change_series(series_id, {"host_margin_minutes": 20}, by=HELPDESK)
