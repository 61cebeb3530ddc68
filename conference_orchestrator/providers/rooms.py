"""Rooms that exist only while people are in them, as Jitsi and BigBlueButton have them.

There is nothing at the provider before people come and nothing to ask it for. All that is needed to let them in later
(the key, the hours, the title) therefore stands in the meeting's id, and whoever holds the reference knows it all.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from urllib.parse import urlsplit

from conference_orchestrator.providers.base import (
    Capabilities,
    Meeting,
    MeetingRef,
    MeetingSpec,
    Secrets,
    to_the_minute,
)
from conference_orchestrator.providers.errors import Invalid, NotFound
from conference_orchestrator.settings import SettingsError

KEY: Final = r"[a-z0-9][a-z0-9-]{1,99}"
"""Small letters, because Jitsi takes large ones for small; no other signs, because BigBlueButton takes no others."""
OPENS_BEFORE, CLOSES_AFTER = timedelta(hours=1), timedelta(hours=1)
"""The moderator may come in early to prepare, and a meeting may run late; others wait in the lobby."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """One meeting in a room of its own; instants in UTC, to the minute."""

    key: str
    title: str
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def wanted(cls, spec: MeetingSpec, capabilities: Capabilities, provider: str) -> Self:
        """The room for a meeting. Invalid where the provider's limits or the form of the key forbid it."""
        obstacles = list(capabilities.obstacles(spec))
        if not re.fullmatch(KEY, spec.key):
            obstacles.append("The key must consist of 2 to 100 small letters, digits and hyphens.")
        if re.search(r"[\x00-\x1f\x7f]", spec.title):
            obstacles.append("The title must be one line without control characters.")
        if obstacles:
            raise Invalid(" ".join(obstacles), provider=provider, operation="create")
        starts_at, ends_at = to_the_minute(spec.starts_at), to_the_minute(spec.ends_at)
        return cls(key=spec.key, title=spec.title, starts_at=starts_at, ends_at=ends_at)

    @classmethod
    def known(cls, ref: MeetingRef, operation: str) -> Self:
        """The room of a reference. NotFound when its id is none that we made."""
        try:
            key, start, end, title = ref.id.split(".")
            starts_at, ends_at = (datetime.strptime(text, "%Y%m%dT%H%M%z") for text in (start, end))
            room = cls(key=key, title=_decoded(title), starts_at=starts_at, ends_at=ends_at)
        except ValueError:
            room = None
        # Only what we would write ourselves: anything else might become another address.
        if room is None or not re.fullmatch(KEY, key) or room.id != ref.id:
            raise NotFound("There is no such meeting.", provider=ref.provider, operation=operation)
        return room

    @property
    def id(self) -> str:
        """The meeting's id, from which the room is known again."""
        return f"{self.key}.{self.starts_at:%Y%m%dT%H%MZ}.{self.ends_at:%Y%m%dT%H%MZ}.{_encoded(self.title)}"

    @property
    def opens_at(self) -> datetime:
        """From then on people can be let in."""
        return self.starts_at - OPENS_BEFORE

    @property
    def closes_at(self) -> datetime:
        """From then on nobody comes in any more."""
        return self.ends_at + CLOSES_AFTER


def gone(ref: MeetingRef, operation: str) -> NotFound:
    """The error for a meeting that nobody is in, or of which nothing is kept."""
    message = "The provider keeps no meetings: nothing is there before people come. Create it again to change it."
    return NotFound(message, provider=ref.provider, operation=operation)


def meeting(room: Room, ref: MeetingRef, join_url: str) -> Meeting:
    """The room as a meeting.

    That it is closed to those without a link, has a lobby and records nothing is how the adapter lets people in; there
    is nothing that could be read back.
    """
    return Meeting(
        ref=ref,
        key=room.key,
        number=None,
        title=room.title,
        starts_at=room.starts_at,
        ends_at=room.ends_at,
        state="scheduled",
        join_url=join_url,
        secrets=Secrets(),
        has_password=True,
        lobby=True,
        public=False,
        recording=False,
    )


def _encoded(title: str) -> str:
    return urlsafe_b64encode(title.encode()).decode().rstrip("=")


def _decoded(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def must_be_private(name: str, url: str) -> None:
    """SettingsError, naming the setting, for an address on whose way a personal link could be read.

    Plain http is allowed on this machine only.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise SettingsError(f"{name} must begin with https://: the links of people would be sent in the open.")
