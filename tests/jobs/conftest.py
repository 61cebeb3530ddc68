"""The house in which the tests live, on both databases, with the engine's own outbox."""

from __future__ import annotations

import pytest

from conference_orchestrator.jobs import embedded, timetable  # noqa: F401  - so that their tables are made
from conference_orchestrator.jobs.embedded import EmbeddedQueue
from conference_orchestrator.kernel import ports
from tests.house import House, house

__all__ = ["house"]


@pytest.fixture
def house_database(database_url: str) -> str:
    return database_url


@pytest.fixture
def queue(house: House) -> EmbeddedQueue:
    """The outbox of the house."""
    made = EmbeddedQueue()
    ports.queue.fill(house.app, made)
    return made
