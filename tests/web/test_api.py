"""What answers look like: the fields of the interface, lists by cursor, errors, headers, the description."""

from __future__ import annotations

import json
import logging

import pytest
from openapi_spec_validator import validate
from structlog.testing import capture_logs

from conference_orchestrator.insight import standing
from conference_orchestrator.kernel.database import db
from tests.web.conftest import HOSPITAL, ROUND, WEBINAR, request_for

UTC_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"


def test_a_session_has_the_fields_of_the_interface(shared):
    session = shared.get("/sessions/{session}").json
    assert session["starts_at"] == "2026-11-24T10:00:00Z"
    assert session["local_start"] == "2026-11-24T11:00:00+01:00"
    assert (session["group"], session["state"]) == (shared.ids["group"], "planned")
    assert session["conference"] == shared.ids["conference"]
    assert session["quorum"] == {
        "needed": 1,
        "accepted": 0,
        "declined": 0,
        "absent": 0,
        "missing_disciplines": ["pathology"],
    }
    assert (session["risk"], session["holidays"]) == (None, [])
    assert [(slot["number"], slot["state"]) for slot in session["slots"]] == [(1, "taken"), (2, "free")]


def test_a_request_tells_its_state_and_what_is_missing(shared):
    draft = shared.post("/consultation-requests", request_for(shared, checklist={}, consent_confirmed=False))
    assert draft.status_code == 201
    assert (draft.json["state"], draft.json["missing"]) == ("draft", ["report", "consent"])
    assert (draft.json["slot"], draft.json["session"], draft.json["waiting_position"]) == (None, None, None)


def test_a_request_that_was_allocated_tells_its_slot(shared):
    request = shared.get("/consultation-requests/{request}").json
    assert (request["state"], request["slot"]) == ("allocated", shared.ids["slot"])
    assert request["session"] == shared.ids["session"]
    assert request["imaging"] == [{"modality": "MR", "acquired_on": "2026-11-01", "image_count": 120}]


def test_a_taken_slot_is_a_conflict_of_its_own(service):
    made = service.made("/consultation-requests", request_for(service))
    service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"})
    answer = service.post(f"/consultation-requests/{made['id']}/allocation", {"slot": service.ids["slot"]})
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/slot-taken")


def test_without_a_free_slot_a_request_waits(service):
    for place, slots in enumerate([{}, {"latest_on": "2026-11-24"}]):
        made = service.made("/consultation-requests", request_for(service, **slots))
        service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"})
        answer = service.made(f"/consultation-requests/{made['id']}/allocation", {})
        assert (answer["state"], answer["waiting_position"]) == (("allocated", None), ("waiting", 1))[place]


def test_a_released_request_is_accepted_again(service):
    answer = service.ask("DELETE", "/consultation-requests/{request}/allocation")
    assert (answer.status_code, answer.json["state"], answer.json["slot"]) == (200, "accepted", None)


def test_a_preview_changes_nothing(service):
    before = service.get("/sessions/{session}")
    for path, entered in [("move", {"starts_at": "2026-12-02T10:00:00Z"}), ("cancellation", {"reason": "Holiday"})]:
        answer = service.post(f"/sessions/{{session}}/{path}?preview=true", entered)
        assert answer.status_code == 200
        assert answer.json["requests"] == [service.ids["request"]]
    after = service.get("/sessions/{session}")
    assert (after.json, after.headers["ETag"]) == (before.json, before.headers["ETag"])


def test_a_moved_session_keeps_its_length(service):
    moved = service.made("/sessions/{session}/move", {"starts_at": "2026-12-02T11:00:00+01:00"})
    assert (moved["starts_at"], moved["ends_at"]) == ("2026-12-02T10:00:00Z", "2026-12-02T10:40:00Z")


def test_a_cancelled_session_puts_its_request_on_the_waiting_list(service):
    assert service.made("/sessions/{session}/cancellation", {"reason": "Holiday"})["state"] == "cancelled"
    request = service.get("/consultation-requests/{request}").json
    assert (request["state"], request["waiting_position"]) == ("waiting", 1)


def test_a_closed_series_is_gone_from_the_list(service):
    assert service.ask("DELETE", "/series/{series}").status_code == 204
    assert service.get("/expert-groups/{group}/series").json == {"items": [], "next": None}
    assert service.get("/sessions").json["items"][0]["state"] == "cancelled"


def test_a_group_series_is_answered_as_it_was_entered(shared):
    series = shared.get("/series/{series}").json
    assert {name: series[name] for name in ROUND} == ROUND


def test_an_approved_webinar_has_its_conference(service):
    answer = service.made("/webinar-requests/{webinar}/approval", {"starts_at": "2026-12-01T10:00:00Z"})
    conference = service.get(f"/conferences/{answer['conference']}").json
    assert (answer["state"], conference["kind"]) == ("approved", "webinar")
    assert conference["ends_at"] == "2026-12-01T11:00:00Z"
    assert set(conference["invitations"]) == {"sent", "accepted", "declined", "tentative", "none"}


def test_only_an_own_reference_centre_asks_for_webinars(shared):
    assert shared.post("/webinar-requests", WEBINAR, by="reference-centre").status_code == 201
    other = shared.post("/webinar-requests", WEBINAR | {"hospital": "lublin"}, by="reference-centre")
    assert (other.status_code, list(other.json["errors"])) == (422, ["hospital"])


def test_a_list_is_read_to_its_end_by_following_next(service):
    for number in range(5):
        service.made("/hospitals", HOSPITAL | {"code": f"h{number}"})
    path, codes, pages = "/api/v1/hospitals?limit=2&network=covid", [], 0
    while path:
        page = service.get(path).json
        codes += [hospital["code"] for hospital in page["items"]]
        path, pages = page["next"], pages + 1
        assert path is None or ("limit=2" in path and "network=covid" in path)
    assert codes == sorted(["h0", "h1", "h2", "h3", "h4", "lublin", "warsaw"])
    assert pages == 4


def test_codes_and_ids_are_both_accepted(shared):
    by_code = shared.get("/sessions?group=brain").json
    assert by_code["items"] == shared.get("/sessions?group={group}").json["items"]
    assert shared.get("/hospitals?network={network}").json["items"]


def test_a_problem_is_described_in_its_own_media_type(shared):
    answer = shared.get("/sessions/00000000-0000-0000-0000-000000000000")
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "type": "/problems/not-found",
        "title": "There is no such thing",
        "status": 404,
        "detail": "There is no such session.",
    }


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/networks", 405)])
def test_what_no_route_answers_is_a_problem_too(shared, method, path, status):
    answer = shared.ask(method, path)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_a_browser_outside_of_the_api_gets_a_page(shared):
    answer = shared.client().get("/nothing", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert shared.get("/nothing", headers={"Accept": "text/html"}).mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (db.exc.OperationalError("select", {}, Exception("gone")), 503),
        (db.exc.TimeoutError("the pool is empty"), 503),
        (db.orm.exc.StaleDataError("lost"), 412),
        (db.exc.IntegrityError("insert", {}, Exception("unique")), 409),
        (db.exc.DataError("insert", {}, Exception("out of range")), 422),
        (db.exc.StatementError("wrong", "select", {}, OverflowError("date")), 422),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_the_database_has_its_status(shared, monkeypatch, error, status):
    def broken(*_args, **_more):
        raise error

    monkeypatch.setattr("conference_orchestrator.network.networks.listed", broken)
    answer = shared.get("/networks")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_an_error_of_ours_is_500_and_tells_nothing_of_the_inside(shared, monkeypatch):
    def broken(*_args, **_more):
        raise db.exc.ProgrammingError("select secret", {}, Exception("syntax"))

    monkeypatch.setattr("conference_orchestrator.network.networks.listed", broken)
    logging.getLogger(shared.app.logger.name).disabled = True
    answer = shared.get("/networks")
    logging.getLogger(shared.app.logger.name).disabled = False
    assert (answer.status_code, answer.json["type"]) == (500, "/problems/internal")
    assert "secret" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/sessions", "/notices", "/nothing", "/captcha"])
def test_no_cache_keeps_an_answer_and_no_frame_shows_it(shared, path):
    headers = shared.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_log_of_a_request_names_no_person(shared):
    with capture_logs() as lines:
        shared.get("/clinicians?q=Expert", by="helpdesk")
        shared.client().get("/i/a-secret-link")
    assert [line["rule"] for line in lines if line["event"] == "request"] == ["/api/v1/clinicians", "/i/<token>"]
    assert "Expert" not in str(lines)
    assert "a-secret-link" not in str(lines)


def test_the_description_is_valid_and_names_the_roles(shared):
    spec = shared.get("/openapi.json", by="anonymous").json
    validate(spec)
    triage = spec["paths"]["/api/v1/consultation-requests/{request_id}/triage"]["post"]
    assert triage["x-roles"] == ["coordinator", "helpdesk"]
    assert triage["security"] == [{"token": []}]
    assert list(triage["responses"]["409"]["content"]) == ["application/problem+json"]
    submit = spec["paths"]["/api/v1/consultation-requests"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in submit["parameters"]]
    assert spec["components"]["schemas"]["RequestEntry"]["additionalProperties"] is False


def test_every_operation_of_the_api_is_described(shared):
    spec = shared.get("/openapi.json", by="anonymous").json
    described = sum(method != "parameters" for operations in spec["paths"].values() for method in operations)
    routes = [rule for rule in shared.app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")]
    assert described == sum(len(rule.methods - {"HEAD", "OPTIONS"}) for rule in routes) - 1  # openapi.json itself
    ids = [o["operationId"] for ops in spec["paths"].values() for m, o in ops.items() if m != "parameters"]
    assert len(set(ids)) == len(ids)


def test_the_readable_description_loads_nothing_from_elsewhere(shared):
    page = shared.client().get("/api/docs")
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert "/api/v1/consultation-requests" in text
    assert 'src="http' not in text
    assert "<script" not in text


def test_the_service_is_alive_and_ready(shared):
    assert shared.client().get("/health/live", headers={"Host": "elsewhere.example"}).json == {"status": "ok"}
    ready = shared.client().get("/health/ready", headers={"Host": "elsewhere.example"})
    assert (ready.status_code, ready.json["status"], ready.json["provider"]["name"]) == (200, "ok", "mock")
    assert ready.json["mail"]["waiting"] > 0, "nobody delivers here"


def test_a_database_without_our_schema_is_not_ready(service):
    with service.app.app_context():
        db.session.execute(db.text("DELETE FROM alembic_version"))
        db.session.commit()
    answer = service.client().get("/health/ready")
    assert (answer.status_code, answer.json["database"]["state"]) == (503, "failing")
    assert service.client().get("/health/live").status_code == 200


def test_a_database_that_does_not_answer_is_not_ready(shared, monkeypatch):
    def gone(_engine):
        raise db.exc.OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(standing.migrations, "is_current", gone)
    assert shared.client().get("/health/ready").status_code == 503


def test_a_description_can_be_read_by_a_program(shared):
    assert json.loads(shared.get("/openapi.json", by="anonymous").get_data())["openapi"].startswith("3.")


def test_the_answer_to_an_allocation_names_the_slot(service):
    made = service.made("/consultation-requests", request_for(service))
    service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"})
    answer = service.made(f"/consultation-requests/{made['id']}/allocation", {})
    assert answer["session"] == service.ids["session"]
    assert answer["slot"] is not None
