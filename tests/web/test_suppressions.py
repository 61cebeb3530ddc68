"""Suppressions over HTTP, and the clinician whose mail came back."""

from __future__ import annotations

from uuid import uuid4

import pytest

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import suppressions
from conference_orchestrator.ledger.suppressions import Reason, Scope

ENTRY = {"address": "Gone@szpital.example", "scope": "all", "detail": "has left the hospital"}


def test_the_helpdesk_enters_reads_and_lifts_one(service):
    made = service.post("/suppressions", ENTRY)
    assert made.status_code == 201
    assert made.json == {
        "id": made.json["id"],
        "address": "gone@szpital.example",
        "scope": "all",
        "reason": "helpdesk",
        "detail": "has left the hospital",
        "delivery": None,
        "created_at": "2026-11-23T09:00:00Z",
    }
    assert service.get("/suppressions").json == {"items": [made.json], "next": None}
    assert service.ask("DELETE", f"/suppressions/{made.json['id']}").status_code == 204
    assert service.get("/suppressions").json["items"] == []
    assert service.ask("DELETE", f"/suppressions/{made.json['id']}").status_code == 404


def test_the_list_is_narrowed_by_address_and_goes_page_by_page(service):
    for name in ("anna", "emil", "ines"):
        service.made("/suppressions", {"address": f"{name}@szpital.example", "scope": "reminders"})
    (found,) = service.get("/suppressions?address=EMIL@szpital.example").json["items"]
    assert (found["address"], found["scope"]) == ("emil@szpital.example", "reminders")
    first = service.get("/suppressions?limit=2").json
    assert len(first["items"]) == 2
    assert len(service.get(first["next"]).json["items"]) == 1


def test_the_same_key_enters_it_once(service):
    headers = {"Idempotency-Key": "one"}
    answers = [service.post("/suppressions", ENTRY, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    assert service.post("/suppressions", ENTRY).status_code == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": "nobody"}, "address"),
        ({"address": None}, "address"),
        ({"scope": "some"}, "scope"),
        ({"detail": "two\nlines"}, "detail"),
        ({"reason": "bounced"}, "reason"),
    ],
)
def test_what_is_wrong_names_its_field(shared, changes, field):
    answer = shared.post("/suppressions", ENTRY | changes)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


@pytest.mark.parametrize("query", ["address=nobody", "scope=all"])
def test_what_the_list_does_not_know_is_refused(shared, query):
    assert shared.get(f"/suppressions?{query}").status_code == 422


class TestClinicians:
    """Whose mail came back is seen by the helpdesk, and by nobody else."""

    @pytest.fixture
    def bounced(self, service):
        with service.app.app_context():
            with transaction() as tx:
                suppressions.add("requester@szpital.example", Scope.ALL, Reason.BOUNCED, message_id=uuid4(), at=tx.now)
            db.session.remove()
        return service

    def of_requester(self, service, by: str) -> dict[str, object]:
        return service.get("/clinicians/{requester}", by=by).json

    def test_the_helpdesk_sees_since_when(self, bounced):
        assert self.of_requester(bounced, "helpdesk")["bounced_at"] == "2026-11-23T09:00:00Z"
        shown = {one["email"]: one["bounced_at"] for one in bounced.get("/clinicians").json["items"]}
        assert shown["requester@szpital.example"] == "2026-11-23T09:00:00Z"
        assert {at for email, at in shown.items() if email != "requester@szpital.example"} == {None}

    @pytest.mark.parametrize("by", ["clinician", "coordinator", "reference-centre", "auditor"])
    def test_others_do_not(self, bounced, by):
        assert self.of_requester(bounced, by)["bounced_at"] is None
        assert {one["bounced_at"] for one in bounced.get("/clinicians", by=by).json["items"]} == {None}

    def test_with_another_address_the_person_is_not_cut_off(self, bounced):
        etag = bounced.get("/clinicians/{requester}").headers["ETag"]
        changed = bounced.patch(
            "/clinicians/{requester}", {"email": "right@szpital.example"}, headers={"If-Match": etag}
        )
        assert (changed.status_code, changed.json["bounced_at"]) == (200, None)
