"""Where offers meet the rest: the policy, the group's rules, a session that moves, a proposal of slots."""

from __future__ import annotations

from uuid import UUID

import pytest

from conference_orchestrator.flows import directory, offering, panels, replanning, rounds
from tests.flows.waiting_line import HOUR, Line, line_up
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, Stage


@pytest.fixture
def refused(stage: Stage) -> Line:
    """The only one who waits has refused the only slot that is free."""
    line = line_up(stage, [{}])
    line.free()
    offering.refuse(line.offer().offer.id, by=HELPDESK)
    line.work()
    return line


def test_the_policy_does_not_give_a_slot_to_who_refused_it(refused: Line) -> None:
    found = panels.allocate(refused.waiting[0], by=HELPDESK)
    assert (found.request.state, found.standing) == ("waiting", "First in line; no free slot suits yet.")
    assert refused.stage.request(refused.waiting[0]).standing == found.standing


def test_a_coordinator_may_give_it_by_name_all_the_same(refused: Line) -> None:
    slot = refused.offer().offer.slot_id
    assert panels.allocate(refused.waiting[0], slot_id=slot, by=HELPDESK).request.state == "allocated"


def test_who_refused_a_slot_keeps_it_from_nobody_behind(refused: Line) -> None:
    behind = refused.stage.accepted(case_reference="CASE-9")
    assert panels.allocate(behind, by=HELPDESK).request.state == "allocated"


def test_a_proposal_leaves_out_a_slot_that_was_refused(refused: Line) -> None:
    proposed = replanning.propose("brain", by=HELPDESK)
    assert (proposed.moves, [UUID(one["request"]) for one in proposed.unplaced]) == ([], refused.waiting)


def test_a_group_that_sets_the_rule_has_its_free_slots_offered_at_once(stage: Stage) -> None:
    line = line_up(stage, [{}], offer_hours=None)
    line.free()
    assert line.states() == ["waiting"]
    directory.change_group(stage.group.id, {"rules": {"offer_hours": 4}}, by=HELPDESK)
    line.work()
    assert line.states() == ["offered"]


def test_who_loses_an_offer_because_the_session_moves_is_told_so(stage: Stage) -> None:
    line = line_up(stage, [{}])
    line.free()
    assert reasons(stage).count(rounds.OFFER_MOVED) == 0
    rounds.move(stage.first().id, TUESDAY + HOUR, by=HELPDESK)
    assert reasons(stage).count(rounds.OFFER_MOVED) == 1


def reasons(stage: Stage) -> list[str]:
    """What the mails about the waiting list gave as the reason."""
    return [mail["reason"] for mail in stage.mails("request-waiting")]
