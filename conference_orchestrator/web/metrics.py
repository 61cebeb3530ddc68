"""Numbers for whoever watches the service with Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response, request

from conference_orchestrator.insight.metrics import exposed
from conference_orchestrator.web.policy import allow

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
@allow("metrics.read")
def read() -> Response:
    """The numbers as they are now, in the text format of Prometheus. They name nobody."""
    text, media_type = exposed(request.headers.get("Accept", ""))
    return Response(text, content_type=media_type, headers={"Cache-Control": "no-store"})
