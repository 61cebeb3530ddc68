"""A mail server that fails as it is told, and processes that work on the house's database and die as they are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conference_orchestrator.jobs.embedded import EmbeddedQueue
from conference_orchestrator.kernel import ports
from tests.faults.workplace import Program, Workplace
from tests.house import House
from tests.smtp_faults import SmtpFaults


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def queue(house: House) -> EmbeddedQueue:
    """The outbox of the house."""
    made = EmbeddedQueue()
    ports.queue.fill(house.app, made)
    return made


@pytest.fixture
def server() -> Iterator[SmtpFaults]:
    with SmtpFaults() as running:
        yield running


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("working")) as running:
        yield running


@pytest.fixture
def workplace(program: Program, house: House, house_database: str, server: SmtpFaults) -> Iterator[Workplace]:
    with Workplace(program, house_database, server.url) as made:
        yield made
