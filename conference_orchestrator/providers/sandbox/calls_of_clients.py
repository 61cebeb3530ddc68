"""The calls by which a client gets its access token, and says where it wants to hear of events."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, g, jsonify, request

from conference_orchestrator.providers.sandbox.at_hand import json_object, page_of, sandbox
from conference_orchestrator.providers.sandbox.events import new_webhook
from conference_orchestrator.providers.sandbox.tokens import GrantRefused

USUAL_WEBHOOKS = 100

api = Blueprint("clients", __name__)
tokens = Blueprint("tokens", __name__, url_prefix="/v1")


@tokens.post("/access_token")
def refresh_token() -> Response:
    """Exchange a refresh token for an access token; errors are those of OAuth (RFC 6749, section 5.2)."""
    said = request.form.get
    try:
        grant = sandbox().tokens.refresh(
            said("grant_type", ""),
            client=said("client_id", ""),
            secret=said("client_secret", ""),
            refresh_token=said("refresh_token", ""),
        )
    except GrantRefused as refusal:
        answer = jsonify(error=refusal.error, error_description=refusal.description)
        answer.status_code = refusal.status
    else:
        answer = jsonify(asdict(grant))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@api.get("/webhooks")
def list_webhooks() -> Response:
    """List Webhooks: those of the client."""
    return page_of([webhook.shown() for webhook in sandbox().events.webhooks(g.client)], usual=USUAL_WEBHOOKS)


@api.post("/webhooks")
def create_webhook() -> Response:
    """Create a Webhook."""
    webhook = new_webhook(json_object(), client=g.client, now=sandbox().now())
    sandbox().events.add(webhook)
    return jsonify(webhook.shown())


@api.get("/webhooks/<webhook_id>")
def get_webhook(webhook_id: str) -> Response:
    """Get Webhook Details."""
    return jsonify(sandbox().events.get(webhook_id, g.client).shown())


@api.put("/webhooks/<webhook_id>")
def update_webhook(webhook_id: str) -> Response:
    """Update a Webhook: its name and address, and its secret and status if they are given."""
    changed = sandbox().events.get(webhook_id, g.client).changed(json_object())
    sandbox().events.add(changed)
    return jsonify(changed.shown())


@api.delete("/webhooks/<webhook_id>")
def delete_webhook(webhook_id: str) -> Response:
    """Delete a Webhook."""
    sandbox().events.remove(sandbox().events.get(webhook_id, g.client))
    return Response(status=204)
