"""The house in which the tests live."""

from tests.house import covid, house, house_database

__all__ = ["covid", "house", "house_database"]
