"""What journeys need: a mailbox, a sandbox, a running service with the two networks loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conference_orchestrator import migrations
from conference_orchestrator.flows import loading
from conference_orchestrator.providers.sandbox import RunningSandbox
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
    """Makes a service on a database with a provider, both networks loaded, not started yet."""
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
        migrations.upgrade(database_url)
        with database_of(database_url):
            for network in ("paedcan", "covid19-cmss"):
                loading.load(ROOT / "config" / f"{network}.toml")
        return service

    yield make
    for service in made:
        service.stop()
