"""What people see in a browser: the list of meetings, the room behind a join link, the form behind a register link."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from conference_orchestrator.providers.sandbox import people, rooms
from conference_orchestrator.providers.sandbox.at_hand import WRONG, sandbox
from conference_orchestrator.providers.sandbox.calls_of_people import personal_link
from conference_orchestrator.providers.sandbox.meetings import Kept, Refused
from conference_orchestrator.providers.sandbox.visits import instances, visit_of

LONGEST_TEXT = 128

pages = Blueprint("pages", __name__)


@pages.errorhandler(Refused)
def say_what_is_wrong(refusal: Refused) -> tuple[str, int]:
    """A page with the reason instead of the API's error."""
    title = "No such meeting" if refusal.status == 404 else refusal.message  # noqa: PLR2004
    said = ["It was cancelled, or this sandbox never had it."] if refusal.status == 404 else refusal.descriptions  # noqa: PLR2004
    return render_template("refused.html", title=title, said=said), refusal.status


@pages.get("/")
def show_meetings() -> str:
    """A page that lists all meetings for people."""
    here = sandbox()
    meetings = [(meeting, meeting.state(here.now()), _who_is_in(meeting)) for meeting in here.store.all()]
    return render_template("meetings.html", meetings=meetings, mails=len(here.mails))


@pages.get("/join/<meeting_id>")
def show_meeting(meeting_id: str) -> str:
    """The page behind a join link: when the meeting is, and a way in; of a deleted meeting it says so."""
    here, secret = sandbox(), request.args.get("as")
    meeting = here.store.get(meeting_id, None)
    holder = people.holder_of(meeting, secret, here.now())
    return render_template(
        "join.html", meeting=meeting, secret=secret, holder=holder, inside=_who_is_in(meeting), held=instances(meeting)
    )


@pages.post("/join/<meeting_id>")
def enter_meeting(meeting_id: str) -> AnyResponse:
    """Come in under a name; whoever has a personal link under the address that it was given for."""
    here = sandbox()
    holder = people.holder_of(here.store.get(meeting_id, None), request.args.get("as"), here.now())
    email = holder["email"] if holder else _typed("email", required=False)
    visit_id = rooms.enter(here, meeting_id, name=_typed("name"), email=email or "")
    return redirect(url_for("pages.show_room", meeting_id=meeting_id, visit_id=visit_id), 303)


@pages.get("/join/<meeting_id>/<visit_id>")
def show_room(meeting_id: str, visit_id: str) -> str:
    """The room, for somebody who is in it or was."""
    meeting = sandbox().store.get(meeting_id, None)
    return render_template("room.html", meeting=meeting, visit=visit_of(meeting, visit_id), inside=_who_is_in(meeting))


@pages.post("/join/<meeting_id>/<visit_id>")
def leave_room(meeting_id: str, visit_id: str) -> AnyResponse:
    """Leave the room, or end the meeting for everybody in it."""
    visit_of(sandbox().store.get(meeting_id, None), visit_id)
    if request.form.get("leave") == "everybody":
        rooms.end(sandbox(), meeting_id)
    else:
        rooms.go(sandbox(), meeting_id, visit_id)
    return redirect(url_for("pages.show_room", meeting_id=meeting_id, visit_id=visit_id), 303)


@pages.get("/register/<meeting_id>")
def show_registration(meeting_id: str) -> str:
    """The form behind a register link."""
    return render_template("register.html", meeting=sandbox().store.get(meeting_id, None), link=None)


@pages.post("/register/<meeting_id>")
def register(meeting_id: str) -> str:
    """Register, and show the link by which the person comes in; Webex would mail it."""
    here = sandbox()
    form = {name: _typed(name) for name in ("firstName", "lastName", "email")}
    now = here.now_in_seconds()
    added = here.store.change(meeting_id, None, lambda kept: people.register(kept, form, now=now))
    link = personal_link(meeting_id, added["link"]) if "link" in added else ""
    return render_template("register.html", meeting=here.store.get(meeting_id, None), link=link)


def _who_is_in(meeting: Kept) -> list[str]:
    return [visit["name"] for visit in meeting.visits if visit["left_at"] is None]


def _typed(name: str, *, required: bool = True) -> str:
    value = request.form.get(name, "").strip()
    if (required and not value) or len(value) > LONGEST_TEXT or (name == "email" and value and "@" not in value):
        raise Refused(400, WRONG, f"{name} is missing, too long or not what it should be.")
    return value
