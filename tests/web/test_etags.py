"""Things carry an ETag: reading costs nothing when nothing changed, and nobody overwrites what he has not seen."""

from __future__ import annotations

import pytest

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
