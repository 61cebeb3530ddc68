"""What every request needs: the sandbox that it asks, and how Webex reads bodies, windows and pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, g, jsonify, request

from conference_orchestrator.providers.sandbox.events import Events
from conference_orchestrator.providers.sandbox.faults import Faults
from conference_orchestrator.providers.sandbox.meetings import Kept, Refused, moment, zone_name
from conference_orchestrator.providers.sandbox.store import Quota, Store
from conference_orchestrator.providers.sandbox.tokens import Tokens

USUAL_PAGE, LARGEST_PAGE = 10, 100
WRONG = "The input parameters contain invalid items."


@dataclass
class Sandbox:
    """What one sandbox remembers and what it was told to get wrong.

    `requests` are (method, path, status), the status None where the connection broke; `bodies` are (method, path,
    JSON); `mails` are (method, meeting id) of every request after which Webex would have mailed people.
    """

    store: Store
    quota: Quota
    tokens: Tokens
    now: Callable[[], datetime]
    largest_page: int
    faults: Faults
    events: Events
    requests: list[tuple[str, str, int | None]] = field(default_factory=list)
    bodies: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    mails: list[tuple[str, str]] = field(default_factory=list)
    closing: Event = field(default_factory=Event)

    def now_in_seconds(self) -> str:
        """The present instant as it is kept, ISO 8601 in UTC without fractions."""
        return self.now().astimezone(UTC).replace(microsecond=0).isoformat()


def sandbox() -> Sandbox:
    """The sandbox of the request at hand."""
    found: Sandbox = current_app.extensions["sandbox"]
    return found


def know_client() -> None:
    """Note who calls, and for which user by default. Refused with 401 without a token that is good."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token.strip():
        raise Refused(401, "The request requires a valid access token set in the Authorization request header.")
    g.client = sandbox().tokens.client_of(token.strip())
    g.host = f"host-{g.client}@sandbox.example"


def json_object() -> dict[str, Any]:
    """The JSON object that the request brought. Refused with 415 or 400 otherwise."""
    if request.mimetype not in {"application/json", "application/json-patch+json"}:
        raise Refused(415, "The media type is not supported.")
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "The request body is not a JSON object.")
    sandbox().bodies.append((request.method, request.path, body))
    return body


def text_of(body: dict[str, Any], name: str, usual: str | None = None) -> str:
    """A text in the body, `usual` where it is missing. Refused with 400 when it is none or empty."""
    value = body.get(name) if body.get(name) is not None else usual
    if not isinstance(value, str) or not value:
        raise Refused(400, WRONG, f"{name} is required and must be a text.")
    return value


def person_in(said: Any) -> dict[str, Any]:
    """A person as a body names one: an e-mail address, perhaps a name and flags. Refused with 400 otherwise."""
    if not isinstance(said, dict) or "@" not in text_of(said, "email"):
        raise Refused(400, WRONG, "email is not an e-mail address.")
    text_of(said, "displayName", usual=said["email"])
    for name in ("coHost", "panelist"):
        if not isinstance(said.get(name, False), bool):
            raise Refused(400, WRONG, f"{name} must be true or false.")
    return said


def asked_window(first: str, last: str, *, length: timedelta, usual: datetime) -> tuple[datetime, datetime]:
    """The window that the query asks for by these two names; where one is missing, `length` from the other.

    Where both are missing it begins at `usual`. Refused with 400 when it ends before it begins.
    """
    begin, end = (moment(request.args[name]) if request.args.get(name) else None for name in (first, last))
    begin = begin or (end - length if end else usual)
    end = end or begin + length
    if begin > end:
        raise Refused(400, WRONG, f"'{first}' cannot be after '{last}'.")
    return begin, end


def asked_zone() -> str:
    """The time zone in which the answer is to tell instants."""
    return zone_name(request.headers.get("timezone"))


def page_of(items: Sequence[dict[str, Any]], *, usual: int = USUAL_PAGE) -> Response:
    """The page of the items that the query asks for, with a next link (RFC 8288) where there are more."""
    offset, size = _number("offset", 0), min(_number("max", usual), sandbox().largest_page)
    answer = jsonify(items=items[offset : offset + size])
    if len(items) > offset + size:
        query = {**request.args.to_dict(), "max": size, "offset": offset + size}
        answer.headers["Link"] = f'<{request.base_url}?{urlencode(query)}>; rel="next"'
    return answer


def note_mail(meeting: Kept, wanted: object) -> None:
    """Webex mails unless it is told not to: note when it would have."""
    if wanted is not False:
        sandbox().mails.append((request.method, meeting.id))


def _number(name: str, usual: int) -> int:
    said = request.args.get(name, str(usual))
    if not said.isdecimal() or (name == "max" and not 0 < int(said) <= LARGEST_PAGE):
        raise Refused(400, WRONG, f"'{name}' is not a valid number.")
    return int(said)
