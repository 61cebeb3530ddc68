"""The house in which the tests live, on both databases, with the engine's own outbox."""

from __future__ import annotations

import pytest

from conference_orchestrator.jobs.embedded import EmbeddedQueue
from conference_orchestrator.kernel import ports
from tests.house import House


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def queue(house: House) -> EmbeddedQueue:
    """The outbox of the house."""
    made = EmbeddedQueue()
    ports.queue.fill(house.app, made)
    return made
