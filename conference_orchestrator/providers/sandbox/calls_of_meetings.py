"""The calls of the Webex API about meetings: create, list, read, change, delete, and the session types of the site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from conference_orchestrator.providers.sandbox import people
from conference_orchestrator.providers.sandbox.at_hand import (
    WRONG,
    asked_window,
    asked_zone,
    json_object,
    note_mail,
    page_of,
    person_in,
    sandbox,
)
from conference_orchestrator.providers.sandbox.meetings import SESSION_TYPES, Kept, Refused, new_meeting
from conference_orchestrator.providers.sandbox.rooms import tell_of_meeting
from conference_orchestrator.providers.sandbox.visits import instance_of, instances, occurrence_id

USUAL_WINDOW = timedelta(days=7)

api = Blueprint("meetings", __name__)


@api.post("/meetings")
def create_meeting() -> Response:
    """Create a Meeting."""
    body = json_object()
    here = sandbox()
    here.quota.use(str(body.get("hostEmail") or g.host).casefold(), here.now())
    meeting = new_meeting(body, host=g.host, client=g.client, now=here.now())
    people.invite(meeting, [person_in(person) for person in body.get("invitees") or ()])
    here.store.add(meeting)
    note_mail(meeting, body.get("sendEmail"))
    if g.fault and g.fault.list_lag:
        here.store.hide(meeting.id, g.fault.list_lag)
    tell_of_meeting(here, "created", meeting)
    return jsonify(_in_full(meeting))


@api.get("/meetings")
def list_meetings() -> Response:
    """List Meetings: the user's as host or invitee."""
    state, scheduled = request.args.get("state"), request.args.get("scheduledType")
    return page_of(
        [item for item in _listed() if state in {None, item["state"]} and scheduled in {None, item["scheduledType"]}]
    )


@api.get("/meetings/sessionTypes")
def list_session_types() -> Response:
    """List Meeting Session Types."""
    return jsonify(items=list(SESSION_TYPES))


@api.get("/meetings/<meeting_id>")
def get_meeting(meeting_id: str) -> Response:
    """Get a Meeting: the series, its occurrence, or one time that it was held."""
    meeting = sandbox().store.get(meeting_id, request.args.get("hostEmail"))
    if meeting_id == meeting.id:
        return jsonify(_in_full(meeting))
    if meeting_id == occurrence_id(meeting):
        return jsonify(_occurrence(meeting))
    return jsonify(instance_of(meeting, meeting_id).shown(_shown(meeting)))


@api.patch("/meetings/<meeting_id>")
def patch_meeting(meeting_id: str) -> Response:
    """Patch a Meeting."""
    return _change(meeting_id, json_object())


@api.put("/meetings/<meeting_id>")
def update_meeting(meeting_id: str) -> Response:
    """Update a Meeting: like a patch, but title, password, start and end have to be there."""
    body = json_object()
    if missing := [name for name in ("title", "password", "start", "end") if not body.get(name)]:
        raise Refused(400, WRONG, *(f"{name} is required." for name in missing))
    return _change(meeting_id, body)


@api.delete("/meetings/<meeting_id>")
def delete_meeting(meeting_id: str) -> Response:
    """Delete a Meeting."""
    here, host = sandbox(), request.args.get("hostEmail")
    meeting = here.store.delete(meeting_id, host)
    note_mail(meeting, request.args.get("sendEmail") != "false")
    tell_of_meeting(here, "deleted", meeting)
    return Response(status=204)


def _change(meeting_id: str, body: dict[str, Any]) -> Response:
    here, client = sandbox(), g.client

    def change(kept: Kept) -> Kept:
        kept.change(body, client=client, now=here.now())
        return kept

    meeting = here.store.change(meeting_id, body.get("hostEmail"), change)
    note_mail(meeting, body.get("sendEmail"))
    tell_of_meeting(here, "updated", meeting)
    return jsonify(_shown(meeting))


def _listed() -> Iterator[dict[str, Any]]:
    """What the query asks for by kind: series by default, the occurrences and instances of one that is named."""
    series, kind = request.args.get("meetingSeriesId"), request.args.get("meetingType")
    user = request.args.get("hostEmail") or g.host
    known = [one for one in sandbox().store.all() if one.concerns(user) and series in {None, one.id}]
    if kind == "meetingSeries" or (kind is None and series is None):
        yield from map(_shown, _planned(known))
    if kind == "scheduledMeeting" or (kind is None and series is not None):
        yield from map(_occurrence, _planned(known))
    if kind == "meeting" or (kind is None and series is not None):
        yield from _held(known)


def _planned(known: Iterable[Kept]) -> Iterator[Kept]:
    tag = None if request.args.get("meetingSeriesId") else request.args.get("integrationTag")
    begin, end = asked_window("from", "to", length=USUAL_WINDOW, usual=sandbox().now())
    for meeting in known:
        wanted = meeting.overlaps(begin, end) and (tag is None or tag in meeting.tags.get(g.client, ()))
        if wanted and not sandbox().store.lags_behind(meeting):
            yield meeting


def _held(known: Iterable[Kept]) -> Iterator[dict[str, Any]]:
    now = sandbox().now()
    begin, end = asked_window("from", "to", length=USUAL_WINDOW, usual=now - USUAL_WINDOW)
    for meeting in known:
        yield from (
            instance.shown(_shown(meeting)) for instance in instances(meeting) if instance.overlaps(begin, end, now=now)
        )


def _shown(meeting: Kept) -> dict[str, Any]:
    return meeting.shown(client=g.client, site=request.host_url, time_zone=asked_zone(), now=sandbox().now())


def _in_full(meeting: Kept) -> dict[str, Any]:
    # Webex tells the address for registration only when a meeting is made or read by itself, not in a list or a change.
    if meeting.registration is None:
        return _shown(meeting)
    return {**_shown(meeting), "registerLink": f"{request.host_url}register/{meeting.id}"}


def _occurrence(meeting: Kept) -> dict[str, Any]:
    shown = _shown(meeting)
    states = {"active": "scheduled", "expired": "missed"}
    state = states.get(shown["state"], shown["state"])
    return {**shown, "id": occurrence_id(meeting), "meetingType": "scheduledMeeting", "state": state}
