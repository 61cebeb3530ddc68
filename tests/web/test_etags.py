"""Things carry an ETag: reading costs nothing when nothing changed, and nobody overwrites what he has not seen."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from tests.web.conftest import request_for

GARBAGE = ['"1"', "1-0123456789abcdef", 'W/"1-0123456789abcdef"', '"1-0123456789abcdef", "2-0123456789abcdef"', "x"]


@pytest.mark.parametrize(
    "path",
    [
        "/networks/{network}",
        "/hospitals/{hospital}",
        "/clinicians/{expert}",
        "/expert-groups/{group}",
        "/series/{series}",
        "/sessions/{session}",
        "/consultation-requests/{request}",
        "/webinar-requests/{webinar}",
        "/conferences/{conference}",
        "/registrations/{registration}",
        "/notices/{privacy}",
        "/host-accounts/{host}",
        "/deliveries/{delivery}",
        "/sessions/{session}/roster",
    ],
)
def test_a_thing_that_did_not_change_is_304(shared, path):
    etag = shared.get(path).headers["ETag"]
    again = shared.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.get_data()) == (304, b"")
    assert shared.get(path, headers={"If-None-Match": '"0-0000000000000000"'}).status_code == 200
    assert shared.get(path, headers={"If-Match": "*"}).status_code == 200


def test_a_change_needs_if_match(shared):
    answer = shared.patch("/hospitals/{hospital}", {"city": "Kraków"})
    assert (answer.status_code, answer.json["type"]) == (428, "/problems/precondition-required")


def test_a_change_of_what_was_seen_is_made_once(service):
    etag = service.get("/hospitals/{hospital}").headers["ETag"]
    changed = service.patch("/hospitals/{hospital}", {"city": "Kraków"}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json["city"]) == (200, "Kraków")
    assert changed.headers["ETag"] != etag
    stale = service.patch("/hospitals/{hospital}", {"city": "Gdańsk"}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json["type"]) == (412, "/problems/stale")
    assert service.get("/hospitals/{hospital}").json["city"] == "Kraków"


def test_the_etag_of_an_answer_is_good_for_the_next_change(service):
    etag = service.get("/hospitals/{hospital}").headers["ETag"]
    for city in ("Kraków", "Gdańsk"):
        changed = service.patch("/hospitals/{hospital}", {"city": city}, headers={"If-Match": etag})
        assert changed.status_code == 200
        assert (
            service.get("/hospitals/{hospital}", headers={"If-None-Match": changed.headers["ETag"]}).status_code == 304
        )
        etag = changed.headers["ETag"]


@pytest.mark.parametrize("tag", GARBAGE)
def test_what_is_no_etag_of_ours_is_stale(shared, tag):
    answer = shared.patch("/hospitals/{hospital}", {"city": "Kraków"}, headers={"If-Match": tag})
    assert answer.status_code == 412


def test_a_star_means_whatever_it_is(service):
    answer = service.patch("/hospitals/{hospital}", {"city": "Kraków"}, headers={"If-Match": "*"})
    assert answer.status_code == 200


def test_an_action_accepts_if_match(service):
    stale = {"If-Match": '"999-0123456789abcdef"'}
    move = {"starts_at": "2026-12-02T10:00:00Z"}
    assert service.post("/sessions/{session}/move", move, headers=stale).status_code == 412
    seen = {"If-Match": service.get("/sessions/{session}").headers["ETag"]}
    assert service.post("/sessions/{session}/move", move, headers=seen).status_code == 200


def test_the_etag_differs_with_what_the_asker_may_see(shared):
    tags = {shared.get("/sessions/{session}", by=role).headers["ETag"] for role in ("helpdesk", "auditor")}
    assert len(tags) == 2


def accepted(service):
    """The path of another request that is accepted."""
    made = service.made("/consultation-requests", request_for(service))
    service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"})
    return f"/consultation-requests/{made['id']}"


def test_a_session_whose_slots_changed_hands_is_another_one(service):
    seen = {"If-Match": service.get("/sessions/{session}").headers["ETag"]}
    request = accepted(service)
    for change in (("POST", f"{request}/allocation", {}), ("DELETE", f"{request}/allocation", None)):
        method, path, entered = change
        assert service.ask(method, path, json=entered).status_code == 200
        cancelled = service.post("/sessions/{session}/cancellation", {"reason": "Holiday"}, headers=seen)
        assert (cancelled.status_code, cancelled.json["type"]) == (412, "/problems/stale")
        seen = {"If-Match": service.get("/sessions/{session}").headers["ETag"]}
    assert service.post("/sessions/{session}/cancellation", {"reason": "Holiday"}, headers=seen).status_code == 200


def test_the_etag_of_a_session_is_good_for_its_next_change(service):
    etag = service.get("/sessions/{session}").headers["ETag"]
    for day in ("02", "03"):
        move = {"starts_at": f"2026-12-{day}T10:00:00Z"}
        moved = service.post("/sessions/{session}/move", move, headers={"If-Match": etag})
        assert moved.status_code == 200
        etag = moved.headers["ETag"]


SKIP = {"on": "2026-12-01", "kind": "skip"}
AWAY = {"from_on": "2026-11-24", "until_on": "2026-11-30"}


def removable(service):
    """What can be taken back of the world: the path of each, and the ETag that the answer gave when it was entered."""
    colleague = {"clinician": service.ids["colleague"]}
    absence = service.post("/absences", AWAY, by="clinician")
    skipped = service.post("/series/{series}/exceptions", SKIP)
    member = service.post("/expert-groups/{group}/members", colleague | {"role": "expert"})
    service.made("/sessions/{session}/roster", {"clinician": service.ids["requester"]})
    roster = service.get("/sessions/{session}/roster")
    return {
        f"/absences/{absence.json['id']}": absence.headers["ETag"],
        "/series/{series}/exceptions/2026-12-01": skipped.headers["ETag"],
        "/expert-groups/{group}/members/{colleague}": member.headers["ETag"],
        "/sessions/{session}/roster/{requester}": roster.headers["ETag"],
    }


def test_what_is_taken_back_accepts_if_match(service):
    for path, etag in removable(service).items():
        stale = service.ask("DELETE", path, headers={"If-Match": '"99-0123456789abcdef"'})
        assert (stale.status_code, stale.json["type"]) == (412, "/problems/stale"), path
        assert service.ask("DELETE", path, headers={"If-Match": etag}).status_code == 204, path


@pytest.mark.parametrize(
    ("method", "path", "entered"),
    [
        ("POST", "/series/{series}/exceptions", SKIP),
        ("POST", "/expert-groups/{group}/members", {"clinician": "colleague@szpital.example", "role": "expert"}),
        ("PUT", "/expert-groups/{group}/members/{expert}/calendar", {"calendar": "series"}),
        ("POST", "/sessions/{session}/roster", {"clinician": "colleague@szpital.example"}),
        ("POST", "/conferences/{conference}/retry", {}),
        ("POST", "/deliveries/{delivery}/retry", {}),
    ],
)
def test_a_stale_if_match_is_refused_whatever_is_done(shared, method, path, entered):
    refused = shared.ask(method, path, json=entered, headers={"If-Match": '"99-0123456789abcdef"'})
    assert (refused.status_code, refused.json["type"]) == (412, "/problems/stale")


def test_a_session_whose_roster_changed_is_another_one(service):
    seen = {"If-Match": service.get("/sessions/{session}/roster").headers["ETag"]}
    add = ("POST", "/sessions/{session}/roster", {"clinician": service.ids["colleague"]})
    for method, path, entered in (add, ("DELETE", "/sessions/{session}/roster/{colleague}", None)):
        assert service.ask(method, path, json=entered, headers=seen).status_code < 300
        assert service.ask(*add[:2], json=add[2], headers=seen).status_code == 412
        seen = {"If-Match": service.get("/sessions/{session}/roster").headers["ETag"]}


def test_a_delivery_is_sent_again_once_by_those_who_saw_the_same(service):
    with service.app.app_context():
        db.session.execute(update(Message).values(state="failed", attempts=1))
        db.session.commit()
    seen = {"If-Match": service.get("/deliveries/{delivery}").headers["ETag"]}
    assert service.post("/deliveries/{delivery}/retry", headers=seen).status_code == 200
    assert service.post("/deliveries/{delivery}/retry", headers=seen).status_code == 412
