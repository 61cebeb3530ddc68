"""Who is away and who is expected elsewhere, as the tables tell it; the sessions that the quorum watch looks at."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from conference_orchestrator.flows import directory, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import rosters
from conference_orchestrator.scheduling.rosters import Absence, Substitute
from tests.answers import tuesday
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage

DAY = timedelta(days=1)
ON = date(2026, 11, 24)


def away(person: Clinician, from_on: date, until_on: date) -> None:
    with transaction():
        db.session.add(Absence(clinician_id=person.id, from_on=from_on, until_on=until_on))


def put_on(stage: Stage, person: Clinician) -> None:
    with transaction():
        db.session.add(Substitute(session_id=stage.first().id, clinician_id=person.id))


class TestAbsences:
    def test_those_that_are_not_over_are_told_by_person_in_order(self, stage: Stage) -> None:
        rui = stage.people["rui"]
        away(rui, ON + 7 * DAY, ON + 8 * DAY)
        away(rui, ON - DAY, ON)
        away(rui, ON - 9 * DAY, ON - DAY)
        away(stage.people["inês"], ON, ON)
        found = rosters.absences_of([rui.id, stage.people["zoé"].id], from_on=ON)
        assert found == {rui.id: [(ON - DAY, ON), (ON + 7 * DAY, ON + 8 * DAY)]}

    def test_the_database_refuses_one_that_ends_before_it_begins(self, stage: Stage) -> None:
        with pytest.raises(IntegrityError):
            away(stage.people["rui"], ON, ON - DAY)


class TestSubstitutes:
    def test_the_database_refuses_somebody_twice_on_one_roster(self, round_of_tuesdays: Stage) -> None:
        rui = round_of_tuesdays.people["rui"]
        put_on(round_of_tuesdays, rui)
        with pytest.raises(IntegrityError):
            put_on(round_of_tuesdays, rui)


class TestExpectedElsewhere:
    def busy(self, stage: Stage, *names: str) -> set[str]:
        """Those of the people who are expected elsewhere when the other group meets on Tuesday."""
        other = next(one for one in stage.sessions() if one.group_id != stage.group.id)
        asked = [stage.people[name].id for name in names]
        found = rosters.expected_elsewhere(asked, other)
        return {name for name in names if stage.people[name].id in found}

    @pytest.fixture
    def two_rounds(self, round_of_tuesdays: Stage, other_group: ExpertGroup) -> Stage:
        assert other_group.id != round_of_tuesdays.group.id
        return round_of_tuesdays

    def test_experts_of_a_group_that_meets_at_that_hour_are_a_coordinator_and_others_are_not(
        self, two_rounds: Stage
    ) -> None:
        assert self.busy(two_rounds, "zoé", "łucja", "jörg", "rui") == {"zoé", "łucja"}

    def test_a_substitute_of_the_group_is_when_put_on_the_roster(self, two_rounds: Stage) -> None:
        directory.add_member(two_rounds.group.id, two_rounds.people["rui"].id, role="substitute", by=HELPDESK)
        assert self.busy(two_rounds, "rui") == set()
        with transaction():
            db.session.add(Substitute(session_id=tuesday(two_rounds).id, clinician_id=two_rounds.people["rui"].id))
        assert self.busy(two_rounds, "rui", "zoé") == {"rui", "zoé"}

    def test_who_left_the_group_is_not(self, two_rounds: Stage) -> None:
        directory.remove_member(two_rounds.group.id, two_rounds.people["zoé"].id, by=HELPDESK)
        assert self.busy(two_rounds, "zoé") == set()

    @pytest.mark.parametrize(("by", "is_busy"), [(39, True), (40, False), (-39, True), (-40, False)])
    def test_only_sessions_that_overlap_count(self, two_rounds: Stage, by: int, is_busy: bool) -> None:
        mine = tuesday(two_rounds)
        rounds.move(mine.id, TUESDAY + timedelta(minutes=by), by=HELPDESK)
        assert self.busy(two_rounds, "zoé") == ({"zoé"} if is_busy else set())

    def test_a_cancelled_session_does_not_count(self, two_rounds: Stage) -> None:
        mine = tuesday(two_rounds)
        rounds.cancel(mine.id, "Ill.", by=HELPDESK)
        assert self.busy(two_rounds, "zoé") == set()


class TestWithCases:
    def test_planned_sessions_with_a_case_that_begin_by_then_are_found(self, full: Stage) -> None:
        full.allocated(case_reference="CPMS-3")
        first, second = full.sessions()[:2]
        assert [s.id for s in rosters.with_cases(until=TUESDAY)] == [first.id]
        assert [s.id for s in rosters.with_cases(until=TUESDAY + WEEK)] == [first.id, second.id]
        assert rosters.with_cases(until=TUESDAY - DAY) == []

    @pytest.mark.usefixtures("round_of_tuesdays")
    def test_a_session_without_a_case_is_not(self) -> None:
        assert rosters.with_cases(until=TUESDAY + WEEK) == []

    def test_a_session_that_was_told_to_be_at_risk_is_not(self, full: Stage) -> None:
        with transaction():
            full.first().at_risk_since = TUESDAY
        assert rosters.with_cases(until=TUESDAY) == []
