"""The pages: forms and links for people, on the same flows as the API."""

from __future__ import annotations

from flask import Flask

from conference_orchestrator.web.pages import (  # noqa: F401  - their routes
    contact,
    entries,
    home,
    invitations,
    language,
    offers,
    registration,
    security,
    unsubscribing,
    webinars,
)
from conference_orchestrator.web.pages.blueprint import pages


def register(app: Flask) -> None:
    """Add the pages to the application, whose settings port is filled already."""
    security.register(app)
    language.register(app)
    app.register_blueprint(pages)
