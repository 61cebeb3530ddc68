"""What journeys need: a mailbox, a sandbox, a running service with the two networks loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from conference_orchestrator.flows import loading
from conference_orchestrator.providers.sandbox import RunningSandbox
from tests import postgres
from tests.journeys.mailbox import Mailbox
from tests.journeys.service import ROOT, Service, database_of
from tests.journeys.stage import stage

__all__ = ["stage"]

HOSTS = "host.one@conference.example,host.two@conference.example"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def new_service(tmp_path: Path, mailbox: Mailbox, sandbox: RunningSandbox) -> Iterator[Callable[[str, str], Service]]:
    """Makes a service on a database with a provider, not started yet."""
    made: list[Service] = []

    def make(database_url: str, provider: str) -> Service:
        settings = {
            "CO_DATABASE_URL": database_url,
            "CO_PROVIDER": provider,
            "CO_SMTP_URL": mailbox.url,
            "CO_MAIL_FROM": "Helpdesk <helpdesk@conference.example>",
        }
        if provider == "webex":
            settings |= {"CO_WEBEX_URL": sandbox.url, "CO_WEBEX_TOKEN": "token-of-the-house", "CO_WEBEX_HOSTS": HOSTS}
        service = Service(tmp_path, settings)
        made.append(service)
        return service

    yield make
    for service in made:
        service.kill()  # an end in order waits for connections; see tests/demo


@pytest.fixture(scope="session")
def furnished_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with both networks, made once."""
    path = Path(shutil.copy(migrated_file, tmp_path_factory.mktemp("furnished") / "furnished.db"))
    load_networks(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def furnished_template(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """The name of a PostgreSQL database with both networks that nobody is connected to, made once."""
    with postgres.database(postgres_server, template=migrated_template) as url:
        load_networks(url)
        yield make_url(url).database or ""


def load_networks(database_url: str) -> None:
    with database_of(database_url):
        for network in ("paedcan", "covid19-cmss"):
            loading.load(ROOT / "config" / f"{network}.toml")


@pytest.fixture
def sqlite_url(furnished_file: Path, tmp_path: Path) -> str:
    """The address of a SQLite database of the test's own, with both networks."""
    return f"sqlite:///{shutil.copy(furnished_file, tmp_path / 'conference.db')}"


@pytest.fixture
def postgres_url(postgres_server: str, furnished_template: str) -> Iterator[str]:
    """The address of a PostgreSQL database of the test's own, with both networks."""
    with postgres.database(postgres_server, template=furnished_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own with both networks: once SQLite, once PostgreSQL."""
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address
