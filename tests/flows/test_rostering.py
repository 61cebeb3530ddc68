"""Rosters: who stands on one, substitutes put on it and taken back, and a session that is held anyway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from conference_orchestrator.flows import absences, arranging, directory, rostering, rounds, watching
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, NotFound, RuleBroken, Stale
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from tests.answers import answer, clinician, substitute, tuesday
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, Stage

HOUR = timedelta(hours=1)


def lines(stage: Stage) -> list[tuple[str, str, str | None]]:
    found = rostering.roster(tuesday(stage).id, by=HELPDESK).lines
    return [(line.clinician.given_name, line.entry.role, line.entry.discipline) for line in found]


def add(stage: Stage, person: Clinician, **more: str) -> rostering.Line:
    return rostering.add_substitute(tuesday(stage).id, person.id, by=stage.coordinator, **more)


def mails_by(stage: Stage, change: Callable[[], Any]) -> list[tuple[str, str]]:
    """To whom what is sent because of the change."""
    before = {message.id for message in stage.house.messages()}
    change()
    stage.work()
    return [(message.address, message.kind) for message in stage.house.messages() if message.id not in before]


def mails_to(stage: Stage, address: str) -> list[str]:
    return [mail["kind"] for mail in stage.mails("all") if mail["to"] == address and mail["kind"].startswith("inv")]


class TestReading:
    def test_members_stand_by_their_roles_then_by_name_and_substitutes_last(self, full: Stage) -> None:
        directory.add_member(full.group.id, clinician("ana").id, role="expert", by=HELPDESK)
        add(full, clinician("bea"))
        assert lines(full) == [
            ("Zoé", "lead", "neurosurgery"),
            ("Łucja", "expert", "radiotherapy"),
            ("Ana", "expert", None),
            ("Jörg", "coordinator", None),
            ("Bea", "substitute", None),
        ]

    def test_a_substitute_of_the_group_is_not_expected_by_itself_and_not_invited(self, full: Stage) -> None:
        substitute(full, "ana", "neurosurgery")
        full.work()
        assert "Ana" not in {name for name, _, _ in lines(full)}
        assert mails_to(full, "ana@porto.example") == []

    def test_answers_and_absences_stand_with_each_person(self, full: Stage) -> None:
        answer(full, tuesday(full).id, zoé="accepted", łucja="tentative")
        absences.add(date(2026, 11, 24), date(2026, 11, 24), clinician=full.people["łucja"].id, by=HELPDESK)
        found = {x.clinician.given_name: x.entry for x in rostering.roster(tuesday(full).id, by=HELPDESK).lines}
        standing = {name: (entry.answer, entry.is_absent) for name, entry in found.items()}
        assert standing == {"Zoé": ("accepted", False), "Łucja": ("tentative", True), "Jörg": (None, False)}

    def test_somebody_who_was_erased_is_not_shown(self, full: Stage) -> None:
        with transaction():
            erased = update(Clinician).where(Clinician.id == full.people["zoé"].id)
            db.session.execute(erased.values(state="erased"))
        assert "Zoé" not in {name for name, _, _ in lines(full)}

    def test_a_coordinator_of_another_group_sees_no_such_session(self, full: Stage, other_group: ExpertGroup) -> None:
        with pytest.raises(NotFound, match="session"):
            rostering.roster(tuesday(full).id, by=Principal(role=Role.COORDINATOR, group_id=other_group.id))


class TestAddingSubstitutes:
    def test_the_substitute_is_invited_with_the_session(self, full: Stage) -> None:
        add(full, full.people["rui"])
        full.work()
        mails = [mail for mail in full.mails("invitation") if mail["to"] == "rui@porto.example"]
        assert (f"session-{tuesday(full).id}", "expert") in [(mail["uid"], mail["role"]) for mail in mails]

    def test_nobody_else_hears_of_it(self, full: Stage) -> None:
        ana = clinician("ana")
        assert mails_by(full, lambda: add(full, ana)) == [("ana@porto.example", "invitation")]

    def test_before_the_session_has_a_meeting_nobody_is_invited(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.tasks()
        add(round_of_tuesdays, clinician("ana"))
        assert round_of_tuesdays.tasks() == []

    def test_once_it_has_one_the_substitute_is_invited_with_the_others(self, round_of_tuesdays: Stage) -> None:
        add(round_of_tuesdays, clinician("ana"))
        round_of_tuesdays.allocated()
        round_of_tuesdays.work()
        assert mails_to(round_of_tuesdays, "ana@porto.example") == ["invitation"]

    @pytest.mark.parametrize(("given", "kept"), [(None, "pathology"), ("surgery", "surgery")])
    def test_the_discipline_is_the_one_given_else_that_of_the_membership(
        self, full: Stage, given: str | None, kept: str
    ) -> None:
        ana = substitute(full, "ana", "pathology")
        line = rostering.add_substitute(tuesday(full).id, "ana@porto.example", discipline=given, by=HELPDESK)
        assert (line.clinician.id, line.entry.role, line.entry.discipline) == (ana.id, "substitute", kept)

    def test_a_session_of_another_group_at_the_same_time_is_told_and_not_refused(
        self, full: Stage, other_group: ExpertGroup
    ) -> None:
        ana = clinician("ana")
        directory.add_member(other_group.id, ana.id, role="expert", by=HELPDESK)
        clash = add(full, ana).clash
        assert clash is not None
        assert (clash.group_name, clash.starts_at) == ("Ewing", TUESDAY)
        assert add(full, clinician("bea")).clash is None

    @pytest.mark.parametrize("name", ["zoé", "jörg"])
    def test_a_member_is_expected_already(self, full: Stage, name: str) -> None:
        with pytest.raises(Conflict, match="is expected at this session already"):
            add(full, full.people[name])

    def test_a_substitute_is_put_on_the_roster_once(self, full: Stage) -> None:
        ana = clinician("ana")
        add(full, ana)
        with pytest.raises(Conflict, match="Ana Ávila is expected at this session already"):
            add(full, ana)

    def test_somebody_of_another_network_is_told_from_nobody_by_nothing(self, full: Stage) -> None:
        directory.add_network({"code": "other", "name": "Another network"}, by=HELPDESK)
        stranger = clinician("ana", network="other")
        said = []
        for reference in (stranger.email, "nobody@porto.example"):
            with pytest.raises(Invalid) as refused:
                rostering.add_substitute(tuesday(full).id, reference, by=HELPDESK)
            said.append([word.replace(reference, "X") for word in refused.value.errors["clinician"]])
        assert said[0] == said[1]

    def test_no_substitute_for_a_session_that_has_begun_or_is_cancelled(self, full: Stage) -> None:
        ana = clinician("ana")
        full.house.clock.at = TUESDAY
        with pytest.raises(RuleBroken, match="begun"):
            add(full, ana)
        full.house.clock.at = TUESDAY - HOUR
        rounds.cancel(tuesday(full).id, "Ill.", by=HELPDESK)
        with pytest.raises(RuleBroken, match="cancelled"):
            add(full, ana)


class TestTakingBack:
    def test_who_was_invited_gets_the_cancellation_and_nobody_else_a_mail(self, full: Stage) -> None:
        ana = clinician("ana")
        add(full, ana)
        full.work()
        told = mails_by(full, lambda: rostering.take_back(tuesday(full).id, ana.id, by=full.coordinator))
        assert told == [("ana@porto.example", "invitation-cancel")]
        assert "Ana" not in {name for name, _, _ in lines(full)}

    @pytest.mark.parametrize("name", ["zoé", "rui"])
    def test_only_a_substitute_can_be_taken_back(self, full: Stage, name: str) -> None:
        with pytest.raises(NotFound, match="not a substitute"):
            rostering.take_back(tuesday(full).id, full.people[name].id, by=HELPDESK)

    def test_not_once_the_session_has_begun(self, full: Stage) -> None:
        ana = clinician("ana")
        add(full, ana)
        full.house.clock.at = TUESDAY
        with pytest.raises(RuleBroken, match="begun"):
            rostering.take_back(tuesday(full).id, ana.id, by=HELPDESK)


class TestKeeping:
    @pytest.fixture
    def at_risk(self, full: Stage) -> Stage:
        full.house.clock.at = TUESDAY - 20 * HOUR
        watching.watch_quorum()
        return full

    def test_a_session_at_risk_is_kept_for_a_reason(self, at_risk: Stage) -> None:
        kept = rostering.keep(tuesday(at_risk).id, "The leads decide alone.", by=at_risk.coordinator)
        assert (kept.risk, kept.session.kept_at) == ("kept", TUESDAY - 20 * HOUR)
        assert tuesday(at_risk).reason == "The leads decide alone."

    def test_the_reason_goes_with_the_hour_for_which_it_was_said(self, at_risk: Stage) -> None:
        rostering.keep(tuesday(at_risk).id, "The leads decide alone.", by=HELPDESK)
        later = {"on": TUESDAY.date(), "kind": "move", "starts_at": TUESDAY + 48 * HOUR}
        arranging.add_exception(tuesday(at_risk).series_id, later, by=HELPDESK)
        found = tuesday(at_risk)
        assert (found.starts_at, found.kept_at, found.reason) == (TUESDAY + 48 * HOUR, None, None)

    def test_a_session_that_is_not_at_risk_needs_no_decision(self, full: Stage) -> None:
        watching.watch_quorum()
        assert rostering.roster(tuesday(full).id, by=HELPDESK).risk == "warned"
        with pytest.raises(RuleBroken, match="not at risk"):
            rostering.keep(tuesday(full).id, by=HELPDESK)

    def test_it_is_decided_once(self, at_risk: Stage) -> None:
        rostering.keep(tuesday(at_risk).id, by=HELPDESK)
        with pytest.raises(RuleBroken, match="not at risk"):
            rostering.keep(tuesday(at_risk).id, by=HELPDESK)

    def test_not_once_it_has_begun(self, at_risk: Stage) -> None:
        at_risk.house.clock.at = TUESDAY
        with pytest.raises(RuleBroken, match="begun"):
            rostering.keep(tuesday(at_risk).id, by=HELPDESK)

    def test_not_when_somebody_changed_it_meanwhile(self, at_risk: Stage) -> None:
        with pytest.raises(Stale):
            rostering.keep(tuesday(at_risk).id, by=HELPDESK, expected=tuesday(at_risk).version - 1)

    @pytest.mark.usefixtures("stage")
    def test_an_unknown_session_cannot_be_kept(self) -> None:
        with pytest.raises(NotFound):
            rostering.keep(uuid4(), by=HELPDESK)


class TestTheGroupsWord:
    def test_whether_substitutes_are_asked_is_part_of_the_quorum(self, stage: Stage) -> None:
        quorum = {"invite_substitutes": True}
        changed = directory.change_group(stage.group.id, {"quorum": quorum}, by=stage.coordinator)
        assert (changed.quorum_substitutes, changed.quorum_minimum) == (True, 2)
        kept = directory.change_group(stage.group.id, {"quorum": {"minimum": 1}}, by=stage.coordinator)
        assert (kept.quorum_substitutes, kept.quorum_minimum) == (True, 1)

    def test_it_is_true_or_false(self, stage: Stage) -> None:
        with pytest.raises(Invalid) as refused:
            directory.change_group(stage.group.id, {"quorum": {"invite_substitutes": "yes"}}, by=HELPDESK)
        assert list(refused.value.errors) == ["quorum.invite_substitutes"]
