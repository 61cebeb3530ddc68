"""The Webex adapter, written against Webex's OpenAPI description of May 2026 (Meetings, version 1.0.0).

What that description makes necessary: every call says `sendEmail=false`, because Webex mails unless told otherwise; a
list covers 7 days and 10 meetings unless asked for more, holds meetings to which the host is only invited, and may be
behind; there is no idempotency key, so that a create without an answer is ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.providers.base import (
    KEY_PREFIX,
    Capabilities,
    Meeting,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
    MeetingState,
    Person,
    Role,
    Secrets,
    WithoutExtras,
    to_the_minute,
)
from conference_orchestrator.providers.errors import Invalid, NotFound
from conference_orchestrator.providers.exchange import Answer, Timeouts
from conference_orchestrator.providers.tokens import TokenStore
from conference_orchestrator.providers.webex_http import Unreadable, WebexHttp, json_object
from conference_orchestrator.settings import Settings, SettingsError

CAPABILITIES: Final = Capabilities(
    kinds=frozenset({"meeting"}),
    find_by_key=True,
    native_idempotency=False,
    needs_host=True,
    min_minutes=10,
    max_minutes=23 * 60 + 59,
    title_length=128,
    agenda_length=1300,
)
KEY_LENGTH = 64
JOIN_BEFORE_MINUTES = (0, 5, 10, 15)
LOBBY, NO_LOBBY = "allowJoinWithLobby", "allowJoin"

STATES: Final[Mapping[str, MeetingState]] = {
    "lobby": "running",
    "inProgress": "running",
    "ended": "over",
    "missed": "over",
    "expired": "over",
}
"""Webex's states in our words; active, scheduled, ready, and any that Webex may add, are "scheduled"."""


class WebexProvider(WithoutExtras):
    """Meetings at Webex under one bearer token. Keeps nothing between calls, so threads may share it."""

    name = "webex"

    def __init__(self, url: str, token: str, *, timeouts: Timeouts | None = None) -> None:
        self._webex = WebexHttp(url, token, timeouts or Timeouts())

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def create(self, spec: MeetingSpec) -> Meeting:
        self._refuse("create", *CAPABILITIES.obstacles(spec), *_key_obstacle(spec.key), *_entry_obstacle(vars(spec)))
        wanted = {name: value for name, value in vars(spec).items() if name != "agenda" or value}
        body = _fields(wanted) | {
            "integrationTags": [spec.key],
            "scheduledType": spec.kind,
            "publicMeeting": False,
            "enabledAutoRecordMeeting": False,
            "sendEmail": False,
        }
        answer = self._webex.call("create", "POST", "meetings", body=body | _on_behalf(spec.host))
        return self._meeting("create", answer, spec.host)

    def find(self, key: str, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        return self._hosted("find", host, starts_at, ends_at, lambda tag: tag == key, {"integrationTag": key})

    def ours(self, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        return self._hosted("ours", host, starts_at, ends_at, lambda tag: tag.startswith(KEY_PREFIX), {})

    def _hosted(
        self,
        operation: str,
        host: str | None,
        starts_at: datetime,
        ends_at: datetime,
        is_wanted: Callable[[str], bool],
        narrowed: Mapping[str, str],
    ) -> list[Meeting]:
        # The exact match is made here: a host's list also holds meetings to which the host is only invited. A day on
        # each side, because a list is a matter of the provider's own reading of the bounds.
        day = timedelta(days=1)
        query = {
            "from": rfc3339(to_the_minute(starts_at) - day),
            "to": rfc3339(to_the_minute(ends_at) + day),
            "max": "100",
            "current": "false",
            **narrowed,
            **_on_behalf(host),
        }
        try:
            listed = list(self._webex.listed(operation, "meetings", query))
            tagged = [item for item in listed if any(map(is_wanted, _tags(item))) and _is_hosted_by(item, host)]
            return [meeting_from(item, host) for item in tagged]
        except Unreadable as error:
            raise self._webex.lost(operation, str(error)) from None

    def get(self, ref: MeetingRef) -> Meeting:
        answer = self._webex.call("get", "GET", self._path(ref, "get"), query=_on_behalf(ref.host))
        return self._meeting("get", answer, ref.host)

    def update(self, ref: MeetingRef, changes: MeetingChanges) -> Meeting:
        given = changes.given()
        if not given:
            return self.get(ref)
        self._refuse("update", *CAPABILITIES.obstacles(changes), *_entry_obstacle(given))
        body = _fields(given) | {"sendEmail": False} | _on_behalf(ref.host)
        answer = self._webex.call("update", "PATCH", self._path(ref, "update"), body=body)
        return self._meeting("update", answer, ref.host)

    def cancel(self, ref: MeetingRef) -> bool:
        try:
            query = {"sendEmail": "false"} | _on_behalf(ref.host)
            self._webex.call("cancel", "DELETE", self._path(ref, "cancel"), query=query)
        except NotFound:
            return False
        return True

    def join_link(self, ref: MeetingRef, _person: Person, _role: Role) -> str:
        return self.get(ref).join_url

    def _path(self, ref: MeetingRef, operation: str) -> str:
        # A dot or a slash in an id would make it the address of something else.
        if not re.fullmatch(r"[A-Za-z0-9_-]+", ref.id):
            raise NotFound("Webex has no meeting with such an id.", provider=self.name, operation=operation)
        return f"meetings/{ref.id}"

    def _meeting(self, operation: str, answer: Answer, host: str | None) -> Meeting:
        try:
            return meeting_from(json_object(answer), host)
        except Unreadable as error:
            raise self._webex.lost(operation, str(error), answer) from None

    def _refuse(self, operation: str, *obstacles: str) -> None:
        if obstacles:
            raise Invalid(" ".join(obstacles), provider=self.name, operation=operation)


def provider(settings: Settings, _tokens: TokenStore) -> WebexProvider:
    """The entry point. SettingsError when the token is missing or cannot be one."""
    if not settings.webex_token:
        if settings.webex_client_id or settings.webex_client_secret or settings.webex_refresh_token:
            raise SettingsError(
                "CO_WEBEX_CLIENT_ID, CO_WEBEX_CLIENT_SECRET and CO_WEBEX_REFRESH_TOKEN are not enough: "
                "refreshing tokens is not available yet, set CO_WEBEX_TOKEN."
            )
        raise SettingsError("The provider webex needs CO_WEBEX_TOKEN: set it, or choose CO_PROVIDER=mock.")
    if not re.fullmatch(r"[!-~]+", settings.webex_token):
        raise SettingsError("CO_WEBEX_TOKEN holds a blank or a character that no token has; copy it again.")
    return WebexProvider(settings.webex_url, settings.webex_token)


def meeting_from(item: Mapping[str, Any], host: str | None) -> Meeting:
    """A Webex meeting in our words, asked for on behalf of `host`, or as the owner of the token when that is None.

    Unreadable when what we rely on is missing or of another type.
    """
    secrets = Secrets(
        host_key=_optional(item, "hostKey"),
        password=_optional(item, "password"),
        phone_password=_optional(item, "phoneAndVideoSystemPassword"),
    )
    held_by = host if _is_hosted_by(item, host) else _text(item, "hostEmail")
    entry = item.get("unlockedMeetingJoinSecurity")
    return Meeting(
        ref=MeetingRef(WebexProvider.name, _text(item, "id"), held_by),
        key=next(iter(_tags(item)), None),
        number=_optional(item, "meetingNumber"),
        title=_text(item, "title"),
        starts_at=_instant(item, "start"),
        ends_at=_instant(item, "end"),
        state=STATES.get(str(item.get("state")), "scheduled"),
        join_url=_link(item, "webLink"),
        secrets=secrets,
        has_password=bool(secrets.password) if "password" in item else None,
        lobby=entry == LOBBY if isinstance(entry, str) else None,
        public=_flag(item, "publicMeeting"),
        recording=_flag(item, "enabledAutoRecordMeeting"),
    )


def _fields(wanted: Mapping[str, Any]) -> dict[str, object]:
    """The fields of CreateMeetingObject and PatchMeetingObject that say what is wanted, and none besides."""
    same = {"title": "title", "agenda": "agenda", "time_zone": "timezone"}
    fields: dict[str, object] = {theirs: wanted[ours] for ours, theirs in same.items() if ours in wanted}
    if "starts_at" in wanted:
        fields["start"] = rfc3339(to_the_minute(wanted["starts_at"]))
        fields["end"] = rfc3339(to_the_minute(wanted["ends_at"]))
    if "join_before_minutes" in wanted:
        fields["enabledJoinBeforeHost"] = wanted["join_before_minutes"] > 0
        fields["joinBeforeHostMinutes"] = wanted["join_before_minutes"]
    if "lobby" in wanted:
        fields["unlockedMeetingJoinSecurity"] = LOBBY if wanted["lobby"] else NO_LOBBY
    return fields


def _on_behalf(host: str | None) -> dict[str, str]:
    return {"hostEmail": host} if host else {}


def _key_obstacle(key: str) -> tuple[str, ...]:
    if 0 < len(key) <= KEY_LENGTH:
        return ()
    return (f"The key must have 1 to {KEY_LENGTH} characters, not {len(key)}.",)


def _entry_obstacle(wanted: Mapping[str, Any]) -> tuple[str, ...]:
    minutes = wanted.get("join_before_minutes", 0)
    if minutes in JOIN_BEFORE_MINUTES:
        return ()
    allowed = ", ".join(map(str, JOIN_BEFORE_MINUTES))
    return (f"People may come in {allowed} minutes before the start, not {minutes}.",)


def _is_hosted_by(item: Mapping[str, Any], host: str | None) -> bool:
    # Without a host the owner of the token is meant, who need not be named and may not be without admin rights.
    return host is None or _text(item, "hostEmail").casefold() == host.casefold()


def _tags(item: Mapping[str, Any]) -> list[str]:
    tags = item.get("integrationTags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Unreadable("integrationTags is no list of texts")
    return tags


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is missing or no text")
    return value


def _optional(item: Mapping[str, Any], name: str) -> str | None:
    return _text(item, name) if item.get(name) else None


def _flag(item: Mapping[str, Any], name: str) -> bool | None:
    value = item.get(name)
    return value if isinstance(value, bool) else None


def _link(item: Mapping[str, Any], name: str) -> str:
    if not (link := _text(item, name)).startswith(("https://", "http://")):
        raise Unreadable(f"{name} is no web address")
    return link


def _instant(item: Mapping[str, Any], name: str) -> datetime:
    try:
        return to_the_minute(datetime.fromisoformat(_text(item, name)))
    except (ValueError, TypeError, OverflowError):
        raise Unreadable(f"{name} is no instant") from None
