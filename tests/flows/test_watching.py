"""The quorum watch: a warning 72 hours before a session, the decision at the deadline, nothing twice or too late."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from conference_orchestrator.flows import absences, directory, expecting, rostering, rounds, watching
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import sessions
from conference_orchestrator.scheduling.sessions import Session
from tests.answers import answer
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage

HOUR = timedelta(hours=1)
WARNING, DECISION = watching.TITLES["warning"], watching.TITLES["at-risk"]
DESK, COORDINATOR = "helpdesk@network.example", "jörg@graz.example"


@pytest.fixture
def coming(stage: Stage) -> Stage:
    """Tuesday's session with one case, everybody invited, four days ahead."""
    stage.house.clock.at = TUESDAY - 96 * HOUR
    stage.meet()
    stage.allocated()
    stage.work()
    return stage


def watch(stage: Stage, *, before: timedelta) -> None:
    """The timer looks so long before Tuesday's start; a negative time is after it."""
    stage.house.clock.at = TUESDAY - before
    watching.watch_quorum()


def alerts(stage: Stage) -> Counter[tuple[str, str]]:
    """How often who was told what."""
    return Counter((mail["title"], mail["to"]) for mail in stage.mails("desk-alert"))


def risk(stage: Stage) -> str | None:
    return rostering.roster(stage.first().id, by=HELPDESK).risk


def rules(stage: Stage, **rules: float) -> None:
    with transaction():
        db.session.execute(update(ExpertGroup).where(ExpertGroup.id == stage.group.id).values(rules=rules))


class TestWarning:
    def test_the_helpdesk_and_the_coordinator_are_told_once_what_lacks(self, coming: Stage) -> None:
        answer(coming, coming.first().id, zoé="accepted", łucja="declined")
        for _ in range(3):
            watch(coming, before=72 * HOUR)
        assert alerts(coming) == {(WARNING, DESK): 1, (WARNING, COORDINATOR): 1}
        said = (
            "Brain Tumour, Tuesday 24 November 2026, 11.00 (Europe/Berlin): accepted 1 of 2 needed, declined 1, "
            "absent 0. Nobody has accepted yet for radiotherapy. "
            "Ask the experts for their answers, or put a substitute on the roster."
        )
        assert {mail["detail"] for mail in coming.mails("desk-alert")} == {said}
        assert (coming.first().quorum_warned_at, risk(coming)) == (TUESDAY - 72 * HOUR, "warned")

    def test_nobody_is_told_earlier(self, coming: Stage) -> None:
        watch(coming, before=72 * HOUR + timedelta(seconds=1))
        assert (alerts(coming), risk(coming)) == ({}, None)

    def test_a_quorum_that_is_met_worries_nobody(self, coming: Stage) -> None:
        answer(coming, coming.first().id, zoé="accepted", łucja="accepted")
        for before in (72, 24, 1):
            watch(coming, before=before * HOUR)
        assert (alerts(coming), coming.first().quorum_warned_at) == ({}, None)

    def test_an_expert_who_is_away_brings_the_warning(self, coming: Stage) -> None:
        answer(coming, coming.first().id, zoé="accepted", łucja="accepted")
        absences.add(date(2026, 11, 24), date(2026, 11, 24), clinician=coming.people["zoé"].id, by=HELPDESK)
        watch(coming, before=72 * HOUR)
        assert alerts(coming)[WARNING, DESK] == 1
        assert "absent 1. Nobody has accepted yet for neurosurgery." in coming.mails("desk-alert")[0]["detail"]

    def test_a_session_without_a_case_worries_nobody(self, coming: Stage) -> None:
        watch(coming, before=72 * HOUR - WEEK)
        second = coming.sessions()[1]
        assert (second.starts_at, second.quorum_warned_at) == (TUESDAY + WEEK, None)
        assert (WARNING, DESK) not in alerts(coming)

    def test_a_group_without_a_quorum_is_not_watched(self, coming: Stage) -> None:
        directory.change_group(coming.group.id, {"quorum": {"minimum": 0, "disciplines": []}}, by=HELPDESK)
        watch(coming, before=24 * HOUR)
        assert alerts(coming) == {}

    def test_a_cancelled_session_is_not_watched(self, coming: Stage) -> None:
        rounds.cancel(coming.first().id, "Ill.", by=HELPDESK)
        watch(coming, before=24 * HOUR)
        assert alerts(coming) == {}

    def test_once_enough_accepted_the_session_is_at_no_risk(self, coming: Stage) -> None:
        watch(coming, before=72 * HOUR)
        answer(coming, coming.first().id, zoé="accepted", łucja="accepted")
        watch(coming, before=24 * HOUR)
        assert risk(coming) is None
        assert alerts(coming) == {(WARNING, DESK): 1, (WARNING, COORDINATOR): 1}


class TestDecision:
    def test_at_the_deadline_people_are_asked_once_to_keep_move_or_cancel(self, coming: Stage) -> None:
        for before in (72, 24, 23, 1):
            watch(coming, before=before * HOUR)
        assert alerts(coming) == dict.fromkeys(
            [(WARNING, DESK), (WARNING, COORDINATOR), (DECISION, DESK), (DECISION, COORDINATOR)], 1
        )
        asked = next(mail["detail"] for mail in coming.mails("desk-alert") if mail["title"] == DECISION)
        assert asked.endswith("Decide now: keep the session as it is, move it to another time, or cancel it.")
        assert (coming.first().at_risk_since, risk(coming)) == (TUESDAY - 24 * HOUR, "at-risk")

    def test_the_deadline_is_the_groups_cut_off(self, coming: Stage) -> None:
        rules(coming, cut_off_hours=48)
        watch(coming, before=49 * HOUR)
        assert risk(coming) == "warned"
        watch(coming, before=48 * HOUR)
        assert risk(coming) == "at-risk"

    @pytest.mark.parametrize(
        ("cut_off", "deadline"), [(None, 24), (0, 24), (48, 48), (0.5, 0.5), (71.5, 71.5), (72, 24), (100, 24)]
    )
    def test_a_cut_off_before_the_warning_is_no_deadline(self, cut_off: float | None, deadline: float) -> None:
        entered = {} if cut_off is None else {"cut_off_hours": cut_off}
        assert watching.deadline(ExpertGroup(rules=entered)) == deadline * HOUR

    def test_a_session_that_is_first_seen_after_the_deadline_is_told_of_once(self, coming: Stage) -> None:
        watch(coming, before=20 * HOUR)
        watch(coming, before=19 * HOUR)
        assert alerts(coming) == {(DECISION, DESK): 1, (DECISION, COORDINATOR): 1}

    def test_a_session_that_was_moved_is_watched_anew(self, coming: Stage) -> None:
        watch(coming, before=24 * HOUR)
        rounds.move(coming.first().id, TUESDAY + 48 * HOUR, by=HELPDESK)
        assert risk(coming) is None
        watch(coming, before=24 * HOUR)
        assert alerts(coming) == dict.fromkeys(
            [(DECISION, DESK), (DECISION, COORDINATOR), (WARNING, DESK), (WARNING, COORDINATOR)], 1
        )

    def test_of_a_session_that_is_kept_nobody_is_told_again(self, coming: Stage) -> None:
        watch(coming, before=24 * HOUR)
        rostering.keep(coming.first().id, by=coming.coordinator)
        watch(coming, before=12 * HOUR)
        assert (sum(alerts(coming).values()), risk(coming)) == (2, "kept")


class TestTooLate:
    @pytest.mark.parametrize("late", [timedelta(), timedelta(minutes=30), 49 * HOUR])
    def test_of_a_session_that_has_begun_nobody_is_warned_and_the_log_says_why_once(
        self, coming: Stage, late: timedelta
    ) -> None:
        with capture_logs() as logged:
            watch(coming, before=-late)
            watch(coming, before=-late - timedelta(minutes=10))
        assert alerts(coming) == {}
        assert [line["event"] for line in logged] == ["nobody is told of the missing quorum: the session has begun"]
        assert logged[0]["session"] == str(coming.first().id)

    def test_a_service_that_was_down_for_49_hours_tells_of_what_is_to_come_once_and_of_nothing_past(
        self, coming: Stage
    ) -> None:
        down_for_49_hours(coming)
        for minutes in (0, 10, 20):
            watch(coming, before=-HOUR - timedelta(minutes=minutes))
        assert alerts(coming) == {(DECISION, DESK): 1, (DECISION, COORDINATOR): 1}
        assert "Wednesday 25 November 2026, 05.00" in coming.mails("desk-alert")[0]["detail"]

    def test_people_are_warned_of_what_is_past_once_the_protection_is_taken_away(
        self, coming: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        down_for_49_hours(coming)
        monkeypatch.setattr(
            watching,
            "step_due",
            lambda session, forecast, **_: None if session.at_risk_since or forecast.is_met else watching.Step.AT_RISK,
        )
        watch(coming, before=-HOUR)
        assert alerts(coming) == {(DECISION, DESK): 3, (DECISION, COORDINATOR): 3}


def down_for_49_hours(coming: Stage) -> None:
    """Of three sessions with cases and a quorum in doubt two begin before Tuesday noon, one in the next night."""
    for case in range(2, 6):
        coming.allocated(case_reference=f"CPMS-{case}")
    second, third = coming.sessions()[1:3]
    rounds.move(second.id, TUESDAY - 24 * HOUR, by=HELPDESK)
    rounds.move(third.id, TUESDAY + 18 * HOUR, by=HELPDESK)
    coming.work()


def forget(_session: Session, _step: watching.Step, *, at: datetime) -> None:
    """Marks nothing: what was done is not remembered."""


class TestTwice:
    @pytest.fixture(params=["warning", "at-risk"])
    def before(self, request: pytest.FixtureRequest) -> timedelta:
        return {"warning": 71 * HOUR, "at-risk": 23 * HOUR}[request.param]

    def twice(self, coming: Stage, before: timedelta) -> Counter[tuple[str, str]]:
        """The timer looks, and an hour later again by a clock that was put back by an hour."""
        watch(coming, before=before)
        watch(coming, before=before - HOUR)
        watch(coming, before=before)
        return alerts(coming)

    def test_a_clock_that_goes_back_tells_nobody_twice(self, coming: Stage, before: timedelta) -> None:
        assert list(self.twice(coming, before).values()) == [1, 1]

    def test_without_the_mark_the_cause_alone_keeps_mails_from_going_twice(
        self, coming: Stage, before: timedelta, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watching, "_mark", forget)
        assert list(self.twice(coming, before).values()) == [1, 1]

    def test_without_the_cause_the_mark_alone_keeps_mails_from_going_twice(
        self, coming: Stage, before: timedelta, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watching, "cause_of", lambda *_: str(uuid4()))
        assert list(self.twice(coming, before).values()) == [1, 1]

    def test_without_either_everybody_is_told_again_each_time(
        self, coming: Stage, before: timedelta, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watching, "_mark", forget)
        monkeypatch.setattr(watching, "cause_of", lambda *_: str(uuid4()))
        assert list(self.twice(coming, before).values()) == [3, 3]


def test_a_session_whose_case_went_while_it_was_looked_at_is_left_alone(
    coming: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = watching.rosters.with_cases(until=TUESDAY)
    assert [one.id for one in found] == [coming.first().id]
    rounds.cancel(coming.first().id, "Ill.", by=HELPDESK)
    with transaction():
        db.session.execute(update(Session).where(Session.id == coming.first().id).values(state="planned"))
    monkeypatch.setattr(watching.rosters, "with_cases", lambda **_: found)
    watch(coming, before=24 * HOUR)
    assert alerts(coming) == {}
    assert not expecting.forecasts([sessions.get(coming.first().id)])[coming.first().id].is_met
