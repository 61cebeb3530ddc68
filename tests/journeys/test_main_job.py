"""The main job, through HTTP and a real mail server: join, request, slot, meeting, invitation, change."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.journeys.service import eventually, link_in
from tests.journeys.stage import COMPLETE, REQUESTER, SECOND_REQUESTER, Stage, case, csrf_in, everything, instant

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_clinician_joins_and_gets_the_instructions_with_what_others_share(stage: Stage) -> None:
    registration = {
        "network": "paedcan",
        "given_name": "Zoë",
        "family_name": "Strauß",
        "email": "Zoe.Strauss@klinik.example",
        "hospital_name": "Klinik am Bach",
        "country": "AT",
        "profession": "physician",
        "specialties": ["paediatric oncology"],
        "language": "de",
        "time_zone": "Europe/Vienna",
        "share": ["email"],
        "privacy_version": "2026-01",
    }
    answer = stage.anonymous.ask("POST", "/api/v1/registrations", body=registration, status=202)
    assert answer == {"status": "check-your-mail"}
    [received] = stage.mailbox.await_kind("registration-received", to="zoe.strauss@klinik.example")
    link = link_in(received.text, "/confirm/")
    shown = stage.anonymous.raw("GET", link)
    assert shown.status_code == 200
    assert stage.helpdesk.get("/registrations", params={"state": "pending"})["items"] == [], "looking confirms nothing"
    stage.anonymous.raw("POST", link, data={"csrf_token": csrf_in(shown.text)})

    [pending] = stage.helpdesk.get("/registrations", params={"state": "pending"})["items"]
    activated = stage.helpdesk.post(f"/registrations/{pending['id']}/activation")
    assert activated["state"] == "active"
    [welcome] = stage.mailbox.await_kind("registration-activated", to="zoe.strauss@klinik.example")
    assert "Strauß" in welcome.text or "Zoë" in welcome.text
    assert "joerg.weissenboeck@kinderklinik-musterstadt.example" in everything(welcome), "he shares his address"
    assert "Hämäläinen" in everything(welcome)
    assert "paivi.hamalainen@pohjantahti.example" not in everything(welcome), "she shares no address"

    again = stage.anonymous.ask("POST", "/api/v1/registrations", body=registration, status=202)
    assert again == answer, "a known address is answered like an unknown one"


def test_a_case_gets_a_slot_and_everyone_an_invitation_that_follows_every_change(stage: Stage) -> None:  # noqa: PLR0915  - one story
    session = stage.coming("brain-tumour")[0]
    assert instant(session["starts_at"]).astimezone(BERLIN).strftime("%A %H.%M") == "Tuesday 11.00"
    experts = stage.members("brain-tumour")

    incomplete = stage.helpdesk.post(
        "/consultation-requests",
        case("CPMS-2026/0001", stage.clinician(REQUESTER), checklist={}, consent_confirmed=False),
    )
    assert incomplete["state"] == "draft"
    assert set(incomplete["missing"]) == {*COMPLETE, "consent"}

    first = stage.allocated(stage.accepted_case("CPMS-2026/0002", REQUESTER))
    assert (first["state"], first["session"], first["slot"]) == ("allocated", session["id"], session["slots"][0]["id"])
    conference = stage.helpdesk.get(f"/sessions/{session['id']}")["conference"]
    assert conference is not None
    invitations = stage.await_invitations("invitation", experts | {REQUESTER})
    whole = (instant(session["starts_at"]), instant(session["ends_at"]))
    own = (instant(session["slots"][0]["starts_at"]), instant(session["slots"][0]["ends_at"]))
    for person in experts:
        assert (invitations[person].method, invitations[person].sequence, invitations[person].window) == (
            "REQUEST",
            0,
            whole,
        )
    assert invitations[REQUESTER].window == own, "a requester learns only the own twenty minutes"
    assert len({invitations[person].uid for person in experts}) == 1
    assert invitations[REQUESTER].uid != invitations[next(iter(experts))].uid
    only_one_meeting(stage, at=whole[0])

    second = stage.allocated(stage.accepted_case("CPMS-2026/0003", SECOND_REQUESTER))
    assert second["session"] == session["id"]
    theirs = stage.await_invitations("invitation", {SECOND_REQUESTER})[SECOND_REQUESTER]
    assert theirs.window == (own[1], own[1] + timedelta(minutes=20))
    third = stage.allocated(stage.accepted_case("CPMS-2026/0004", REQUESTER))
    assert third["session"] != session["id"], "the round has two slots"
    taken = stage.helpdesk.raw(
        "POST", f"/api/v1/consultation-requests/{incomplete['id']}/allocation", body={"slot": first["slot"]}
    )
    assert taken.status_code == 409
    everyone = experts | {REQUESTER, SECOND_REQUESTER}
    only_one_meeting(stage, at=whole[0])

    later = whole[0] + timedelta(hours=2)
    preview = stage.helpdesk.post(f"/sessions/{session['id']}/move?preview=true", {"starts_at": later.isoformat()})
    assert preview["mails"] == len(experts) + 2
    assert stage.mailbox.of("invitation-update") == []
    stage.helpdesk.post(f"/sessions/{session['id']}/move", {"starts_at": later.isoformat()})
    updates = stage.await_invitations("invitation-update", everyone)
    for person, mail in updates.items():
        assert (mail.method, mail.sequence) == ("REQUEST", 1)
        assert mail.uid == (theirs if person == SECOND_REQUESTER else invitations[person]).uid
        assert mail.window[0] >= later
    assert updates[REQUESTER].window == (later, later + timedelta(minutes=20))
    stage.settled(conference)
    only_one_meeting(stage, at=later)

    stage.helpdesk.post(f"/sessions/{session['id']}/cancellation", {"reason": "Two experts are ill."})
    cancels = stage.await_invitations("invitation-cancel", everyone)
    for person, mail in cancels.items():
        assert (mail.method, mail.sequence) == ("CANCEL", 2)
        assert mail.uid == updates[person].uid
    eventually(lambda: stage.helpdesk.get(f"/conferences/{conference}")["state"] == "cancelled", "the meeting to go")
    no_meeting(stage, at=later)
    waiting = [stage.helpdesk.get(f"/consultation-requests/{one['id']}") for one in (first, second)]
    assert [one["state"] for one in waiting] == ["waiting", "waiting"]
    assert [one["waiting_position"] for one in waiting] == [1, 2]

    told = Counter(
        (mail.kind, mail.to) for mail in stage.mailbox.mails if mail.kind in {"invitation-update", "invitation-cancel"}
    )
    assert told == Counter(
        {(kind, person): 1 for kind in ("invitation-update", "invitation-cancel") for person in everyone}
    ), "everyone concerned is told once, and nobody else"


def test_a_reference_centre_gets_its_webinar_and_the_audience_is_invited(stage: Stage) -> None:
    centre = stage.service.token("reference-centre", hospital="porto-atlantico")
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=9)
    asked = centre.post(
        "/webinar-requests",
        {
            "hospital": "porto-atlantico",
            "kind": "web-conference",
            "topic": "Ventilation in prone position",
            "language": "en",
            "duration_minutes": 60,
            "preferred": [start.isoformat()],
            "expected_audience": 40,
            "audience": {"networks": ["covid19"], "countries": [], "specialties": []},
            "speakers": [stage.clinician("conceicao.araujo@hospital-atlantico.example")],
        },
    )
    assert (
        centre.raw(
            "POST", f"/api/v1/webinar-requests/{asked['id']}/approval", body={"starts_at": start.isoformat()}
        ).status_code
        == 403
    )
    approved = stage.helpdesk.post(f"/webinar-requests/{asked['id']}/approval", {"starts_at": start.isoformat()})
    assert approved["state"] == "approved"
    [told] = stage.mailbox.await_kind("webinar-approved")
    assert told.to == "conceicao.araujo@hospital-atlantico.example"
    people = {person["email"] for person in stage.helpdesk.get("/clinicians", params={"network": "covid19"})["items"]}
    assert len(people) >= 5
    for mail in stage.await_invitations("invitation", people).values():
        assert (mail.method, mail.sequence, mail.window) == ("REQUEST", 0, (start, start + timedelta(hours=1)))
        assert [
            value for value in everything(mail).split() if "@" in value and value.strip("<>,;:") in people - {mail.to}
        ] == []
    only_one_meeting(stage, at=start)
    [conference] = [one for one in stage.helpdesk.get("/conferences")["items"] if one["kind"] == "web-conference"]
    assert conference["state"] == "ready"
    assert conference["invitations"]["sent"] == len(people)


def test_a_tuesday_at_eleven_stays_at_eleven_across_the_clock_changes(stage: Stage) -> None:
    starts = [instant(session["starts_at"]) for session in stage.coming("brain-tumour")]
    assert {at.astimezone(BERLIN).strftime("%a %H:%M") for at in starts} == {"Tue 11:00"}
    assert {at.strftime("%H:%M") for at in starts} == {"10:00", "09:00"}, "winter and summer both lie in the horizon"
    assert all(
        session["local_start"].endswith("T11:00:00+01:00") or session["local_start"].endswith("T11:00:00+02:00")
        for session in stage.coming("brain-tumour")
    )
    summer = next(one for one in stage.coming("brain-tumour") if "+02:00" in one["local_start"])
    request = stage.accepted_case("CPMS-2026/0009", REQUESTER)
    stage.allocated(request, slot=summer["slots"][1]["id"])
    mail = stage.await_invitations("invitation", {REQUESTER})[REQUESTER]
    assert mail.window[0].astimezone(BERLIN).strftime("%H:%M") == "11:20"
    assert "10:20" in mail.text, "the text shows Lisbon's clock to a reader in Lisbon"
    page = stage.anonymous.raw("GET", link_in(mail.text, "/i/"))
    assert "10:20" in page.text
    assert "11:20" in page.text


def test_an_answer_on_the_invitation_page_counts_for_the_quorum(stage: Stage) -> None:
    session = stage.coming("brain-tumour")[0]
    stage.allocated(stage.accepted_case("CPMS-2026/0010", REQUESTER))
    expert = min(stage.members("brain-tumour"))
    mail = stage.await_invitations("invitation", {expert})[expert]
    link = link_in(mail.text, "/i/")
    page = stage.anonymous.raw("GET", link)
    assert stage.helpdesk.get(f"/sessions/{session['id']}")["quorum"]["accepted"] == 0
    answered = stage.anonymous.raw("POST", link, data={"csrf_token": csrf_in(page.text), "answer": "accepted"})
    assert answered.status_code == 200
    assert stage.helpdesk.get(f"/sessions/{session['id']}")["quorum"]["accepted"] == 1


def only_one_meeting(stage: Stage, *, at: datetime) -> None:
    if stage.provider == "webex":
        eventually(lambda: len(meetings_at(stage, at)) == 1, f"one meeting at {at}: {stage.meetings()}")
        assert stage.sandbox.mails == [], "the provider mails nobody"


def no_meeting(stage: Stage, *, at: datetime) -> None:
    if stage.provider == "webex":
        assert meetings_at(stage, at) == []


def meetings_at(stage: Stage, at: datetime) -> list[dict[str, Any]]:
    return [one for one in stage.meetings() if datetime.fromisoformat(one["start"]).astimezone(UTC) == at]
