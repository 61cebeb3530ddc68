"""What is said to an offer, or not said in time: who has the slot then, who is offered it next, and who is told."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from conference_orchestrator.flows import offering, panels
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound, RuleBroken, SlotTaken, Stale
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ChecklistItem
from conference_orchestrator.scheduling import allocations
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.sessions import Session
from tests.flows.waiting_line import HOUR, Line, line_up
from tests.house import HELPDESK
from tests.scene import settle
from tests.scheduling.stage import TUESDAY, WEEK, Stage

ANSWERS = {"accept": offering.accept, "refuse": offering.refuse}


@pytest.fixture
def line(stage: Stage) -> Line:
    """One slot tomorrow, offered to the first of three."""
    made = line_up(stage, [{}, {}, {}])
    made.free()
    stage.house.queue.tasks = [task for task in stage.house.queue.tasks if task.kind == "expire-offers"]
    return made


class TestAccepting:
    def test_the_request_has_the_slot_and_waits_no_more(self, line: Line) -> None:
        found = offering.accept(line.offer().offer.id, by=HELPDESK)
        assert (found.state, found.offer.answered_at) == ("accepted", line.stage.house.clock.at)
        view = line.stage.request(line.waiting[0])
        assert (view.request.state, view.request.waiting_since) == ("allocated", None)
        assert view.given is not None
        assert view.given.slot.starts_at == TUESDAY
        assert line.positions()[1:] == [1, 2]

    def test_the_meeting_is_made_and_the_requester_invited(self, line: Line) -> None:
        offering.accept(line.offer().offer.id, by=HELPDESK)
        line.stage.work()
        assert line.stage.house.count(Conference) == 1
        cases = [mail["case_reference"] for mail in line.stage.mails("invitation") if mail["role"] == "requester"]
        assert cases == ["CASE-1"]

    def test_a_second_time_it_is_said_that_it_was_accepted(self, line: Line) -> None:
        offer_id = line.offer().offer.id
        offering.accept(offer_id, by=HELPDESK)
        with pytest.raises(RuleBroken) as refused:
            offering.accept(offer_id, by=HELPDESK)
        assert refused.value.detail == (
            "The offer was accepted at Monday 23 November 2026, 10.00 (Europe/Berlin); the request is allocated."
        )
        assert refused.value.extra == {"state": "accepted"}

    def test_nothing_is_left_to_run_out(self, line: Line) -> None:
        offering.accept(line.offer().offer.id, by=HELPDESK)
        line.pass_the_time()
        assert line.states() == ["allocated", "waiting", "waiting"]
        assert line.mails() == ["CASE-1"]

    def test_a_request_that_has_come_to_lack_something_gets_no_slot(self, line: Line) -> None:
        with transaction():
            more = {"code": "new", "label": "New", "kind": "flag", "required": True, "position": 9}
            db.session.add(ChecklistItem(group_id=line.stage.group.id, **more))
        with pytest.raises(RuleBroken, match="The request lacks: new"):
            offering.accept(line.offer().offer.id, by=HELPDESK)
        assert (line.states()[0], line.offer().state) == ("offered", "open")

    def test_a_slot_of_a_session_that_has_begun_is_not_taken(self, line: Line) -> None:
        """Its offer ends with the start at the latest; here the clock is not asked."""
        session_id = line.stage.first().id
        with transaction():
            db.session.execute(update(Session).where(Session.id == session_id).values(state="held"))
        with pytest.raises(RuleBroken, match="The session is held"):
            offering.accept(line.offer().offer.id, by=HELPDESK)


class TestRefusing:
    def test_the_request_waits_on_in_its_place_and_the_reason_is_kept(self, line: Line) -> None:
        assert offering.refuse(line.offer().offer.id, by=HELPDESK).state == "refused"
        view = line.stage.request(line.waiting[0])
        assert (view.request.state, view.position) == ("waiting", 1)
        assert view.reasons == ["The slot of Tuesday 24 November 2026, 11.00 was offered and refused."]

    def test_the_next_in_line_is_offered_the_slot(self, line: Line) -> None:
        offering.refuse(line.offer().offer.id, by=HELPDESK)
        line.work()
        assert line.states() == ["waiting", "offered", "waiting"]
        assert line.mails() == ["CASE-1", "CASE-2"]

    def test_what_was_refused_cannot_be_accepted_any_more(self, line: Line) -> None:
        offer_id = line.offer().offer.id
        offering.refuse(offer_id, by=HELPDESK)
        with pytest.raises(RuleBroken, match=r"was refused at .*; the request waits on, in its place"):
            offering.accept(offer_id, by=HELPDESK)

    def test_another_session_is_offered_to_who_refused(self, line: Line) -> None:
        offering.refuse(line.offer().offer.id, by=HELPDESK)
        line.stage.meet(slots=1, starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 1))
        offering.offer_slots(line.stage.group.id)
        assert line.states() == ["offered", "offered", "waiting"]
        assert line.offer(0).offer.slot.starts_at == TUESDAY + WEEK
        assert (
            "Not Tuesday 24 November 2026, 11.00: it was offered before and not taken." in line.offer(0).offer.reasons
        )
        assert line.offer(1).offer.slot.starts_at == TUESDAY


class TestRunningOut:
    def test_the_request_waits_on_in_its_place_and_the_reason_is_kept(self, line: Line) -> None:
        line.pass_the_time()
        view = line.stage.request(line.waiting[0])
        assert (line.offer().state, view.request.state, view.position) == ("expired", "waiting", 1)
        assert view.reasons == ["The slot of Tuesday 24 November 2026, 11.00 was offered, and nobody answered in time."]

    def test_a_moment_before_its_time_nothing_runs_out(self, line: Line) -> None:
        line.stage.house.clock.move_on(4 * HOUR - timedelta(seconds=1))
        offering.expire_offers()
        assert line.offer().state == "open"

    def test_a_task_is_due_at_the_very_instant(self, line: Line) -> None:
        (task,) = [task for task in line.stage.house.queue.tasks if task.kind == "expire-offers"]
        assert (task.due_at, task.lock) == (line.offer().offer.expires_at, None)

    @pytest.mark.parametrize("said", ANSWERS)
    def test_once_the_time_is_over_there_is_nothing_to_answer_even_before_the_timer_comes(
        self, line: Line, said: str
    ) -> None:
        line.stage.house.clock.move_on(4 * HOUR)
        assert line.offer().state == "expired"
        with pytest.raises(RuleBroken) as refused:
            ANSWERS[said](line.offer().offer.id, by=HELPDESK)
        assert refused.value.detail == (
            "The offer ended at Monday 23 November 2026, 14.00 (Europe/Berlin); the request waits on, in its place."
        )

    def test_the_slot_goes_down_the_line_to_its_end_with_one_mail_for_each_step(self, line: Line) -> None:
        offering.refuse(line.offer(0).offer.id, by=HELPDESK)
        line.work()
        assert line.states() == ["waiting", "offered", "waiting"]
        line.pass_the_time()
        assert line.states() == ["waiting", "waiting", "offered"]
        line.pass_the_time()
        assert line.states() == ["waiting", "waiting", "waiting"]
        assert (line.mails(), line.positions()) == (["CASE-1", "CASE-2", "CASE-3"], [1, 2, 3])
        line.pass_the_time()
        assert len(line.mails()) == 3

    def test_one_that_cannot_be_ended_keeps_no_other_from_ending(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = line_up(stage, [{}, {}], slots=2)
        line.free(2)
        broken, expire = line.offer(0).offer.id, allocations.expire

        def expire_all_but_one(offer_id: Any, **named: Any) -> bool:
            if offer_id == broken:
                raise RuntimeError("the row is broken")
            return expire(offer_id, **named)

        monkeypatch.setattr(allocations, "expire", expire_all_but_one)
        stage.house.clock.move_on(4 * HOUR)
        offering.expire_offers()
        assert line.states() == ["offered", "waiting"]
        monkeypatch.undo()
        offering.expire_offers()
        assert line.states() == ["waiting", "waiting"]


class TestAfterAnOutage:
    """R19: the service was down for 49 hours while two offers ran out."""

    @pytest.fixture
    def two_weeks(self, stage: Stage) -> Line:
        """The first two in line are offered the slots of tomorrow and of the week after, each until the morrow."""
        stage.meet(slots=1, starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 1))
        later = stage.allocated(case_reference="HELD-9")
        line = line_up(stage, [{} for _ in range(6)], offer_hours=24)
        line.holders.append(later)
        line.free(2)
        assert line.states() == ["offered", "offered", *["waiting"] * 4]
        stage.house.clock.move_on(49 * HOUR)
        return line

    def test_each_offer_ends_once_and_only_the_slot_that_is_still_to_come_is_offered_on(self, two_weeks: Line) -> None:
        assert two_weeks.offer(0).offer.slot.starts_at == TUESDAY < two_weeks.stage.house.clock.at
        settle(two_weeks.stage.house, "offer-slots", "expire-offers", moving_the_clock=False)
        assert two_weeks.states() == ["offered", *["waiting"] * 5]
        assert two_weeks.offer(0).offer.slot.starts_at == TUESDAY + WEEK

    def test_one_mail_goes_out_however_often_the_timer_would_have_come(self, two_weeks: Line) -> None:
        before = len(two_weeks.stage.mails("all"))
        for _ in range(5):
            offering.expire_offers()
            two_weeks.work()
        assert len(two_weeks.stage.mails("all")) - before == 1

    def test_when_every_session_has_begun_nothing_is_offered(self, two_weeks: Line) -> None:
        two_weeks.stage.house.clock.move_on(WEEK)
        before = len(two_weeks.stage.mails("all"))
        two_weeks.work()
        assert two_weeks.states() == ["waiting"] * 6
        assert len(two_weeks.stage.mails("all")) == before


class TestScope:
    @pytest.mark.parametrize(
        "foreign",
        [
            Principal(role=Role.COORDINATOR, group_id=uuid4()),
            Principal(role=Role.REFERENCE_CENTRE, hospital_id=uuid4()),
            Principal(role=Role.CLINICIAN, clinician_id=uuid4()),
            Principal(role=Role.HELPDESK, network_id=uuid4()),
        ],
        ids=str,
    )
    def test_for_others_the_offer_does_not_exist(self, line: Line, foreign: Principal) -> None:
        for step in (offering.view, offering.accept, offering.refuse):
            with pytest.raises(NotFound, match="There is no such offer"):
                step(line.offer().offer.id, by=foreign)
        assert line.states()[0] == "offered"

    @pytest.mark.parametrize("who", ["coordinator", "reference centre", "clinician"])
    def test_each_in_the_own_scope_may_accept(self, line: Line, who: str) -> None:
        by = {
            "coordinator": line.stage.coordinator,
            "reference centre": line.stage.centre("porto"),
            "clinician": line.stage.clinician("rui"),
        }[who]
        assert offering.accept(line.offer().offer.id, by=by).state == "accepted"

    def test_a_slot_that_was_given_is_no_offer(self, stage: Stage) -> None:
        line = line_up(stage, [])
        given = stage.request(line.holders[0]).given
        assert given is not None
        with pytest.raises(NotFound):
            offering.view(given.id, by=HELPDESK)

    def test_who_saw_an_older_request_does_not_answer(self, line: Line) -> None:
        version = line.offer().request.version
        with pytest.raises(Stale):
            offering.accept(line.offer().offer.id, by=HELPDESK, expected=version - 1)
        assert offering.accept(line.offer().offer.id, by=HELPDESK, expected=version).state == "accepted"

    def test_a_slot_that_is_offered_is_given_to_nobody_else(self, line: Line) -> None:
        slot_id = line.offer().offer.slot_id
        with pytest.raises(SlotTaken):
            panels.allocate(line.waiting[1], slot_id=slot_id, by=HELPDESK)

    def test_a_request_that_is_offered_a_slot_gets_no_other_meanwhile(self, line: Line) -> None:
        with pytest.raises(RuleBroken, match="offered"):
            panels.allocate(line.waiting[0], by=HELPDESK)


class TestByLink:
    def test_the_link_acts_in_the_requesters_name(self, line: Line) -> None:
        offer_id, by = offering.by_link(links.token("offer", line.offer().offer.id))
        assert (offer_id, by) == (line.offer().offer.id, line.stage.clinician("rui"))

    def test_the_link_of_another_purpose_is_none(self, line: Line) -> None:
        with pytest.raises(NotFound):
            offering.by_link(links.token("answer", line.offer().offer.id))

    def test_of_who_was_erased_the_link_is_dead(self, line: Line) -> None:
        token = links.token("offer", line.offer().offer.id)
        with transaction():
            gone = update(Clinician).where(Clinician.id == line.stage.people["rui"].id)
            db.session.execute(gone.values(state="erased"))
        with pytest.raises(NotFound, match="not valid any more"):
            offering.by_link(token)
