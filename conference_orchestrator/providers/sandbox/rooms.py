"""Coming and going in a meeting's room, and the events that the sandbox sends because of it, or of a meeting."""

from __future__ import annotations

from typing import Any

from conference_orchestrator.providers.sandbox.at_hand import Sandbox
from conference_orchestrator.providers.sandbox.meetings import Kept
from conference_orchestrator.providers.sandbox.visits import Instance, come_in, instances, leave, participant, visit_of


def enter(here: Sandbox, meeting_id: str, *, name: str, email: str, at: str | None = None) -> str:
    """Let somebody in, now or `at` an instant (ISO 8601 in UTC); the id of the visit. Refused with 404."""
    joined_at = at or here.now_in_seconds()
    instance, visit = here.store.change(
        meeting_id, None, lambda kept: come_in(kept, name=name, email=email, at=joined_at)
    )
    if len(instance.visits) == 1:
        here.events.tell("meetings", "started", _about_instance(instance))
    here.events.tell("meetingParticipants", "joined", participant(instance, visit, "UTC"))
    visit_id: str = visit["id"]
    return visit_id


def go(here: Sandbox, meeting_id: str, visit_id: str, *, at: str | None = None) -> None:
    """End a visit, now or `at` an instant (ISO 8601 in UTC); one that ended stays as it is. Refused with 404."""
    visit = visit_of(here.store.get(meeting_id, None), visit_id)
    if visit["left_at"]:
        return
    left_at = at or here.now_in_seconds()
    instance, visit = here.store.change(meeting_id, None, lambda kept: leave(kept, visit_id, at=left_at))
    here.events.tell("meetingParticipants", "left", participant(instance, visit, "UTC"))
    if instance.end:
        here.events.tell("meetings", "ended", _about_instance(instance))


def end(here: Sandbox, meeting_id: str) -> None:
    """Let everybody leave the room now. Refused with 404."""
    for instance in instances(here.store.get(meeting_id, None)):
        for visit in instance.visits:
            go(here, meeting_id, visit["id"])


def tell_of_meeting(here: Sandbox, happened: str, meeting: Kept) -> None:
    """Send the event that this happened to the meeting: created, updated or deleted."""
    here.events.tell("meetings", happened, _about(meeting, meeting.state(here.now())))


def _about(meeting: Kept, state: str) -> dict[str, Any]:
    """What an event tells of a meeting: no password, and instants in UTC."""
    return {
        "id": meeting.id,
        "meetingSeriesId": meeting.id,
        "meetingType": "meetingSeries",
        "state": state,
        "title": meeting.title,
        "start": meeting.start.replace("+00:00", "Z"),
        "end": meeting.end.replace("+00:00", "Z"),
        "hostEmail": meeting.host,
    }


def _about_instance(instance: Instance) -> dict[str, Any]:
    told = _about(instance.meeting, "ended" if instance.end else "inProgress")
    told |= {"id": instance.id, "meetingType": "meeting", "start": instance.begin.replace("+00:00", "Z")}
    return told | ({"end": instance.end.replace("+00:00", "Z")} if instance.end else {})
