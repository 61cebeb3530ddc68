"""The adapter for an own Jitsi Meet whose rooms open only with a token (JWT, shared secret).

Jitsi knows no meetings before people come, so nothing is called at all: a room is named by the key, and each person's
link carries a token for that room alone and for the hours of the meeting. What the server has to be set up with, so
that only such tokens open rooms and all but moderators wait in the lobby, stands in docs/jitsi.md.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey

from conference_orchestrator.providers.base import (
    Capabilities,
    Meeting,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
    Person,
    Role,
    WithoutExtras,
    must_be_aware,
)
from conference_orchestrator.providers.rooms import Room, gone, meeting, must_be_private
from conference_orchestrator.providers.tokens import TokenStore
from conference_orchestrator.settings import Settings, SettingsError

CAPABILITIES: Final = Capabilities(
    kinds=frozenset({"meeting"}),
    find_by_key=False,
    native_idempotency=True,
    needs_host=False,
    min_minutes=1,
    max_minutes=24 * 60,
    title_length=128,
    agenda_length=5000,
    keeps_meetings=False,
    personal_links=True,
)
AUDIENCE = "jitsi"
SHORTEST_SECRET = 32
"""Bytes: a shorter key is weaker than the HMAC-SHA256 made with it (RFC 7518, section 3.2)."""


class JitsiProvider(WithoutExtras):
    """Rooms of one Jitsi Meet. The agenda is shown nowhere, and the lobby is always on."""

    name = "jitsi"

    def __init__(self, url: str, app_id: str, secret: str) -> None:
        self._url = url.rstrip("/")
        self._app_id = app_id
        self._key = OctKey.import_key(secret.encode())

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def create(self, spec: MeetingSpec) -> Meeting:
        room = Room.wanted(spec, CAPABILITIES, self.name)
        return meeting(room, MeetingRef(self.name, room.id, spec.host), self._address(room))

    def find(self, _key: str, _host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        must_be_aware(starts_at, ends_at)
        return []

    def get(self, ref: MeetingRef) -> Meeting:
        raise gone(ref, "get")

    def update(self, ref: MeetingRef, _changes: MeetingChanges) -> Meeting:
        raise gone(ref, "update")

    def cancel(self, _ref: MeetingRef) -> bool:
        return False

    def join_link(self, ref: MeetingRef, person: Person, role: Role) -> str:
        room = Room.known(ref, "join_link")
        # Behind the # it stays in the browser: without it people would see the key as the name of the meeting.
        subject = quote(json.dumps(room.title), safe="")
        return f"{self._address(room)}?jwt={self._token(room, person, role)}#config.subject={subject}"

    def _address(self, room: Room) -> str:
        return f"{self._url}/{room.key}"

    def _token(self, room: Room, person: Person, role: Role) -> str:
        moderates = role == "moderator"
        claims = {
            "aud": AUDIENCE,
            "iss": self._app_id,
            "sub": urlsplit(self._url).hostname,
            "room": room.key,
            "nbf": int(room.opens_at.timestamp()),
            "exp": int(room.closes_at.timestamp()),
            "context": {
                "user": {
                    "name": person.name,
                    "email": person.email,
                    # Both, because servers differ in which they read, and who has neither is a moderator.
                    "affiliation": "owner" if moderates else "member",
                    "moderator": moderates,
                    "lobby_bypass": moderates,
                }
            },
        }
        return jwt.encode({"alg": "HS256"}, claims, self._key)


def provider(settings: Settings, _tokens: TokenStore) -> JitsiProvider:
    """The entry point. SettingsError when a setting is missing or cannot be right."""
    for name in ("url", "app_id", "secret"):
        if not getattr(settings, f"jitsi_{name}"):
            raise SettingsError(
                f"The provider jitsi needs CO_JITSI_{name.upper()}: set it, or choose another provider."
            )
    must_be_private("CO_JITSI_URL", settings.jitsi_url)
    if len(settings.jitsi_secret.encode()) < SHORTEST_SECRET:
        raise SettingsError(
            f"CO_JITSI_SECRET must have at least {SHORTEST_SECRET} bytes; make one with `openssl rand -hex 32` and "
            "give it to Jitsi too."
        )
    return JitsiProvider(settings.jitsi_url, settings.jitsi_app_id, settings.jitsi_secret)
