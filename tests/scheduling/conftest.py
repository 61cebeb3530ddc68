"""The stage on which the tests of the schedule play."""

from tests.scheduling.stage import full, other_group, round_of_tuesdays, stage

__all__ = ["full", "other_group", "round_of_tuesdays", "stage"]
