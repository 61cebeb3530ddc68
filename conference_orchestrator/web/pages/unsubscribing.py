"""The page behind a reminder's List-Unsubscribe: no more reminders, and reminders again. Looking changes nothing.

Mail programs send the first by themselves when their user asks for it (RFC 8058); they follow no redirect.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from conference_orchestrator.flows import suppressing
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.language import speak
from conference_orchestrator.web.policy import allow

ACTIONS: dict[str, Callable[[str], None]] = {"stop": suppressing.unsubscribe, "again": suppressing.remind_again}


@pages.get("/u/<token>")
@allow("page.read")
def reminders(token: str) -> str:
    """Whether the person is reminded, and the button that changes it."""
    choice = suppressing.choice(token)
    speak(choice.clinician.language)
    return render_template("unsubscribe.html", choice=choice, token=token)


@pages.post("/u/<token>")
@allow("reminders.choose")
def choose_reminders(token: str) -> Response | str:
    """Stop the reminders, or have them again. The link is the right to do so."""
    if request.form.get("List-Unsubscribe") == "One-Click":
        suppressing.unsubscribe(token)
        return reminders(token)
    action = request.form.get("action", "")
    if action not in ACTIONS:
        raise Invalid({"action": f"Answer with one of {', '.join(ACTIONS)}."})
    ACTIONS[action](token)
    return redirect(url_for("pages.reminders", token=token), 303)
