"""Registering: choose a network, fill in the form, check the mail, confirm the address."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from conference_orchestrator.flows import joining
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import HIGHEST_LIMIT, Paging
from conference_orchestrator.kernel.principal import ANONYMOUS
from conference_orchestrator.network import hospitals, networks, notices
from conference_orchestrator.network.networks import Network
from conference_orchestrator.web import captcha
from conference_orchestrator.web.limits import limited
from conference_orchestrator.web.pages import registration_form
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.language import speak
from conference_orchestrator.web.pages.registration_form import Form
from conference_orchestrator.web.policy import allow


@pages.get("/register")
@allow("page.read")
def choose() -> str:
    """The networks to register with."""
    return render_template("choose.html", networks=networks.listed(Paging(HIGHEST_LIMIT), visible_to=ANONYMOUS).items)


# A code may have a slash, so it stands last in its addresses.
@pages.get("/register/<path:code>")
@allow("page.read")
def register(code: str) -> str:
    """The empty form."""
    return _form(_network(code), Form())


@pages.post("/register/<path:code>")
@allow("registration.submit")
@limited("registration", most=30, within=timedelta(hours=1))
def submit(code: str) -> Response | tuple[str, int]:
    """Register. Every valid form gets the same answer, a known address or not; a wrong one comes back as entered."""
    network = _network(code)
    try:
        captcha.check(request.form.get("altcha"))
        joining.register(registration_form.entered(network.code, request.form))
    except Invalid as error:
        return _form(network, registration_form.rejected(request.form, error)), 422
    return redirect(url_for("pages.sent", code=network.code), 303)


@pages.get("/registered/<path:code>")
@allow("page.read")
def sent(code: str) -> str:
    """What happens next."""
    return render_template("sent.html", network=_network(code))


@pages.get("/confirm/<token>")
@allow("page.read")
def confirmation(token: str) -> str:
    """What the link of the mail is about, and the button that confirms."""
    registration = joining.confirmation(token)
    network = networks.get(registration.network_id)
    speak(registration.language)
    return render_template("confirm.html", registration=registration, network=network, token=token)


@pages.post("/confirm/<token>")
@allow("registration.submit")
def confirm(token: str) -> Response:
    """The address is the applicant's."""
    joining.confirm(token)
    return redirect(url_for("pages.confirmation", token=token), 303)


def _form(network: Network, form: Form) -> str:
    language = form.values.get("language") or request.accept_languages.best_match(registration_form.LANGUAGES, "en")
    return render_template(
        "register.html",
        network=network,
        form=form,
        statement=notices.for_reader(
            notices.Kind.PRIVACY, network_id=network.id, language=str(language), at=ports.clock().now()
        ),
        hospitals=_hospitals(network),
        labels=registration_form.LABELS,
        languages=registration_form.languages(),
        countries=registration_form.countries(),
        zones=registration_form.zones(),
        captcha=captcha.is_on(),
    )


def _hospitals(network: Network) -> list[tuple[str, str]]:
    page = hospitals.listed(Paging(HIGHEST_LIMIT), visible_to=ANONYMOUS, network=network)
    return sorted(
        ((each.code, f"{each.name}, {each.city} ({each.country})") for each in page.items), key=lambda c: c[1]
    )


def _network(code: str) -> Network:
    network = networks.by_code(code)
    if network is None:
        raise NotFound(f"There is no network {code!r}. The front page lists the networks.")
    return network
