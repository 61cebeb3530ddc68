"""A whole application, empty or furnished, for a browser to look at. Its database is made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conference_orchestrator import migrations
from conference_orchestrator.app import create_app
from conference_orchestrator.kernel.database import db
from conference_orchestrator.settings import Settings
from tests.house import StandingClock
from tests.web.pages.visiting import Site, ask_for_a_panel, furnish


def settings_for(database: Path) -> Settings:
    return Settings(
        secret_key="only-for-tests",
        database_url=f"sqlite:///{database}",
        mail_from="Helpdesk <helpdesk@network.example>",
        captcha="off",
    )


@contextmanager
def opened(settings: Settings, var: Path) -> Iterator[Site]:
    clock = StandingClock()
    app = create_app(settings, clock=clock, var=var)
    yield Site(app, clock, app.test_client())
    with app.app_context():
        db.session.remove()
        db.engine.dispose()  # the last connection that closes leaves everything in the one file


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty database, a furnished one, and one in which people are invited."""
    folder = tmp_path_factory.mktemp("databases")
    migrations.upgrade(f"sqlite:///{folder / 'empty.db'}")
    steps: list[tuple[str, str, Callable[[], object]]] = [
        ("empty", "furnished", furnish),
        ("furnished", "invited", ask_for_a_panel),
    ]
    for before, after, step in steps:
        shutil.copy(folder / f"{before}.db", folder / f"{after}.db")
        with opened(settings_for(folder / f"{after}.db"), folder) as site:
            with site.app.app_context():
                step()
            site.work()
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path / "site.db")


@pytest.fixture
def empty_site(databases: Path, settings: Settings, tmp_path: Path) -> Iterator[Site]:
    """Nothing is loaded yet."""
    shutil.copy(databases / "empty.db", tmp_path / "site.db")
    with opened(settings, tmp_path) as site:
        yield site


@pytest.fixture
def site(databases: Path, settings: Settings, tmp_path: Path) -> Iterator[Site]:
    """A network with notices, a hospital, and a group with a weekly round; Anna is its expert."""
    shutil.copy(databases / "furnished.db", tmp_path / "site.db")
    with opened(settings, tmp_path) as site:
        yield site


@pytest.fixture
def invited(databases: Path, settings: Settings, tmp_path: Path) -> Iterator[Site]:
    """Anna is invited as an expert, Bruno as the requester of a case."""
    shutil.copy(databases / "invited.db", tmp_path / "site.db")
    with opened(settings, tmp_path) as site:
        yield site
