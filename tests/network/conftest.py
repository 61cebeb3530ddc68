"""A network to begin with."""

from tests.house import covid

__all__ = ["covid"]
