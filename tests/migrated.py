"""Databases with the whole schema, constraints and triggers included, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from conference_orchestrator import migrations
from tests import postgres


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "migrated.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    with postgres.database(postgres_server) as url:
        migrations.upgrade(url)
        yield make_url(url).database or ""


@pytest.fixture
def sqlite_schema(migrated_file: Path, tmp_path: Path) -> str:
    """The address of a migrated SQLite database of the test's own."""
    copy = shutil.copy(migrated_file, tmp_path / "house.db")
    return f"sqlite:///{copy}"


@pytest.fixture
def postgres_schema(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """The address of a migrated PostgreSQL database of the test's own."""
    with postgres.database(postgres_server, template=migrated_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def both_schemas(request: pytest.FixtureRequest) -> str:
    """The address of a migrated database of the test's own: once SQLite, once PostgreSQL."""
    address: str = request.getfixturevalue(f"{request.param}_schema")
    return address
