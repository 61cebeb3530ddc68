"""The house in which the tests live."""

from tests.house import house, house_database

__all__ = ["house", "house_database"]
