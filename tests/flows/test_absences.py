"""Absences: who may enter and see whose, and which dates can be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from conference_orchestrator.flows import absences, directory
from conference_orchestrator.kernel.errors import Invalid, NotFound, NotPermitted
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.scheduling.rosters import Absence
from tests.answers import clinician
from tests.house import HELPDESK
from tests.scheduling.stage import Stage

TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)


def away(stage: Stage, name: str, from_on: date = TODAY, until_on: date = TODAY) -> Absence:
    return absences.add(from_on, until_on, clinician=stage.people[name].id, by=HELPDESK)


def listed(stage: Stage, by: Principal, **filters: object) -> list[str]:
    """Whose absences the asker sees."""
    names = {person.id: name for name, person in stage.people.items()}
    return sorted(names[one.clinician_id] for one in absences.listed(Paging(), by=by, **filters).items)


class TestEntering:
    def test_a_clinician_enters_the_own_without_a_name(self, stage: Stage) -> None:
        added = absences.add(TODAY, TODAY + DAY, by=stage.clinician("rui"))
        assert (added.clinician_id, added.from_on, added.until_on) == (stage.people["rui"].id, TODAY, TODAY + DAY)

    def test_a_clinician_may_not_enter_a_colleagues(self, stage: Stage) -> None:
        with pytest.raises(NotPermitted, match="your own"):
            absences.add(TODAY, TODAY, clinician=stage.people["zoé"].id, by=stage.clinician("rui"))

    def test_a_coordinator_enters_those_of_the_own_groups_members_and_of_nobody_else(self, stage: Stage) -> None:
        added = absences.add(TODAY, TODAY, clinician="zoé@graz.example", by=stage.coordinator)
        assert added.clinician_id == stage.people["zoé"].id
        with pytest.raises(NotPermitted, match="your group's members"):
            absences.add(TODAY, TODAY, clinician=stage.people["rui"].id, by=stage.coordinator)

    def test_who_left_the_group_is_none_of_the_coordinators_business(self, stage: Stage) -> None:
        added = away(stage, "zoé")
        directory.remove_member(stage.group.id, stage.people["zoé"].id, by=HELPDESK)
        assert listed(stage, stage.coordinator) == []
        with pytest.raises(NotFound):
            absences.remove(added.id, by=stage.coordinator)

    def test_the_helpdesk_of_one_network_does_not_know_those_of_others(self, stage: Stage) -> None:
        other = directory.add_network({"code": "other", "name": "Another network"}, by=HELPDESK)
        narrow = Principal(role=Role.HELPDESK, network_id=other.id)
        added = away(stage, "rui")
        assert listed(stage, narrow) == []
        with pytest.raises(NotFound):
            absences.remove(added.id, by=narrow)
        with pytest.raises(Invalid) as refused:
            absences.add(TODAY, TODAY, clinician=stage.people["rui"].id, by=narrow)
        assert list(refused.value.errors) == ["clinician"]
        stranger = clinician("ana", network="other")
        assert absences.add(TODAY, TODAY, clinician=stranger.id, by=narrow).clinician_id == stranger.id

    @pytest.mark.usefixtures("stage")
    def test_the_helpdesk_names_somebody(self) -> None:
        with pytest.raises(Invalid) as refused:
            absences.add(TODAY, TODAY, by=HELPDESK)
        assert list(refused.value.errors) == ["clinician"]

    @pytest.mark.parametrize(
        ("from_on", "until_on", "said"),
        [
            (TODAY + DAY, TODAY, "before from_on"),
            (TODAY - 9 * DAY, TODAY - DAY, "over already"),
            (TODAY, TODAY + 732 * DAY, "at most two years"),
        ],
    )
    def test_dates_that_cannot_be_are_refused(self, stage: Stage, from_on: date, until_on: date, said: str) -> None:
        with pytest.raises(Invalid) as refused:
            away(stage, "rui", from_on, until_on)
        assert list(refused.value.errors) == ["until_on"]
        assert said in refused.value.errors["until_on"][0]

    @pytest.mark.parametrize(("from_on", "until_on"), [(TODAY - 9 * DAY, TODAY), (TODAY, TODAY + 731 * DAY)])
    def test_one_that_began_already_and_one_of_two_years_are_taken(
        self, stage: Stage, from_on: date, until_on: date
    ) -> None:
        assert away(stage, "rui", from_on, until_on).until_on == until_on

    def test_today_is_that_of_the_clinicians_own_clock(self, stage: Stage) -> None:
        # An hour before midnight in UTC it is the next day in Vienna, and the same one in Lisbon.
        stage.house.clock.at = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
        assert away(stage, "rui").until_on == TODAY
        with pytest.raises(Invalid, match="over already"):
            away(stage, "zoé")

    def test_absences_may_overlap(self, stage: Stage) -> None:
        for _ in range(2):
            away(stage, "rui", TODAY, TODAY + 3 * DAY)
        assert stage.house.count(Absence) == 2


class TestListing:
    @pytest.fixture
    def some_away(self, stage: Stage) -> Stage:
        for name in ("rui", "zoé", "łucja"):
            away(stage, name)
        return stage

    def test_each_sees_what_is_the_own_business(self, some_away: Stage) -> None:
        assert listed(some_away, HELPDESK) == ["rui", "zoé", "łucja"]
        assert listed(some_away, some_away.coordinator) == ["zoé", "łucja"]
        assert listed(some_away, some_away.clinician("rui")) == ["rui"]
        assert listed(some_away, some_away.clinician("inês")) == []

    def test_a_filter_narrows_and_never_widens(self, some_away: Stage) -> None:
        one = some_away.people["zoé"].id
        assert listed(some_away, HELPDESK, clinician=one) == ["zoé"]
        assert listed(some_away, HELPDESK, group="brain") == ["zoé", "łucja"]
        assert listed(some_away, some_away.clinician("rui"), clinician=one) == []
        assert listed(some_away, some_away.clinician("rui"), group="brain") == []

    def test_what_is_over_is_not_listed(self, some_away: Stage) -> None:
        some_away.house.clock.move_on(2 * DAY)
        assert listed(some_away, HELPDESK) == []

    def test_pages_go_by_the_first_day(self, stage: Stage) -> None:
        for day in (3, 1, 2, 2):
            away(stage, "rui", TODAY + day * DAY, TODAY + day * DAY)
        first = absences.listed(Paging(limit=3), by=HELPDESK)
        rest = absences.listed(Paging(limit=3, cursor=first.next), by=HELPDESK)
        assert [(one.from_on - TODAY).days for one in (*first.items, *rest.items)] == [1, 2, 2, 3]
        assert rest.next is None


class TestRemoving:
    def test_the_clinician_takes_it_back(self, stage: Stage) -> None:
        added = away(stage, "rui")
        absences.remove(added.id, by=stage.clinician("rui"))
        assert stage.house.count(Absence) == 0

    def test_somebody_elses_is_not_found(self, stage: Stage) -> None:
        added = away(stage, "rui")
        for by in (stage.clinician("zoé"), stage.coordinator):
            with pytest.raises(NotFound, match="no such absence"):
                absences.remove(added.id, by=by)
        assert stage.house.count(Absence) == 1
