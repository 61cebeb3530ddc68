"""Who was in a meeting and when: visits, the instances that they make, and how Webex tells of both.

An instance begins when somebody comes into an empty room, and ends when the last one leaves; who comes back into the
empty room begins another. Instants are kept as ISO 8601 in UTC, to the second.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conference_orchestrator.providers.sandbox.meetings import Kept, Refused, written

NOT_YET = "1970-01-01T00:00:00.000Z"
"""What Webex tells instead of an instant that it does not know yet."""


@dataclass(frozen=True)
class Instance:
    """One time that a meeting was held; `visits` are in the order of coming."""

    meeting: Kept
    number: int
    visits: tuple[dict[str, Any], ...]

    @property
    def id(self) -> str:
        """Its id at Webex, which begins with that of the meeting."""
        return f"{self.meeting.id}_I_{self.number}"

    @property
    def begin(self) -> str:
        """When the first came."""
        return str(self.visits[0]["joined_at"])

    @property
    def end(self) -> str | None:
        """When the last left; None while somebody is in."""
        left = [visit["left_at"] for visit in self.visits]
        return None if None in left else max(left)

    def overlaps(self, begin: datetime, end: datetime, *, now: datetime) -> bool:
        """Whether any of it lies in the window; the end of the window is outside."""
        ended = datetime.fromisoformat(self.end) if self.end else now
        return datetime.fromisoformat(self.begin) < end and ended >= begin

    def shown(self, meeting: dict[str, Any]) -> dict[str, Any]:
        """The instance in an answer, made from what the answer would say of its meeting."""
        time_zone = meeting["timezone"]
        held = {
            "id": self.id,
            "scheduledMeetingId": occurrence_id(self.meeting),
            "meetingType": "meeting",
            "state": "ended" if self.end else "inProgress",
            "start": written(self.begin, time_zone),
            "end": written(self.end, time_zone) if self.end else meeting["end"],
        }
        if self.end:
            held["hasRegistration"] = self.meeting.registration is not None
            held["hasRegistrants"] = bool(self.meeting.registrants)
        return {**meeting, **held}

    def participants(self, time_zone: str) -> list[dict[str, Any]]:
        """Each visit as Webex tells it, so that somebody with two devices, or who came back, is there twice."""
        return [participant(self, visit, time_zone) for visit in self.visits]


def instances(meeting: Kept) -> list[Instance]:
    """The times that the meeting was held, the first one first."""
    numbers = sorted({visit["instance"] for visit in meeting.visits})
    return [Instance(meeting, number, _ordered(meeting, number)) for number in numbers]


def instance_of(meeting: Kept, instance_id: str) -> Instance:
    """The instance of that id. Refused with 404 when there is none."""
    for instance in instances(meeting):
        if instance.id == instance_id:
            return instance
    raise Refused(404, "The requested resource could not be found.")


def come_in(meeting: Kept, *, name: str, email: str, at: str) -> tuple[Instance, dict[str, Any]]:
    """Note that somebody came in; the visit that this begins, and the instance that it belongs to."""
    held = instances(meeting)
    number = held[-1].number if held and held[-1].end is None else len(held) + 1
    visit = {"id": secrets.token_hex(16), "instance": number, "name": name, "email": email}
    visit |= {"joined_at": at, "left_at": None}
    meeting.visits = [*meeting.visits, visit]
    return Instance(meeting, number, _ordered(meeting, number)), visit


def leave(meeting: Kept, visit_id: str, *, at: str) -> tuple[Instance, dict[str, Any]]:
    """Note that the visit ended, if it has not yet; the visit, and its instance. Refused with 404 for no such visit."""
    visit = visit_of(meeting, visit_id)
    left = visit if visit["left_at"] else visit | {"left_at": max(at, visit["joined_at"])}
    meeting.visits = [left if one["id"] == visit_id else one for one in meeting.visits]
    return Instance(meeting, left["instance"], _ordered(meeting, left["instance"])), left


def visit_of(meeting: Kept, visit_id: str) -> dict[str, Any]:
    """The visit of that id. Refused with 404 when there is none."""
    for visit in meeting.visits:
        if visit["id"] == visit_id:
            return visit
    raise Refused(404, "The requested resource could not be found.")


def participant(instance: Instance, visit: dict[str, Any], time_zone: str) -> dict[str, Any]:
    """A visit as Webex tells it: one participant with one device."""
    meeting, email = instance.meeting, visit["email"].casefold()
    span = {"joinedTime": written(visit["joined_at"], time_zone), "leftTime": _left(visit, time_zone)}
    invited = [invitee for invitee in meeting.invitees if invitee["email"].casefold() == email]
    return {
        "id": f"{instance.id}_{visit['id']}",
        "orgId": "sandbox",
        "host": email == meeting.host.casefold(),
        "coHost": any(invitee["coHost"] for invitee in invited),
        "spaceModerator": False,
        "email": visit["email"],
        "displayName": visit["name"],
        "invitee": bool(invited),
        "muted": False,
        "meetingStartTime": written(instance.begin, time_zone),
        "video": "on",
        "state": "end" if visit["left_at"] else "joined",
        **span,
        "siteUrl": "sandbox.example",
        "meetingId": instance.id,
        "hostEmail": meeting.host,
        "devices": [_device(visit, span)],
    }


def occurrence_id(meeting: Kept) -> str:
    """The id of the meeting's one occurrence; a recurring meeting has no more here."""
    return f"{meeting.id}_{datetime.fromisoformat(meeting.start):%Y%m%dT%H%M%SZ}"


def _ordered(meeting: Kept, number: int) -> tuple[dict[str, Any], ...]:
    visits = (visit for visit in meeting.visits if visit["instance"] == number)
    return tuple(sorted(visits, key=lambda visit: (visit["joined_at"], visit["id"])))


def _device(visit: dict[str, Any], span: dict[str, str]) -> dict[str, Any]:
    device = {"correlationId": visit["id"], "deviceType": "webex_meeting_center_browser", "audioType": "voip", **span}
    if not visit["left_at"]:
        return device
    stayed = datetime.fromisoformat(visit["left_at"]) - datetime.fromisoformat(visit["joined_at"])
    return {**device, "durationSecond": int(stayed.total_seconds())}


def _left(visit: dict[str, Any], time_zone: str) -> str:
    return written(visit["left_at"], time_zone) if visit["left_at"] else NOT_YET
