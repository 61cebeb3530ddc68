"""Offers through the API: who may read and answer them, what they say, and a slot on its way down the line."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes, policy
from threading import Barrier

import pytest

from conference_orchestrator.app import engine_of
from tests.web.conftest import request_for

TUESDAY = {"latest_on": "2026-11-24"}


def work(service):
    """Do what the commits so far brought about."""
    engine_of(service.app).run_due()


def waits(service, reference, **changes):
    """A request that may be discussed tomorrow only, where every slot is taken; its id."""
    made = service.made("/consultation-requests", request_for(service, case_reference=reference, **TUESDAY, **changes))
    service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"})
    allocated = service.made(f"/consultation-requests/{made['id']}/allocation", {})
    assert allocated["state"] == "waiting", allocated
    return made["id"]


def request(service, request_id):
    return service.get(f"/consultation-requests/{request_id}").json


def mails(service, kind="slot-offer"):
    """How many mails of the kind there are for each person."""
    everything = service.get("/deliveries?limit=500").json["items"]
    return Counter(mail["address"] for mail in everything if mail["kind"] == kind)


@pytest.fixture
def line(service):
    """Tomorrow's two slots are taken; the requester's case and the expert's wait. Then a slot is freed."""
    slots = service.get("/sessions/{session}").json["slots"]
    second = service.made("/consultation-requests", request_for(service, case_reference="CPMS-2"))["id"]
    service.made(f"/consultation-requests/{second}/triage", {"decision": "accept"})
    service.made(f"/consultation-requests/{second}/allocation", {"slot": slots[1]["id"]})
    waiting = [waits(service, "CPMS-3"), waits(service, "CPMS-4", requester=service.ids["expert"])]
    ruled = service.patch("/expert-groups/{group}", {"rules": {"offer_hours": 4}}, headers={"If-Match": "*"})
    assert ruled.status_code == 200, ruled.json
    service.post(f"/consultation-requests/{second}/withdrawal")
    work(service)
    service.ids["offer"] = request(service, waiting[0])["offer"]
    service.ids["waiting"], service.ids["next"] = waiting
    service.tokens["next"] = service.token("clinician", clinician=service.ids["expert"])
    return service


def test_an_offer_has_the_fields_of_the_interface(line):
    answer = line.get("/offers/{offer}")
    assert answer.json == {
        "id": line.ids["offer"],
        "request": line.ids["waiting"],
        "case_reference": "CPMS-3",
        "group": line.ids["group"],
        "slot": line.get("/sessions/{session}").json["slots"][1]["id"],
        "session": line.ids["session"],
        "starts_at": "2026-11-24T10:20:00Z",
        "ends_at": "2026-11-24T10:40:00Z",
        "time_zone": "Europe/Berlin",
        "state": "open",
        "expires_at": "2026-11-23T13:00:00Z",
        "answered_at": None,
        "reasons": [
            "First in line.",
            "The earliest suitable free slot: Tuesday 24 November 2026, 11.20.",
            "It waits since 23 November.",
        ],
    }
    assert answer.headers["ETag"]


def test_the_request_names_its_offer_and_the_session_shows_the_slot_as_offered(line):
    found = request(line, line.ids["waiting"])
    assert (found["state"], found["slot"], found["offer_expires_at"]) == ("offered", None, "2026-11-23T13:00:00Z")
    assert [slot["state"] for slot in line.get("/sessions/{session}").json["slots"]] == ["taken", "offered"]


@pytest.mark.parametrize("by", ["clinician", "coordinator", "reference-centre", "helpdesk"])
def test_each_role_reads_and_accepts_in_its_own_scope(line, by):
    assert line.get("/offers/{offer}", by=by).status_code == 200
    answer = line.post("/offers/{offer}/acceptance", by=by)
    assert (answer.status_code, answer.json["state"]) == (200, "accepted")
    assert request(line, line.ids["waiting"])["state"] == "allocated"


@pytest.mark.parametrize(
    "scope", [{"group": "ewing"}, {"hospital": "lublin"}, {"clinician": "expert"}, {"network": "other"}]
)
def test_outside_the_own_scope_there_is_no_such_offer(line, scope):
    ((name, value),) = scope.items()
    roles = {"group": "coordinator", "hospital": "reference-centre", "clinician": "clinician", "network": "helpdesk"}
    named = {name: line.ids[value]} if name == "clinician" else scope
    line.tokens["foreign"] = line.token(roles[name], **named)
    answers = [
        line.get("/offers/{offer}", by="foreign"),
        line.post("/offers/{offer}/acceptance", by="foreign"),
        line.post("/offers/{offer}/refusal", by="foreign"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert line.get("/offers/{offer}").json["state"] == "open"


def test_an_auditor_has_no_business_with_offers(line):
    assert line.get("/offers/{offer}", by="auditor").status_code == 403
    assert line.post("/offers/{offer}/acceptance", by="auditor").status_code == 403


def test_the_second_answer_is_a_conflict_that_says_what_the_first_was(line):
    line.post("/offers/{offer}/acceptance", by="clinician")
    answer = line.post("/offers/{offer}/refusal", by="coordinator")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/rule-broken")
    assert answer.json["detail"] == (
        "The offer was accepted at Monday 23 November 2026, 10.00 (Europe/Berlin); the request is allocated."
    )


def test_an_answer_that_is_sent_twice_with_one_key_counts_once_and_is_answered_alike(line):
    key = {"Idempotency-Key": "one-click"}
    first, second = (line.post("/offers/{offer}/acceptance", by="clinician", headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.get_data() == second.get_data()


def test_a_stale_if_match_is_refused(line):
    etag = line.get("/offers/{offer}").headers["ETag"]
    stale = {"If-Match": '"999-0000000000000000"'}
    assert line.post("/offers/{offer}/acceptance", headers=stale).status_code == 412
    assert line.post("/offers/{offer}/acceptance", headers={"If-Match": etag}).status_code == 200


def test_of_two_coordinators_who_accept_at_once_one_gets_200_and_one_409(line):
    together = Barrier(2, timeout=30)

    def accept(_):
        together.wait()
        return line.post("/offers/{offer}/acceptance", by="coordinator").status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(accept, range(2))) == [200, 409]


def test_a_slot_goes_down_the_line_by_link_and_clock_with_one_mail_for_each_step(line, tmp_path):
    """The requester refuses by the link in the mail; the next lets the time run out; then nobody is left."""
    first = next(mail for mail in line.get("/deliveries?limit=500").json["items"] if mail["kind"] == "slot-offer")
    assert first["state"] == "sent"
    page = line.client()
    link = link_in_the_mail(tmp_path / "mail" / "new")
    assert "Do you take this slot?" in page.get(link).text
    token = page.get(link).text.split('name="csrf_token" value="')[1].split('"')[0]
    assert page.post(link, data={"answer": "refuse", "csrf_token": token}).status_code == 303
    work(line)
    assert [request(line, line.ids[who])["state"] for who in ("waiting", "next")] == ["waiting", "offered"]
    line.clock.move_on(timedelta(hours=4))
    work(line)
    assert [request(line, line.ids[who])["state"] for who in ("waiting", "next")] == ["waiting", "waiting"]
    assert [request(line, line.ids[who])["waiting_position"] for who in ("waiting", "next")] == [1, 2]
    assert mails(line) == {"requester@szpital.example": 1, "expert@szpital.example": 1}


def test_the_accepted_slot_is_in_the_mailbox_as_an_invitation(line):
    line.post("/offers/{offer}/acceptance", by="clinician")
    work(line)
    assert mails(line, "invitation")["requester@szpital.example"] == 2, "one for the first case, one for this"


def link_in_the_mail(folder):
    """The path of the link in the one slot-offer mail that lies there."""
    every = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in folder.iterdir()]
    (mail,) = [mail for mail in every if mail["X-Conference-Kind"] == "slot-offer"]
    text = mail.get_body(preferencelist=["plain"]).get_content()
    return re.search(r"http://127\.0\.0\.1:8000(/o/\S+)", text)[1]
