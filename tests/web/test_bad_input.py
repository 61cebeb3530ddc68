"""Wrong input is refused with a word about the field, and nothing is stored."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from tests.house import applicant
from tests.web.conftest import GROUP, HOSPITAL, ROUND, WEBINAR, person, request_for

FUTURE = "2026-12-01T10:00:00Z"
AWAY = {"clinician": "expert@szpital.example", "from_on": "2026-12-01"}
HALF_AN_ITEM = {"code": "a", "kind": "flag"}

WRONG = [
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "owner": "me"}, "owner", id="an unknown field"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "time_zone": "Europe/Nowhere"}, "time_zone", id="a zone"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "time_zone": "europe/berlin"}, "time_zone", id="a lower zone"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": "x" * 300}, "name", id="a name of 300 characters"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": "A\nBcc: x@y.example"}, "name", id="a line break"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": "A\u2028B"}, "name", id="a line separator"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": "A\u202eB"}, "name", id="a bidi control"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": "=?utf-8?q?x?="}, "name", id="an encoded word"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": "A\ud800"}, "name", id="half a character"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": 7}, "name", id="a number for a name"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "name": None}, "name", id="no name"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a b"}, "code", id="a code with a space"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "is_reference_centre": "yes"}, "is_reference_centre", id="yes"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "networks": "covid"}, "networks", id="a text for a list"),
    pytest.param("/hospitals", HOSPITAL | {"code": "a", "networks": ["nobody"]}, "networks", id="an unknown network"),
    pytest.param("/hospitals", [], "body", id="a list for an object"),
    pytest.param("/clinicians", person("a", email="not an address"), "email", id="what is no address"),
    pytest.param("/clinicians", person("a", share=["shoes"]), "share.0", id="an unknown choice in a list"),
    pytest.param("/registrations", applicant(network="nobody"), "network", id="a registration with nobody"),
    pytest.param("/registrations", applicant(privacy_version="2020"), "privacy_version", id="an old statement"),
    pytest.param("/registrations", applicant(hospital="nowhere"), "hospital", id="an unknown hospital"),
    pytest.param("/registrations", applicant(state="active"), "state", id="a state in the body"),
    pytest.param("/expert-groups", GROUP | {"quorum": {"minimum": -1}}, "quorum.minimum", id="less than none"),
    pytest.param(
        "/expert-groups", GROUP | {"checklist": [{"code": "a", "kind": "flag"}]}, "checklist.0.label", id="half an item"
    ),
    pytest.param("/expert-groups/{group}/series", ROUND | {"rule": "FREQ=SECONDLY"}, "rule", id="every second"),
    pytest.param("/expert-groups/{group}/series", ROUND | {"start_time": "25:00"}, "start_time", id="25 o'clock"),
    pytest.param("/expert-groups/{group}/series", ROUND | {"starts_on": "soon"}, "starts_on", id="soon"),
    pytest.param("/expert-groups/{group}/series", ROUND | {"slots": True}, "slots", id="true for a number"),
    pytest.param("/expert-groups/{group}/series", ROUND | {"slots": 10_000}, "slots", id="too many slots"),
    pytest.param("/sessions/{session}/move", {"starts_at": "2026-12-01T10:00:00"}, "starts_at", id="a naive time"),
    pytest.param("/sessions/{session}/move", {"starts_at": "2026-12-01"}, "starts_at", id="a date for a time"),
    pytest.param("/sessions/{session}/move", {"starts_at": 1796119200}, "starts_at", id="seconds for a time"),
    pytest.param("/sessions/{session}/move", {"starts_at": "2026-W50-3T10:00Z"}, "starts_at", id="a week for a time"),
    pytest.param("/absences", AWAY | {"until_on": "2026-W50-3"}, "until_on", id="a week for a date"),
    pytest.param("/sessions/{session}/move", {"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at", id="before time"),
    pytest.param("/sessions/{session}/move", {"starts_at": "9999-12-31T23:59:59-14:00"}, "starts_at", id="after time"),
    pytest.param("/sessions/{session}/move", {"starts_at": "2026-11-01T10:00:00Z"}, "starts_at", id="the past"),
    pytest.param("/sessions/{session}/move", {"starts_at": FUTURE, "ends_at": FUTURE}, "ends_at", id="an end"),
    pytest.param("/webinar-requests", WEBINAR | {"preferred": ["2026-12-01T10:00"]}, "preferred.0", id="naive inside"),
    pytest.param("/webinar-requests", WEBINAR | {"preferred": ["2199-12-01T10:00:00Z"]}, "preferred", id="far away"),
    pytest.param("/absences", AWAY | {"from_on": "2199-01-01", "until_on": "2199-01-02"}, "from_on", id="far in 2199"),
    pytest.param(
        "/webinar-requests", WEBINAR | {"audience": {"countries": ["Poland"]}}, "audience.countries.0", id="no"
    ),
    pytest.param(
        "/host-accounts", {"provider": "nobody", "email": "a@b.example"}, "provider", id="an unknown provider"
    ),
]


@pytest.mark.parametrize(("path", "entered", "field"), WRONG)
def test_wrong_input_is_refused_by_the_name_of_its_field(shared, path, entered, field):
    answer = shared.post(path, entered)
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json"), answer.get_data(as_text=True)
    assert list(answer.json["errors"]) == [field]
    assert answer.json["type"] == "/problems/invalid"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"group": "nobody"}, "group"),
        ({"case_reference": "Anna Kowalska"}, "case_reference"),
        ({"question": ""}, "question"),
        ({"question": "x\u202ey"}, "question"),
        ({"urgency": "now"}, "urgency"),
        ({"checklist": {"report": "yes"}}, "checklist.report"),
        ({"checklist": {"unknown": True}}, "checklist.unknown"),
        ({"checklist": {"report": {"deep": 1}}}, "checklist.report"),
        ({"imaging": [{"modality": "MR"}]}, "imaging.0.acquired_on"),
        ({"attendees": ["nobody@nowhere.example"]}, "attendees"),
        ({"earliest_on": "2026-12-24", "latest_on": "2026-12-01"}, "latest_on"),
        ({"earliest_on": "2199-01-01"}, "earliest_on"),
        ({"latest_on": "2028-05-26"}, "latest_on"),
        ({"imaging": [{"modality": "MR", "acquired_on": "2026-11-24", "image_count": 1}]}, "imaging.0.acquired_on"),
        ({"requester": "00000000-0000-0000-0000-000000000000"}, "requester"),
        ({"state": "allocated"}, "state"),
    ],
)
def test_a_wrong_request_is_refused_by_the_name_of_its_field(shared, changes, field):
    refuses_request(shared, changes, field)


@pytest.mark.parametrize("field", ["requester", "attendees"])
def test_a_request_names_people_of_the_groups_network_only(shared, field):
    stranger = shared.ids["stranger"]
    refuses_request(shared, {field: stranger if field == "requester" else [stranger]}, field)


def refuses_request(shared, changes, field):
    answer = shared.post("/consultation-requests", request_for(shared) | changes)
    assert answer.status_code == 422
    assert field in answer.json["errors"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("cursor=garbage", "cursor"),
        ("cursor=!", "cursor"),
        ("cursor=" + "A" * 5000, "cursor"),
        ("cursor=WyIxIl0", "cursor"),
        ("unknown=1", "unknown"),
        ("from=2026-12-01T10:00:00", "from"),
        ("group=nobody", "group"),
    ],
)
def test_a_wrong_query_is_refused_by_the_name_of_its_parameter(shared, query, field):
    answer = shared.get(f"/sessions?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_a_filter_that_is_no_word_of_ours_is_refused(shared):
    assert shared.get("/deliveries?state=lost").status_code == 422
    assert shared.get("/conferences?state=lost").status_code == 422


@pytest.mark.parametrize(
    "cursor",
    [
        ["0001-01-01T00:00:00+14:00", "00000000-0000-0000-0000-000000000000"],
        ["\ud800"],
        ["\u0000"],
        {"a": 1},
        7,
    ],
)
@pytest.mark.parametrize("path", ["/sessions", "/hospitals"])
def test_a_forged_cursor_breaks_nothing(shared, cursor, path):
    word = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")
    assert shared.get(f"{path}?cursor={word}").status_code in {200, 422}


def test_another_content_type_is_415(shared):
    assert shared.ask("POST", "/networks", data="code=a", content_type="text/plain").status_code == 415


@pytest.mark.parametrize("body", ["{", "nothing", "[" * 100_000, '{"code": ' + "1" * 5000 + "}", b"\xff\xfe"])
def test_what_is_no_json_is_400(shared, body):
    answer = shared.ask("POST", "/networks", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["type"]) == (400, "/problems/malformed-json")


def test_a_huge_body_is_413(shared):
    answer = shared.post("/networks", {"code": "a", "name": "x" * 2_000_000})
    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")


def test_names_are_kept_in_nfc(service):
    made = service.made("/hospitals", HOSPITAL | {"code": "koeln", "name": "Ko\u0308ln"})
    assert made["name"] == "K\u00f6ln"


def test_nothing_is_stored_of_what_is_refused(shared):
    before = shared.get("/hospitals").json
    assert shared.post("/hospitals", HOSPITAL | {"code": "new", "networks": ["covid", "nobody"]}).status_code == 422
    assert shared.get("/hospitals").json == before


def test_a_code_that_is_taken_is_a_conflict(shared):
    answer = shared.post("/hospitals", HOSPITAL | {"code": "warsaw"})
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/conflict")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", "ends_on": "2054-12-31"}, "rule"),  # 10,000 occurrences
        ({"rule": "FREQ=WEEKLY;BYDAY=TU;COUNT=10000"}, "rule"),
        ({"rule": "FREQ=WEEKLY;BYDAY=TU;INTERVAL=0"}, "rule"),
        ({"rule": "FREQ=WEEKLY;BYDAY=SU", "start_time": "02:30", "starts_on": "2027-03-01"}, "start_time"),
        ({"starts_on": "2031-01-01"}, "starts_on"),
        ({"ends_on": "2026-10-31"}, "ends_on"),
        ({"slots": 50, "slot_minutes": 60}, "slot_minutes"),
    ],
)
def test_a_round_that_cannot_be_held_is_refused_and_makes_no_session(service, changes, field):
    before = service.get("/sessions?limit=500").json["items"]
    answer = service.post("/expert-groups/{group}/series", ROUND | changes)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert service.get("/sessions?limit=500").json["items"] == before
    assert len(service.get("/expert-groups/{group}/series").json["items"]) == 1


def accepted(service):
    request = service.made("/consultation-requests", request_for(service))
    service.made(f"/consultation-requests/{request['id']}/triage", {"decision": "accept"})
    return f"/consultation-requests/{request['id']}"


def test_a_slot_of_a_closed_round_is_refused_by_its_name(service):
    request = accepted(service)
    slot = service.get("/sessions").json["items"][3]["slots"][0]["id"]
    assert service.ask("DELETE", "/series/{series}").status_code == 204
    answer = service.post(f"{request}/allocation", {"slot": slot})
    assert (answer.status_code, answer.json["errors"]) == (422, {"slot": ["The session is cancelled."]})
    assert service.get(request).json["state"] == "accepted"


def test_a_slot_of_a_past_session_is_refused_by_its_name(service):
    request = accepted(service)
    session = service.get("/sessions").json["items"][0]
    service.clock.move_on(timedelta(days=2))
    answer = service.post(f"{request}/allocation", {"slot": session["slots"][1]["id"]})
    assert (answer.status_code, answer.json["errors"]) == (422, {"slot": ["The session has already begun."]})
    moved = service.post(f"/sessions/{session['id']}/move", {"starts_at": FUTURE})
    assert (moved.status_code, moved.json["detail"]) == (409, "The session has already begun.")


def test_a_slot_of_nobody_or_of_another_group_is_refused_by_its_name(service):
    request = accepted(service)
    service.made("/expert-groups/{other_group}/series", ROUND)
    foreign = service.get("/sessions?group=ewing").json["items"][0]["slots"][0]["id"]
    for slot in (foreign, "00000000-0000-0000-0000-000000000000"):
        answer = service.post(f"{request}/allocation", {"slot": slot})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["slot"])
