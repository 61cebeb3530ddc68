"""The page behind a personal link into a meeting. Looking opens nothing; the button leads to the provider."""

from __future__ import annotations

from flask import render_template

from conference_orchestrator.flows import entering
from conference_orchestrator.network import networks
from conference_orchestrator.notify.composing import span
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.language import speak
from conference_orchestrator.web.pages.words import moment
from conference_orchestrator.web.policy import allow


@pages.get("/j/<token>")
@allow("page.read")
def entry(token: str) -> str:
    """What it is a way into, when it opens, and the button."""
    return _page(token, None)


@pages.post("/j/<token>")
@allow("meeting.enter")
def enter(token: str) -> str:
    """The person's own link. The browser goes there by itself; a form may not lead to another address."""
    return _page(token, entering.enter(token))


def _page(token: str, link: str | None) -> str:
    view = entering.entry(token)
    return render_template(
        "entry.html",
        view=view,
        token=token,
        link=link,
        network=networks.get(view.conference.network_id),
        own=span(view.starts_at, view.ends_at, view.person.time_zone, language=speak(view.person.language)),
        opens=moment(view.opens_at, view.person.time_zone),
    )
