"""What walks have found, as the shortest way there."""

from __future__ import annotations

from datetime import timedelta

import pytest

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
