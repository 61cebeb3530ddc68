"""The Webex adapter, written against Webex's OpenAPI description of May 2026 (Meetings, version 1.0.0).

What that description makes necessary: every call says `sendEmail=false`, because Webex mails unless told otherwise; a
list covers 7 days and 10 meetings unless asked for more, holds meetings to which the host is only invited, and may be
behind; there is no idempotency key, so that a create without an answer is ambiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.providers import webex_events, webex_people
from conference_orchestrator.providers.base import (
    KEY_PREFIX,
    Attendance,
    Capabilities,
    Event,
    Meeting,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
    Person,
    Role,
    to_the_minute,
)
from conference_orchestrator.providers.errors import HostUnavailable, Invalid, NotFound, ProviderError
from conference_orchestrator.providers.exchange import Answer, Timeouts
from conference_orchestrator.providers.tokens import TokenStore
from conference_orchestrator.providers.webex_http import NAME, Credentials, Unreadable, WebexHttp, json_object
from conference_orchestrator.providers.webex_meetings import (
    checked_id,
    entry_obstacle,
    fields,
    is_hosted_by,
    key_obstacle,
    meeting_from,
    new_meeting,
    on_behalf,
    tags,
    text,
)
from conference_orchestrator.providers.webex_tokens import Client, GivenToken, RenewedToken, is_token, utc_now
from conference_orchestrator.settings import Settings, SettingsError

CAPABILITIES: Final = Capabilities(
    kinds=frozenset({"meeting", "webinar"}),
    find_by_key=True,
    native_idempotency=False,
    needs_host=True,
    min_minutes=10,
    max_minutes=23 * 60 + 59,
    title_length=128,
    agenda_length=1300,
    invitees=True,
    attendance=True,
)
CREATES_PER_DAY_OF_A_USER, CREATES_PER_DAY_BY_AN_ADMIN = 100, 800


class WebexProvider:
    """Meetings at Webex under one set of credentials. Threads may share it.

    `token` is a bearer token, or what renews one. With `is_admin` the token may act for the host accounts of a site,
    otherwise only for its owner. Events are understood when there is a `webhook_secret`.
    """

    name = NAME

    def __init__(
        self,
        url: str,
        token: str | Credentials,
        *,
        timeouts: Timeouts | None = None,
        webhook_secret: str = "",
        is_admin: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        credentials = GivenToken(token) if isinstance(token, str) else token
        self._webex = WebexHttp(url, credentials, timeouts or Timeouts(), secrets=[webhook_secret])
        self._webhook_secret = webhook_secret
        self._is_admin = is_admin
        self._now = now
        # By host; a host that has none is looked up again, because it may get the licence.
        self._webinar_types: dict[str | None, int] = {}

    def capabilities(self) -> Capabilities:
        creates = CREATES_PER_DAY_BY_AN_ADMIN if self._is_admin else CREATES_PER_DAY_OF_A_USER
        return replace(CAPABILITIES, events=bool(self._webhook_secret), creates_per_day=creates)

    def create(self, spec: MeetingSpec) -> Meeting:
        """Make the meeting and read it back, because only what was read back may be relied on.

        Where it cannot be read back it stands all the same, with its settings unknown.
        """
        self._refuse("create", *CAPABILITIES.obstacles(spec), *key_obstacle(spec.key), *entry_obstacle(vars(spec)))
        body = new_meeting(spec)
        if spec.kind == "webinar":
            body["sessionTypeId"] = self._webinar_type(spec.host)
        try:
            answer = self._webex.call("create", "POST", "meetings", body=body)
        except Invalid:
            self._webinar_types.pop(spec.host, None)  # it may have lost the session type that we know
            raise
        with self._webex.readable("create", answer, created=True):
            made = json_object(answer)
            try:
                return self.get(MeetingRef(self.name, text(made, "id"), spec.host))
            except ProviderError:
                meeting = meeting_from(made, spec.host)
        return replace(meeting, has_password=None, lobby=None, public=None, recording=None)

    def find(self, key: str, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        return self._listed("find", host, starts_at, ends_at, {"integrationTag": key}, lambda tag: tag == key)

    def ours(self, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        found = self._listed("ours", host, starts_at, ends_at, {}, lambda tag: tag.startswith(KEY_PREFIX))
        return [meeting for meeting in found if meeting.starts_at < ends_at and meeting.ends_at > starts_at]

    def get(self, ref: MeetingRef) -> Meeting:
        answer = self._webex.call("get", "GET", self._path(ref, "get"), query=on_behalf(ref.host))
        return self._meeting("get", answer, ref.host)

    def update(self, ref: MeetingRef, changes: MeetingChanges) -> Meeting:
        given = changes.given()
        if not given:
            return self.get(ref)
        self._refuse("update", *CAPABILITIES.obstacles(changes), *entry_obstacle(given))
        body = fields(given) | {"sendEmail": False} | on_behalf(ref.host)
        answer = self._webex.call("update", "PATCH", self._path(ref, "update"), body=body)
        return self._meeting("update", answer, ref.host)

    def cancel(self, ref: MeetingRef) -> bool:
        try:
            query = {"sendEmail": "false"} | on_behalf(ref.host)
            self._webex.call("cancel", "DELETE", self._path(ref, "cancel"), query=query)
        except NotFound:
            return False
        return True

    def invite(self, ref: MeetingRef, people: Sequence[Person], *, role: Role) -> None:
        webex_people.invite(self._webex, ref, people, role=role)

    def join_link(self, ref: MeetingRef, person: Person, _role: Role) -> str:
        return webex_people.join_link(self._webex, ref, person) or self.get(ref).join_url

    def attendance(self, ref: MeetingRef, starts_at: datetime, ends_at: datetime) -> Attendance:
        return webex_people.attendance(self._webex, ref, starts_at, ends_at, now=self._now())

    def listen(self, url: str) -> None:
        self._need_webhook_secret("listen")
        webex_events.listen(self._webex, url, self._webhook_secret, for_all_hosts=self._is_admin)

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> Event:
        self._need_webhook_secret("parse_event")
        return webex_events.event_from(headers, body, self._webhook_secret)

    def _listed(
        self,
        operation: str,
        host: str | None,
        starts_at: datetime,
        ends_at: datetime,
        narrowed: Mapping[str, str],
        is_sought: Callable[[str], bool],
    ) -> list[Meeting]:
        """The host's own meetings around the window with a tag that is sought."""
        # The exact match is made here: a host's list also holds meetings to which the host is only invited. A day on
        # each side, because a list is a matter of the provider's own reading of the bounds.
        day = timedelta(days=1)
        query = {
            "from": rfc3339(to_the_minute(starts_at) - day),
            "to": rfc3339(to_the_minute(ends_at) + day),
            "max": "100",
            "current": "false",
        }
        listed = self._webex.listed(operation, "meetings", {**narrowed, **query, **on_behalf(host)})
        with self._webex.readable(operation):
            sought = [item for item in listed if any(map(is_sought, tags(item))) and is_hosted_by(item, host)]
            return [meeting_from(item, host) for item in sought]

    def _webinar_type(self, host: str | None) -> int:
        """The id of the host's session type for webinars. HostUnavailable when the host has none."""
        known = self._webinar_types.get(host)
        if known is None:
            listed = self._webex.listed("create", "meetings/sessionTypes", on_behalf(host))
            with self._webex.readable("create"):
                found = [_number(item.get("id")) for item in listed if item.get("type") == "webinar"]
            if not found:
                raise HostUnavailable(
                    "The host account has no session type for webinars: give it a licence for webinars, or take the "
                    "kind webinar from it.",
                    provider=self.name,
                    operation="create",
                )
            known = self._webinar_types[host] = found[0]
        return known

    def _path(self, ref: MeetingRef, operation: str) -> str:
        return f"meetings/{checked_id(ref, operation)}"

    def _meeting(self, operation: str, answer: Answer, host: str | None) -> Meeting:
        with self._webex.readable(operation, answer):
            return meeting_from(json_object(answer), host)

    def _need_webhook_secret(self, operation: str) -> None:
        if not self._webhook_secret:
            self._refuse(operation, "Webex can send events only when CO_WEBEX_WEBHOOK_SECRET is set.")

    def _refuse(self, operation: str, *obstacles: str) -> None:
        if obstacles:
            raise Invalid(" ".join(obstacles), provider=self.name, operation=operation)


def provider(settings: Settings, tokens: TokenStore) -> WebexProvider:
    """The entry point. SettingsError when credentials are missing or cannot be such."""
    return WebexProvider(
        settings.webex_url,
        _credentials(settings, tokens),
        webhook_secret=settings.webex_webhook_secret,
        is_admin=bool(settings.webex_hosts),
    )


def _credentials(settings: Settings, tokens: TokenStore) -> Credentials:
    renewing = {
        "CO_WEBEX_CLIENT_ID": settings.webex_client_id,
        "CO_WEBEX_CLIENT_SECRET": settings.webex_client_secret,
        "CO_WEBEX_REFRESH_TOKEN": settings.webex_refresh_token,
    }
    given = {"CO_WEBEX_TOKEN": settings.webex_token} if settings.webex_token else renewing
    if not any(given.values()):
        raise SettingsError(
            f"The provider webex needs CO_WEBEX_TOKEN, or {', '.join(renewing)}: set them, or choose CO_PROVIDER=mock."
        )
    if missing := [name for name, value in given.items() if not value]:
        raise SettingsError(f"The provider webex needs {' and '.join(missing)} too, or CO_WEBEX_TOKEN instead.")
    for name, value in given.items():
        if not is_token(value):
            raise SettingsError(f"{name} holds a blank or a character that no token has; copy it again.")
    if settings.webex_token:
        return GivenToken(settings.webex_token)
    return RenewedToken(settings.webex_url, Client(*renewing.values()), tokens)


def _number(said: object) -> int:
    if isinstance(said, bool) or not isinstance(said, int | str):
        raise Unreadable("the id of a session type is no number")
    try:
        return int(said)
    except ValueError:
        raise Unreadable("the id of a session type is no number") from None
