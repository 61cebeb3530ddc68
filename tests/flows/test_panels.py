"""A consultation request from its arrival to its slot and out of it again: states, tasks, mails, and who may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import panels, standing
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotFound, RuleBroken, SlotTaken, Stale
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.requests import ConsultationRequest
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage

NEW_MEETING = ["ensure-conference", "issue-invitations"]


class TestSubmitting:
    def test_a_complete_request_is_submitted_and_the_requester_told(self, stage: Stage) -> None:
        found = panels.submit(stage.entered(), by=HELPDESK)
        assert (found.request.state, found.missing, found.position) == ("submitted", [], None)
        assert found.request.submitted_at == stage.house.clock.at
        assert found.request.hospital_id == stage.hospitals["porto"].id
        (mail,) = stage.mails("request-received")
        assert (mail["to"], mail["case_reference"], mail["missing"]) == ("rui@porto.example", "CPMS-1", [])

    def test_what_is_missing_comes_back_at_once_in_the_answer_and_in_words_by_mail(self, stage: Stage) -> None:
        found = panels.submit(stage.entered(checklist={"images": 3}, consent_confirmed=False), by=HELPDESK)
        assert (found.request.state, found.missing) == ("draft", ["report", "consent"])
        (mail,) = stage.mails("request-received")
        assert mail["missing"] == ["Pathology report", "The signed consent of the patient or the legal guardian"]

    def test_what_was_typed_about_a_case_stands_in_no_mail(self, stage: Stage) -> None:
        stage.submitted(question="A boy of four from Faro")
        assert "Faro" not in str(stage.mails("all"))

    @pytest.mark.parametrize(
        ("wrong", "fields"),
        [
            ({"checklist": {"report": "yes", "weight": 12}}, {"checklist.report", "checklist.weight"}),
            ({"earliest_on": date(2026, 12, 2), "latest_on": date(2026, 12, 1)}, {"latest_on"}),
            ({"latest_on": date(2026, 11, 22)}, {"latest_on"}),
            ({"group": "none"}, {"group"}),
            ({"requester": "nobody@porto.example"}, {"requester"}),
            ({"requester": None}, {"requester"}),
            ({"attendees": [str(uuid4())]}, {"attendees"}),
        ],
    )
    def test_what_does_not_fit_is_named_and_nothing_is_stored(
        self, stage: Stage, wrong: dict[str, Any], fields: set[str]
    ) -> None:
        with pytest.raises(Invalid) as refused:
            panels.submit(stage.entered(**wrong), by=HELPDESK)
        assert set(refused.value.errors) == fields
        assert (stage.house.count(ConsultationRequest), stage.mails("all")) == (0, [])

    def test_today_is_the_date_on_the_wall_of_the_group(self, stage: Stage) -> None:
        stage.house.clock.at = stage.house.clock.at.replace(hour=23, minute=30)  # Past midnight in Berlin.
        with pytest.raises(Invalid, match="This date has passed"):
            stage.submitted(latest_on=date(2026, 11, 23))
        stage.submitted(latest_on=date(2026, 11, 24))

    def test_an_attendee_counts_once_and_the_requester_not_at_all(self, stage: Stage) -> None:
        rui, ines = stage.people["rui"].id, stage.people["inês"].id
        found = stage.request(stage.submitted(attendees=[str(ines), str(rui), str(ines)]))
        assert found.request.attendees == [str(ines)]

    def test_a_clinician_asks_in_the_own_name(self, stage: Stage) -> None:
        by = stage.clinician("rui")
        assert panels.submit(stage.entered(requester=None), by=by).request.requester_id == by.clinician_id
        with pytest.raises(Invalid, match="You ask in your own name"):
            panels.submit(stage.entered(requester=stage.people["inês"].id), by=by)

    def test_a_reference_centre_names_one_of_its_own_people(self, stage: Stage) -> None:
        assert panels.submit(stage.entered(), by=stage.centre("porto")).request.state == "submitted"
        with pytest.raises(Invalid, match="does not belong to your hospital"):
            panels.submit(stage.entered(), by=stage.centre("graz"))


class TestChanging:
    def test_a_draft_that_is_completed_is_submitted(self, stage: Stage) -> None:
        request_id = stage.in_state("draft")
        found = panels.change(request_id, {"checklist": {"report": True, "images": 0}}, by=HELPDESK)
        assert (found.request.state, found.missing) == ("submitted", [])

    def test_a_returned_request_that_is_changed_is_submitted_again(self, stage: Stage) -> None:
        found = panels.change(stage.in_state("returned"), {"question": "Radiotherapy?"}, by=HELPDESK)
        assert (found.request.state, found.request.question) == ("submitted", "Radiotherapy?")

    def test_one_date_is_checked_against_the_other_that_was_there(self, stage: Stage) -> None:
        request_id = stage.submitted(earliest_on=date(2026, 12, 8))
        with pytest.raises(Invalid) as refused:
            panels.change(request_id, {"latest_on": date(2026, 12, 1)}, by=HELPDESK)
        assert list(refused.value.errors) == ["latest_on"]

    def test_a_change_of_what_somebody_else_changed_meanwhile_is_stale(self, stage: Stage) -> None:
        request_id = stage.submitted()
        version = stage.request(request_id).request.version
        panels.change(request_id, {"question": "First?"}, by=HELPDESK, expected=version)
        for step in (
            lambda: panels.change(request_id, {"question": "Second?"}, by=HELPDESK, expected=version),
            lambda: panels.triage(request_id, "accept", by=HELPDESK, expected=version),
            lambda: panels.withdraw(request_id, by=HELPDESK, expected=version),
        ):
            with pytest.raises(Stale):
                step()
        assert stage.request(request_id).request.question == "First?"


class TestTriage:
    def test_an_accepted_request_is_told_nobody_and_waits_for_its_slot(self, stage: Stage) -> None:
        found = panels.triage(stage.submitted(), "accept", by=stage.coordinator)
        assert (found.request.state, found.request.decided_by) == ("accepted", "coordinator")
        assert [mail["kind"] for mail in stage.mails("all")] == ["request-received"]

    def test_a_returned_request_is_told_the_reason_and_what_is_missing(self, stage: Stage) -> None:
        found = panels.triage(stage.submitted(), "return", "The images cannot be opened.", by=HELPDESK)
        assert found.request.state == "returned"
        (mail,) = stage.mails("request-returned")
        assert (mail["to"], mail["reason"], mail["missing"]) == (
            "rui@porto.example",
            "The images cannot be opened.",
            [],
        )

    def test_a_request_may_be_returned_twice_and_is_told_each_time(self, stage: Stage) -> None:
        request_id = stage.in_state("returned")
        panels.change(request_id, {"question": "Now?"}, by=HELPDESK)
        panels.triage(request_id, "return", "Still not.", by=HELPDESK)
        assert {mail["reason"] for mail in stage.mails("request-returned")} == {"Because.", "Still not."}

    def test_a_declined_request_is_told_the_reason(self, stage: Stage) -> None:
        found = panels.triage(stage.submitted(), "decline", "Ask the Ewing group.", by=HELPDESK)
        assert found.request.state == "declined"
        (mail,) = stage.mails("request-declined")
        assert (mail["to"], mail["reason"]) == ("rui@porto.example", "Ask the Ewing group.")

    @pytest.mark.parametrize("decision", ["return", "decline"])
    def test_nobody_is_turned_away_without_a_reason(self, stage: Stage, decision: str) -> None:
        request_id = stage.submitted()
        with pytest.raises(Invalid) as refused:
            panels.triage(request_id, decision, by=HELPDESK)
        assert list(refused.value.errors) == ["reason"]
        assert stage.request(request_id).request.state == "submitted"

    def test_an_incomplete_request_is_not_accepted(self, stage: Stage) -> None:
        with pytest.raises(RuleBroken, match="A request that is draft cannot be accepted"):
            panels.triage(stage.in_state("draft"), "accept", by=HELPDESK)


class TestAllocating:
    def test_the_policy_chooses_the_earliest_slot_and_says_why(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        found = panels.allocate(stage.accepted(), by=stage.coordinator).request
        assert found.state == "allocated"
        assert found.allocation is not None
        assert (found.allocation.slot.number, found.allocation.slot.starts_at) == (1, TUESDAY)
        assert found.allocation.reasons == ["The earliest suitable free slot: Tuesday 24 November 2026, 11.00."]

    def test_the_first_slot_of_a_session_brings_about_its_one_meeting(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        stage.allocated()
        assert stage.tasks() == NEW_MEETING
        stage.allocated()
        assert stage.house.count(Conference) == 1
        conference = db.session.scalars(select(Conference)).one()
        assert (conference.session_id, conference.starts_at) == (stage.first().id, TUESDAY)
        assert conference.title == "Brain Tumour panel, 24 November 2026"

    def test_the_meeting_is_told_of_each_further_slot(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        stage.allocated()
        stage.tasks()
        stage.allocated()
        assert "issue-invitations" in stage.tasks()

    def test_a_full_session_is_followed_by_the_next(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        starts = [stage.request(stage.allocated()).request.allocation.slot.starts_at for _ in range(3)]  # type: ignore[union-attr]
        assert [at - TUESDAY for at in starts] == [timedelta(0), timedelta(minutes=20), WEEK]

    def test_the_slot_that_was_asked_for_is_given(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        slot = stage.slots(stage.sessions()[3].id)[1]
        found = panels.allocate(stage.accepted(), slot_id=slot.id, by=stage.coordinator).request
        assert found.allocation is not None
        assert (found.allocation.slot_id, found.allocation.reasons) == (slot.id, ["The slot that was asked for."])

    def test_a_slot_that_is_held_is_refused(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        stage.allocated()
        second = stage.accepted()
        with pytest.raises(SlotTaken):
            panels.allocate(second, slot_id=stage.slots(stage.first().id)[0].id, by=HELPDESK)
        assert stage.request(second).request.state == "accepted"

    def test_a_slot_that_cannot_be_had_is_refused_by_name_and_reason(
        self, round_of_tuesdays: Stage, other_group: ExpertGroup
    ) -> None:
        stage = round_of_tuesdays
        mine = [s for s in stage.sessions() if s.group_id == stage.group.id]
        foreign = next(s for s in stage.sessions() if s.group_id == other_group.id)
        request_id = stage.accepted(earliest_on=date(2026, 11, 25), latest_on=date(2026, 12, 1))
        for slot_id, said in (
            (uuid4(), "There is no such slot."),
            (stage.slots(foreign.id)[0].id, "This slot belongs to another group."),
            (stage.slots(mine[0].id)[0].id, "The request may not be discussed before 25 November 2026."),
            (stage.slots(mine[2].id)[0].id, "The request may not be discussed after 1 December 2026."),
        ):
            with pytest.raises(Invalid) as refused:
                panels.allocate(request_id, slot_id=slot_id, by=HELPDESK)
            assert refused.value.errors == {"slot": [said]}
        stage.house.clock.move_on(WEEK)
        with pytest.raises(Invalid, match="The session has already begun"):
            panels.allocate(request_id, slot_id=stage.slots(mine[0].id)[0].id, by=HELPDESK)
        assert stage.house.count(Allocation) == 0

    @pytest.mark.parametrize(
        "state", ["draft", "submitted", "returned", "declined", "allocated", "closed", "withdrawn"]
    )
    def test_only_an_accepted_or_waiting_request_competes(self, round_of_tuesdays: Stage, state: str) -> None:
        request_id = round_of_tuesdays.in_state(state)
        with pytest.raises(RuleBroken, match=f"A request that is {state} cannot be allocated"):
            panels.allocate(request_id, by=HELPDESK)

    def test_without_a_round_a_request_waits_and_is_told_its_place_and_why(self, stage: Stage) -> None:
        found = panels.allocate(stage.accepted(), by=HELPDESK)
        assert (found.request.state, found.position) == ("waiting", 1)
        (mail,) = stage.mails("request-waiting")
        assert (mail["to"], mail["position"]) == ("rui@porto.example", 1)
        assert mail["reason"] == "Every slot of the coming sessions is taken."
        assert panels.allocate(stage.accepted(), by=HELPDESK).position == 2

    def test_a_request_that_waits_already_keeps_its_place_and_is_not_told_again(self, stage: Stage) -> None:
        first, _ = stage.waiting(), stage.waiting()
        before = stage.request(first).request.waiting_since
        stage.house.clock.move_on(timedelta(hours=1))
        found = panels.allocate(first, by=HELPDESK)
        assert (found.position, found.request.waiting_since) == (1, before)
        assert len(stage.mails("request-waiting")) == 2

    def test_a_waiting_request_gets_the_slot_that_is_free_since(self, stage: Stage) -> None:
        request_id = panels.allocate(stage.accepted(), by=HELPDESK).request.id
        stage.meet()
        found = panels.allocate(request_id, by=HELPDESK)
        assert (found.request.state, found.position, found.request.waiting_since) == ("allocated", None, None)

    def test_one_whose_dates_have_no_slot_waits_and_is_told_so(self, round_of_tuesdays: Stage) -> None:
        round_of_tuesdays.waiting()
        (mail,) = round_of_tuesdays.mails("request-waiting")
        assert mail["reason"] == "No free slot lies within the dates that the request allows."


class TestGivingBack:
    def test_a_released_slot_leaves_the_request_accepted_and_the_calendar_is_told(
        self, round_of_tuesdays: Stage
    ) -> None:
        stage = round_of_tuesdays
        request_id = stage.allocated()
        stage.tasks()
        found = panels.release(request_id, by=HELPDESK)
        assert (found.request.state, found.request.allocation, found.position) == ("accepted", None, None)
        assert stage.tasks() == ["issue-invitations"]

    def test_a_released_place_on_the_list_leaves_the_request_accepted_and_nobody_is_told(self, stage: Stage) -> None:
        request_id, next_one = stage.waiting(), stage.waiting()
        stage.tasks()
        assert panels.release(request_id, by=HELPDESK).request.state == "accepted"
        assert stage.tasks() == []
        assert stage.request(next_one).position == 1

    def test_a_withdrawn_request_gives_its_slot_back(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        request_id = stage.allocated()
        stage.tasks()
        found = panels.withdraw(request_id, by=stage.clinician("rui"))
        assert (found.request.state, found.request.allocation) == ("withdrawn", None)
        assert found.request.decided_by == "clinician"
        assert stage.tasks() == ["issue-invitations"]
        assert stage.request(stage.allocated()).request.allocation.slot.starts_at == TUESDAY  # type: ignore[union-attr]

    def test_nothing_is_allocated_again_by_itself(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        waiting = stage.waiting()
        panels.release(stage.allocated(), by=HELPDESK)
        assert stage.request(waiting).request.state == "waiting"

    @pytest.mark.parametrize("leave", [panels.release, panels.withdraw])
    def test_who_held_the_calendar_object_gets_one_cancellation_and_the_members_nothing(
        self, round_of_tuesdays: Stage, leave: Callable[..., object]
    ) -> None:
        stage = round_of_tuesdays
        request_id = stage.allocated()
        stage.work()
        assert Counter(mail["to"] for mail in stage.mails("invitation")) == {
            "rui@porto.example": 1,
            "jörg@graz.example": 1,
            "zoé@graz.example": 1,
            "łucja@graz.example": 1,
        }
        leave(request_id, by=HELPDESK)
        stage.work()
        assert [mail["to"] for mail in stage.mails("invitation-cancel")] == ["rui@porto.example"]
        assert stage.mails("invitation-update") == []


class TestAdvice:
    def test_the_date_of_the_advice_closes_the_request(self, round_of_tuesdays: Stage) -> None:
        found = panels.advised(round_of_tuesdays.discussed(), date(2026, 11, 24), by=HELPDESK).request
        assert (found.state, found.advised_on) == ("closed", date(2026, 11, 24))

    def test_the_advice_may_be_recorded_as_soon_as_the_case_has_its_turn(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        request_id = stage.allocated()
        stage.house.clock.at = TUESDAY
        assert panels.advised(request_id, date(2026, 11, 24), by=HELPDESK).request.state == "closed"

    def test_no_advice_is_recorded_while_the_slot_is_still_to_come(self, round_of_tuesdays: Stage) -> None:
        request_id = round_of_tuesdays.allocated()
        with pytest.raises(RuleBroken, match="still to come"):
            panels.advised(request_id, date(2026, 11, 23), by=HELPDESK)
        assert round_of_tuesdays.request(request_id).request.state == "allocated"

    @pytest.mark.parametrize("on", [date(2026, 11, 26), date(2026, 11, 23), date(1900, 1, 1)])
    def test_an_advice_of_tomorrow_or_before_the_session_is_refused(self, round_of_tuesdays: Stage, on: date) -> None:
        request_id = round_of_tuesdays.discussed()  # Of the 24th; it is the 25th.
        with pytest.raises(Invalid) as refused:
            panels.advised(request_id, on, by=HELPDESK)
        assert list(refused.value.errors) == ["advised_on"]


STEPS: dict[str, Callable[[UUID, Principal], object]] = {
    "look": lambda request_id, by: standing.view(request_id, by=by),
    "change": lambda request_id, by: panels.change(request_id, {"question": "Mine?"}, by=by),
    "triage": lambda request_id, by: panels.triage(request_id, "decline", "No.", by=by),
    "allocate": lambda request_id, by: panels.allocate(request_id, by=by),
    "release": lambda request_id, by: panels.release(request_id, by=by),
    "withdraw": lambda request_id, by: panels.withdraw(request_id, by=by),
    "record the advice": lambda request_id, by: panels.advised(request_id, date(2026, 11, 23), by=by),
}
OTHERS: dict[str, Callable[[Stage], Principal]] = {
    "coordinator of another group": lambda _: Principal(role=Role.COORDINATOR, group_id=uuid4()),
    "reference centre of another hospital": lambda stage: stage.centre("graz"),
    "another clinician": lambda stage: stage.clinician("inês"),
    "helpdesk of another network": lambda _: Principal(role=Role.HELPDESK, network_id=uuid4()),
}


class TestScope:
    @pytest.mark.parametrize("who", OTHERS)
    @pytest.mark.parametrize("step", STEPS)
    def test_for_others_the_request_does_not_exist(self, stage: Stage, who: str, step: str) -> None:
        request_id = stage.submitted()
        with pytest.raises(NotFound, match="no such consultation request"):
            STEPS[step](request_id, OTHERS[who](stage))
        assert stage.request(request_id).request.state == "submitted"

    def test_a_list_shows_what_is_missing_and_each_place(self, stage: Stage, other_group: ExpertGroup) -> None:
        for bring in (lambda: stage.in_state("draft"), stage.waiting, stage.waiting):
            bring()
            stage.house.clock.move_on(timedelta(minutes=1))
        found = standing.listed(Paging(), by=stage.coordinator).items
        assert [(one.request.state, one.missing, one.position) for one in found] == [
            ("draft", ["report", "images"], None),
            ("waiting", [], 1),
            ("waiting", [], 2),
        ]
        assert [
            one.position for one in standing.listed(Paging(), by=HELPDESK, state="waiting", group="brain").items
        ] == [
            1,
            2,
        ]
        assert list(standing.listed(Paging(), by=HELPDESK, group=other_group.id).items) == []

    def test_a_coordinator_cannot_ask_for_the_list_of_another_group(
        self, stage: Stage, other_group: ExpertGroup
    ) -> None:
        with pytest.raises(Invalid) as refused:
            standing.listed(Paging(), by=stage.coordinator, group=other_group.code)
        assert list(refused.value.errors) == ["group"]
