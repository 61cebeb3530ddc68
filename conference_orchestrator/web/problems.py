"""Errors as the reader gets them: `application/problem+json` (RFC 9457), or a page for a browser. The one place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, json, render_template, request
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import (
    Busy,
    Conflict,
    Invalid,
    NoHostFree,
    NotFound,
    NotPermitted,
    OrchestratorError,
    Shown,
    Stale,
)
from conference_orchestrator.kernel.times import rfc3339

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
STATUSES: dict[type[OrchestratorError], int] = {
    Invalid: 422,
    NotFound: 404,
    NotPermitted: 403,
    Stale: 412,
    Busy: 429,
    Conflict: 409,
    OrchestratorError: 500,
}
RETRY_AFTER = "5"


class Unauthorized(OrchestratorError):
    """Nobody knows who asks: no token, or one that is unknown, expired or revoked."""

    slug = "unauthorized"
    title = "A valid token is needed"


class PreconditionMissing(OrchestratorError):
    """A change without If-Match could overwrite somebody else's."""

    slug = "precondition-required"
    title = "If-Match is required"


class WrongMediaType(OrchestratorError):
    """The body is not JSON."""

    slug = "unsupported-media-type"
    title = "The body must be JSON"


class Unreadable(OrchestratorError):
    """The body says to be JSON and is not."""

    slug = "malformed-json"
    title = "The body is not valid JSON"


class ForeignHost(OrchestratorError):
    """The service was asked by a name that is not its own."""

    slug = "foreign-host"
    title = "This is not the address of the service"


STATUSES |= {ForeignHost: 400, Unauthorized: 401, PreconditionMissing: 428, WrongMediaType: 415, Unreadable: 400}


class ProblemSchema(Schema):
    """What every error looks like; some carry more, such as `next_free` and `held_by`."""

    type = fields.String(required=True, metadata={"description": "A stable path such as /problems/slot-taken."})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(metadata={"description": "What is wrong and what to do."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "With 422: what is wrong, by the dotted name of the field."},
    )


def register(app: Flask) -> None:
    """Answer every error of the application this way."""
    app.register_error_handler(OrchestratorError, _refused)
    app.register_error_handler(HTTPException, _http)
    # The handle to the database knows the errors of the library below it, which only the inner packages import.
    for unreachable in (db.exc.OperationalError, db.exc.InterfaceError, db.exc.TimeoutError):
        app.register_error_handler(unreachable, _unreachable)
    app.register_error_handler(db.orm.exc.StaleDataError, _lost_race)
    app.register_error_handler(db.exc.IntegrityError, _lost_insert)
    app.register_error_handler(db.exc.DataError, _unstorable)
    app.register_error_handler(db.exc.StatementError, _unbindable)


def status_of(error: OrchestratorError) -> int:
    """The status of the error's class, or of the nearest class above it."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def _refused(error: OrchestratorError) -> Response:
    extra = dict(error.extra)
    if isinstance(error, Invalid):
        extra["errors"] = error.errors
    if isinstance(error, NoHostFree):
        extra["held_by"] = _shown(error.held_by)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Busy) else {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return answer(error.slug, error.title, status_of(error), detail=error.detail, extra=extra, headers=headers)


def _shown(things: Sequence[Shown]) -> list[Mapping[str, object]]:
    from conference_orchestrator.web.policy import principal_so_far  # noqa: PLC0415  - the policy raises our errors

    by = principal_so_far()
    return [thing.shown_to(by) for thing in things]


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:  # a redirect is an answer, not a problem
        return error.get_response(request.environ)  # type: ignore[return-value]
    name = str(error.name)
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer(
            "internal", "Something went wrong on our side", error.code, detail="It was logged.", headers=headers
        )
    slug = re.sub(r"[^a-z]+", "-", name.lower()).strip("-")
    return answer(slug, name, error.code, detail=error.description or name, headers=headers)


def _unreachable(error: Exception) -> Response:
    log.error("database unreachable", error=type(error).__name__, exc_info=error)
    return answer(
        "unavailable",
        "The service is not available just now",
        503,
        detail="The database cannot be reached or is overloaded. Nothing was stored; try again in a moment.",
        headers={"Retry-After": RETRY_AFTER},
    )


def _lost_race(_error: Exception) -> Response:
    return _refused(Stale("It was changed by someone else at the same time; read it again and repeat your change."))


def _lost_insert(error: Exception) -> Response:
    # The flows name what is taken; here ends what two asked for in the same instant, or a rule that a flow forgot.
    log.warning("the database refused a row", exc_info=error)
    return _refused(Conflict("Somebody stored the same, or removed what it belongs to, at the same time. Try again."))


def _unbindable(error: Exception) -> Response:
    """A value that does not fit into a statement, such as a surrogate or a date out of range; else it is our fault."""
    if not isinstance(getattr(error, "orig", None), OverflowError | UnicodeEncodeError):
        raise error
    return _unstorable(error)


def _unstorable(error: Exception) -> Response:
    log.warning("a value cannot be stored", exc_info=error)
    return _refused(Invalid({"request": "It holds a value that cannot be stored, such as a number out of range."}))


def answer(
    slug: str,
    title: str,
    status: int,
    *,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem as JSON, or as a page where a browser asks outside of the API."""
    problem = {
        **(extra or {}),
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if wants_page():
        return Response(render_template("problem.html", problem=problem), status, headers, mimetype="text/html")
    body = json.dumps(problem, default=_plain)
    return current_app.response_class(body, status, headers, mimetype=MEDIA_TYPE)


def wants_page() -> bool:
    """Whether the asker is a browser that looks at a page."""
    if request.path.startswith(("/api/", "/health/", "/metrics")):
        return False
    return request.accept_mimetypes.best_match([MEDIA_TYPE, "application/json", "text/html"]) == "text/html"


def _plain(value: Any) -> Any:
    return rfc3339(value) if hasattr(value, "astimezone") else str(value)
