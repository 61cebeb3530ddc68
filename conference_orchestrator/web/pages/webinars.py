"""The registration page of a webinar: a clinician of the network asks for an invitation by the own address."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from conference_orchestrator.flows import registering
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.notify.composing import span
from conference_orchestrator.scheduling.conferences import Kind
from conference_orchestrator.web import captcha
from conference_orchestrator.web.limits import limited
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.registration_form import LABELS, Form, rejected
from conference_orchestrator.web.pages.words import conference_kind
from conference_orchestrator.web.policy import allow


@pages.get("/w/<token>")
@allow("page.read")
def webinar(token: str) -> str:
    """What is held when, and the form; or that it is cancelled or over."""
    return _page(token, Form())


@pages.post("/w/<token>")
@allow("webinar.register")
@limited("webinar", most=30, within=timedelta(hours=1))
def ask(token: str) -> Response | tuple[str, int]:
    """Ask for an invitation. Every address gets the same answer, a known one or not."""
    try:
        captcha.check(request.form.get("altcha"))
        registering.ask(token, request.form.get("email", ""))
    except Invalid as error:
        return _page(token, rejected(request.form, error)), 422
    return redirect(url_for("pages.webinar", token=token, sent="yes"), 303)


def _page(token: str, form: Form) -> str:
    found = registering.page(token)
    wanted = found.request
    assert wanted.starts_at is not None, "it was approved"
    return render_template(
        "webinar.html",
        wanted=wanted,
        state=found.state,
        token=token,
        form=form,
        labels=LABELS,
        kind=conference_kind(Kind(wanted.kind)),
        when=span(wanted.starts_at, wanted.starts_at + wanted.length, wanted.hospital.time_zone),
        networks=" or ".join(network.name for network in wanted.hospital.networks),
        sent=bool(request.args.get("sent")),
        captcha=captcha.is_on(),
    )
