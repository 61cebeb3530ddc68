"""The audit over HTTP: who did what, told to who may know."""

from __future__ import annotations

from itertools import pairwise

from tests.web.conftest import request_for


def entries(service, *, by="auditor"):
    return service.get("/audit?limit=500", by=by).json["items"]


def test_what_a_coordinator_decides_stands_with_its_reason(service):
    made = service.made("/consultation-requests", request_for(service))
    answer = service.post(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"}, by="coordinator")
    assert answer.status_code == 200
    session = service.get("/sessions", by="coordinator").json["items"][0]
    service.made(f"/sessions/{session['id']}/cancellation", {"reason": "The chair is ill."}, by="coordinator")
    *_, submitted, accepted, cancelled = entries(service)
    about = f"consultation_request:{made['id']}"
    assert (submitted["action"], submitted["subject"]) == ("request.submit", about)
    assert submitted["actor"].startswith("helpdesk:")
    assert (accepted["action"], accepted["subject"]) == ("request.accept", about)
    assert accepted["actor"].startswith("coordinator:")
    assert (cancelled["action"], cancelled["subject"]) == ("session.cancel", f"session:{session['id']}")
    assert (cancelled["reason"], cancelled["at"]) == ("The chair is ill.", "2026-11-23T09:00:00Z")


def test_the_rows_are_numbered_and_bound_to_each_other(service):
    told = entries(service)
    assert [one["sequence"] for one in told] == list(range(1, len(told) + 1))
    assert [after["previous_hash"] for _, after in pairwise(told)] == [before["hash"] for before, _ in pairwise(told)]


def test_it_is_read_page_by_page(service):
    first = service.get("/audit?limit=2", by="auditor").json
    second = service.get(first["next"], by="auditor").json
    assert [one["sequence"] for one in first["items"] + second["items"]][:4] == [1, 2, 3, 4]


def test_that_the_helpdesk_read_a_request_is_logged_and_that_its_group_did_is_not(service):
    made = service.made("/consultation-requests", request_for(service))
    for role in ("coordinator", "helpdesk"):
        assert service.get(f"/consultation-requests/{made['id']}", by=role).status_code == 200
    reading = [one for one in entries(service) if one["action"] == "request.read"]
    assert [(one["actor"].split(":")[0], one["subject"]) for one in reading] == [
        ("helpdesk", f"consultation_request:{made['id']}")
    ]


def test_who_saw_the_participant_list_and_when_is_known(service):
    for role in ("clinician", "reference-centre"):
        assert service.get("/participants?network=covid", by=role).status_code == 200
    seen = [one for one in entries(service) if one["action"] == "participants.read"]
    assert [one["actor"].split(":")[0] for one in seen] == ["clinician", "reference-centre"]
    assert {(one["subject"], one["at"]) for one in seen} == {
        (f"network:{service.ids['network']}", "2026-11-23T09:00:00Z")
    }


def test_the_helpdesk_reads_its_own_actions_and_nobody_elses(service):
    service.tokens["second desk"] = service.token("helpdesk")
    service.made("/networks", {"code": "third", "name": "A third network"}, by="second desk")
    assert [one["action"] for one in entries(service, by="second desk")] == ["network.add"]


def test_a_clinician_reads_what_is_about_it(service):
    person = service.ids["requester"]
    etag = service.get(f"/clinicians/{person}").headers["ETag"]
    changed = service.patch(f"/clinicians/{person}", {"phone": "+48 22 555 0199"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    told = entries(service, by="clinician")
    assert "clinician.change" in {one["action"] for one in told}
    assert {one["subject"] for one in told} == {f"clinician:{person}"}


def test_an_auditor_of_one_network_is_told_why_the_audit_is_not_for_it(service):
    service.tokens["narrow"] = service.token("auditor", network="covid")
    answer = service.get("/audit", by="narrow")
    assert answer.status_code == 403
    assert "one network" in answer.json["detail"]


def test_a_preview_leaves_no_row(service):
    session = service.get("/sessions").json["items"][0]
    before = len(entries(service))
    looked = service.post(f"/sessions/{session['id']}/cancellation?preview=true", {"reason": "Perhaps."})
    assert looked.status_code == 200
    assert len(entries(service)) == before
