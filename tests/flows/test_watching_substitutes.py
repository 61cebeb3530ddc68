"""Substitutes whom the quorum watch asks, where the group wants that."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from conference_orchestrator.flows import absences, directory, rostering, rounds, watching
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.rosters import Substitute
from tests.answers import answer, ask_substitutes, clinician, substitute, tuesday
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, Stage

HOUR = timedelta(hours=1)
ON = date(2026, 11, 24)


@pytest.fixture
def lacking(full: Stage) -> Stage:
    """Tomorrow the neurosurgeon will come, the radiotherapist will not; the group wants its substitutes asked."""
    answer(full, tuesday(full).id, zoé="accepted", łucja="declined")
    ask_substitutes(full)
    full.tasks()
    return full


def asked(stage: Stage) -> list[tuple[str, str | None]]:
    """The substitutes on the roster after the timer looked, with their disciplines."""
    watching.watch_quorum()
    lines = rostering.roster(tuesday(stage).id, by=HELPDESK).lines
    return [(line.clinician.given_name, line.entry.discipline) for line in lines if line.entry.role == "substitute"]


def test_a_substitute_of_the_missing_discipline_is_asked_and_invited(lacking: Stage) -> None:
    substitute(lacking, "ana", "pathology")
    substitute(lacking, "bea", "radiotherapy")
    assert asked(lacking) == [("Bea", "radiotherapy")]
    lacking.work()
    invited = [mail for mail in lacking.mails("invitation") if mail["to"] == "bea@porto.example"]
    assert [(mail["uid"], mail["role"]) for mail in invited] == [(f"session-{tuesday(lacking).id}", "expert")]
    assert "Asked to step in: Bea Ávila." in lacking.mails("desk-alert")[0]["detail"]


def test_who_steps_in_makes_the_quorum(lacking: Stage) -> None:
    lacking.people["bea"] = substitute(lacking, "bea", "radiotherapy")
    asked(lacking)
    lacking.work()
    answer(lacking, tuesday(lacking).id, bea="accepted")
    lacking.house.clock.at = TUESDAY - 24 * HOUR
    watching.watch_quorum()
    assert rostering.roster(tuesday(lacking).id, by=HELPDESK).risk is None
    assert {mail["title"] for mail in lacking.mails("desk-alert")} == {watching.TITLES["warning"]}


def test_as_many_are_asked_as_seats_lack(lacking: Stage) -> None:
    directory.change_group(lacking.group.id, {"quorum": {"minimum": 3}}, by=HELPDESK)
    for name in ("cleo", "bea", "ana"):
        substitute(lacking, name)
    assert asked(lacking) == [("Ana", None), ("Bea", None)]


def test_where_the_group_does_not_say_so_nobody_is_asked(lacking: Stage) -> None:
    ask_substitutes(lacking, invite_substitutes=False)
    substitute(lacking, "bea", "radiotherapy")
    assert asked(lacking) == []
    assert len(lacking.mails("desk-alert")) == 2


def test_who_is_away_that_day_is_not_asked(lacking: Stage) -> None:
    for name, on in (("ana", ON), ("bea", ON + timedelta(days=1))):
        absences.add(on, on, clinician=substitute(lacking, name, "radiotherapy").id, by=HELPDESK)
    assert asked(lacking) == [("Bea", "radiotherapy")]


def test_who_is_expected_elsewhere_at_that_hour_is_not_asked(lacking: Stage, other_group: ExpertGroup) -> None:
    directory.add_member(other_group.id, substitute(lacking, "ana", "radiotherapy").id, role="expert", by=HELPDESK)
    substitute(lacking, "bea", "radiotherapy")
    assert asked(lacking) == [("Bea", "radiotherapy")]


def test_who_is_on_the_roster_already_and_may_come_is_not_asked_again(lacking: Stage) -> None:
    ana = substitute(lacking, "ana", "radiotherapy")
    rostering.add_substitute(tuesday(lacking).id, ana.id, by=HELPDESK)
    substitute(lacking, "bea", "radiotherapy")
    assert asked(lacking) == [("Ana", "radiotherapy")]


@pytest.mark.parametrize("reason", ["declined", "away"])
def test_one_on_the_roster_who_will_not_come_is_replaced(lacking: Stage, reason: str) -> None:
    lacking.people["ana"] = substitute(lacking, "ana", "radiotherapy")
    rostering.add_substitute(tuesday(lacking).id, lacking.people["ana"].id, by=HELPDESK)
    lacking.work()
    if reason == "declined":
        answer(lacking, tuesday(lacking).id, ana="declined")
    else:
        absences.add(ON, ON, clinician=lacking.people["ana"].id, by=HELPDESK)
    substitute(lacking, "bea", "radiotherapy")
    assert asked(lacking) == [("Ana", "radiotherapy"), ("Bea", "radiotherapy")]


def test_a_member_and_somebody_of_another_role_is_not_asked(lacking: Stage) -> None:
    directory.add_member(lacking.group.id, clinician("ana").id, role="expert", discipline="radiotherapy", by=HELPDESK)
    directory.add_member(lacking.group.id, clinician("bea").id, role="coordinator", by=HELPDESK)
    assert asked(lacking) == []


def test_substitutes_are_asked_once_although_the_quorum_lacks_on(lacking: Stage) -> None:
    assert asked(lacking) == []
    substitute(lacking, "bea", "radiotherapy")
    for before in (20, 2):
        lacking.house.clock.at = TUESDAY - before * HOUR
        watching.watch_quorum()
    assert lacking.house.count(Substitute) == 0


def test_a_session_first_seen_after_the_deadline_still_gets_its_substitutes(lacking: Stage) -> None:
    substitute(lacking, "bea", "radiotherapy")
    lacking.house.clock.at = TUESDAY - 20 * HOUR
    assert asked(lacking) == [("Bea", "radiotherapy")]
    assert {mail["title"] for mail in lacking.mails("desk-alert")} == {watching.TITLES["at-risk"]}


def test_after_a_move_the_substitutes_that_were_asked_stay_and_no_others_are_asked(lacking: Stage) -> None:
    substitute(lacking, "bea", "radiotherapy")
    asked(lacking)
    rounds.move(tuesday(lacking).id, TUESDAY + 2 * HOUR, by=HELPDESK)
    lacking.work()
    # After a move all answers are open again: the neurosurgeon is missing too, and no substitute has that discipline.
    assert asked(lacking) == [("Bea", "radiotherapy")]
