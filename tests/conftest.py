"""What any test may ask for: databases, the house that flows live in, a way to say that something is absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from tests import postgres
from tests.house import house, house_database
from tests.migrated import both_schemas, migrated_file, migrated_template, postgres_schema, sqlite_schema
from tests.secrets import listening_for_secrets, pytest_runtest_makereport, secrets_of_this_module, watched_fakes

__all__ = [
    "both_schemas",
    "house",
    "house_database",
    "listening_for_secrets",
    "migrated_file",
    "migrated_template",
    "postgres_schema",
    "pytest_runtest_makereport",
    "secrets_of_this_module",
    "sqlite_schema",
    "watched_fakes",
]


def absent(what: str, because: str) -> NoReturn:
    """Skip the test for want of `what`, or fail it when `CO_TEST_REQUIRE` (comma-separated) insists on it."""
    if what in os.environ.get("CO_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{what} is required and cannot be had: {because}", pytrace=False)
    pytest.skip(f"{what} cannot be had: {because}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server, see tests/postgres.py."""
    with ExitStack() as running:
        try:
            address = running.enter_context(postgres.server())
        except postgres.Unavailable as reason:
            absent("postgres", str(reason))
        yield address


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database of the test's own."""
    with postgres.database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of the test's own: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'conference.db'}"
    return request.getfixturevalue("postgres_url")
