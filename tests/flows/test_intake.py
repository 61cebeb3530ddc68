"""How requests enter: who decides in which group, what is missing, and what a crash in between leaves."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from conference_orchestrator.flows import directory, panels
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import ConsultationRequest
from tests.house import HELPDESK
from tests.scheduling.stage import CHECKLIST, TUESDAY, Stage

EARLIEST = "The earliest suitable free slot: Tuesday 24 November 2026, 11.00."


def change_group(stage: Stage, **changes: Any) -> None:
    directory.change_group(stage.group.id, changes, by=HELPDESK)


@pytest.fixture
def direct(round_of_tuesdays: Stage) -> Stage:
    """The stage, its group taking what is complete by itself."""
    change_group(round_of_tuesdays, intake="direct")
    return round_of_tuesdays


class TestKinds:
    @pytest.mark.parametrize("intake", ["pre-selection", "evaluation"])
    def test_where_the_group_decides_a_complete_request_awaits_its_word(
        self, round_of_tuesdays: Stage, intake: str
    ) -> None:
        change_group(round_of_tuesdays, intake=intake)
        found = panels.submit(round_of_tuesdays.entered(), by=HELPDESK).request
        assert (found.state, found.decided_by, found.allocation) == ("submitted", None, None)
        assert round_of_tuesdays.tasks() == []

    def test_with_direct_intake_a_complete_request_has_the_next_free_slot_at_once(self, direct: Stage) -> None:
        found = panels.submit(direct.entered(), by=HELPDESK)
        assert (found.request.state, found.request.decided_by) == ("allocated", "system")
        assert found.given is not None
        assert (found.given.slot.starts_at, found.reasons) == (TUESDAY, [EARLIEST])
        assert [mail["kind"] for mail in direct.mails("all")] == ["request-received"]

    def test_with_direct_intake_and_no_free_slot_it_waits_and_is_told_why(self, stage: Stage) -> None:
        change_group(stage, intake="direct")
        found = panels.submit(stage.entered(), by=HELPDESK)
        assert (found.request.state, found.position, found.standing) == (
            "waiting",
            1,
            "First in line; no slot is free yet.",
        )
        assert found.reasons == ["Every slot of the coming sessions is taken."]
        assert [mail["to"] for mail in stage.mails("request-waiting")] == ["rui@porto.example"]

    def test_with_direct_intake_what_is_incomplete_stays_a_draft_until_it_is_completed(self, direct: Stage) -> None:
        draft = panels.submit(direct.entered(checklist={"images": 3}), by=HELPDESK)
        assert (draft.request.state, draft.missing, direct.tasks()) == ("draft", ["report"], [])
        found = panels.change(draft.request.id, {"checklist": {"report": True, "images": 3}}, by=HELPDESK)
        assert (found.request.state, found.given is not None) == ("allocated", True)

    def test_consent_alone_keeps_a_direct_request_from_a_slot(self, direct: Stage) -> None:
        draft = panels.submit(direct.entered(consent_confirmed=False), by=HELPDESK)
        assert (draft.request.state, draft.missing) == ("draft", ["consent"])
        assert direct.house.count(Allocation) == 0


class Death(BaseException):
    """The process ends here: nobody catches it."""


def die(*_of: Any, **_named: Any) -> None:
    raise Death


class TestCrash:
    """The acceptance is committed and the process dies before the slot is taken: the task does it."""

    @pytest.fixture
    def accepted(self, direct: Stage, monkeypatch: pytest.MonkeyPatch) -> UUID:
        with monkeypatch.context() as dying:
            dying.setattr(panels, "allocate", die)
            with pytest.raises(Death):
                panels.submit(direct.entered(), by=HELPDESK)
        (payload,) = direct.house.queue.of_kind("allocate-request")
        return UUID(payload["request"])

    def test_the_task_gives_the_request_its_slot(self, direct: Stage, accepted: UUID) -> None:
        assert direct.request(accepted).request.state == "accepted"
        WORK["allocate-request"]({"request": str(accepted)})
        assert direct.request(accepted).request.state == "allocated"

    def test_a_task_that_comes_again_changes_nothing(self, direct: Stage, accepted: UUID) -> None:
        for _ in range(2):
            WORK["allocate-request"]({"request": str(accepted)})
        assert direct.house.count(Allocation) == 1

    def test_what_was_withdrawn_meanwhile_gets_no_slot(self, direct: Stage, accepted: UUID) -> None:
        panels.withdraw(accepted, by=HELPDESK)
        WORK["allocate-request"]({"request": str(accepted)})
        assert (direct.request(accepted).request.state, direct.house.count(Allocation)) == ("withdrawn", 0)

    def test_what_lacks_something_since_is_refused_and_not_forgotten(self, direct: Stage, accepted: UUID) -> None:
        grow(direct)
        with pytest.raises(RuleBroken, match="The request lacks: biopsy"):
            WORK["allocate-request"]({"request": str(accepted)})


def grow(stage: Stage) -> None:
    """Have the group ask for one thing more."""
    more = {"code": "biopsy", "label": "Date of biopsy", "kind": "date", "labels": {"de": "Datum der Biopsie"}}
    change_group(stage, checklist=[*CHECKLIST, more])


class TestCompleteness:
    """A request holds a slot only when it is complete by what the group asks now."""

    @pytest.mark.parametrize("state", ["accepted", "waiting"])
    @pytest.mark.parametrize("is_named", [True, False])
    def test_what_the_group_asks_for_since_keeps_a_request_from_a_slot(
        self, round_of_tuesdays: Stage, state: str, is_named: bool
    ) -> None:
        stage = round_of_tuesdays
        request_id = stage.in_state(state)
        grow(stage)
        slot_id = stage.slots(stage.first().id)[0].id if is_named else None
        with pytest.raises(RuleBroken, match=r"The request lacks: biopsy\.") as refused:
            panels.allocate(request_id, slot_id=slot_id, by=HELPDESK)
        assert refused.value.extra == {"missing": ["biopsy"]}
        assert (stage.request(request_id).request.state, stage.house.count(Allocation)) == (state, 0)

    def test_it_is_looked_at_again_once_the_slot_is_held_still(
        self, round_of_tuesdays: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The list grows between the choice of a slot and its taking."""
        stage = round_of_tuesdays
        request_id = stage.accepted()
        choose = panels.allocation.choose

        def choose_and_grow(*of: Any, **named: Any) -> Any:
            choice = choose(*of, **named)
            db.session.rollback()
            grow(stage)
            return choice

        monkeypatch.setattr(panels.allocation, "choose", choose_and_grow)
        with pytest.raises(RuleBroken, match="The request lacks: biopsy"):
            panels.allocate(request_id, by=HELPDESK)
        assert stage.house.count(Allocation) == 0

    def test_what_is_missing_is_named_in_the_requesters_language_where_the_group_has_it(self, stage: Stage) -> None:
        grow(stage)
        with transaction():
            german = update(Clinician).where(Clinician.id == stage.people["rui"].id)
            db.session.execute(german.values(language="de"))
        found = panels.submit(stage.entered(checklist={"images": 3}), by=HELPDESK)
        assert found.missing == ["report", "biopsy"]
        assert found.missing_labels == ("Pathology report", "Datum der Biopsie")
        assert [mail["missing"] for mail in stage.mails("request-received")] == [list(found.missing_labels)]

    def test_a_returned_request_is_told_in_the_same_words_what_the_group_asks_for_since(self, stage: Stage) -> None:
        request_id = stage.submitted()
        grow(stage)
        panels.triage(request_id, "return", "One thing more.", by=HELPDESK)
        assert [mail["missing"] for mail in stage.mails("request-returned")] == [["Date of biopsy"]]


class TestImaging:
    def test_images_that_are_still_to_be_taken_are_refused_by_name(self, stage: Stage) -> None:
        later = [{"modality": "MR", "acquired_on": on, "image_count": 3} for on in ("2026-11-23", "2026-11-24")]
        with pytest.raises(Invalid) as refused:
            panels.submit(stage.entered(imaging=later), by=HELPDESK)
        assert refused.value.errors == {"imaging.1.acquired_on": ["This date is still to come."]}
        assert stage.house.count(ConsultationRequest) == 0

    def test_a_change_is_looked_at_in_the_same_way(self, stage: Stage) -> None:
        request_id = stage.submitted()
        with pytest.raises(Invalid) as refused:
            panels.change(
                request_id,
                {"imaging": [{"modality": "CT", "acquired_on": "2027-01-01", "image_count": 3}]},
                by=HELPDESK,
            )
        assert list(refused.value.errors) == ["imaging.0.acquired_on"]

    def test_today_is_the_date_on_the_wall_of_the_group(self, stage: Stage) -> None:
        stage.house.clock.at = stage.house.clock.at.replace(hour=23, minute=30)  # Past midnight in Berlin.
        today = {"modality": "MR", "acquired_on": date(2026, 11, 24).isoformat(), "image_count": 3}
        assert panels.submit(stage.entered(imaging=[today]), by=HELPDESK).request.imaging == [today]
