"""Writing to the helpdesk by a form."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from conference_orchestrator.flows import contacting
from conference_orchestrator.kernel.errors import Busy, Invalid
from conference_orchestrator.kernel.paging import HIGHEST_LIMIT, Paging
from conference_orchestrator.kernel.principal import ANONYMOUS
from conference_orchestrator.network import networks
from conference_orchestrator.web import captcha
from conference_orchestrator.web.api.contact import LONGEST, ContactEntry
from conference_orchestrator.web.kit import flat
from conference_orchestrator.web.limits import limited
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.registration_form import Form
from conference_orchestrator.web.policy import allow

LABELS = {
    "network": "Network",
    "name": "Your name",
    "email": "E-mail address",
    "message": "Message",
    "altcha": "Check against automatic messages",
}
WHEN_EMPTY = {"network": "Please choose one.", "altcha": "Tick the box and wait until it is verified."}


@pages.get("/contact")
@allow("page.read")
def contact() -> str:
    """The empty form, or that the message has arrived."""
    return _page(Form(request.args if request.args.get("network") else Form().values))


@pages.post("/contact")
@allow("contact.write")
@limited("contact", most=30, within=timedelta(hours=1))
def write() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Write to the helpdesk; a wrong form comes back as entered."""
    entered = {name: value for name in LABELS if (value := request.form.get(name, "").strip())}
    if wrong := ContactEntry().validate(entered):
        return _page(Form(request.form, _told(flat(wrong), entered))), 422
    try:
        captcha.check(entered.pop("altcha", None))
        contacting.write(ContactEntry().load(entered))
    except Invalid as error:
        return _page(Form(request.form, _told(error.errors, entered))), 422
    except Busy as error:
        return _page(Form(request.form, {"message": [str(error)]})), 429, {"Retry-After": str(error.retry_after)}
    return redirect(url_for("pages.contact", sent="yes"), 303)


def _told(errors: dict[str, list[str]], entered: dict[str, str]) -> dict[str, list[str]]:
    """What is wrong, in the order of the form; of an empty field what to do."""
    return {
        name: errors[name] if name in entered else [WHEN_EMPTY.get(name, "Please fill this in.")]
        for name in LABELS
        if name in errors
    }


def _page(form: Form) -> str:
    listed = networks.listed(Paging(HIGHEST_LIMIT), visible_to=ANONYMOUS).items
    return render_template(
        "contact.html",
        form=form,
        labels=LABELS,
        longest=LONGEST,
        networks=[(each.code, each.name) for each in listed],
        sent=bool(request.args.get("sent")),
        captcha=captcha.is_on(),
    )
