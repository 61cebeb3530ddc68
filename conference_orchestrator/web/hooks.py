"""/hooks: where providers send their events. The signature over the body is the right to do so."""

from __future__ import annotations

from flask import Blueprint, request

from conference_orchestrator.flows import provider_events
from conference_orchestrator.web.policy import allow

hooks = Blueprint("hooks", __name__, url_prefix="/hooks")


@hooks.post("/<provider>")
@allow("event.receive")
def receive(provider: str) -> tuple[str, int]:
    """Take an event: 204 for one that is signed, also when it was sent before or is about nothing of ours."""
    provider_events.receive(provider, dict(request.headers), request.get_data(cache=False))
    return "", 204
