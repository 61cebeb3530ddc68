"""The page behind the link of a slot offer: what is offered until when. Looking changes nothing, a button decides."""

from __future__ import annotations

from functools import partial

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from conference_orchestrator.flows import offering
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.network import networks
from conference_orchestrator.notify.composing import span
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.language import speak
from conference_orchestrator.web.pages.words import moment
from conference_orchestrator.web.policy import allow

ANSWERS = {"accept": offering.accept, "refuse": offering.refuse}


@pages.get("/o/<token>")
@allow("page.read")
def offer(token: str) -> str:
    """The offer by the reader's clock, the session's own where that differs, and UTC."""
    offer_id, reader = offering.by_link(token)
    view = offering.view(offer_id, by=reader)
    slot, person = view.offer.slot, view.request.requester
    shown = partial(span, slot.starts_at, slot.ends_at, language=speak(person.language))
    own, there = shown(person.time_zone), shown(view.session.time_zone)
    return render_template(
        "offer.html",
        view=view,
        token=token,
        network=networks.get(view.request.group.network_id),
        own=own,
        there=there if there.wall != own.wall else None,
        held_until=moment(view.offer.expires_at, person.time_zone) if view.offer.expires_at else None,
        answered=moment(view.offer.answered_at, person.time_zone) if view.offer.answered_at else None,
    )


@pages.post("/o/<token>")
@allow("offer.answer-by-link")
def answer_offer(token: str) -> Response:
    """Accept or refuse. The link is the right to do so."""
    said = request.form.get("answer", "")
    if said not in ANSWERS:
        raise Invalid({"answer": f"Answer with one of {', '.join(ANSWERS)}."})
    offer_id, reader = offering.by_link(token)
    ANSWERS[said](offer_id, by=reader)
    return redirect(url_for("pages.offer", token=token), 303)
