"""Whatever happens in whatever order: no slot twice, nothing lost, every calendar right."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.walks.machine import walks
from tests.walks.world import Beginning, World

PARTS = 4
USUAL = 200
STEPS = 16
# What has happened in every part, so that a walk is one.
EVERYWHERE = {
    "submit",
    "accept",
    "book",
    "release",
    "withdraw",
    "accept an offer",
    "apply a replan",
    "move",
    "cancel",
    "change a round",
    "answer an invitation",
    "erase",
}
WALKS = int(os.environ.get("CO_TEST_WALKS", USUAL))


@pytest.mark.parametrize("part", range(PARTS))
def test_everything_is_as_it_must_be_whatever_happens(world: World, begun: Beginning, part: int) -> None:
    machine = walks(world, begun)
    run_state_machine_as_test(
        # The usual walks are the same in every run; more of them are new ones each time.
        seed(part)(machine) if WALKS == USUAL else machine,
        settings=settings(
            max_examples=WALKS // PARTS,
            stateful_step_count=STEPS,
            deadline=None,  # a walk takes as long as it takes, on a machine that does other things too
            database=None,
            phases=[Phase.generate],  # a shorter walk is not worth minutes
            suppress_health_check=list(HealthCheck),  # a step is a flow on a database: slow to hypothesis
        ),
    )
    assert world.done.keys() >= EVERYWHERE
