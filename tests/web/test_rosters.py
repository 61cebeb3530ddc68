"""Rosters over HTTP: who sees what of them, substitutes, and a session that is held although it is at risk."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conference_orchestrator.flows import watching


def roster(service, *, by="helpdesk"):
    return service.get("/sessions/{session}/roster", by=by).json


@pytest.fixture
def at_risk(service):
    """The next session, which has a case and whose expert has not answered, after its deadline."""
    service.clock.at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    with service.app.app_context():
        watching.watch_quorum()
    return service


def test_the_roster_says_who_is_expected_and_whether_that_is_enough(shared):
    found = roster(shared)
    assert found["items"] == [
        {
            "clinician": shared.ids["expert"],
            "name": "Expert Großmann-Réné",
            "role": "expert",
            "discipline": "pathology",
            "answer": None,
            "absent": False,
            "clash": None,
        }
    ]
    standing = {name: found["quorum"][name] for name in ("needed", "accepted", "missing_disciplines")}
    assert standing == {"needed": 1, "accepted": 0, "missing_disciplines": ["pathology"]}
    assert found["risk"] is None


@pytest.mark.parametrize(
    ("role", "name", "absent"),
    [
        ("helpdesk", "Expert Großmann-Réné", False),
        ("coordinator", "Expert Großmann-Réné", False),
        ("clinician", "Expert Großmann-Réné", None),
        ("reference-centre", "Expert Großmann-Réné", None),
        ("auditor", "E*** G***", None),
    ],
)
def test_answers_and_absences_are_told_to_those_who_look_after_the_group(shared, role, name, absent):
    (entry,) = roster(shared, by=role)["items"]
    assert (entry["name"], entry["absent"]) == (name, absent)


def test_a_session_of_another_network_is_not_found(service):
    service.tokens["narrow"] = service.token("helpdesk", network="other")
    for method, path in (("GET", "roster"), ("POST", "keeping")):
        assert service.ask(method, f"/sessions/{{session}}/{path}", by="narrow").status_code == 404
    answer = service.post("/sessions/{session}/roster", {"clinician": service.ids["stranger"]}, by="narrow")
    assert answer.status_code == 404


def test_a_substitute_is_put_on_the_roster_and_taken_back(service):
    entered = {"clinician": "colleague@szpital.example", "discipline": "pathology"}
    added = service.post("/sessions/{session}/roster", entered, by="coordinator")
    assert added.status_code == 201
    assert added.json == {
        "clinician": service.ids["colleague"],
        "name": "Colleague Großmann-Réné",
        "role": "substitute",
        "discipline": "pathology",
        "answer": None,
        "absent": False,
        "clash": None,
    }
    assert roster(service)["items"][1:] == [added.json]
    assert service.post("/sessions/{session}/roster", entered, by="coordinator").status_code == 409
    gone = service.ask("DELETE", "/sessions/{session}/roster/{colleague}", by="coordinator")
    assert gone.status_code == 204
    assert len(roster(service)["items"]) == 1


def test_a_clash_is_told_in_the_answer(service):
    second = {"network": "covid", "code": "second", "name": "Second", "time_zone": "Europe/Berlin", "intake": "direct"}
    group = service.made("/expert-groups", second)["id"]
    service.made(f"/expert-groups/{group}/members", {"clinician": service.ids["colleague"], "role": "lead"})
    weekly = {"rule": "FREQ=WEEKLY;BYDAY=TU", "starts_on": "2026-09-01", "start_time": "11:10", "slots": 1}
    zone = {"time_zone": "Europe/Berlin", "slot_minutes": 20}
    service.made(f"/expert-groups/{group}/series", weekly | zone)
    added = service.made("/sessions/{session}/roster", {"clinician": service.ids["colleague"]})
    assert added["clash"] == {"group": "Second", "starts_at": "2026-11-24T10:10:00Z"}


def test_an_absence_shows_in_the_roster_and_in_the_forecast(service):
    away = {"clinician": service.ids["expert"], "from_on": "2026-11-24", "until_on": "2026-11-24"}
    service.made("/absences", away, by="coordinator")
    assert [entry["absent"] for entry in roster(service)["items"]] == [True]


def test_a_substitute_who_is_not_in_the_network_is_named_as_wrong(service):
    answer = service.post("/sessions/{session}/roster", {"clinician": service.ids["stranger"]})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["clinician"])


def test_a_session_at_risk_is_kept(at_risk):
    assert roster(at_risk)["risk"] == "at-risk"
    kept = at_risk.post("/sessions/{session}/keeping", {"reason": "The lead decides."}, by="coordinator")
    assert (kept.status_code, kept.json["risk"]) == (200, "kept")
    again = at_risk.post("/sessions/{session}/keeping", by="coordinator")
    assert (again.status_code, again.json["type"]) == (409, "/problems/rule-broken")


def test_a_session_that_is_not_at_risk_is_not_kept(service):
    assert service.post("/sessions/{session}/keeping").status_code == 409


def test_a_group_says_whether_its_substitutes_are_asked(service):
    group = service.get("/expert-groups/{group}")
    assert group.json["quorum"]["invite_substitutes"] is False
    headers = {"If-Match": group.headers["ETag"]}
    changed = service.patch(
        "/expert-groups/{group}", {"quorum": {"invite_substitutes": True}}, by="coordinator", headers=headers
    )
    assert changed.json["quorum"] == {"minimum": 1, "disciplines": ["pathology"], "invite_substitutes": True}


def test_a_substitute_is_a_role_of_members(service):
    entered = {"clinician": service.ids["colleague"], "role": "substitute", "discipline": "pathology"}
    assert service.made("/expert-groups/{group}/members", entered)["role"] == "substitute"
    assert [entry["role"] for entry in roster(service)["items"]] == ["expert"]
