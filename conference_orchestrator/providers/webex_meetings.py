"""Meetings in Webex's words and in ours: what is sent to create and change one, and how one is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.providers.base import (
    KEY_PREFIX,
    Meeting,
    MeetingRef,
    MeetingSpec,
    MeetingState,
    Secrets,
    to_the_minute,
)
from conference_orchestrator.providers.errors import NotFound
from conference_orchestrator.providers.webex_http import NAME, Unreadable

KEY_LENGTH = 64
JOIN_BEFORE_MINUTES: Final = {"meeting": (0, 5, 10, 15), "webinar": (0, 15, 30, 45, 60)}
LOBBY, NO_LOBBY = "allowJoinWithLobby", "allowJoin"

STATES: Final[Mapping[str, MeetingState]] = {
    "lobby": "running",
    "inProgress": "running",
    "ended": "over",
    "missed": "over",
    "expired": "over",
}
"""Webex's states in our words; active, scheduled, ready, and any that Webex may add, are "scheduled"."""


def new_meeting(spec: MeetingSpec) -> dict[str, object]:
    """The CreateMeetingObject for what is wanted; a webinar needs a `sessionTypeId` besides."""
    wanted = {name: value for name, value in vars(spec).items() if name != "agenda" or value}
    if spec.kind == "webinar":
        allowed = JOIN_BEFORE_MINUTES["webinar"]
        wanted["join_before_minutes"] = min(allowed, key=lambda minutes: abs(minutes - spec.join_before_minutes))
    return {
        **fields(wanted),
        "integrationTags": [spec.key],
        "scheduledType": spec.kind,
        "publicMeeting": False,
        "enabledAutoRecordMeeting": False,
        "sendEmail": False,
        **on_behalf(spec.host),
    }


def fields(wanted: Mapping[str, Any]) -> dict[str, object]:
    """The fields of CreateMeetingObject and PatchMeetingObject that say what is wanted, and none besides."""
    same = {"title": "title", "agenda": "agenda", "time_zone": "timezone"}
    said: dict[str, object] = {theirs: wanted[ours] for ours, theirs in same.items() if ours in wanted}
    if "starts_at" in wanted:
        said["start"] = rfc3339(to_the_minute(wanted["starts_at"]))
        said["end"] = rfc3339(to_the_minute(wanted["ends_at"]))
    if "join_before_minutes" in wanted:
        said["enabledJoinBeforeHost"] = wanted["join_before_minutes"] > 0
        said["joinBeforeHostMinutes"] = wanted["join_before_minutes"]
    if "lobby" in wanted:
        said["unlockedMeetingJoinSecurity"] = LOBBY if wanted["lobby"] else NO_LOBBY
    return said


def key_obstacle(key: str) -> tuple[str, ...]:
    """Why Webex would not take the key as an integration tag; empty when it would."""
    if 0 < len(key) <= KEY_LENGTH:
        return ()
    return (f"The key must have 1 to {KEY_LENGTH} characters, not {len(key)}.",)


def entry_obstacle(wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Why people cannot come in that long before the start; empty when they can.

    A webinar gets the nearest time that Webex knows. Of a change it is not known whether it is one of a webinar.
    """
    minutes, kind = wanted.get("join_before_minutes", 0), wanted.get("kind")
    known = (JOIN_BEFORE_MINUTES[kind],) if kind in JOIN_BEFORE_MINUTES else JOIN_BEFORE_MINUTES.values()
    allowed = sorted({each for some in known for each in some})
    if minutes in allowed or (kind == "webinar" and 0 <= minutes <= allowed[-1]):
        return ()
    return (f"People may come in {', '.join(map(str, allowed))} minutes before the start, not {minutes}.",)


def on_behalf(host: str | None) -> dict[str, str]:
    """What names the host account for which an administrator asks; without one the owner of the token is meant."""
    return {"hostEmail": host} if host else {}


def checked_id(ref: MeetingRef, operation: str) -> str:
    """The id, safe as part of an address. NotFound when it cannot be one."""
    # A dot or a slash in an id would make it the address of something else.
    if not re.fullmatch(r"[A-Za-z0-9_-]+", ref.id):
        raise NotFound("Webex has no meeting with such an id.", provider=NAME, operation=operation)
    return ref.id


def meeting_from(item: Mapping[str, Any], host: str | None) -> Meeting:
    """A Webex meeting in our words, asked for on behalf of `host`, or as the owner of the token when that is None.

    Unreadable when what we rely on is missing or of another type.
    """
    secrets = Secrets(
        host_key=_optional(item, "hostKey"),
        password=_optional(item, "password"),
        phone_password=_optional(item, "phoneAndVideoSystemPassword"),
    )
    held_by = host if is_hosted_by(item, host) else text(item, "hostEmail")
    entry = item.get("unlockedMeetingJoinSecurity")
    return Meeting(
        ref=MeetingRef(NAME, text(item, "id"), held_by),
        key=min(tags(item), key=lambda tag: not tag.startswith(KEY_PREFIX), default=None),
        number=_optional(item, "meetingNumber"),
        title=text(item, "title"),
        starts_at=_to_the_minute(item, "start"),
        ends_at=_to_the_minute(item, "end"),
        state=STATES.get(str(item.get("state")), "scheduled"),
        join_url=link(item, "webLink"),
        secrets=secrets,
        has_password=bool(secrets.password) if "password" in item else None,
        lobby=entry == LOBBY if isinstance(entry, str) else None,
        public=_flag(item, "publicMeeting"),
        recording=_flag(item, "enabledAutoRecordMeeting"),
        registration_url=link(item, "registerLink") if item.get("registerLink") else None,
    )


def is_hosted_by(item: Mapping[str, Any], host: str | None) -> bool:
    """Whether this account holds the meeting; it may only be invited."""
    # Without a host the owner of the token is meant, who need not be named and may not be without admin rights.
    return host is None or text(item, "hostEmail").casefold() == host.casefold()


def tags(item: Mapping[str, Any]) -> list[str]:
    """The integration tags that our client gave the meeting."""
    found = item.get("integrationTags") or []
    if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
        raise Unreadable("integrationTags is no list of texts")
    return found


def text(item: Mapping[str, Any], name: str) -> str:
    """A field that must be a text."""
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is missing or no text")
    return value


def link(item: Mapping[str, Any], name: str) -> str:
    """A field that must be a web address."""
    if not (value := text(item, name)).startswith(("https://", "http://")):
        raise Unreadable(f"{name} is no web address")
    return value


def instant(item: Mapping[str, Any], name: str) -> datetime:
    """A field that must be an instant."""
    try:
        at = datetime.fromisoformat(text(item, name))
        to_the_minute(at)
    except (ValueError, TypeError, OverflowError):
        raise Unreadable(f"{name} is no instant") from None
    return at


def _to_the_minute(item: Mapping[str, Any], name: str) -> datetime:
    return to_the_minute(instant(item, name))


def _optional(item: Mapping[str, Any], name: str) -> str | None:
    return text(item, name) if item.get(name) else None


def _flag(item: Mapping[str, Any], name: str) -> bool | None:
    value = item.get(name)
    return value if isinstance(value, bool) else None
