"""What Webex sends by itself: having it send, and reading what came."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from conference_orchestrator.providers.base import Event, EventKind
from conference_orchestrator.providers.errors import BadSignature, Invalid, NotFound
from conference_orchestrator.providers.webex_http import NAME, Unreadable, WebexHttp
from conference_orchestrator.providers.webex_meetings import text

KINDS: Final[Mapping[tuple[str, str], EventKind]] = {
    ("meetings", "created"): "created",
    ("meetings", "updated"): "changed",
    ("meetings", "deleted"): "deleted",
    ("meetings", "started"): "started",
    ("meetings", "ended"): "ended",
    ("meetingParticipants", "joined"): "joined",
    ("meetingParticipants", "left"): "left",
}
"""What we ask for, by Webex's resource and event. Others that come are "other"."""
NAME_PREFIX = "conference-orchestrator"
"""How the names of our webhooks begin."""
SIGNATURE, LARGEST_EVENT = "x-spark-signature", 1_000_000


def listen(webex: WebexHttp, url: str, secret: str, *, for_all_hosts: bool) -> None:
    """Have one webhook for each kind of event at this address, signed with this secret, and none of ours besides.

    `for_all_hosts` needs an administrator's token; otherwise events come of the meetings of the token's owner alone.
    """
    owner = {"ownedBy": "org"} if for_all_hosts else {}
    ours = [item for item in webex.listed("listen", "webhooks", {"max": "100"} | owner) if _is_ours(item)]
    missing, stale = set(KINDS), []
    for item in ours:
        what = (str(item.get("resource")), str(item.get("event")))
        # A webhook that does not tell its secret is made anew: it may be another one.
        is_right = (item.get("targetUrl"), item.get("secret"), item.get("status", "active")) == (url, secret, "active")
        if is_right and what in missing:
            missing.remove(what)
        else:
            stale.append(item)
    for resource, event in sorted(missing):
        body = {"name": f"{NAME_PREFIX} {resource} {event}", "resource": resource, "event": event}
        webex.call("listen", "POST", "webhooks", body=body | {"targetUrl": url, "secret": secret} | owner)
    for item in stale:
        _delete(webex, item)


def event_from(headers: Mapping[str, str], body: bytes, secret: str) -> Event:
    """What came, after its signature was checked. BadSignature, or Invalid for a body of another form."""
    if len(body) > LARGEST_EVENT:
        raise _strange(f"The event is longer than {LARGEST_EVENT} bytes.")
    said = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
    right = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    if not hmac.compare_digest(said.strip().lower().encode(), right.encode()):
        wrong = "The event was not signed with our secret." if said else "The event is not signed."
        raise BadSignature(wrong, provider=NAME, operation="parse_event")
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise _strange("The event is not JSON.") from None
    if not isinstance(event, dict):
        raise _strange("The event is not a JSON object.")
    kind = KINDS.get((str(event.get("resource")), str(event.get("event"))), "other")
    # The `id` in the body is that of the webhook, the same for all its events; a repeat is the same body.
    event_id = hashlib.sha256(body).hexdigest()
    return Event(id=event_id, kind=kind, meeting_id=_meeting_id(event) if kind != "other" else None)


def _meeting_id(event: Mapping[str, Any]) -> str | None:
    """The id of the meeting as we know it: what comes after an underscore tells one time that it was started."""
    data = event.get("data")
    if not isinstance(data, dict):
        return None
    own = data.get("id") if event["resource"] == "meetings" else data.get("meetingId")
    told = data.get("meetingSeriesId") or own
    return told.partition("_")[0] or None if isinstance(told, str) else None


def _is_ours(item: Mapping[str, Any]) -> bool:
    return str(item.get("name")).startswith(f"{NAME_PREFIX} ")


def _delete(webex: WebexHttp, item: Mapping[str, Any]) -> None:
    with webex.readable("listen"):
        webhook_id = text(item, "id")
        if not re.fullmatch(r"[A-Za-z0-9_=-]+", webhook_id):
            raise Unreadable("the id of a webhook is none")
    with suppress(NotFound):
        webex.call("listen", "DELETE", f"webhooks/{webhook_id}")


def _strange(message: str) -> Invalid:
    return Invalid(message, provider=NAME, operation="parse_event")
