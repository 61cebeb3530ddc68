"""A freed slot is offered to the first in line: until when, in which words, and to whom not."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from conference_orchestrator.flows import offering, panels, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ChecklistItem
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.rosters import Absence
from tests.flows.waiting_line import HOUR, Line, line_up, set_rules
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage

TWO: list[dict[str, Any]] = [{}, {}]


@pytest.fixture
def line(stage: Stage) -> Line:
    """One slot tomorrow, taken, and three who wait for it."""
    return line_up(stage, [{}, {}, {}])


def test_a_freed_slot_is_offered_to_the_first_in_line(line: Line) -> None:
    line.free()
    assert line.states() == ["offered", "waiting", "waiting"]
    assert line.positions() == [None, 1, 2]
    found = line.offer()
    assert (found.state, found.offer.expires_at) == ("open", line.stage.house.clock.at + 4 * HOUR)
    assert found.offer.slot.starts_at == TUESDAY


def test_the_reasons_of_an_offer_are_stored_with_it(line: Line) -> None:
    line.free()
    assert line.offer().offer.reasons == [
        "First in line.",
        "The earliest suitable free slot: Tuesday 24 November 2026, 11.00.",
        "It waits since 23 November.",
    ]


def test_one_mail_tells_what_is_offered_and_until_when(line: Line) -> None:
    line.free()
    (mail,) = line.stage.mails("slot-offer")
    assert mail == {
        "to": "rui@porto.example",
        "kind": "slot-offer",
        "case_reference": "CASE-1",
        "group_name": "Brain Tumour",
        "starts_at": "2026-11-24T10:00:00Z",
        "ends_at": "2026-11-24T10:20:00Z",
        "time_zone": "Europe/Berlin",
        "held_until": "2026-11-23T13:00:00Z",
        "answer_url": None,
    }


def test_the_session_shows_the_slot_as_offered_and_nobody_is_invited_to_it(line: Line) -> None:
    line.free()
    (slot,) = rounds.session(line.stage.first().id, by=HELPDESK).session.slots
    assert slot.allocation is not None
    assert not slot.allocation.is_firm
    line.stage.work()
    assert line.stage.mails("invitation") == []


def test_each_of_two_freed_slots_is_offered_to_another(stage: Stage) -> None:
    line = line_up(stage, [{}, {}, {}], slots=2)
    line.free(2)
    assert line.states() == ["offered", "offered", "waiting"]
    assert line.offer(0).offer.slot.number == 1
    assert line.offer(1).offer.slot.number == 2
    assert line.mails() == ["CASE-1", "CASE-2"]


def test_work_that_is_done_twice_offers_nothing_twice(line: Line) -> None:
    line.free()
    offering.offer_slots(line.stage.group.id)
    assert line.states() == ["offered", "waiting", "waiting"]
    assert len(line.stage.mails("slot-offer")) == 1


def test_the_urgent_is_first_in_line_whoever_came_before(stage: Stage) -> None:
    line = line_up(stage, [{}, {"urgency": "urgent"}])
    line.free()
    assert line.states() == ["waiting", "offered"]


def test_nothing_is_offered_where_the_group_has_no_such_rule(stage: Stage) -> None:
    line = line_up(stage, TWO, offer_hours=None)
    line.free()
    offering.offer_slots(stage.group.id)
    assert line.states() == ["waiting", "waiting"]
    assert stage.mails("slot-offer") == []


def test_what_is_open_stays_open_when_the_group_gives_the_rule_up(line: Line) -> None:
    line.free()
    set_rules(line.stage)
    offering.accept(line.offer().offer.id, by=HELPDESK)
    assert line.states() == ["allocated", "waiting", "waiting"]


def test_once_the_group_gave_the_rule_up_nothing_is_offered_on(line: Line) -> None:
    line.free()
    set_rules(line.stage)
    line.pass_the_time()
    assert line.states() == ["waiting", "waiting", "waiting"]


def test_a_slot_is_held_no_longer_than_until_the_cut_off(stage: Stage) -> None:
    line = line_up(stage, TWO, cut_off_hours=23)
    line.free()
    assert line.offer().offer.expires_at == TUESDAY - 23 * HOUR


def test_from_the_cut_off_on_nothing_is_offered(stage: Stage) -> None:
    line = line_up(stage, TWO, cut_off_hours=25)
    assert stage.house.clock.at == TUESDAY - 25 * HOUR
    line.free()
    assert line.states() == ["waiting", "waiting"]
    assert stage.mails("slot-offer") == []


def test_a_moment_before_the_cut_off_a_slot_is_offered_for_that_moment(stage: Stage) -> None:
    line = line_up(stage, TWO, cut_off_hours=25)
    stage.house.clock.move_on(-timedelta(seconds=1))
    line.free()
    assert line.offer().offer.expires_at == TUESDAY - 25 * HOUR


class TestWhoIsPassedOver:
    def test_who_is_away_on_that_day(self, stage: Stage) -> None:
        with transaction() as tx:
            gone = {"clinician_id": stage.people["jörg"].id, "from_on": TUESDAY.date(), "until_on": TUESDAY.date()}
            db.session.add(Absence(**gone, created_at=tx.now))
        line = line_up(stage, [{"requester": stage.people["jörg"].id}, {}])
        line.free()
        assert line.states() == ["waiting", "offered"]
        assert line.offer(1).offer.reasons[0] == "Second in line; nobody further ahead takes the slot."

    def test_whose_window_the_slot_is_not_in(self, stage: Stage) -> None:
        line = line_up(stage, [{"earliest_on": date(2026, 11, 25)}, {}])
        line.free()
        assert line.states() == ["waiting", "offered"]

    def test_who_was_erased_and_gets_no_mail(self, stage: Stage) -> None:
        line = line_up(stage, [{"requester": stage.people["jörg"].id}, {}])
        with transaction():
            gone = update(Clinician).where(Clinician.id == stage.people["jörg"].id)
            db.session.execute(gone.values(state="erased"))
        line.free()
        assert line.states() == ["waiting", "offered"]
        assert line.mails() == ["CASE-2"]

    def test_who_has_come_to_lack_something(self, stage: Stage) -> None:
        line = line_up(stage, TWO)
        with transaction() as tx:
            new = ChecklistItem(
                group_id=stage.group.id, position=9, code="new", label="New", kind="flag", required=True
            )
            new.created_at = tx.now
            db.session.add(new)
        line.free()
        assert line.states() == ["waiting", "waiting"]
        assert stage.mails("slot-offer") == []


class TestWhenTheSessionChanges:
    def test_a_moved_slot_is_offered_anew_with_its_new_hour(self, line: Line) -> None:
        line.free()
        old = line.offer().offer.id
        rounds.move(line.stage.first().id, TUESDAY + HOUR, by=HELPDESK)
        line.work()
        assert offering.view(old, by=HELPDESK).state == "withdrawn"
        assert line.states() == ["offered", "waiting", "waiting"]
        told = sorted((mail["case_reference"], mail["starts_at"]) for mail in line.stage.mails("slot-offer"))
        assert told == [("CASE-1", "2026-11-24T10:00:00Z"), ("CASE-1", "2026-11-24T11:00:00Z")]

    def test_the_offer_of_a_cancelled_session_ends_and_its_request_waits_on_in_its_place(self, line: Line) -> None:
        line.free()
        rounds.cancel(line.stage.first().id, "Ill.", by=HELPDESK)
        line.work()
        assert line.offer().state == "withdrawn"
        assert (line.states(), line.positions()) == (["waiting"] * 3, [1, 2, 3])
        told = [mail for mail in line.stage.mails("request-waiting") if "was offered a slot" in mail["reason"]]
        assert [(mail["case_reference"], mail["position"]) for mail in told] == [("CASE-1", 1)]

    def test_the_next_session_is_offered_instead(self, stage: Stage) -> None:
        stage.meet(slots=1, starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 1))
        blocker = stage.allocated(case_reference="HELD-9")
        line = line_up(stage, TWO)
        line.free()
        rounds.cancel(stage.first().id, "Ill.", by=HELPDESK)
        panels.withdraw(blocker, by=HELPDESK)
        line.work()
        assert line.states() == ["offered", "waiting"]
        assert line.offer().offer.slot.starts_at == TUESDAY + WEEK


def active(model: type[Allocation] = Allocation) -> int:
    return db.session.query(model).filter(model.released_at.is_(None)).count()


@pytest.mark.parametrize("step", [panels.release, panels.withdraw])
def test_who_needs_the_offered_slot_no_more_leaves_it_to_the_next(line: Line, step: Any) -> None:
    line.free()
    step(line.waiting[0], by=HELPDESK)
    line.work()
    assert line.states()[1:] == ["offered", "waiting"]
    assert line.offer().state == "withdrawn"
    assert (line.mails(), active()) == (["CASE-1", "CASE-2"], 1)


def test_the_clock_of_the_house_is_where_these_tests_think_it_is(stage: Stage) -> None:
    assert stage.house.clock.at == datetime.fromisoformat("2026-11-23T09:00:00Z")
