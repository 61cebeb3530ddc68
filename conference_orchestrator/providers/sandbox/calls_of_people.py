"""The calls of the Webex API about people: invitees, registrants, personal join links, and who was there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

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
    text_of,
)
from conference_orchestrator.providers.sandbox.meetings import Kept, Refused, written
from conference_orchestrator.providers.sandbox.visits import Instance, instance_of, instances

MOST_AT_ONCE, MONTH, WEEK = 100, timedelta(days=30), timedelta(days=7)
USUAL_LINK_MINUTES, LONGEST_LINK_MINUTES = 15, 60
REQUIRED_OF_REGISTRANTS = ("firstName", "lastName", "email")

api = Blueprint("people", __name__)


@api.get("/meetingInvitees")
def list_invitees() -> Response:
    """List Meeting Invitees, by e-mail."""
    panelist = request.args.get("panelist")
    meeting = _asked_meeting()
    return page_of([one for one in meeting.invitees if panelist in {None, str(one["panelist"]).lower()}])


@api.post("/meetingInvitees")
def create_invitee() -> Response:
    """Create a Meeting Invitee."""
    body = json_object()
    [added] = _invite(body, [body])
    return jsonify(added)


@api.post("/meetingInvitees/bulkInsert")
def create_invitees() -> Response:
    """Create Meeting Invitees: all of them or none."""
    body = json_object()
    items = body.get("items")
    if not isinstance(items, list) or not 0 < len(items) <= MOST_AT_ONCE:
        raise Refused(400, WRONG, f"items must name 1 to {MOST_AT_ONCE} people.")
    return jsonify(items=_invite(body, items))


@api.get("/meetingInvitees/<invitee_id>")
def get_invitee(invitee_id: str) -> Response:
    """Get a Meeting Invitee."""
    meeting = sandbox().store.get(invitee_id, request.args.get("hostEmail"))
    return jsonify(people.invitee(meeting, invitee_id))


@api.delete("/meetingInvitees/<invitee_id>")
def delete_invitee(invitee_id: str) -> Response:
    """Delete a Meeting Invitee."""
    store, host = sandbox().store, request.args.get("hostEmail")
    meeting = store.get(invitee_id, host)
    store.change(meeting.id, host, lambda kept: people.uninvite(kept, invitee_id))
    note_mail(meeting, request.args.get("sendEmail") != "false")
    return Response(status=204)


@api.get("/meetings/<meeting_id>/registrants")
def list_registrants(meeting_id: str) -> Response:
    """List Meeting Registrants, in the order of registration."""
    meeting, email = sandbox().store.get(meeting_id, request.args.get("hostEmail")), request.args.get("email")
    wanted = [one for one in meeting.registrants if email is None or one["email"].casefold() == email.casefold()]
    return page_of([{name: value for name, value in one.items() if name != "link"} for one in wanted])


@api.post("/meetings/<meeting_id>/registrants")
def create_registrant(meeting_id: str) -> Response:
    """Register a Meeting Registrant, with a join link of his own if that is accepted by itself."""
    body, here = json_object(), sandbox()
    for name in REQUIRED_OF_REGISTRANTS:
        text_of(body, name)
    person_in(body)
    now, host = here.now_in_seconds(), request.args.get("hostEmail")
    added = here.store.change(meeting_id, host, lambda kept: people.register(kept, body, now=now))
    note_mail(here.store.get(meeting_id, host), body.get("sendEmail"))
    return jsonify(_registrant(meeting_id, added))


@api.get("/meetings/<meeting_id>/registrants/<registrant_id>")
def get_registrant(meeting_id: str, registrant_id: str) -> Response:
    """Get a Meeting Registrant."""
    meeting = sandbox().store.get(meeting_id, request.args.get("hostEmail"))
    return jsonify(_registrant(meeting_id, people.registrant(meeting, registrant_id)))


@api.post("/meetings/join")
def join_meeting() -> AnyResponse:
    """Join a Meeting: a link by which the person named comes in, and nobody else should."""
    body, here = json_object(), sandbox()
    email, minutes = text_of(body, "email", usual=g.host), body.get("expirationMinutes", USUAL_LINK_MINUTES)
    if type(minutes) is not int or not 0 < minutes <= LONGEST_LINK_MINUTES:
        raise Refused(400, WRONG, f"expirationMinutes must be 1 to {LONGEST_LINK_MINUTES}.")
    until = (here.now() + timedelta(minutes=minutes)).astimezone(UTC).replace(microsecond=0)
    name = text_of(body, "displayName", usual=email)
    meeting_id = text_of(body, "meetingId").partition("_")[0]
    secret = here.store.change(
        meeting_id, body.get("hostEmail"), lambda kept: people.give_link(kept, name=name, email=email, until=until)
    )
    link = personal_link(meeting_id, secret)
    if body.get("joinDirectly", True) is not False:
        return redirect(link)
    return jsonify(joinLink=link, expiration=written(until.isoformat(), "UTC"))


@api.get("/meetingParticipants")
def list_participants() -> Response:
    """List Meeting Participants: of the instance named, or of the last one in the window of a series."""
    meeting, asked = _asked_meeting(), request.args["meetingId"]
    instance = instance_of(meeting, asked) if asked.startswith(f"{meeting.id}_I_") else _last_in_window(meeting)
    begin, end = _asked_joining()
    told = instance.participants(asked_zone()) if instance else []
    return page_of([one for one in told if begin <= datetime.fromisoformat(one["joinedTime"]) < end])


def personal_link(meeting_id: str, secret: str) -> str:
    """The address of the room for the holder of the secret."""
    return f"{request.host_url}join/{meeting_id}?as={secret}"


def _invite(body: dict[str, Any], items: list[Any]) -> list[dict[str, Any]]:
    wanted, store = [person_in(person) for person in items], sandbox().store
    meeting_id, host = text_of(body, "meetingId").partition("_")[0], body.get("hostEmail")
    added = store.change(meeting_id, host, lambda kept: people.invite(kept, wanted))
    for person in items:
        note_mail(store.get(meeting_id, host), person.get("sendEmail"))
    return added


def _asked_meeting() -> Kept:
    if not request.args.get("meetingId"):
        raise Refused(400, WRONG, "meetingId is required.")
    return sandbox().store.get(request.args["meetingId"], request.args.get("hostEmail"))


def _last_in_window(meeting: Kept) -> Instance | None:
    held = instances(meeting)
    names = ("meetingStartTimeFrom", "meetingStartTimeTo")
    if any(request.args.get(name) for name in names):
        begin, end = asked_window(*names, length=MONTH, usual=sandbox().now())
        held = [one for one in held if begin < datetime.fromisoformat(one.begin) < end]
    return held[-1] if held else None


def _asked_joining() -> tuple[datetime, datetime]:
    names = ("joinTimeFrom", "joinTimeTo")
    if any(request.args.get(name) for name in names):
        return asked_window(*names, length=WEEK, usual=sandbox().now())
    return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _registrant(meeting_id: str, registrant: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in registrant.items() if name != "link"}
    if "link" in registrant:
        shown["joinLink"] = personal_link(meeting_id, registrant["link"])
    return shown
