"""The composition root: `create_app(settings)` puts every part in its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from flask import Flask

from conference_orchestrator import web
from conference_orchestrator.flows.credentials import SealedTokens
from conference_orchestrator.flows.delivering import open_mail
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.flows.reading_post import open_mailbox
from conference_orchestrator.jobs.embedded import EmbeddedEngine, EmbeddedQueue
from conference_orchestrator.jobs.timetable import Timer
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel import database, ports
from conference_orchestrator.kernel.times import Clock, SystemClock
from conference_orchestrator.notify import imap
from conference_orchestrator.notify.senders import open_sender
from conference_orchestrator.providers import registry
from conference_orchestrator.providers.base import ConferenceProvider
from conference_orchestrator.settings import Settings, SettingsError

LATER = {
    "oidc_issuer": "single sign-on is not available yet",
}


def create_app(settings: Settings, *, clock: Clock | None = None, var: Path = Path("var")) -> Flask:
    """The application, ready to serve or to work; it starts no thread and calls nobody.

    Raises SettingsError when a setting asks for what is not there.
    """
    _must_be_possible(settings)
    app = Flask("conference_orchestrator.web", static_folder="static", template_folder="templates")
    app.secret_key = settings.secret_key
    ports.settings.fill(app, settings)
    ports.clock.fill(app, clock or SystemClock())
    ports.queue.fill(app, EmbeddedQueue())
    open_mail.fill(app, lambda: open_sender(settings, maildir=var / "mail"))
    open_mailbox.fill(app, lambda: imap.open_mailbox(settings.imap_url))
    provider_named.fill(app, _providers(settings))
    database.connect(app, settings.database_url)
    web.register(app)
    return app


def engine_of(app: Flask) -> EmbeddedEngine:
    """The engine that does the application's work after commits, not started."""
    with app.app_context():
        queue = ports.queue()
    assert isinstance(queue, EmbeddedQueue)
    return EmbeddedEngine(app.app_context, queue, work=WORK)


def timer_of(app: Flask) -> Timer:
    """The timer of the application, not started."""
    return Timer(app.app_context)


def _providers(settings: Settings) -> Callable[[str], ConferenceProvider]:
    tokens = SealedTokens()

    @lru_cache
    def named(name: str) -> ConferenceProvider:
        return registry.load(name, settings, tokens)

    named(settings.provider)  # what is missing for the default provider is said at the start
    return named


def _must_be_possible(settings: Settings) -> None:
    if settings.engine != "embedded":
        raise SettingsError("CO_ENGINE=procrastinate is not available yet; use embedded.")
    if settings.imap_url:
        imap.folder_from(settings.imap_url)  # what is wrong with it is said at the start; nobody is called
    for name, why in LATER.items():
        if getattr(settings, name):
            raise SettingsError(f"CO_{name.upper()}: {why}.")
