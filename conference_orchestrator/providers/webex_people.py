"""Who is to be in a Webex meeting, by which link, and who was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.providers.base import Attendance, MeetingRef, Person, Role, Visit, to_the_minute
from conference_orchestrator.providers.errors import Conflict, Forbidden, NotFound
from conference_orchestrator.providers.webex_http import WebexHttp, json_object
from conference_orchestrator.providers.webex_meetings import checked_id, instant, link, on_behalf, text

MOST_AT_ONCE, NAME_LENGTH = 100, 128
GATHERED_AFTER = timedelta(minutes=15)
"""So long after the end Webex has gathered who was there."""
DAY = timedelta(days=1)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""How Webex writes a time that it does not know yet."""


def invite(webex: WebexHttp, ref: MeetingRef, people: Sequence[Person], *, role: Role) -> None:
    """Make these people invitees; who is one already stays as before."""
    checked_id(ref, "invite")
    missing = list({person.email.casefold(): person for person in people}.values())
    try:
        _insert(webex, ref, missing, role)
    except Conflict:
        # Somebody of a batch was known, and of the batch perhaps nobody was taken: the list tells who is missing.
        known = _invitees(webex, ref)
        _insert(webex, ref, [person for person in missing if person.email.casefold() not in known], role)


def join_link(webex: WebexHttp, ref: MeetingRef, person: Person) -> str | None:
    """A link for this person alone; None when Webex gives this person none."""
    body: dict[str, object] = {
        "meetingId": checked_id(ref, "join_link"),
        "email": person.email,
        "displayName": person.name[:NAME_LENGTH],
        "joinDirectly": False,
    }
    try:
        answer = webex.call("join_link", "POST", "meetings/join", body=body | on_behalf(ref.host))
    except (Forbidden, NotFound):
        return None
    with webex.readable("join_link", answer):
        return link(json_object(answer), "joinLink")


def attendance(
    webex: WebexHttp, ref: MeetingRef, starts_at: datetime, ends_at: datetime, *, now: datetime
) -> Attendance:
    """Who was in the meeting within the interval, a visit for each device, over all times that it was started.

    NotFound when there is no such meeting. Complete once nobody is in, a while after the end.
    """
    meeting_id = checked_id(ref, "attendance")
    instances = _instances(webex, ref, starts_at, ends_at)
    with webex.readable("attendance"):
        instance_ids = [text(item, "id") for item in instances]
    found = _participants(webex, ref, starts_at, ends_at, instances=instance_ids)
    if not instances and not found:
        # Nobody came, or there is no such meeting: it must be there to tell that nobody came.
        webex.call("attendance", "GET", f"meetings/{meeting_id}", query=on_behalf(ref.host))
    with webex.readable("attendance"):
        visits = [visit for participant in found for visit in _visits(participant)]
    within = [v for v in visits if v and v.joined_at < ends_at and (v.left_at is None or v.left_at > starts_at)]
    ended_at = max([ends_at, *(v.left_at for v in visits if v and v.left_at)])
    is_open = any(v is None or v.left_at is None for v in visits)
    is_running = any(item.get("state") in {"lobby", "inProgress"} for item in instances)
    return Attendance(tuple(within), is_complete=not is_open and not is_running and now >= ended_at + GATHERED_AFTER)


def _insert(webex: WebexHttp, ref: MeetingRef, people: Sequence[Person], role: Role) -> None:
    for first in range(0, len(people), MOST_AT_ONCE):
        batch = people[first : first + MOST_AT_ONCE]
        body: dict[str, object] = {"meetingId": ref.id, "items": [_invitee(person, role) for person in batch]}
        webex.call("invite", "POST", "meetingInvitees/bulkInsert", body=body | on_behalf(ref.host))


def _invitee(person: Person, role: Role) -> dict[str, object]:
    return {
        "email": person.email,
        "displayName": person.name[:NAME_LENGTH],
        "coHost": role == "moderator",
        "panelist": role == "panellist",
        "sendEmail": False,
    }


def _invitees(webex: WebexHttp, ref: MeetingRef) -> set[str]:
    query = {"meetingId": ref.id, "max": "100"} | on_behalf(ref.host)
    with webex.readable("invite"):
        return {text(item, "email").casefold() for item in webex.listed("invite", "meetingInvitees", query)}


def _instances(webex: WebexHttp, ref: MeetingRef, starts_at: datetime, ends_at: datetime) -> list[dict[str, Any]]:
    """The times that the meeting was started; those of the last quarter of an hour may be missing in the list."""
    query = {
        "meetingSeriesId": ref.id,
        "meetingType": "meeting",
        "from": rfc3339(to_the_minute(starts_at) - DAY),
        "to": rfc3339(to_the_minute(ends_at) + DAY),
        "max": "100",
    }
    return _all(webex, "meetings", query | on_behalf(ref.host))


def _participants(
    webex: WebexHttp, ref: MeetingRef, starts_at: datetime, ends_at: datetime, *, instances: Sequence[str]
) -> list[dict[str, Any]]:
    """The participants of each instance, and by the meeting's own id those of the last one, which may be unlisted."""
    found: list[dict[str, Any]] = []
    for instance_id in instances:
        found += _of_one(webex, ref, {"meetingId": instance_id})
    window = {
        "meetingStartTimeFrom": rfc3339(to_the_minute(starts_at) - DAY),
        "meetingStartTimeTo": rfc3339(to_the_minute(ends_at) + DAY),
    }
    last = _of_one(webex, ref, {"meetingId": ref.id} | window)
    return found + [item for item in last if not instances or item.get("meetingId") not in {None, *instances}]


def _of_one(webex: WebexHttp, ref: MeetingRef, which: Mapping[str, str]) -> list[dict[str, Any]]:
    return _all(webex, "meetingParticipants", {**which, "max": "100", **on_behalf(ref.host)})


def _all(webex: WebexHttp, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    try:
        return webex.listed("attendance", path, query)
    except NotFound:  # it was not started, or its list is not ready
        return []


def _visits(participant: Mapping[str, Any]) -> Iterator[Visit | None]:
    """A visit for each device, or for the participant where no devices are told.

    None for one whose beginning is not told yet. Who waits in the lobby, or waited in vain, is no visitor.
    """
    if participant.get("state") == "lobby":
        return
    devices = participant.get("devices")
    for stay in devices if isinstance(devices, list) and devices else [participant]:
        joined_at, left_at = _told(stay, "joinedTime"), _told(stay, "leftTime")
        if joined_at is None:
            yield None
            continue
        email = participant.get("email")
        yield Visit(
            name=str(participant.get("displayName") or ""),
            email=email if isinstance(email, str) and email else None,
            joined_at=joined_at,
            left_at=left_at,
            is_host=participant.get("host") is True,
        )


def _told(stay: object, name: str) -> datetime | None:
    if not isinstance(stay, dict) or not stay.get(name):
        return None
    at = instant(stay, name)
    return at if at > NEVER else None
