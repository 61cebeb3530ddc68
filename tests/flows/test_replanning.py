"""A replan gives free slots to who waits, as a whole or not at all, on a person's word."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine, select, text

from conference_orchestrator.flows import arranging, panels, replanning, rounds
from conference_orchestrator.kernel.audit import AuditEntry
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, NotFound
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.replans import Replan
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage, ask_for_more


@pytest.fixture
def fallen_out(full: Stage) -> Stage:
    """The next session, with two cases, was cancelled: both wait, and the sessions after it are free."""
    rounds.cancel(full.first().id, "A congress.", by=full.coordinator)
    full.house.queue.tasks.clear()
    return full


def moves(of: Replan) -> list[tuple[UUID, str]]:
    return [(UUID(move["request"]), move["starts_at"]) for move in of.moves]


def waiting() -> list[UUID]:
    """The requests on the list, in line."""
    return [request_id for request_id, _ in moves(replanning.propose("brain", by=HELPDESK))]


def test_who_fell_out_gets_the_slots_of_the_next_session(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=fallen_out.coordinator)
    assert [starts_at for _, starts_at in moves(proposed)] == ["2026-12-01T10:00:00Z", "2026-12-01T10:20:00Z"]
    assert proposed.moves[0]["reasons"] == [
        "First in line.",
        "Gets Tuesday 1 December 2026, 11.00.",
        "Its session fell out.",
    ]
    assert proposed.unplaced == []


def test_a_proposal_changes_nothing(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    assert {fallen_out.request(request_id).request.state for request_id, _ in moves(proposed)} == {"waiting"}
    assert fallen_out.tasks() == []


def test_applied_each_has_its_slot_and_a_meeting_is_made(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    applied = replanning.apply(proposed.id, by=fallen_out.coordinator)
    assert applied.applied_at == fallen_out.house.clock.at
    for move in proposed.moves:
        view = fallen_out.request(UUID(move["request"]))
        assert (view.request.state, str(view.given.slot_id), view.reasons) == (
            "allocated",
            move["slot"],
            move["reasons"],
        )
    assert fallen_out.tasks() == ["ensure-conference", "issue-invitations"]


def test_the_audit_says_of_each_that_it_got_its_slot_and_why(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    replanning.apply(proposed.id, by=fallen_out.coordinator)
    allocated = select(AuditEntry).where(AuditEntry.action == "request.allocate").order_by(AuditEntry.sequence)
    # The two before got their slots one by one.
    assert [(one.subject, one.reason) for one in db.session.scalars(allocated)][2:] == [
        (f"consultation_request:{move['request']}", " ".join(move["reasons"])) for move in proposed.moves
    ]


def test_an_urgent_request_goes_before_those_that_wait_longer(fallen_out: Stage) -> None:
    line = waiting()
    window = {"earliest_on": None, "latest_on": None}
    urgent = fallen_out.accepted(urgency="emergency", case_reference="CPMS-9", **window)
    slots = fallen_out.slots(fallen_out.sessions()[1].id)
    holder = fallen_out.accepted(case_reference="CPMS-8")
    panels.allocate(holder, slot_id=slots[0].id, by=HELPDESK)
    fallen_out.house.clock.move_on(timedelta(minutes=1))
    panels.allocate(urgent, slot_id=slots[1].id, by=HELPDESK)
    rounds.cancel(fallen_out.sessions()[1].id, "Ill.", by=HELPDESK)
    proposed = replanning.propose("brain", by=HELPDESK)
    assert moves(proposed)[0] == (urgent, "2026-12-08T10:00:00Z")
    assert {request_id for request_id, _ in moves(proposed)} == {urgent, holder, *line}


def test_a_request_for_which_no_slot_suits_waits_on_with_the_reason(fallen_out: Stage) -> None:
    late = fallen_out.waiting(case_reference="CPMS-7")
    proposed = replanning.propose("brain", by=HELPDESK)
    assert [(one["request"], one["reason"]) for one in proposed.unplaced] == [
        (str(late), "No free slot lies within the dates that the request allows.")
    ]


def test_a_request_that_has_come_to_lack_something_gets_no_slot_and_keeps_its_place(fallen_out: Stage) -> None:
    (first, second) = waiting()
    ask_for_more(fallen_out, answered_by=second)
    proposed = replanning.propose("brain", by=HELPDESK)
    assert [(UUID(move["request"]), move["waiting_position"], move["starts_at"]) for move in proposed.moves] == [
        (second, 2, "2026-12-01T10:00:00Z")
    ]
    assert [(one["request"], one["reason"]) for one in proposed.unplaced] == [(str(first), "The request lacks: new.")]
    replanning.apply(proposed.id, by=HELPDESK)
    assert [fallen_out.request(one).request.state for one in (first, second)] == ["waiting", "allocated"]


def test_a_hospital_gets_no_more_than_its_share_of_a_session(fallen_out: Stage) -> None:
    both = waiting()
    same = fallen_out.hospitals["porto"].id
    with fallen_out.house.app.app_context():
        engine = create_engine(fallen_out.house.app.config["SQLALCHEMY_DATABASE_URI"])
        with engine.begin() as connection:
            connection.execute(text("UPDATE consultation_request SET hospital_id = :id"), {"id": same.hex})
            connection.execute(text("UPDATE expert_group SET rules = '{\"hospital_share\": 0.5}'"))
        engine.dispose()
    proposed = replanning.propose("brain", by=HELPDESK)
    assert moves(proposed) == [(both[0], "2026-12-01T10:00:00Z"), (both[1], "2026-12-08T10:00:00Z")]
    replanning.apply(proposed.id, by=HELPDESK)


def test_a_proposal_is_applied_once(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    replanning.apply(proposed.id, by=HELPDESK)
    with pytest.raises(Conflict, match="applied already"):
        replanning.apply(proposed.id, by=HELPDESK)


def test_nothing_of_it_is_applied_once_a_slot_is_taken(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    other = fallen_out.accepted(case_reference="CPMS-5")
    panels.allocate(other, slot_id=UUID(proposed.moves[1]["slot"]), by=HELPDESK)
    with pytest.raises(Conflict) as refused:
        replanning.apply(proposed.id, by=HELPDESK)
    assert refused.value.detail == replanning.CHANGED
    assert {fallen_out.request(request_id).request.state for request_id, _ in moves(proposed)} == {"waiting"}
    assert fallen_out.request(other).request.state == "allocated"


def test_nothing_of_it_is_applied_once_a_request_was_withdrawn(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    panels.withdraw(moves(proposed)[0][0], by=HELPDESK)
    with pytest.raises(Conflict):
        replanning.apply(proposed.id, by=HELPDESK)
    assert fallen_out.request(moves(proposed)[1][0]).request.state == "waiting"


def must_have_changed(proposed: Replan) -> None:
    """Nothing of it can be applied any more."""
    with pytest.raises(Conflict) as refused:
        replanning.apply(proposed.id, by=HELPDESK)
    assert refused.value.detail == replanning.CHANGED


def test_nothing_of_it_is_applied_once_a_session_has_moved(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    rounds.move(fallen_out.sessions()[1].id, TUESDAY + WEEK + timedelta(days=2), by=HELPDESK)
    must_have_changed(proposed)
    assert {fallen_out.request(request_id).request.state for request_id, _ in moves(proposed)} == {"waiting"}


def test_nothing_of_it_is_applied_once_its_slots_are_gone(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    arranging.change_series(fallen_out.first().series_id, {"slots": 1}, by=HELPDESK)
    must_have_changed(proposed)


def test_nothing_of_it_is_applied_once_somebody_came_to_the_list(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    fallen_out.waiting(case_reference="CPMS-9", urgency="emergency")
    must_have_changed(proposed)


def test_nothing_of_it_is_applied_once_somebody_who_was_to_wait_on_has_gone(fallen_out: Stage) -> None:
    late = fallen_out.waiting(case_reference="CPMS-7")
    proposed = replanning.propose("brain", by=HELPDESK)
    panels.withdraw(late, by=HELPDESK)
    must_have_changed(proposed)


def test_nothing_of_it_is_applied_once_somebody_lost_the_place_in_line(fallen_out: Stage) -> None:
    late = fallen_out.waiting(case_reference="CPMS-7")
    proposed = replanning.propose("brain", by=HELPDESK)
    fallen_out.house.clock.move_on(timedelta(minutes=1))
    panels.release(late, by=HELPDESK)
    panels.allocate(late, by=HELPDESK)
    must_have_changed(proposed)


def test_nothing_of_it_is_applied_once_a_request_has_come_to_lack_something(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    ask_for_more(fallen_out)
    must_have_changed(proposed)


def test_of_two_who_apply_it_at_the_same_instant_one_does(fallen_out: Stage) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    answers = fallen_out.house.at_once(2, lambda _: replanning.apply(proposed.id, by=HELPDESK))
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Replan"]


def test_a_coordinator_of_another_group_sees_none_of_it(fallen_out: Stage, other_group: object) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    foreign = Principal(role=Role.COORDINATOR, group_id=other_group.id)  # type: ignore[attr-defined]
    with pytest.raises(Invalid):
        replanning.propose("brain", by=foreign)
    for step in (replanning.one, replanning.apply):
        with pytest.raises(NotFound):
            step(proposed.id, by=foreign)
    assert fallen_out.house.count(Allocation) == 2  # the two that were released


def test_without_a_free_slot_everybody_waits_on(full: Stage) -> None:
    arranging.close_series(full.first().series_id, by=HELPDESK)
    proposed = replanning.propose("brain", by=HELPDESK)
    assert proposed.moves == []
    assert [one["reason"] for one in proposed.unplaced] == ["Every slot of the coming sessions is taken."] * 2
