"""The sandbox as a Flask application: the API under /v1 for clients, two pages for people."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from conference_orchestrator.providers.sandbox.faults import Fault, Faults, broken
from conference_orchestrator.providers.sandbox.meetings import Kept, Refused, moment, new_meeting, zone_name
from conference_orchestrator.providers.sandbox.store import Quota, Store

USUAL_WINDOW, USUAL_PAGE, LARGEST_PAGE = timedelta(days=7), 10, 100
JSON_TYPE = "application/json;charset=UTF-8"

api = Blueprint("api", __name__, url_prefix="/v1")
pages = Blueprint("pages", __name__)


@dataclass
class Sandbox:
    """What one sandbox remembers and what it was told to get wrong.

    `requests` are (method, path, status), the status None where the connection broke; `bodies` are (method, path,
    JSON); `mails` are (method, meeting id) of every request after which Webex would have mailed people.
    """

    store: Store
    quota: Quota
    now: Callable[[], datetime]
    largest_page: int
    faults: Faults = field(default_factory=Faults)
    requests: list[tuple[str, str, int | None]] = field(default_factory=list)
    bodies: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    mails: list[tuple[str, str]] = field(default_factory=list)
    closing: Event = field(default_factory=Event)


def create_sandbox(
    *,
    state: Path | None = None,
    meetings_per_day: int = 100_000,
    largest_page: int = LARGEST_PAGE,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Flask:
    """A sandbox with its own meetings, those in the file `state` if given. Its `Sandbox` is in `extensions["sandbox"]`.

    `meetings_per_day` is the quota of a user (100 at Webex); `largest_page` the most items of a list that it gives,
    whatever is asked for.
    """
    app = Flask(__name__)
    app.extensions["sandbox"] = Sandbox(Store(state), Quota(meetings_per_day), now, largest_page)
    app.register_blueprint(api)
    app.register_blueprint(pages)
    app.before_request(_meet_fault)
    app.after_request(_finish)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http_error)
    return app


def sandbox() -> Sandbox:
    """The sandbox of the request at hand."""
    found: Sandbox = current_app.extensions["sandbox"]
    return found


@api.before_request
def _authorize() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(401, "The request requires a valid access token set in the Authorization request header.")
    # The token itself is kept nowhere: the page and the state file may be shown to others.
    g.client = hashlib.sha256(token.strip().encode()).hexdigest()[:12]
    g.host = f"host-{g.client}@sandbox.example"


@api.post("/meetings")
def create_meeting() -> Response:
    """Create a Meeting."""
    body = _json_body()
    here = sandbox()
    here.quota.use(str(body.get("hostEmail") or g.host).casefold(), here.now())
    meeting = new_meeting(body, host=g.host, client=g.client, now=here.now())
    here.store.add(meeting)
    _note_mail(meeting, body.get("sendEmail"))
    if g.fault and g.fault.list_lag:
        here.store.hide(meeting.id, g.fault.list_lag)
    return jsonify(_shown(meeting))


@api.get("/meetings")
def list_meetings() -> Response:
    """List Meetings: the user's as host or invitee, with a next link (RFC 8288) where there are more."""
    here = sandbox()
    tag, user = request.args.get("integrationTag"), (request.args.get("hostEmail") or g.host).casefold()
    begin, end = _asked_window(here.now())
    found = [
        meeting
        for meeting in here.store.all()
        if user in (address.casefold() for address in (meeting.host, *meeting.invitees))
        and meeting.overlaps(begin, end)
        and (tag is None or tag in meeting.tags.get(g.client, ()))
        and not here.store.lags_behind(meeting)
    ]
    offset, size = _number("offset", 0), min(_number("max", USUAL_PAGE), here.largest_page)
    answer = jsonify(items=[_shown(meeting) for meeting in found[offset : offset + size]])
    if len(found) > offset + size:
        query = {**request.args.to_dict(), "max": size, "offset": offset + size}
        answer.headers["Link"] = f'<{request.base_url}?{urlencode(query)}>; rel="next"'
    return answer


@api.get("/meetings/<meeting_id>")
def get_meeting(meeting_id: str) -> Response:
    """Get a Meeting."""
    return jsonify(_shown(sandbox().store.get(meeting_id, request.args.get("hostEmail"))))


@api.patch("/meetings/<meeting_id>")
def patch_meeting(meeting_id: str) -> Response:
    """Patch a Meeting."""
    body, now = _json_body(), sandbox().now()
    client = g.client
    meeting = sandbox().store.change(
        meeting_id, body.get("hostEmail"), lambda kept: kept.change(body, client=client, now=now)
    )
    _note_mail(meeting, body.get("sendEmail"))
    return jsonify(_shown(meeting))


@api.delete("/meetings/<meeting_id>")
def delete_meeting(meeting_id: str) -> Response:
    """Delete a Meeting."""
    host = request.args.get("hostEmail")
    meeting = sandbox().store.get(meeting_id, host)
    sandbox().store.delete(meeting_id, host)
    _note_mail(meeting, request.args.get("sendEmail") != "false")
    return Response(status=204)


@pages.get("/")
def show_meetings() -> str:
    """A page that lists all meetings for people."""
    here = sandbox()
    return render_template("meetings.html", meetings=here.store.all(), mails=len(here.mails), now=here.now())


@pages.get("/join/<meeting_id>")
def show_meeting(meeting_id: str) -> tuple[str, int]:
    """The page behind a join link; of a deleted meeting it says so."""
    try:
        meeting = sandbox().store.get(meeting_id, None)
    except Refused:
        return render_template("join.html", meeting=None), 404
    return render_template("join.html", meeting=meeting), 200


def _json_body() -> dict[str, Any]:
    if request.mimetype not in {"application/json", "application/json-patch+json"}:
        raise Refused(415, "The media type is not supported.")
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "The request body is not a JSON object.")
    sandbox().bodies.append((request.method, request.path, body))
    return body


def _asked_window(now: datetime) -> tuple[datetime, datetime]:
    begin, end = (moment(request.args[name]) if request.args.get(name) else None for name in ("from", "to"))
    begin = begin or (end - USUAL_WINDOW if end else now)
    end = end or begin + USUAL_WINDOW
    if begin > end:
        raise Refused(400, "The input parameters contain invalid items.", "'from' cannot be after 'to'.")
    return begin, end


def _number(name: str, usual: int) -> int:
    said = request.args.get(name, str(usual))
    if not said.isdecimal() or (name == "max" and not 0 < int(said) <= LARGEST_PAGE):
        raise Refused(400, "The input parameters contain invalid items.", f"'{name}' is not a valid number.")
    return int(said)


def _shown(meeting: Kept) -> dict[str, Any]:
    time_zone = zone_name(request.headers.get("timezone"))
    return meeting.shown(client=g.client, site=request.host_url, time_zone=time_zone, now=sandbox().now())


def _note_mail(meeting: Kept, wanted: object) -> None:
    if wanted is not False:  # Webex mails unless told otherwise
        sandbox().mails.append((request.method, meeting.id))


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
    fault: Fault | None = g.get("fault")
    status: int | None = answer.status_code
    if fault and fault.status is not None and not fault.prevents:
        answer = _scripted(fault)
        status = fault.status
    elif fault and fault.fault:
        answer = broken(fault.fault, answer)
        status = answer.status_code if fault.fault in {"empty-object", "html"} else None
    elif fault and fault.delay:
        # Waits for the end of the sandbox rather than only for the time, so that closing it is prompt.
        sandbox().closing.wait(fault.delay)
    if answer.mimetype == "application/json":
        answer.content_type = JSON_TYPE
    sandbox().requests.append((request.method, request.path, status))
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
    answer.headers["trackingId"] = tracking_id
    return answer
