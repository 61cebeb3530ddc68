"""The adapter for an own BigBlueButton (2.4 and later).

A room there lives while people are in it: one that nobody enters within minutes is removed. So nothing is made when a
meeting is wanted, except one look that shows whether address and secret are right; the room is made when somebody asks
for the way in, which may be done again and again. Once it is empty BigBlueButton forgets it, and who was there.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from conference_orchestrator.kernel.times import Clock, SystemClock, rfc3339
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
from conference_orchestrator.providers.bigbluebutton_http import NAME, BigBlueButtonHttp, Unreadable, text
from conference_orchestrator.providers.errors import Invalid, NotFound, Transient
from conference_orchestrator.providers.exchange import Timeouts
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
    title_length=64,
    agenda_length=5000,
    keeps_meetings=False,
    personal_links=True,
)
SHORTEST_TITLE = 2


class BigBlueButtonProvider(WithoutExtras):
    """Rooms of one BigBlueButton. The agenda is shown nowhere, and the lobby is always on. Safe for threads."""

    name = NAME

    def __init__(self, url: str, secret: str, *, timeouts: Timeouts | None = None, clock: Clock | None = None) -> None:
        self._http = BigBlueButtonHttp(url, secret, timeouts or Timeouts())
        self._url, self._secret = url.rstrip("/"), secret.encode()
        self._clock = clock or SystemClock()

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def create(self, spec: MeetingSpec) -> Meeting:
        room = Room.wanted(spec, CAPABILITIES, self.name)
        if len(spec.title.strip()) < SHORTEST_TITLE:
            raise Invalid("The title must have at least 2 characters.", provider=self.name, operation="create")
        self._http.call("create", "isMeetingRunning", {"meetingID": room.key})
        return meeting(room, MeetingRef(self.name, room.id, spec.host), self._address(room))

    def find(self, _key: str, _host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        must_be_aware(starts_at, ends_at)
        return []

    def get(self, ref: MeetingRef) -> Meeting:
        room = Room.known(ref, "get")
        answer = self._http.call("get", "isMeetingRunning", {"meetingID": room.key})
        if answer.findtext("running") != "true":
            raise gone(ref, "get")
        return replace(meeting(room, ref, self._address(room)), state="running")

    def update(self, ref: MeetingRef, _changes: MeetingChanges) -> Meeting:
        raise gone(ref, "update")

    def cancel(self, ref: MeetingRef) -> bool:
        try:
            room = Room.known(ref, "cancel")
            query = {"meetingID": room.key, "password": self._password(room, "moderator")}
            self._http.call("cancel", "end", query)
        except NotFound:
            return False
        return True

    def join_link(self, ref: MeetingRef, person: Person, role: Role) -> str:
        room = Room.known(ref, "join_link")
        self._must_be_open(room)
        query = {
            "fullName": " ".join(person.name.split()),
            "meetingID": room.key,
            "role": "MODERATOR" if role == "moderator" else "VIEWER",
            # Binds the link to this room as it is now: it opens no later one of the same name.
            "createTime": self._made(room),
        }
        # A guest waits until a moderator lets them in.
        return self._http.address("join", query if role == "moderator" else query | {"guest": "true"})

    def _must_be_open(self, room: Room) -> None:
        if not room.opens_at <= self._clock.now() < room.closes_at:
            hours = f"from {rfc3339(room.opens_at)} to {rfc3339(room.closes_at)}"
            raise Invalid(f"The room is open {hours}.", provider=self.name, operation="join_link")

    def _made(self, room: Room) -> str:
        """Make the room unless it is there; its createTime. Every call says the same, or it would be refused."""
        query = {
            "name": room.title,
            "meetingID": room.key,
            "attendeePW": self._password(room, "attendee"),
            "moderatorPW": self._password(room, "moderator"),
            "guestPolicy": "ASK_MODERATOR",
            "record": "false",
            "autoStartRecording": "false",
            "allowStartStopRecording": "false",
            "duration": str((room.closes_at - room.opens_at) // timedelta(minutes=1)),
        }
        try:
            return text(self._http.call("join_link", "create", query), "createTime")
        except Unreadable as error:
            raise Transient(str(error), provider=self.name, operation="join_link") from None

    def _password(self, room: Room, role: Role) -> str:
        # Made from the key, so that creating again says the same; by HMAC, so that the key does not tell it.
        return hmac.digest(self._secret, f"{role} of {room.key}".encode(), "sha256").hex()

    def _address(self, room: Room) -> str:
        # Without a signature it opens nothing.
        return f"{self._url}/join?meetingID={room.key}"


def provider(settings: Settings, _tokens: TokenStore) -> BigBlueButtonProvider:
    """The entry point. SettingsError when a setting is missing or cannot be right."""
    for name in ("url", "secret"):
        if not getattr(settings, f"bigbluebutton_{name}"):
            raise SettingsError(
                f"The provider bigbluebutton needs CO_BIGBLUEBUTTON_{name.upper()}: set it, or choose another provider."
            )
    must_be_private("CO_BIGBLUEBUTTON_URL", settings.bigbluebutton_url)
    # BigBlueButton's own tool tells the address without the end that all of its calls have.
    url = settings.bigbluebutton_url.rstrip("/").removesuffix("/api")
    return BigBlueButtonProvider(f"{url}/api", settings.bigbluebutton_secret)
