"""What Webex keeps of a meeting, what it refuses, and how it tells of one, by its OpenAPI description of May 2026."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from conference_orchestrator.kernel.times import instant, is_zone, local

TITLE_LENGTH, AGENDA_LENGTH, TAG_LENGTH, MOST_TAGS = 128, 1300, 64, 3
SHORTEST, LONGEST = timedelta(minutes=10), timedelta(hours=23, minutes=59)
JOIN_BEFORE_MINUTES = {"meeting": {0, 5, 10, 15}, "webinar": {0, 15, 30, 45, 60}}

SETTINGS: Mapping[str, Any] = {
    "enabledAutoRecordMeeting": False,
    "allowAnyUserToBeCoHost": False,
    "enabledJoinBeforeHost": False,
    "enableConnectAudioBeforeHost": False,
    "joinBeforeHostMinutes": 0,
    "excludePassword": False,
    "publicMeeting": False,
    "reminderTime": 15,
    "unlockedMeetingJoinSecurity": "allowJoin",
    "scheduledType": "meeting",
    "enableAutomaticLock": False,
    "automaticLockMinutes": 5,
    "allowFirstUserToBeCoHost": False,
    "allowAuthenticatedDevices": True,
    "enabledBreakoutSessions": False,
}
"""What a client may set, with what the site sets otherwise: not always what is safe, as at many a site."""
SESSION_TYPES = (
    {"id": "3", "name": "Meetings Pro", "type": "meeting", "attendeesCapacity": 1000},
    {"id": "169", "name": "Webinars", "type": "webinar", "attendeesCapacity": 1000},
)
"""What the site can hold; the numbers are those that `sessionTypeId` names."""
CHOICES = {
    "unlockedMeetingJoinSecurity": ("allowJoin", "allowJoinWithLobby", "blockFromJoin"),
    "scheduledType": ("meeting", "webinar", "personalRoomMeeting"),
}
TEXTS = ("title", "agenda", "password", "start", "end", "timezone", "hostEmail", "recurrence", "panelistPassword")


class Refused(Exception):
    """The request is answered with `status`, and with `descriptions` in Webex's form."""

    def __init__(self, status: int, message: str, *descriptions: str, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.descriptions = descriptions or (message,)
        self.retry_after = retry_after


@dataclass
class Kept:
    """A meeting as the sandbox keeps it, in plain JSON values. `tags` are by client, instants are ISO 8601 in UTC."""

    id: str
    number: str
    host: str
    title: str
    start: str
    end: str
    password: str
    phone_password: str
    host_key: str
    agenda: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    recurrence: str | None = None
    session_type: int | None = None
    panelist_password: str | None = None
    registration: dict[str, Any] | None = None
    invitees: list[dict[str, Any]] = field(default_factory=list)
    registrants: list[dict[str, Any]] = field(default_factory=list)
    links: dict[str, dict[str, str | None]] = field(default_factory=dict)
    visits: list[dict[str, Any]] = field(default_factory=list)

    def is_over(self, now: datetime) -> bool:
        """Whether its end has passed."""
        return datetime.fromisoformat(self.end) <= now

    def overlaps(self, begin: datetime, end: datetime) -> bool:
        """Whether any of it lies in the window; the end of the window is outside."""
        return datetime.fromisoformat(self.start) < end and datetime.fromisoformat(self.end) > begin

    def concerns(self, user: str) -> bool:
        """Whether the user is its host or invited."""
        return user.casefold() in {self.host.casefold(), *(invitee["email"].casefold() for invitee in self.invitees)}

    def state(self, now: datetime) -> str:
        """Webex's state of the series."""
        if any(visit["left_at"] is None for visit in self.visits):
            return "inProgress"
        if self.is_over(now):
            return "ended" if self.visits else "expired"
        return "active"

    def change(self, body: Mapping[str, Any], *, client: str, now: datetime) -> None:
        """Take over what the body says. Refused, with nothing changed, when Webex would refuse it."""
        start, end = _window(body, self, now=now)
        _refuse(_complaints(body, {**SETTINGS, **self.settings, **self._sort(), **body}))
        self.start, self.end = start.isoformat(), end.isoformat()
        self.title = body.get("title", self.title)
        self.agenda = body.get("agenda", self.agenda) or None
        self.password = body.get("password", self.password)
        self.settings = {**self.settings, **{name: body[name] for name in SETTINGS if name in body}}
        self.recurrence = body.get("recurrence", self.recurrence)
        self.session_type = body.get("sessionTypeId", self.session_type)
        self.panelist_password = body.get("panelistPassword", self.panelist_password)
        if "integrationTags" in body:
            self.tags = {**self.tags, client: list(body["integrationTags"] or [])}

    def shown(self, *, client: str, site: str, time_zone: str, now: datetime) -> dict[str, Any]:
        """The meeting in an answer to `client`, with instants in `time_zone` and links that begin with `site`."""
        tags = self.tags.get(client)
        return {
            "id": self.id,
            "meetingSeriesId": self.id,
            "meetingNumber": self.number,
            "title": self.title,
            **({"agenda": self.agenda} if self.agenda else {}),
            "password": self.password,
            "phoneAndVideoSystemPassword": self.phone_password,
            "meetingType": "meetingSeries",
            "state": self.state(now),
            "timezone": time_zone,
            "start": written(self.start, time_zone),
            "end": written(self.end, time_zone),
            "hostUserId": f"user-{self.host}",
            "hostDisplayName": self.host.partition("@")[0],
            "hostEmail": self.host,
            "hostKey": self.host_key,
            "siteUrl": "sandbox.example",
            "webLink": f"{site}join/{self.id}",
            "sipAddress": f"{self.number}@sandbox.example",
            "telephony": {"accessCode": self.number, "callInNumbers": []},
            **SETTINGS,
            **self.settings,
            **{name: value for name, value in self._sort().items() if value is not None},
            **({"integrationTags": tags} if tags else {}),
        }

    def _sort(self) -> dict[str, Any]:
        """Of which sort the meeting is, by the names of Webex."""
        return {
            "recurrence": self.recurrence,
            "sessionTypeId": self.session_type,
            "panelistPassword": self.panelist_password,
            "registration": self.registration,
        }


def new_meeting(body: Mapping[str, Any], *, host: str, client: str, now: datetime) -> Kept:
    """A meeting as asked for in a POST. Refused when Webex would refuse it."""
    _refuse([f"{name} is required." for name in ("title", "start", "end") if not body.get(name)])
    meeting = Kept(
        id=secrets.token_hex(16),
        number=_digits(10),
        host=body.get("hostEmail") or host,
        title="",
        start="",
        end="",
        password=secrets.token_urlsafe(8),
        phone_password=_digits(8),
        host_key=_digits(6),
    )
    meeting.change(body, client=client, now=now)
    meeting.registration = body.get("registration")
    if meeting.settings.get("scheduledType") == "webinar":
        meeting.panelist_password = meeting.panelist_password or secrets.token_urlsafe(8)
    return meeting


def moment(text: str, time_zone: str = "UTC") -> datetime:
    """An ISO 8601 date or time as an instant; without an offset it is wall time in `time_zone`. Refused otherwise."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "The input parameters contain invalid items.", f"{text!r} is not ISO 8601.") from None
    return said.astimezone(UTC) if said.tzinfo else instant(said, time_zone)


def zone_name(said: str | None) -> str:
    """The zone asked for in a request, UTC by default. Refused when there is none of that name."""
    if said and not is_zone(said):
        raise Refused(400, "The input parameters contain invalid items.", f"Invalid timezone: {said}.")
    return said or "UTC"


def written(at: str, time_zone: str) -> str:
    """An instant that is kept, as answers tell it: ISO 8601 in that zone, UTC with a Z."""
    return local(datetime.fromisoformat(at), time_zone).isoformat().replace("+00:00", "Z")


def _window(body: Mapping[str, Any], present: Kept, *, now: datetime) -> tuple[datetime, datetime]:
    _refuse([f"{name} must be a text." for name in TEXTS if not isinstance(body.get(name, ""), str | None)])
    time_zone = zone_name(body.get("timezone"))
    start = moment(body.get("start") or present.start, time_zone).replace(second=0, microsecond=0)
    end = moment(body.get("end") or present.end, time_zone).replace(second=0, microsecond=0)
    said = []
    if body.get("start") and start < now.replace(second=0, microsecond=0):
        said.append("The start time cannot be earlier than the current time.")
    if not SHORTEST <= end - start <= LONGEST:
        said.append("The duration must be between 10 minutes and 23 hours 59 minutes.")
    _refuse(said)
    return start, end


def _complaints(body: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    said = []
    if "title" in body and not 0 < len(body["title"] or "") <= TITLE_LENGTH:
        said.append(f"The title must have 1 to {TITLE_LENGTH} characters.")
    if len(body.get("agenda") or "") > AGENDA_LENGTH:
        said.append(f"The agenda can have at most {AGENDA_LENGTH} characters.")
    for name, usual in SETTINGS.items():
        if name in body and (type(body[name]) is not type(usual) or body[name] not in CHOICES.get(name, (body[name],))):
            said.append(f"{name} has an invalid value.")
    if then["joinBeforeHostMinutes"] not in JOIN_BEFORE_MINUTES.get(then["scheduledType"], {0}):
        said.append("joinBeforeHostMinutes is not one of the valid options.")
    said += _session_complaints(then["scheduledType"], then.get("sessionTypeId"))
    if then.get("registration") is not None:
        said += _registration_complaints(then)
    return said + _tag_complaints(body.get("integrationTags"))


def _session_complaints(scheduled: str, session_type: Any) -> list[str]:
    if session_type is None:
        return ["sessionTypeId is required for a webinar."] if scheduled == "webinar" else []
    if type(session_type) is int and (str(session_type), scheduled) in {(s["id"], s["type"]) for s in SESSION_TYPES}:
        return []
    return [f"There is no session type {session_type!r} for a {scheduled}."]


def _registration_complaints(then: Mapping[str, Any]) -> list[str]:
    said = []
    form = then["registration"]
    if not isinstance(form, dict):
        return ["registration is not an object."]
    if type(form.get("autoAcceptRequest", True)) is not bool or type(form.get("maxRegisterNum", 1)) is not int:
        said.append("autoAcceptRequest must be true or false, maxRegisterNum a number.")
    if then.get("recurrence"):
        said.append("Registration does not apply to a recurring meeting.")
    if then["enabledJoinBeforeHost"]:
        said.append("Registration does not apply to a meeting with enabledJoinBeforeHost.")
    return said


def _tag_complaints(tags: Any) -> list[str]:
    if tags is None:
        return []
    if not isinstance(tags, list) or not all(isinstance(tag, str) and len(tag) <= TAG_LENGTH for tag in tags):
        return [f"integrationTags are texts of at most {TAG_LENGTH} characters."]
    return [f"There can be at most {MOST_TAGS} integrationTags."] if len(tags) > MOST_TAGS else []


def _digits(length: int) -> str:
    return str(10 ** (length - 1) + secrets.randbelow(9 * 10 ** (length - 1)))


def _refuse(descriptions: list[str]) -> None:
    if descriptions:
        raise Refused(400, "The input parameters contain invalid items.", *descriptions)
