"""The pages: what a browser is shown at `/`, beside the API and on the same flows."""

from __future__ import annotations

from email.utils import parseaddr

from flask import Blueprint

from conference_orchestrator.kernel import ports
from conference_orchestrator.web.pages import words
from conference_orchestrator.web.pages.registration_form import language_name

pages = Blueprint("pages", __name__)
pages.add_app_template_filter(words.paragraphs, "paragraphs")
pages.add_app_template_filter(words.day, "day")
pages.add_app_template_filter(language_name, "language")


@pages.app_context_processor
def _contact() -> dict[str, str]:
    """Whom the foot of each page names: every page has it, an error's too."""
    return {"contact": parseaddr(ports.settings().reply_to)[1]}
