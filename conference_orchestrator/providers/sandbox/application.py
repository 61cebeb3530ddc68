"""The sandbox as a Flask application: the API under /v1 for clients, pages for people."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Blueprint, Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from conference_orchestrator.providers.sandbox import calls_of_clients, calls_of_meetings, calls_of_people
from conference_orchestrator.providers.sandbox.at_hand import LARGEST_PAGE, Sandbox, know_client, sandbox
from conference_orchestrator.providers.sandbox.broken import broken, slowed
from conference_orchestrator.providers.sandbox.events import Events
from conference_orchestrator.providers.sandbox.faults import Fault, Faults
from conference_orchestrator.providers.sandbox.meetings import Refused
from conference_orchestrator.providers.sandbox.pages import pages
from conference_orchestrator.providers.sandbox.store import Quota, Store
from conference_orchestrator.providers.sandbox.tokens import Tokens

JSON_TYPE = "application/json;charset=UTF-8"

api = Blueprint("api", __name__, url_prefix="/v1")
api.before_request(know_client)
for calls in (calls_of_meetings, calls_of_people, calls_of_clients):
    api.register_blueprint(calls.api)


def create_sandbox(
    *,
    state: Path | None = None,
    meetings_per_day: int = 100_000,
    largest_page: int = LARGEST_PAGE,
    clients: Mapping[str, str] | None = None,
    token_lifetime: timedelta = timedelta(days=14),
    rotates: bool = False,
    seed: int = 0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Flask:
    """A sandbox with its own meetings, those in the file `state` if given. Its `Sandbox` is in `extensions["sandbox"]`.

    `meetings_per_day` is the quota of a user (100 at Webex); `largest_page` the most items of a list that it gives,
    whatever is asked for. `clients` are secrets by client id: with them only access tokens are accepted that were
    issued here and have not expired, `token_lifetime` after their issue; with `rotates` a refresh replaces the refresh
    token. `seed` decides which requests the faults with a share meet.
    """
    app = Flask(__name__)
    faults = Faults(seed)
    app.extensions["sandbox"] = Sandbox(
        store=Store(state),
        quota=Quota(meetings_per_day),
        tokens=Tokens(clients, lifetime=token_lifetime, rotates=rotates, now=now),
        now=now,
        largest_page=largest_page,
        faults=faults,
        events=Events(faults),
    )
    for blueprint in (api, calls_of_clients.tokens, pages):
        app.register_blueprint(blueprint)
    app.before_request(_meet_fault)
    app.after_request(_finish)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http_error)
    return app


def _meet_fault() -> Response | None:
    fault: Fault | None = sandbox().faults.take(request.method, request.path)
    g.fault = fault
    if fault is None or not fault.prevents:
        return None
    return Response(status=503) if fault.status is None else _scripted(fault)


def _scripted(fault: Fault) -> Response:
    if fault.body is not None:
        answer = Response(fault.body, fault.status, content_type=JSON_TYPE)
    else:
        answer = _error(fault.status or 503, "A scripted fault.", ())
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = fault.retry_after
    return answer


def _finish(answer: Response) -> Response:
    here, fault = sandbox(), g.get("fault")
    if answer.mimetype == "application/json":
        answer.content_type = JSON_TYPE
    status: int | None = answer.status_code
    if fault and fault.status is not None and not fault.prevents:
        answer, status = _scripted(fault), fault.status
    elif fault and fault.fault:
        answer = broken(fault.fault, answer, closing=here.closing)
        status = answer.status_code if fault.fault in {"empty-object", "html", "large", "endless"} else None
    elif fault and fault.bytes_per_second:
        answer = slowed(answer, fault.bytes_per_second, closing=here.closing)
    elif fault and fault.delay:
        # Waits for the end of the sandbox rather than only for the time, so that closing it is prompt.
        here.closing.wait(fault.delay)
    here.requests.append((request.method, request.path, status))
    return answer


def _refused(refusal: Refused) -> Response:
    answer = _error(refusal.status, refusal.message, refusal.descriptions)
    if refusal.retry_after is not None:
        answer.headers["Retry-After"] = refusal.retry_after
    return answer


def _http_error(error: HTTPException) -> Response:
    return _error(error.code or 500, error.name, ())


def _error(status: int, message: str, descriptions: tuple[str, ...]) -> Response:
    """An error in Webex's form."""
    tracking_id = f"SANDBOX_{secrets.token_hex(8)}"
    listed = [{"description": description} for description in descriptions or (message,)]
    answer = jsonify(message=message, errors=listed, trackingId=tracking_id)
    answer.status_code = status
    answer.content_type = JSON_TYPE
    answer.headers["trackingId"] = tracking_id
    return answer
