from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from conference_orchestrator.providers.sandbox import RunningSandbox, create_sandbox, serve_sandbox, server
from tests.providers.sandbox.client import AT, Client, body


def test_without_a_token_nothing_is_told(client):
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer "}, {"Authorization": "Basic abc"}):
        answer = client("GET", headers=headers)
        assert answer.status_code == 401
        assert answer.json().keys() == {"message", "errors", "trackingId"}


def test_answers_have_the_status_and_type_of_webex(client):
    created = client("POST", json=body())
    path = f"meetings/{created.json()['id']}"
    changed = client("PATCH", path, json={"title": "Another", "hostEmail": "round@hosts.example"})
    deleted = client("DELETE", path)
    assert [answer.status_code for answer in (created, changed, deleted)] == [200, 200, 204]
    assert created.headers["Content-Type"] == changed.headers["Content-Type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": None},
        {"title": ""},
        {"title": "x" * 129},
        {"title": 5},
        {"agenda": "x" * 1301},
        {"start": None},
        {"start": "tomorrow"},
        {"start": "2020-01-01T10:00:00Z", "end": "2020-01-01T11:00:00Z"},
        {"end": (AT + timedelta(minutes=9)).isoformat()},
        {"end": (AT + timedelta(hours=24)).isoformat()},
        {"timezone": "Mars/Olympus"},
        {"joinBeforeHostMinutes": 7},
        {"joinBeforeHostMinutes": "5"},
        {"publicMeeting": "no"},
        {"unlockedMeetingJoinSecurity": "open"},
        {"scheduledType": "webinar"},
        {"integrationTags": ["x" * 65]},
        {"integrationTags": ["a", "b", "c", "d"]},
        {"integrationTags": "a"},
    ],
)
def test_what_webex_refuses_is_refused_with_a_reason(sandbox, client, wrong):
    answer = client("POST", json=body(**wrong))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["description"]
    assert sandbox.meetings() == []


def test_a_refused_change_changes_nothing(sandbox, client):
    meeting_id = client.create()
    answer = client("PATCH", f"meetings/{meeting_id}", json={"title": "Another", "publicMeeting": "no"})
    assert answer.status_code == 400
    assert sandbox.meetings()[0]["title"] == "Round"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": "title=x", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": []}, 400),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client, sent, status):
    assert client("POST", **sent).status_code == status


def test_unknown_paths_and_methods_are_answered_in_the_form_of_webex(client):
    assert client("GET", "nothing").json()["trackingId"]
    assert (client("GET", "nothing").status_code, client("PUT").status_code) == (404, 405)


def test_wall_time_is_read_in_the_zone_of_the_meeting_and_seconds_are_dropped(client):
    day = AT.date().isoformat()
    created = client("POST", json=body(start=f"{day} 20:00:31", end=f"{day} 21:00:07", timezone="Asia/Shanghai")).json()
    assert (created["start"], created["end"], created["timezone"]) == (f"{day}T12:00:00Z", f"{day}T13:00:00Z", "UTC")


def test_times_are_shown_in_the_zone_asked_for(client):
    path = f"meetings/{client.create(start='2027-01-05T10:00:00Z', end='2027-01-05T11:00:00Z')}"
    shown = client("GET", path, headers={"timezone": "Europe/Berlin"}).json()
    assert (shown["start"], shown["timezone"]) == ("2027-01-05T11:00:00+01:00", "Europe/Berlin")


def test_an_unasked_list_covers_seven_days_and_ten_meetings(client):
    far = (AT + timedelta(days=9)).isoformat(), (AT + timedelta(days=9, hours=1)).isoformat()
    client.create(start=far[0], end=far[1])
    near = [client.create() for _ in range(12)]
    listed = client.ids(hostEmail="round@hosts.example")
    assert len(listed) == 10
    assert set(listed) <= set(near)


def test_the_window_begins_inside_and_ends_outside(client):
    meeting_id = client.create()
    end = AT + timedelta(hours=1)

    def listed(begin, end):
        return client.ids(hostEmail="round@hosts.example", **{"from": begin.isoformat(), "to": end.isoformat()})

    assert listed(AT, end) == [meeting_id]
    assert listed(AT - timedelta(hours=1), AT) == []
    assert listed(end, end + timedelta(hours=1)) == []


@pytest.mark.parametrize(
    "query", [{"max": 0}, {"max": 101}, {"max": "x"}, {"from": "soon"}, {"from": "2027-01-02", "to": "2027-01-01"}]
)
def test_a_list_asked_for_wrongly_is_refused(client, query):
    assert client("GET", params=query).status_code == 400


def test_the_next_link_is_absolute_and_keeps_every_parameter(sandbox, client):
    for _ in range(3):
        client.create(integrationTags=["a b&c"])
    query = {"integrationTag": "a b&c", "hostEmail": "round@hosts.example", "max": 2}
    first = client("GET", params=query)
    link = first.links["next"]["url"]
    assert link.startswith(f"{sandbox.url}meetings?")
    assert parse_qs(urlsplit(link).query) == {name: [str(value)] for name, value in query.items()} | {"offset": ["2"]}
    second = client("GET", link.removeprefix(sandbox.url))
    assert len(first.json()["items"]) + len(second.json()["items"]) == 3
    assert "next" not in second.links


def test_tags_are_seen_by_the_client_alone_that_wrote_them(sandbox, client):
    stranger = Client(sandbox, "second-client")
    meeting_id = client.create(integrationTags=["ours"])
    path = f"meetings/{meeting_id}?hostEmail=round@hosts.example"
    assert client("GET", path).json()["integrationTags"] == ["ours"]
    assert "integrationTags" not in stranger("GET", path).json()
    assert client.ids(hostEmail="round@hosts.example", integrationTag="ours") == [meeting_id]
    assert stranger.ids(hostEmail="round@hosts.example", integrationTag="ours") == []
    assert stranger.ids(hostEmail="round@hosts.example") == [meeting_id]


def test_a_meeting_of_another_host_is_not_found_on_the_wrong_ones_behalf(client):
    path = f"meetings/{client.create()}"
    wrong = {"hostEmail": "panel@hosts.example"}
    assert client("GET", path, params=wrong).status_code == 404
    assert client("PATCH", path, json=wrong).status_code == 404
    assert client("DELETE", path, params=wrong).status_code == 404


@pytest.mark.parametrize("said", [{}, {"sendEmail": True}])
def test_webex_mails_unless_told_otherwise(sandbox, client, said):
    wanted = body(**said)
    if not said:
        del wanted["sendEmail"]
    meeting_id = client("POST", json=wanted).json()["id"]
    client("DELETE", f"meetings/{meeting_id}")
    assert sandbox.mails == [("POST", meeting_id), ("DELETE", meeting_id)]


def test_the_quota_counts_failures_and_is_a_host_s_own():
    with RunningSandbox(meetings_per_day=2) as sandbox:
        client = Client(sandbox)
        client("POST", json=body(title=""))
        client.create()
        refused = client("POST", json=body())
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600 + 1
        assert client("POST", json=body(hostEmail="panel@hosts.example")).status_code == 200


def test_the_quota_opens_again_after_a_day():
    clock = [datetime.now(UTC)]
    with RunningSandbox(meetings_per_day=1, now=lambda: clock[0]) as sandbox:
        client = Client(sandbox)
        client.create()
        assert client("POST", json=body()).status_code == 429
        clock[0] += timedelta(days=1)
        assert client("POST", json=body()).status_code == 200


def test_a_sandbox_started_again_goes_on_with_its_meetings(tmp_path):
    state = tmp_path / "sandbox.json"
    with RunningSandbox(state=state) as sandbox:
        kept, deleted = Client(sandbox).create(integrationTags=["ours"]), Client(sandbox).create()
        Client(sandbox)("PATCH", f"meetings/{kept}", json={"title": "Another"})
        Client(sandbox)("DELETE", f"meetings/{deleted}")
    with RunningSandbox(state=state) as sandbox:
        query = {"hostEmail": "round@hosts.example", "integrationTag": "ours"}
        [item] = Client(sandbox)("GET", params=query).json()["items"]
        assert (item["id"], item["title"]) == (kept, "Another")
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox.json"]


def test_tokens_are_kept_neither_in_the_file_nor_on_the_page(tmp_path):
    state = tmp_path / "sandbox.json"
    with RunningSandbox(state=state) as sandbox:
        Client(sandbox, "very-secret-token").create(integrationTags=["ours"], hostEmail=None)
        shown = requests.get(sandbox.url.removesuffix("v1/"), timeout=5).text
    assert "very-secret-token" not in state.read_text() + shown


def test_every_request_is_counted(sandbox, client):
    meeting_id = client.create()
    client("GET", "meetings/none")
    assert sandbox.requests == [("POST", "/v1/meetings", 200), ("GET", "/v1/meetings/none", 404)]
    assert (sandbox.count("POST"), sandbox.count("PATCH")) == (1, 0)
    assert sandbox.bodies == [("POST", "/v1/meetings", body())]
    assert [meeting["id"] for meeting in sandbox.meetings()] == [meeting_id]


def test_the_page_lists_the_meetings_with_every_text_escaped():
    app = create_sandbox()
    browser = app.test_client()
    title, headers = "<script>alert(1)</script>", {"Authorization": "Bearer a"}
    created = browser.post("/v1/meetings", json=body(title=title, hostEmail='"><b>@x.example'), headers=headers).json
    page = browser.get("/").text
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert f"/join/{created['id']}" in page


def test_the_page_says_when_webex_would_have_mailed():
    browser = create_sandbox().test_client()
    assert "No request asked it to send e-mail" in browser.get("/").text
    browser.post("/v1/meetings", json=body(sendEmail=True), headers={"Authorization": "Bearer a"})
    assert "would have sent e-mail after 1 request." in browser.get("/").text


def test_a_join_link_leads_to_a_page_until_the_meeting_is_deleted(client):
    created = client("POST", json=body()).json()
    assert "This is where the meeting would be" in requests.get(created["webLink"], timeout=5).text
    client("DELETE", f"meetings/{created['id']}")
    gone = requests.get(created["webLink"], timeout=5)
    assert (gone.status_code, "No such meeting" in gone.text) == (404, True)


def test_served_on_the_command_line_it_listens_on_the_loopback_with_its_faults_and_meetings(tmp_path, monkeypatch):
    (tmp_path / "faults.json").write_text('[{"status": 418}]')
    (tmp_path / "state.json").write_text("[]")
    served = []

    class Server:
        def __init__(self, *address_and_app, **_options):
            served.extend(address_and_app)

        def serve_forever(self):
            return None

    monkeypatch.setattr(server, "make_server", Server)
    serve_sandbox(port=9001, faults=tmp_path / "faults.json", state=tmp_path / "state.json")
    host, port, app = served
    assert (host, port) == ("127.0.0.1", 9001)
    browser, headers = app.test_client(), {"Authorization": "Bearer a"}
    assert browser.get("/v1/meetings", headers=headers).status_code == 418
    browser.post("/v1/meetings", json=body(), headers=headers)
    assert len(json.loads((tmp_path / "state.json").read_text())) == 1


def test_it_listens_on_the_loopback_only(sandbox):
    assert urlsplit(sandbox.url).hostname == "127.0.0.1"
    assert sandbox.url.endswith("/v1/")


@pytest.mark.parametrize(
    ("fault", "expected", "made"),
    [("drop-before-apply", requests.ConnectionError, 0), ("apply-then-drop", requests.ConnectionError, 1)],
)
def test_a_dropped_request_ends_without_an_answer(sandbox, client, fault, expected, made):
    sandbox.faults.add(method="POST", fault=fault)
    with pytest.raises(expected, match=r"Connection aborted"):
        client("POST", json=body())
    assert len(sandbox.meetings()) == made
    assert sandbox.requests == [("POST", "/v1/meetings", None)]


def test_a_body_may_be_cut_short(sandbox, client):
    sandbox.faults.add(method="POST", fault="reset-in-body")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client("POST", json=body())
    assert len(sandbox.meetings()) == 1


def test_an_answer_may_be_replaced(sandbox, client):
    sandbox.faults.add(method="POST", fault="empty-object")
    sandbox.faults.add(method="POST", fault="html")
    assert client("POST", json=body()).json() == {}
    assert client("POST", json=body()).headers["Content-Type"].startswith("text/html")
    assert len(sandbox.meetings()) == 2


def test_a_status_is_answered_as_scripted(sandbox, client):
    sandbox.faults.add(status=429, retry_after="3")
    sandbox.faults.add(status=502, applied=True)
    sandbox.faults.add(status=400, body="said so")
    first, second, third = (client("POST", json=body()) for _ in range(3))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "3")
    assert (second.status_code, len(sandbox.meetings())) == (502, 1)
    assert (third.status_code, third.text) == (400, "said so")


def test_a_delayed_answer_comes_late_and_closing_does_not_wait_for_it(client, sandbox):
    sandbox.faults.add(method="POST", delay=600)
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{sandbox.url}meetings", json=body(), headers=client.headers, timeout=(5, 0.1))
    assert len(sandbox.meetings()) == 1


def test_a_new_meeting_is_missing_from_as_many_lists_as_scripted(sandbox, client):
    sandbox.faults.add(method="POST", list_lag=2)
    meeting_id = client.create()
    assert client("GET", f"meetings/{meeting_id}").status_code == 200
    looks = [client.ids(hostEmail="round@hosts.example") for _ in range(4)]
    assert looks == [[], [], [meeting_id], [meeting_id]]


def test_a_fault_meets_the_requests_named_as_often_as_told(sandbox, client):
    sandbox.faults.add(method="GET", path="/v1/meetings/x", times=2, status=503)
    statuses = [client("GET", path).status_code for path in ("meetings", "meetings/x", "meetings/xy", "meetings/x")]
    assert statuses == [200, 503, 503, 404]


def test_a_fault_without_a_number_never_wears_out(sandbox, client):
    sandbox.faults.add(method="GET", times=None, status=503)
    assert {client("GET").status_code for _ in range(5)} == {503}


def test_the_pages_for_people_meet_no_fault(sandbox):
    sandbox.faults.add(times=None, status=503)
    assert requests.get(sandbox.url.removesuffix("v1/"), timeout=5).ok


def test_faults_are_read_from_a_file(sandbox, client, tmp_path):
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([{"method": "POST", "status": 418}, {"method": "GET", "fault": "html"}]))
    sandbox.faults.read(file)
    assert client("POST", json=body()).status_code == 418
    assert client("GET").text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"status": 500}, "list of rules"),
        ([{"status": 500}, {"statsu": 500}], "rule 2"),
        ([{"method": "GET"}], "rule 1: a fault has exactly one of"),
        ([{"status": 500, "delay": 1}], "rule 1: a fault has exactly one of"),
        ([{"fault": "explode"}], "rule 1: fault must be one of"),
    ],
)
def test_a_wrong_faults_file_is_told_with_the_rule(sandbox, tmp_path, rules, told):
    file = tmp_path / "faults.json"
    file.write_text(json.dumps(rules))
    with pytest.raises(ValueError, match=told):
        sandbox.faults.read(file)
