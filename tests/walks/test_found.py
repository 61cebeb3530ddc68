"""What walks have found, as the shortest way there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.notify.sending import Deferred
from conference_orchestrator.providers.errors import Transient
from tests.walks import ending
from tests.walks.steps import Steps
from tests.walks.world import Beginning, World

AN_HOUR = timedelta(hours=1)


@pytest.mark.parametrize("by_death", [False, True], ids=["the answer is lost", "the worker dies"])
def test_a_session_that_moves_back_before_the_answer_to_its_move_is_known(
    world: World, begun: Beginning, *, by_death: bool
) -> None:
    """The meeting stood at the time of the move, which nobody knew, and the record at the time it was moved back to."""
    steps = Steps(world, begun)
    if by_death:
        world.fate.death = "after a call"
    else:
        world.provider.fail("update", Transient, applied=True)
    steps.move(0, AN_HOUR)
    for task in [task for task in world.due() if task.kind == "ensure-conference"]:
        world.run(task)
    steps.move(0, -AN_HOUR)
    world.settle()
    assert (world.done["move"], ending.wrongs(world)) == (2, [])


def test_who_could_not_be_told_of_a_move_to_an_earlier_time_holds_no_later_one(world: World, begun: Beginning) -> None:
    """Friday's session is held on Thursday, and until Thursday night no mail can be sent."""
    steps = Steps(world, begun)
    world.mailbox.troubles["rui"] = [Deferred("no route")] * 9
    steps.move(1, -timedelta(days=1))
    world.run_due()
    world.house.clock.at = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
    world.settle()
    assert ending.wrongs(world) == []


@pytest.mark.parametrize("what", ["cancel", "decline", "return"])
def test_who_was_erased_is_not_told_what_becomes_of_the_request(world: World, begun: Beginning, what: str) -> None:
    steps = Steps(world, begun)
    with world.app.app_context(), transaction():
        db.session.execute(update(Clinician).where(Clinician.id.in_(begun.known.values())).values(state="erased"))
    world.erased = {f"{name}@hospital.example": world.now for name in begun.known}
    if what == "cancel":
        steps.cancel(0)
    else:
        steps.triage(1, what)
    world.settle()
    assert list(ending.told_though_erased(world)) == []
