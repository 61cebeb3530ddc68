"""Is the process alive, and can it do its work: for whoever starts and watches it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint

from conference_orchestrator.insight import standing
from conference_orchestrator.kernel import ports
from conference_orchestrator.web.policy import allow

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
@allow("health.read")
def live() -> dict[str, Any]:
    """The process answers."""
    return {"status": "ok"}


@health.get("/ready")
@allow("health.read")
def ready() -> tuple[dict[str, Any], int]:
    """Database and migrations decide between 200 and 503; provider and mail are told as they stood when last used."""
    problem = standing.database_problem()
    if problem is not None:
        return {"status": "unavailable", "database": {"state": "failing", "problem": problem}}, 503
    neighbours = {"provider": standing.provider(), "mail": standing.mail()}
    told = {name: {"state": seen.state, **asdict(seen)} for name, seen in neighbours.items()}
    told["provider"]["name"] = ports.settings().provider
    return {"status": "ok", "database": {"state": "ok"}, **told}, 200
