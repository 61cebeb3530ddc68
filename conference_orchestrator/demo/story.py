"""The story: one day of two networks, played through the public API by the people who would do it.

Everything is done over HTTP with the token of the role that does it; the links in mails are taken out of the mails.
The people are those of `config/paedcan.toml` and `config/covid19-cmss.toml`, and one more who registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from conference_orchestrator.demo import ways_in
from conference_orchestrator.demo.client import Client, Json
from conference_orchestrator.demo.mailbox import Mail, Mailbox
from conference_orchestrator.demo.transcript import Transcript
from conference_orchestrator.demo.waiting import until
from conference_orchestrator.demo.ways_in import WaysIn
from conference_orchestrator.kernel.times import instant, rfc3339
from conference_orchestrator.notify.composing import span

APPLICANT = {
    "network": "covid19",
    "given_name": "Anaïs",
    "family_name": "Østergård",
    "email": "anais.ostergard@levanda.example",
    "phone": "+30 555 0206",
    "hospital": "thessaloniki-levanda",
    "profession": "physician",
    "specialties": ["intensive care"],
    "language": "en",
    "share": ["email"],
    "privacy_version": "2026-01",
}
NAME = f"{APPLICANT['given_name']} {APPLICANT['family_name']}"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What every part of the story needs: the ways in by role, everybody's mail, and the teller."""

    ways: WaysIn
    mailbox: Mailbox
    say: Transcript

    @property
    def desk(self) -> Client:
        """The helpdesk, which may look at everything."""
        return self.ways[ways_in.HELPDESK]

    def mails(self, kind: str, count: int = 1) -> list[Mail]:
        """Wait for the mails of the kind, and tell of them."""
        mails = self.mailbox.take(kind, count)
        self.say.mails(mails)
        return mails

    def mails_of(self, conference_id: str, kind: str, count: int) -> list[Mail]:
        """Wait until the service has sent so many mails of the kind about the conference, and tell of them."""

        def look() -> bool | None:
            sent = self.desk.listed("/deliveries", conference=conference_id, state="sent")
            return sum(delivery["kind"] == kind for delivery in sent) >= count or None

        until(look, f"{count} mails {kind} to be sent")
        return self.mails(kind, count)

    def conference(self, conference_id: str, state: str) -> Json:
        """The conference as soon as it is in that state."""

        def look() -> Json | None:
            found = self.desk.get(f"/conferences/{conference_id}")
            return found if found["state"] == state else None

        return until(look, f"the conference to be {state}")


def is_played(desk: Client) -> bool:
    """Whether the story, which begins with a registration, was played on these data, if only in part."""
    return bool(desk.get("/registrations", limit="1")["items"])


def play(ways: WaysIn, mailbox: Mailbox, say: Transcript) -> None:
    """Play it and tell it. GaveUp when a step is refused or what should follow does not come."""
    scene = Scene(ways=ways, mailbox=mailbox, say=say)
    _join(scene)
    session = _ask_for_a_panel(scene)
    _meet(scene, session)
    _move(scene, session)
    _cancel(scene)
    _hold_a_webinar(scene)


def _join(scene: Scene) -> None:
    say, stranger = scene.say, Client(scene.desk.address)
    say.chapter("A clinician joins the COVID19 Clinicians Network")
    answer = stranger.post("/registrations", {**APPLICANT, "altcha": stranger.solved_captcha()})
    say.line("clinician", f"{NAME} registers with a solved captcha: {answer['status']}")
    [mail] = scene.mails("registration-received")
    stranger.press(mail.link("/confirm/"))
    say.line("clinician", "follows the link in the mail and confirms the address")
    scene.mails("desk-alert")
    [pending] = scene.desk.listed("/registrations", state="pending")
    scene.desk.post(f"/registrations/{pending['id']}/activation")
    people = scene.desk.listed("/participants", network="covid19")
    say.line("helpdesk", f"activates the registration; the network has {len(people)} participants now")
    scene.mails("registration-activated")
    say.line("clinician", "has the instructions, and the participant list with what everybody shares")


def _ask_for_a_panel(scene: Scene) -> Json:
    say, centre = scene.say, scene.ways[ways_in.LISBON]
    say.chapter("Two hospitals ask the Brain Tumour group to discuss a case")
    marta = _clinician(centre, "Nóvoa")
    asked = centre.post(
        "/consultation-requests",
        {
            **_case("brain-tumour", "CPMS-2026/0417", "Is a second resection possible before radiotherapy?"),
            "requester": marta["id"],
            "checklist": {"pathology-report": True, "mri-acquired-on": _days_ago(9)},
            "consent_confirmed": False,
        },
    )
    say.line(
        "reference centre",
        f"Marta Nóvoa in Lisbon asks for CPMS-2026/0417: {asked['state']}, missing: {', '.join(asked['missing'])}",
    )
    scene.mails("request-received")
    checklist = {"pathology-report": True, "mri-acquired-on": _days_ago(9), "mri-image-count": 312}
    changes = {"consent_confirmed": True, "checklist": checklist}
    completed = centre.patch(f"/consultation-requests/{asked['id']}", changes)
    say.line("reference centre", f"completes it: {completed['state']}")
    second = scene.ways[ways_in.CLINICIAN].post(
        "/consultation-requests",
        {**_case("brain-tumour", "CPMS-2026/0422", "Proton or photon therapy?"), "checklist": checklist},
    )
    say.line("clinician", f"Rūta Žukauskienė in Vilnius asks for CPMS-2026/0422: {second['state']}")
    scene.mails("request-received")
    coordinator = scene.ways[ways_in.BRAIN_TUMOUR]
    for request in (asked, second):
        session = _accept_and_allocate(scene, coordinator, request)
    return session


def _meet(scene: Scene, session: Json) -> None:
    scene.say.chapter("The video meeting is made, and everybody is invited")
    _invite(scene, session["conference"])
    for person in scene.desk.listed(f"/conferences/{session['conference']}/participants"):
        if person["slot"]:
            when = _when({**person, "time_zone": session["time_zone"]})
            scene.say.line("requester", f"{person['name']} is invited to the own slot only: {when}")


def _move(scene: Scene, session: Json) -> None:
    say, coordinator = scene.say, scene.ways[ways_in.BRAIN_TUMOUR]
    say.chapter("The session moves by an hour")
    later = {"starts_at": rfc3339(datetime.fromisoformat(session["starts_at"]) + timedelta(hours=1))}
    touched = coordinator.post(f"/sessions/{session['id']}/move?preview=true", later)
    say.line("coordinator", f"looks first whom it would touch: {touched['people']} people, {touched['mails']} mails")
    moved = coordinator.post(f"/sessions/{session['id']}/move", later)
    say.line("coordinator", f"moves it: {_when(moved)}")
    updates = scene.mails_of(session["conference"], "invitation-update", touched["mails"])
    lead = next(mail for mail in updates if mail.name == "Jörg Weißenböck")
    Client(scene.desk.address).press(lead.link("/i/"), answer="accepted")
    quorum = coordinator.get(f"/sessions/{session['id']}")["quorum"]
    say.line(
        "expert",
        f"{lead.name} accepts by the link in the mail; "
        f"the quorum: {quorum['accepted']} of {quorum['needed']}, "
        f"still without {', '.join(quorum['missing_disciplines'])}",
    )


def _cancel(scene: Scene) -> None:
    say, centre, coordinator = scene.say, scene.ways[ways_in.LISBON], scene.ways[ways_in.EWING]
    say.chapter("Another session is cancelled")
    checklist = {"pathology-report": True, "ct-acquired-on": _days_ago(4), "ct-image-count": 188}
    asked = centre.post(
        "/consultation-requests",
        {
            **_case("ewing", "CPMS-2026/0431", "Local treatment by surgery, by radiotherapy, or both?"),
            "requester": _clinician(centre, "Nóvoa")["id"],
            "checklist": checklist,
        },
    )
    say.line("reference centre", f"Marta Nóvoa asks the Ewing group for CPMS-2026/0431: {asked['state']}")
    scene.mails("request-received")
    session = _accept_and_allocate(scene, coordinator, asked)
    conference = _invite(scene, session["conference"])
    coordinator.post(f"/sessions/{session['id']}/cancellation", {"reason": "Most experts are at a congress."})
    say.line("coordinator", "cancels it: most experts are at a congress")
    scene.mails_of(session["conference"], "invitation-cancel", conference["invitations"]["sent"])
    scene.mails("request-waiting")
    waiting = centre.get(f"/consultation-requests/{asked['id']}")
    say.line("service", f"CPMS-2026/0431 is {waiting['state']}, place {waiting['waiting_position']} on the list")
    say.line("service", f"explains it: {waiting['standing']}")
    scene.conference(session["conference"], "cancelled")
    say.line("service", "the meeting is deleted at the sandbox")
    _plan_anew(scene, coordinator, asked["case_reference"])


def _plan_anew(scene: Scene, coordinator: Client, case_reference: str) -> None:
    proposed = coordinator.post("/replans", {"group": "ewing"})
    [move] = proposed["moves"]
    scene.say.line("coordinator", f"lets the waiting list be planned anew: {' '.join(move['reasons'])}")
    coordinator.post(f"/replans/{proposed['id']}/application")
    scene.say.line("coordinator", f"agrees: {case_reference} has a slot again")
    _invite(scene, coordinator.get(f"/sessions/{move['session']}")["conference"])


def _hold_a_webinar(scene: Scene) -> None:
    say, centre = scene.say, scene.ways[ways_in.PORTO]
    say.chapter("A reference centre asks for a webinar")
    starts_at = rfc3339(_wall_time_in(days=9))
    asked = centre.post(
        "/webinar-requests",
        {
            "hospital": "porto-atlantico",
            "kind": "webinar",
            "topic": "Ventilation in prone position",
            "language": "en",
            "duration_minutes": 60,
            "preferred": [starts_at],
            "expected_audience": 40,
            "audience": {"networks": ["covid19"], "countries": [], "specialties": []},
            "speakers": [_clinician(centre, "Araújo")["id"]],
        },
    )
    say.line("reference centre", f"Hospital do Atlântico in Porto asks for “{asked['topic']}”: {asked['state']}")
    scene.mails("desk-alert")
    approved = scene.desk.post(f"/webinar-requests/{asked['id']}/approval", {"starts_at": starts_at})
    say.line("helpdesk", f"approves the preferred time, a host account is free: {approved['state']}")
    scene.mails("webinar-approved")
    _invite(scene, centre.get(f"/webinar-requests/{asked['id']}")["conference"])


def _accept_and_allocate(scene: Scene, coordinator: Client, request: Json) -> Json:
    """The group accepts the request and gives it the slot that the policy chooses; the session of the slot."""
    coordinator.post(f"/consultation-requests/{request['id']}/triage", {"decision": "accept"})
    given = coordinator.post(f"/consultation-requests/{request['id']}/allocation")
    session = coordinator.get(f"/sessions/{given['session']}")
    slot = next(slot for slot in session["slots"] if slot["id"] == given["slot"])
    when = _when({**slot, "time_zone": session["time_zone"]})
    scene.say.line("coordinator", f"accepts {request['case_reference']}, allocates slot {slot['number']}: {when}")
    return session


def _invite(scene: Scene, conference_id: str) -> Json:
    """Wait for the meeting and for an invitation to each participant; the conference after that."""
    ready = scene.conference(conference_id, "ready")
    scene.say.line("service", f"makes the meeting at the sandbox: host {ready['host']}, {_when(ready)}")
    people = scene.desk.listed(f"/conferences/{conference_id}/participants")
    scene.mails_of(conference_id, "invitation", len(people))
    return scene.desk.get(f"/conferences/{conference_id}")


def _case(group: str, reference: str, question: str) -> Json:
    """A routine request that any round from tomorrow on suits: today's may begin before the story ends."""
    return {
        "group": group,
        "case_reference": reference,
        "question": question,
        "urgency": "routine",
        "consent_confirmed": True,
        "imaging": [{"modality": "MR", "acquired_on": _days_ago(9), "image_count": 312}],
        "earliest_on": str(_today() + timedelta(days=1)),
    }


def _clinician(centre: Client, family_name: str) -> Json:
    return next(one for one in centre.listed("/clinicians", q=family_name) if one["family_name"] == family_name)


def _when(event: Json) -> str:
    """From when to when by the clock of the event's own zone: "Tuesday 24 November 2026, 11:00-11:40 Europe/Berlin"."""
    starts_at, ends_at = (datetime.fromisoformat(event[name]) for name in ("starts_at", "ends_at"))
    shown = span(starts_at, ends_at, event["time_zone"])
    return f"{shown.wall} {shown.zone}"


def _today() -> date:
    return datetime.now(UTC).date()


def _days_ago(days: int) -> str:
    return str(_today() - timedelta(days=days))


def _wall_time_in(*, days: int) -> datetime:
    """Three in the afternoon in Porto, so many days from now."""
    return instant(datetime.combine(_today() + timedelta(days=days), time(15)), "Europe/Lisbon")
