"""Scarce slots, through HTTP and a real mail server: waiting list, offers, exceptions, substitutes, replans."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.journeys.service import PROGRAM, eventually, link_in
from tests.journeys.stage import REQUESTER, SECOND_REQUESTER, Stage, csrf_in, instant


def test_a_freed_slot_is_offered_to_the_first_in_line_who_takes_it_by_the_link_in_the_mail(stage: Stage) -> None:
    session = scarce_round(stage)
    first, second = two_cases_in(stage, session)
    waiting = stage.allocated(stage.accepted_case("CPMS-2026/0103", SECOND_REQUESTER))
    assert (waiting["state"], waiting["waiting_position"]) == ("waiting", 1)
    assert waiting["standing"] == "First in line; no slot is free yet."

    stage.helpdesk.post(f"/consultation-requests/{first['id']}/withdrawal")
    [mail] = stage.mailbox.await_kind("slot-offer", to=SECOND_REQUESTER)
    link = link_in(mail.text, "/o/")
    page = stage.anonymous.raw("GET", link)
    offered = request_of(stage, waiting)
    assert (offered["state"], offered["slot"]) == ("offered", None), "looking at the page takes nothing"
    assert slot_states(stage, session) == ["offered", "taken"]
    taken = stage.helpdesk.raw(
        "POST",
        f"/api/v1/consultation-requests/{stage.accepted_case('CPMS-2026/0104', REQUESTER)['id']}/allocation",
        body={"slot": session["slots"][0]["id"]},
    )
    assert taken.status_code == 409, "a slot on offer is nobody else's"

    stage.anonymous.raw("POST", link, data={"csrf_token": csrf_in(page.text), "answer": "accept"})
    assert request_of(stage, waiting)["slot"] == session["slots"][0]["id"]
    invitation = stage.await_invitations("invitation", {SECOND_REQUESTER})[SECOND_REQUESTER]
    assert invitation.window[0] == instant(session["slots"][0]["starts_at"])
    again = stage.helpdesk.raw("POST", f"/api/v1/offers/{offered['offer']}/refusal", body={})
    assert again.status_code == 409
    assert len(stage.mailbox.of("slot-offer")) == 1, "one mail per step"
    assert request_of(stage, second)["state"] == "allocated"


def test_an_exception_shows_whom_it_touches_and_what_fell_out_is_planned_anew(stage: Stage) -> None:
    session = stage.coming("brain-tumour")[0]
    first, second = two_cases_in(stage, session)
    experts = stage.members("brain-tumour")
    stage.await_invitations("invitation", experts | {REQUESTER})
    on = session["local_start"][:10]
    skip = {"on": on, "kind": "skip"}
    looked = stage.helpdesk.post(f"/series/{session['series']}/exceptions?preview=true", skip)
    assert looked["requests"] == [first["id"], second["id"]]
    assert stage.helpdesk.get(f"/sessions/{session['id']}")["state"] == "planned"

    stage.helpdesk.post(f"/series/{session['series']}/exceptions", skip)
    stage.await_invitations("invitation-cancel", experts | {REQUESTER})
    stage.mailbox.await_kind("request-waiting", to=REQUESTER)
    told = [mail for mail in stage.mailbox.mails if mail.kind in {"invitation-cancel", "request-waiting"}]
    eventually(lambda: len(told) <= looked["mails"], "no more mails than the preview said")
    assert [request_of(stage, one)["waiting_position"] for one in (first, second)] == [1, 2]

    proposed = stage.helpdesk.post("/replans", {"group": "brain-tumour"})
    assert [move["request"] for move in proposed["moves"]] == [first["id"], second["id"]]
    stage.helpdesk.post(f"/replans/{proposed['id']}/application")
    following = stage.coming("brain-tumour")[1]
    assert [request_of(stage, one)["session"] for one in (first, second)] == [following["id"]] * 2
    starts = {instant(slot["starts_at"]) for slot in following["slots"]}
    eventually(lambda: windows_of(stage, REQUESTER) >= starts, "invitations to the new slots")
    stage.helpdesk.ask("DELETE", f"/api/v1/series/{session['series']}/exceptions/{on}")
    back = stage.helpdesk.get(f"/sessions/{session['id']}")
    assert (back["state"], back["starts_at"]) == ("planned", session["starts_at"])
    eventually(lambda: is_sound(stage), "verify to find nothing")


def test_a_substitute_is_invited_and_the_whole_round_moves_to_another_hour(stage: Stage) -> None:
    session = stage.coming("brain-tumour")[0]
    two_cases_in(stage, session)
    experts = stage.members("brain-tumour")
    stage.await_invitations("invitation", experts)
    outsider = next(
        person["email"]
        for person in stage.helpdesk.get("/clinicians", params={"network": "paedcan"})["items"]
        if person["email"] not in experts | {REQUESTER, SECOND_REQUESTER}
    )
    stage.helpdesk.post(f"/sessions/{session['id']}/roster", {"clinician": outsider})
    theirs = stage.await_invitations("invitation", {outsider})[outsider]
    assert theirs.window[0] == instant(session["starts_at"])
    roster = stage.helpdesk.get(f"/sessions/{session['id']}/roster")
    assert {"role": "substitute", "answer": None}.items() <= by_name(roster, stage, outsider).items()

    series = stage.helpdesk.raw("GET", f"/api/v1/series/{session['series']}")
    headers = {"If-Match": series.headers["ETag"]}
    stage.helpdesk.ask("PATCH", f"/api/v1/series/{session['series']}", body={"start_time": "12:00"}, headers=headers)
    moved = stage.helpdesk.get(f"/sessions/{session['id']}")
    assert instant(moved["starts_at"]) - instant(session["starts_at"]) == timedelta(hours=1)
    update = stage.await_invitations("invitation-update", experts | {outsider})[outsider]
    assert (update.uid, update.sequence) == (theirs.uid, theirs.sequence + 1)
    assert update.window[0] == instant(moved["starts_at"])


def scarce_round(stage: Stage) -> dict[str, Any]:
    """The group offers freed slots, and has one more session only."""
    group = stage.group("brain-tumour")
    session = stage.coming("brain-tumour")[0]
    answer = stage.helpdesk.raw("GET", f"/api/v1/expert-groups/{group['id']}")
    headers = {"If-Match": answer.headers["ETag"]}
    stage.helpdesk.ask(
        "PATCH", f"/api/v1/expert-groups/{group['id']}", body={"rules": {"offer_hours": 24}}, headers=headers
    )
    series = stage.helpdesk.raw("GET", f"/api/v1/series/{session['series']}")
    stage.helpdesk.ask(
        "PATCH",
        f"/api/v1/series/{session['series']}",
        body={"ends_on": session["local_start"][:10]},
        headers={"If-Match": series.headers["ETag"]},
    )
    return session


def two_cases_in(stage: Stage, session: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    first = stage.accepted_case(f"CPMS-2026/{uuid4().hex[:4].upper()}", REQUESTER)
    second = stage.accepted_case(f"CPMS-2026/{uuid4().hex[:4].upper()}", REQUESTER)
    for request, slot in zip((first, second), session["slots"], strict=True):
        stage.allocated(request, slot=slot["id"])
    return first, second


def windows_of(stage: Stage, person: str) -> set[datetime]:
    """The starts of all that the person was ever invited to."""
    return {
        mail.window[0] for kind in ("invitation", "invitation-update") for mail in stage.mailbox.of(kind, to=person)
    }


def is_sound(stage: Stage) -> bool:
    """Whether the operator's `verify` finds nothing wrong in the database and at the provider."""
    words = [*PROGRAM, "verify"]
    done = subprocess.run(words, cwd=stage.service.folder, env=stage.service.env, capture_output=True, check=False)
    return done.returncode == 0


def request_of(stage: Stage, request: dict[str, Any]) -> dict[str, Any]:
    return dict(stage.helpdesk.get(f"/consultation-requests/{request['id']}"))


def slot_states(stage: Stage, session: dict[str, Any]) -> list[str]:
    return [slot["state"] for slot in stage.helpdesk.get(f"/sessions/{session['id']}")["slots"]]


def by_name(roster: dict[str, Any], stage: Stage, email: str) -> dict[str, Any]:
    person = stage.clinician(email)
    return next(dict(entry) for entry in roster["items"] if entry["clinician"] == person)
