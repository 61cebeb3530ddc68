"""Somebody is erased at the moment at which something new is written about the person; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import absences, directory, erasing, feeding, panels
from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import Membership
from conference_orchestrator.network.feeds import Feed
from conference_orchestrator.scheduling.requests import ENDED, ConsultationRequest
from conference_orchestrator.scheduling.rosters import Absence
from tests.house import HELPDESK
from tests.meeting import Meeting
from tests.scheduling.stage import Stage

Act = Callable[[Stage, UUID], object]


def ask(stage: Stage, person: UUID) -> object:
    return stage.submitted(requester=person)


def take_in(stage: Stage, person: UUID) -> object:
    return directory.add_member(stage.group.id, person, role="expert", by=HELPDESK)


def be_away(stage: Stage, person: UUID) -> object:
    today = times.wall(stage.house.clock.now(), "UTC").date()
    return absences.add(today, today, clinician=person, by=HELPDESK)


def open_feed(_stage: Stage, person: UUID) -> object:
    return feeding.open_feed("phone", clinician=person, by=HELPDESK)


ACTS = {"a request": ask, "a membership": take_in, "an absence": be_away, "a feed": open_feed}


def left_of_the_erased() -> list[str]:
    """What goes on for people who are not there any more."""
    db.session.rollback()
    gone = select(Clinician.id).where(Clinician.state == clinicians.State.ERASED)
    ended = [str(state) for state in ENDED]
    goes_on = {
        ConsultationRequest: (ConsultationRequest.requester_id.in_(gone), ConsultationRequest.state.not_in(ended)),
        Membership: (Membership.clinician_id.in_(gone), Membership.until_on.is_(None)),
        Absence: (Absence.clinician_id.in_(gone),),
        Feed: (Feed.clinician_id.in_(gone), Feed.revoked_at.is_(None)),
    }
    return [
        model.__tablename__ for model, where in goes_on.items() if db.session.scalars(select(model).where(*where)).all()
    ]


def at_once(stage: Stage, act: Act) -> list[Any]:
    """What came of the act, and of the erasure of the person whom it is about."""
    person = stage.people["rui"].id
    db.session.remove()
    doing = [lambda: act(stage, person), lambda: erasing.erase(person, by=HELPDESK)]
    return stage.house.at_once(2, lambda number: doing[number]())


def erased_first(stage: Stage, act: Act, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The person is found, then locked by the erasure, and only then the new thing is written."""
    meeting = Meeting(may_be_in_vain=db.engine.dialect.name == "sqlite")
    monkeypatch.setattr(clinicians, "find", meeting.after(clinicians.find))
    monkeypatch.setattr(clinicians, "lock", meeting.after(clinicians.lock))
    return at_once(stage, act)


@pytest.mark.parametrize("what", ACTS)
class TestAtOnce:
    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_nothing_new_goes_on_for_somebody_who_is_erased_meanwhile(
        self, round_of_tuesdays: Stage, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written, erased = erased_first(round_of_tuesdays, ACTS[what], monkeypatch)
        assert erased is None
        if isinstance(written, Exception):
            assert isinstance(written, Invalid)
        assert left_of_the_erased() == []


class TestOnPostgres:
    """In SQLite one transaction writes at a time: each of the two comes wholly before or after the other."""

    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    @pytest.mark.parametrize("what", ACTS)
    def test_who_comes_too_late_is_told(
        self, round_of_tuesdays: Stage, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written, _ = erased_first(round_of_tuesdays, ACTS[what], monkeypatch)
        (said,) = written.errors.values()
        assert said == ["This clinician was erased a moment ago."]

    @pytest.mark.parametrize("what", ["a request", "a membership"])
    def test_an_erasure_that_finds_another_group_is_to_be_repeated_and_then_sees_all(
        self, round_of_tuesdays: Stage, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meeting = Meeting()
        with monkeypatch.context() as patch:
            patch.setattr(clinicians, "hold", meeting.after(clinicians.hold))
            patch.setattr(clinicians, "lock", meeting.before(clinicians.lock))
            written, erased = at_once(round_of_tuesdays, ACTS[what])
        assert not isinstance(written, Exception)
        assert isinstance(erased, Conflict)
        assert str(erased) == "Something was written about this person at the same time; erase again."
        erasing.erase(round_of_tuesdays.people["rui"].id, by=HELPDESK)
        assert left_of_the_erased() == []

    @pytest.mark.parametrize(
        ("what", "left"),
        list(zip(ACTS, ["consultation_request", "membership", "absence", "feed"], strict=True)),
    )
    def test_without_holding_the_person_it_outlives_the_erasure(
        self, round_of_tuesdays: Stage, what: str, left: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(clinicians, "hold", lambda *_, **__: None)
        assert erased_first(round_of_tuesdays, ACTS[what], monkeypatch)[1] is None
        assert left_of_the_erased() == [left]

    def test_without_a_second_look_at_the_groups_a_request_outlives_the_erasure(
        self, round_of_tuesdays: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control of the lock: whom the erasure does not lock, nobody has to wait for."""
        meeting = Meeting()
        monkeypatch.setattr(clinicians, "lock", lambda _: None)
        monkeypatch.setattr(erasing, "_look_again", meeting.before(erasing._look_again))
        monkeypatch.setattr(panels, "labels", meeting.before(panels.labels))
        written, erased = at_once(round_of_tuesdays, ask)
        assert [one for one in (written, erased) if isinstance(one, Exception)] == []
        assert left_of_the_erased() == ["consultation_request"]
