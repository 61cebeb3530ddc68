"""The page behind the link of an invitation: what, when, and the answer. Looking changes nothing, a button decides."""

from __future__ import annotations

from datetime import date
from functools import partial

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from conference_orchestrator.flows import answering, calendars, series_answering
from conference_orchestrator.flows.series_answering import SeriesView
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.network import networks
from conference_orchestrator.notify.composing import span
from conference_orchestrator.scheduling.conferences import Kind
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.language import speak
from conference_orchestrator.web.pages.words import answers, conference_kind, moment, role
from conference_orchestrator.web.policy import allow


@pages.get("/i/<token>")
@allow("page.read")
def invitation(token: str) -> str:
    """The invitation by the reader's clock, the meeting's own where that differs, and UTC."""
    series = series_answering.shown(token)
    if series is not None:
        return _series(series, token)
    view = answering.invitation(token)
    shown = partial(span, view.starts_at, view.ends_at, language=speak(view.clinician.language))
    own, there = shown(view.clinician.time_zone), shown(view.conference.time_zone)
    said_at = view.invitation.answered_at
    return render_template(
        "invitation.html",
        view=view,
        token=token,
        network=networks.get(view.conference.network_id),
        kind=conference_kind(Kind(view.conference.kind)),
        role=role(view.role),
        own=own,
        there=there if there.wall != own.wall else None,
        answers=answers(),
        answered=moment(said_at, view.clinician.time_zone) if said_at else None,
    )


@pages.post("/i/<token>")
@allow("invitation.answer")
def answer(token: str) -> Response:
    """Accept, decline or answer tentatively. The link is the right to do so."""
    said = request.form.get("answer", "")
    if said not in list(Answer):
        raise Invalid({"answer": f"Answer with one of {', '.join(Answer)}."})
    if not series_answering.answer(token, Answer(said), on=_date()):
        answering.answer(token, Answer(said))
    return redirect(url_for("pages.invitation", token=token), 303)


def _date() -> date | None:
    """The date of a series that is answered; None for all of them, and for a single meeting."""
    try:
        return date.fromisoformat(request.form["on"]) if "on" in request.form else None
    except ValueError:
        raise Invalid({"on": "A date looks like 2026-11-24."}) from None


@pages.post("/i/<token>/repair")
@allow("calendar.repair-by-link")
def repair_calendar(token: str) -> str:
    """Send the person everything that the person holds in the calendar once more."""
    number, language = calendars.repair_by_link(token)
    speak(language)
    return render_template("repaired.html", number=number, token=token)


def _series(view: SeriesView, token: str) -> str:
    zone, language = view.clinician.time_zone, speak(view.clinician.language)
    return render_template(
        "series_invitation.html",
        view=view,
        token=token,
        network=networks.get(view.network_id),
        coming=[(span(one.starts_at, one.ends_at, zone, language=language), one) for one in view.coming],
        answers=answers(),
        answered=moment(view.answered_at, zone) if view.answered_at else None,
    )
