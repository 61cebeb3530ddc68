"""Absences over HTTP."""

from __future__ import annotations

AWAY = {"from_on": "2026-11-24", "until_on": "2026-11-30"}


def test_a_clinician_enters_lists_and_takes_back_the_own(service):
    made = service.made("/absences", AWAY, by="clinician")
    assert made == {"id": made["id"], "clinician": service.ids["requester"], **AWAY}
    assert service.get("/absences", by="clinician").json["items"] == [made]
    assert service.ask("DELETE", f"/absences/{made['id']}", by="clinician").status_code == 204
    assert service.get("/absences", by="clinician").json["items"] == []


def test_a_colleagues_absence_is_not_for_a_clinician_to_enter_see_or_take_back(service):
    colleagues = service.made("/absences", AWAY | {"clinician": service.ids["expert"]})
    refused = service.post("/absences", AWAY | {"clinician": service.ids["expert"]}, by="clinician")
    assert (refused.status_code, refused.json["detail"]) == (
        403,
        "You may enter your own absences only; ask the helpdesk for others.",
    )
    assert service.get("/absences", by="clinician").json["items"] == []
    assert service.ask("DELETE", f"/absences/{colleagues['id']}", by="clinician").status_code == 404


def test_a_coordinator_enters_those_of_the_own_groups_members(service):
    made = service.made("/absences", AWAY | {"clinician": "expert@szpital.example"}, by="coordinator")
    assert made["clinician"] == service.ids["expert"]
    other = AWAY | {"clinician": service.ids["colleague"]}
    assert service.post("/absences", other, by="coordinator").status_code == 403
    stranger = AWAY | {"clinician": "nobody@szpital.example"}
    assert service.post("/absences", stranger, by="coordinator").json["errors"].keys() == {"clinician"}


def test_the_list_is_filtered_and_paged(service):
    for name in ("expert", "colleague", "expert"):
        service.made("/absences", AWAY | {"clinician": service.ids[name]})
    for query, count in (("", 3), (f"?clinician={service.ids['expert']}", 2), ("?group=brain", 2)):
        assert len(service.get(f"/absences{query}").json["items"]) == count
    page = service.get("/absences?group=brain&limit=1").json
    assert len(page["items"]) == 1
    assert len(service.get(page["next"]).json["items"]) == 1


def test_wrong_dates_are_told_by_their_fields(service):
    for entered, field in (
        ({"from_on": "2026-11-30", "until_on": "2026-11-24"}, "until_on"),
        ({"from_on": "tomorrow", "until_on": "2026-11-24"}, "from_on"),
        ({"from_on": "2026-11-24"}, "until_on"),
    ):
        answer = service.post("/absences", entered, by="clinician")
        assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_a_repeated_key_enters_one_absence(service):
    headers = {"Idempotency-Key": "away"}
    answers = [service.post("/absences", AWAY, by="clinician", headers=headers).json for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(service.get("/absences", by="clinician").json["items"]) == 1
