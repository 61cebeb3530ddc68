"""Who is expected at a session, and the forecast and the risk that follow from their answers and absences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from conference_orchestrator.flows import absences, directory, expecting, rostering
from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.quorum import Quorum
from conference_orchestrator.scheduling.sessions import Session
from tests.answers import answer, substitute
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, Stage

DAY = timedelta(days=1)
LACKING = Quorum(needed=2, accepted=1, declined=0, absent=0, missing_disciplines=())
MET = Quorum(needed=2, accepted=2, declined=0, absent=0, missing_disciplines=())


def forecast(stage: Stage) -> Quorum:
    session = stage.first()
    return expecting.forecasts([session])[session.id]


@pytest.fixture
def accepted(full: Stage) -> Stage:
    """The next session, to which both experts said yes."""
    answer(full, full.first().id, zoé="accepted", łucja="accepted")
    return full


class TestForecast:
    def test_experts_who_accepted_make_the_quorum(self, accepted: Stage) -> None:
        assert forecast(accepted) == Quorum(needed=2, accepted=2, declined=0, absent=0, missing_disciplines=())

    @pytest.mark.parametrize(
        ("from_on", "until_on"),
        [(date(2026, 11, 24), date(2026, 11, 24)), (date(2026, 11, 1), date(2026, 11, 24))],
    )
    def test_who_is_away_that_day_does_not_count_as_accepted(
        self, accepted: Stage, from_on: date, until_on: date
    ) -> None:
        absences.add(from_on, until_on, clinician=accepted.people["zoé"].id, by=HELPDESK)
        found = forecast(accepted)
        assert (found.accepted, found.absent, found.missing_disciplines) == (1, 1, ("neurosurgery",))

    @pytest.mark.parametrize("on", [date(2026, 11, 23), date(2026, 11, 25)])
    def test_an_absence_on_another_day_changes_nothing(self, accepted: Stage, on: date) -> None:
        absences.add(on, on, clinician=accepted.people["zoé"].id, by=HELPDESK)
        assert forecast(accepted).is_met

    def test_of_several_absences_one_that_covers_the_day_is_enough(self, accepted: Stage) -> None:
        for on in (date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)):
            absences.add(on, on, clinician=accepted.people["zoé"].id, by=HELPDESK)
        assert forecast(accepted).absent == 1

    def test_an_absent_coordinator_is_not_counted(self, accepted: Stage) -> None:
        absences.add(date(2026, 11, 24), date(2026, 11, 24), clinician=accepted.people["jörg"].id, by=HELPDESK)
        assert forecast(accepted).is_met
        assert forecast(accepted).absent == 0

    def test_a_substitute_of_the_group_counts_from_when_it_is_put_on_the_roster(self, accepted: Stage) -> None:
        stage = accepted
        answer(stage, stage.first().id, zoé="declined")
        stage.people["ana"] = substitute(stage, "ana", "neurosurgery")
        assert forecast(stage).missing_disciplines == ("neurosurgery",)
        rostering.add_substitute(stage.first().id, stage.people["ana"].id, by=HELPDESK)
        stage.work()
        answer(stage, stage.first().id, ana="accepted")
        assert forecast(stage) == Quorum(needed=2, accepted=2, declined=1, absent=0, missing_disciplines=())

    def test_a_substitute_of_one_session_is_not_expected_at_the_next(self, accepted: Stage) -> None:
        ana = substitute(accepted, "ana", "neurosurgery")
        rostering.add_substitute(accepted.first().id, ana.id, by=HELPDESK)
        first, second = accepted.sessions()[:2]
        expected = expecting.expected_at([first, second])
        assert [ana.id in {e.clinician_id for e in expected[one.id]} for one in (first, second)] == [True, False]

    def test_a_substitute_who_becomes_a_member_is_expected_once_as_what_it_is_in_the_group(
        self, accepted: Stage
    ) -> None:
        rui = accepted.people["rui"]
        rostering.add_substitute(accepted.first().id, rui.id, discipline="neurosurgery", by=HELPDESK)
        directory.add_member(accepted.group.id, rui.id, role="expert", discipline="pathology", by=HELPDESK)
        session = accepted.first()
        mine = [e for e in expecting.expected_at([session])[session.id] if e.clinician_id == rui.id]
        assert [(e.role, e.discipline) for e in mine] == [("expert", "pathology")]

    def test_the_day_is_that_of_the_sessions_own_zone(self) -> None:
        late = Session(starts_at=datetime(2026, 11, 24, 13, 0, tzinfo=UTC), time_zone="Pacific/Auckland")
        assert expecting.local_date(late) == date(2026, 11, 25)

    @pytest.mark.usefixtures("house")
    def test_of_no_session_nothing_is_forecast(self) -> None:
        assert expecting.forecasts([]) == {}


class TestRisk:
    @pytest.mark.parametrize(
        ("marks", "forecast", "risk"),
        [
            ({}, LACKING, None),
            ({"quorum_warned_at": TUESDAY}, LACKING, "warned"),
            ({"quorum_warned_at": TUESDAY, "at_risk_since": TUESDAY}, LACKING, "at-risk"),
            ({"quorum_warned_at": TUESDAY, "at_risk_since": TUESDAY, "kept_at": TUESDAY}, LACKING, "kept"),
            ({"quorum_warned_at": TUESDAY}, MET, None),
            ({"quorum_warned_at": TUESDAY, "at_risk_since": TUESDAY}, MET, None),
            ({"quorum_warned_at": TUESDAY, "state": "cancelled"}, LACKING, None),
        ],
    )
    def test_the_risk_is_what_people_were_told_as_long_as_the_quorum_lacks(
        self, marks: dict[str, Any], forecast: Quorum, risk: str | None
    ) -> None:
        assert expecting.risk(Session(**{"state": "planned", **marks}), forecast) == risk


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collects the statements that the block sends to the database."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)


def test_the_forecasts_of_fifty_sessions_cost_as_many_queries_as_that_of_one(
    full: Stage, other_group: ExpertGroup
) -> None:
    every = full.sessions()
    assert len(every) >= 50
    counts = []
    for some in (every[:1], every):
        with statements() as sent:
            assert len(expecting.forecasts(some)) == len(some)
        counts.append(len(sent))
    assert counts[0] == counts[1] > 0
