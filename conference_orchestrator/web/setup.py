"""Puts the web's parts into the application, and refuses the start when a route has no policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from werkzeug.routing import Rule

from conference_orchestrator.web import feeds, health, hooks, hosts, metrics, pages, policy, problems
from conference_orchestrator.web.api import openapi

log = structlog.get_logger("conference_orchestrator.http")

# A whole import or notice fits; a file by PUT has its own limit.
LARGEST_BODY = 1024 * 1024


def register(app: Flask) -> None:
    """Add the API, the pages and health to the application, whose ports are filled.

    RuntimeError when a route stands under no line of the policy.
    """
    app.url_rule_class = _Rule
    app.session_interface = _Sessions()
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]  # fields stand in the order of the schema
    problems.register(app)
    app.before_request(_begin)
    app.before_request(hosts.refuse_foreign)
    openapi.register(app)
    app.register_blueprint(health.health)
    app.register_blueprint(metrics.metrics)
    app.register_blueprint(hooks.hooks)
    app.register_blueprint(feeds.calendars)
    pages.register(app)
    app.after_request(_guarded)
    app.after_request(_logged)
    policy.check(app)


class _Rule(Rule):
    """A rule that compiles what builds its addresses with the first: for all that is up to half of `create_app`."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(partial(super()._compile_builder, append_unknown))

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled()(rule, **values)

        return build


class _Sessions(SecureCookieSessionInterface):
    """Flask's sessions, with what signs them made once, not for each request."""

    _made: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """What signs the cookie, with the key that the application started with."""
        if self._made is None:
            self._made = super().get_signing_serializer(app)
        return self._made


def _begin() -> None:
    g.began = time.perf_counter()


def _guarded(response: Response) -> Response:
    """The headers that every answer carries. What an asker sees by role is kept by no cache."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    if response.mimetype != "text/html":
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if request.path.startswith("/api/") or response.status_code >= HTTPStatus.BAD_REQUEST:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _logged(response: Response) -> Response:
    """One line per request. The rule instead of the path: paths and queries hold personal links and names."""
    by = policy.principal_so_far()
    log.info(
        "request",
        method=request.method,
        rule=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        ms=round((time.perf_counter() - g.began) * 1000, 1) if "began" in g else None,
        role=str(by.role) if by else None,
        token=str(by.token_id) if by and by.token_id else None,
    )
    return response
