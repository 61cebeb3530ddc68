"""A network to begin with, and the stage on which the tests of the schedule play."""

from tests.house import covid
from tests.scheduling.stage import full, other_group, round_of_tuesdays, stage

__all__ = ["covid", "full", "other_group", "round_of_tuesdays", "stage"]
