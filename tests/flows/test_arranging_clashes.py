"""Experts who are expected at two groups at a time: told, never refused."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest

from conference_orchestrator.flows import arranging, directory, rounds
from conference_orchestrator.flows.arranging import ExceptionView, SeriesView
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import clashes
from conference_orchestrator.scheduling.clashes import Clash
from conference_orchestrator.scheduling.rosters import Substitute
from tests.house import HELPDESK
from tests.scheduling.stage import ROUND, TUESDAY, WEEK, Stage

MINUTE = timedelta(minutes=1)
EVERY_WEEK = "Zoé Großmann is expected at Ewing at the same time: Tuesday 24 November 2026, 11.00 (and 25 more dates)."


@pytest.fixture(params=["sqlite", "postgres"])
def house_database(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_schema"))


@pytest.fixture
def shared(stage: Stage, other_group: ExpertGroup) -> ExpertGroup:
    """The other group meets when ours will; Zoé is an expert of both."""
    directory.add_member(other_group.id, stage.people["zoé"].id, role="expert", by=HELPDESK)
    return other_group


def warnings(stage: Stage, **changes: Any) -> list[str]:
    return list(arranging.define_series(stage.group.id, ROUND | changes, by=HELPDESK).warnings)


@pytest.mark.usefixtures("shared")
class TestWarnings:
    def test_a_new_round_tells_who_is_expected_elsewhere(self, stage: Stage) -> None:
        assert warnings(stage) == [EVERY_WEEK]

    def test_a_single_date_is_told_alone(self, stage: Stage) -> None:
        assert warnings(stage, ends_on=date(2026, 11, 24)) == [
            "Zoé Großmann is expected at Ewing at the same time: Tuesday 24 November 2026, 11.00."
        ]

    @pytest.mark.parametrize("start", [time(11, 40), time(10, 20)])
    def test_rounds_that_only_touch_do_not_clash(self, stage: Stage, start: time) -> None:
        assert warnings(stage, start_time=start) == []

    @pytest.mark.parametrize("start", [time(11, 39), time(10, 21)])
    def test_rounds_that_share_a_minute_do(self, stage: Stage, start: time) -> None:
        assert warnings(stage, start_time=start) == [EVERY_WEEK]

    def test_a_change_tells_it(self, stage: Stage) -> None:
        series_id = stage.meet(start_time=time(15))
        changed = arranging.change_series(series_id, {"start_time": time(11, 30)}, by=HELPDESK)
        assert isinstance(changed, SeriesView)
        assert changed.warnings == [EVERY_WEEK]

    def test_an_extra_session_tells_it(self, stage: Stage) -> None:
        series_id = stage.meet(rule="FREQ=WEEKLY;BYDAY=FR")
        added = arranging.add_exception(series_id, {"on": date(2026, 12, 1), "kind": "extra"}, by=HELPDESK)
        assert isinstance(added, ExceptionView)
        assert added.warnings == ["Zoé Großmann is expected at Ewing at the same time: Tuesday 1 December 2026, 11.00."]

    def test_an_exception_tells_nothing_of_dates_that_are_not_its_own(self, stage: Stage) -> None:
        series_id = stage.meet()
        for entered, said in (
            ({"on": date(2026, 12, 8), "kind": "skip"}, []),
            ({"on": date(2026, 12, 2), "kind": "extra"}, []),
            (
                {"on": date(2026, 12, 1), "kind": "move", "starts_at": TUESDAY + WEEK + 20 * MINUTE},
                ["Zoé Großmann is expected at Ewing at the same time: Tuesday 1 December 2026, 11.00."],
            ),
        ):
            seen = arranging.add_exception(series_id, entered, by=HELPDESK, preview=True)
            added = arranging.add_exception(series_id, entered, by=HELPDESK)
            assert isinstance(added, ExceptionView)
            assert isinstance(seen, Touched)
            assert (list(added.warnings), list(seen.warnings)) == (said, said)

    def test_a_cancelled_session_clashes_with_nothing(self, stage: Stage, shared: ExpertGroup) -> None:
        theirs = next(session for session in stage.sessions() if session.group_id == shared.id)
        rounds.cancel(theirs.id, "Congress.", by=HELPDESK)
        assert warnings(stage) == [
            "Zoé Großmann is expected at Ewing at the same time: Tuesday 1 December 2026, 11.00 (and 24 more dates)."
        ]

    def test_who_left_a_group_is_not_expected_there(self, stage: Stage, shared: ExpertGroup) -> None:
        directory.remove_member(shared.id, stage.people["zoé"].id, by=HELPDESK)
        assert warnings(stage) == []


class TestSessions:
    def ours(self, stage: Stage) -> Any:
        return next(session for session in stage.sessions() if session.group_id == stage.group.id)

    def theirs(self, stage: Stage) -> Any:
        return next(session for session in stage.sessions() if session.group_id != stage.group.id)

    def test_the_clashes_of_a_session_are_found_by_clinician(self, stage: Stage, shared: ExpertGroup) -> None:
        stage.meet(start_time=time(11, 20))
        ours = self.ours(stage)
        found = clashes.of_sessions([ours.id])
        assert found == {ours.id: {stage.people["zoé"].id: Clash("Ewing", TUESDAY)}}
        assert shared.name == "Ewing"

    @pytest.mark.usefixtures("round_of_tuesdays")
    def test_without_sessions_there_are_none(self) -> None:
        assert clashes.of_sessions([]) == {}

    def test_a_coordinator_is_not_expected_as_an_expert(
        self, round_of_tuesdays: Stage, other_group: ExpertGroup
    ) -> None:
        stage = round_of_tuesdays
        directory.add_member(other_group.id, stage.people["jörg"].id, role="expert", by=HELPDESK)
        assert clashes.of_sessions([self.ours(stage).id]) == {}

    @pytest.mark.usefixtures("other_group")
    def test_a_substitute_is_expected_at_the_one_session_on_either_side(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        ours, theirs, rui = self.ours(stage), self.theirs(stage), stage.people["rui"].id
        with transaction() as tx:
            for session in (ours, theirs):
                db.session.add(Substitute(session_id=session.id, clinician_id=rui, created_at=tx.now))
        found = clashes.of_sessions([session.id for session in stage.sessions()])
        assert found == {ours.id: {rui: Clash("Ewing", TUESDAY)}, theirs.id: {rui: Clash("Brain Tumour", TUESDAY)}}

    def test_two_rounds_of_one_group_do_not_clash_for_its_own_experts(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.meet(start_time=time(11, 10))
        assert clashes.of_sessions([session.id for session in round_of_tuesdays.sessions()]) == {}

    def test_of_several_the_earliest_is_told(self, stage: Stage, shared: ExpertGroup) -> None:
        arranging.define_series(shared.id, ROUND | {"start_time": time(10, 50)}, by=HELPDESK)
        stage.meet()
        ours = self.ours(stage)
        (clash,) = clashes.of_sessions([ours.id])[ours.id].values()
        assert clash.starts_at == TUESDAY - 10 * MINUTE
        assert ours.starts_at + WEEK == TUESDAY + WEEK
