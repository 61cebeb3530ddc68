"""A mail server in memory, and a house on both databases."""

from __future__ import annotations

import pytest

from conference_orchestrator.flows.delivering import open_mail
from tests.house import House
from tests.post import Post


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def post(house: House) -> Post:
    made = Post()
    open_mail.fill(house.app, lambda: made)
    return made
