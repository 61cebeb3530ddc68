"""/series over HTTP: breaks, holidays, changes from a date on, exceptions, previews, and rules that are refused."""

from __future__ import annotations

import pytest

from conference_orchestrator.scheduling import recurrence
from conference_orchestrator.scheduling.recurrence import MOST, WEEKDAYS
from tests.web.conftest import ROUND

LATER = ROUND | {"start_time": "15:00", "rule": "FREQ=WEEKLY;BYDAY=TH"}
SKIP = {"on": "2026-12-01", "kind": "skip"}


def etag(service):
    return {"If-Match": service.get("/series/{series}").headers["ETag"]}


def times(service):
    return [
        item["starts_at"] for item in service.get("/sessions?group=brain").json["items"] if item["state"] == "planned"
    ]


def test_a_series_has_breaks_a_margin_for_the_host_and_holidays(service):
    entered = LATER | {
        "break_minutes": 10,
        "host_margin_minutes": 15,
        "holidays": {"countries": ["de", "PT"], "action": "flag"},
    }
    made = service.made("/expert-groups/{group}/series", entered)
    shown = service.get(f"/series/{made['id']}").json
    assert {name: shown[name] for name in ("break_minutes", "host_margin_minutes", "holidays", "from_on")} == {
        "break_minutes": 10,
        "host_margin_minutes": 15,
        "holidays": {"countries": ["DE", "PT"], "action": "flag"},
        "from_on": None,
    }
    assert made == shown | {"warnings": []}
    first = next(item for item in service.get("/sessions").json["items"] if item["series"] == made["id"])
    assert [slot["starts_at"][11:16] for slot in first["slots"]] == ["14:00", "14:30"]
    assert first["holidays"] == []


def test_a_series_without_them_has_none(service):
    shown = service.get("/series/{series}").json
    assert (shown["break_minutes"], shown["host_margin_minutes"], shown["holidays"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"break_minutes": 61}, "break_minutes"),
        ({"host_margin_minutes": -1}, "host_margin_minutes"),
        ({"holidays": {"countries": ["XX"], "action": "skip"}}, "holidays.countries"),
        ({"holidays": {"countries": ["Germany"], "action": "skip"}}, "holidays.countries.0"),
        ({"holidays": {"countries": [], "action": "skip"}}, "holidays.countries"),
        ({"holidays": {"countries": ["DE"], "action": "move"}}, "holidays.action"),
        ({"holidays": {"countries": ["DE"]}}, "holidays.action"),
    ],
)
def test_what_is_wrong_with_them_is_told_by_the_name_of_the_field(shared, wrong, field):
    answer = shared.post("/expert-groups/{group}/series", LATER | wrong)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_a_change_needs_the_version_that_was_seen(service):
    assert service.patch("/series/{series}", {"slots": 3}).status_code == 428
    seen = etag(service)
    changed = service.patch("/series/{series}", {"start_time": "12:00", "from_on": "2026-12-01"}, headers=seen)
    assert (changed.status_code, changed.json["start_time"], changed.json["from_on"]) == (200, "12:00", "2026-12-01")
    assert times(service)[:2] == ["2026-11-24T10:00:00Z", "2026-12-01T11:00:00Z"]
    assert service.patch("/series/{series}", {"slots": 3}, headers=seen).status_code == 412
    assert service.patch("/series/{series}", {"from_on": "2026-12-01"}, headers=etag(service)).status_code == 200


def test_the_preview_of_a_change_tells_whom_it_touches_and_changes_nothing(service):
    before = times(service)
    answer = service.patch("/series/{series}?preview=true", {"start_time": "12:00"}, headers=etag(service))
    assert (answer.status_code, len(answer.json["sessions"]), answer.json["requests"]) == (
        200,
        26,
        [service.ids["request"]],
    )
    assert set(answer.json) == {"sessions", "requests", "people", "mails", "warnings"}
    assert times(service) == before
    assert service.get("/series/{series}").json["start_time"] == "11:00"


def test_the_preview_of_the_end_of_a_round_ends_nothing(service):
    answer = service.ask("DELETE", "/series/{series}?preview=true")
    assert (answer.status_code, len(answer.json["sessions"]), answer.json["mails"]) == (200, 26, 1)
    assert service.get("/series/{series}").json["closed_at"] is None
    assert service.ask("DELETE", "/series/{series}").status_code == 204


def test_the_move_of_a_session_and_its_preview_tell_who_is_expected_elsewhere(service):
    first = service.get("/sessions?group=brain").json["items"][0]["id"]
    later = {"starts_at": "2026-11-24T15:00:00Z"}
    assert service.post(f"/sessions/{first}/move?preview=true", later).json["warnings"] == []
    moved = service.post(f"/sessions/{first}/move", later).json
    assert (moved["starts_at"], moved["warnings"]) == (later["starts_at"], [])


def test_an_exception_is_added_listed_and_taken_back_by_its_id_or_its_date(service):
    made = service.post("/series/{series}/exceptions", SKIP)
    assert made.status_code == 201
    listed = {**made.json}
    assert listed.pop("warnings") == []
    assert listed == {"id": made.json["id"], "starts_at": None, "until_on": None} | SKIP
    assert service.get("/series/{series}/exceptions").json == {"items": [listed], "next": None}
    assert times(service)[:2] == ["2026-11-24T10:00:00Z", "2026-12-08T10:00:00Z"]
    assert service.post("/series/{series}/exceptions", SKIP).status_code == 409
    assert service.ask("DELETE", f"/series/{{series}}/exceptions/{made.json['id']}").status_code == 204
    assert times(service)[1] == "2026-12-01T10:00:00Z"
    service.made("/series/{series}/exceptions", SKIP)
    assert service.ask("DELETE", "/series/{series}/exceptions/2026-12-01").status_code == 204
    assert service.get("/series/{series}/exceptions").json["items"] == []


def test_the_preview_of_an_exception_adds_none_and_that_of_taking_back_leaves_it(service):
    foreseen = service.post("/series/{series}/exceptions?preview=true", {"on": "2026-11-24", "kind": "skip"})
    assert (foreseen.status_code, foreseen.json["requests"]) == (200, [service.ids["request"]])
    assert foreseen.json["sessions"] == [service.ids["session"]]
    assert service.get("/series/{series}/exceptions").json["items"] == []
    service.made("/series/{series}/exceptions", SKIP)
    assert service.ask("DELETE", "/series/{series}/exceptions/2026-12-01?preview=true").status_code == 200
    assert len(service.get("/series/{series}/exceptions").json["items"]) == 1


def test_an_exception_that_is_sent_twice_with_one_key_is_added_once(service):
    headers = {"Idempotency-Key": "congress"}
    first, second = (service.post("/series/{series}/exceptions", SKIP, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"on": "2026-12-02", "kind": "skip"}, "on"),
        ({"on": "2026-12-01", "kind": "holiday"}, "kind"),
        ({"on": "2026-12-01", "kind": "move", "starts_at": "2026-12-02T10:00:00"}, "starts_at"),
        ({"on": "2026-12-01", "kind": "pause"}, "until_on"),
        ({"kind": "skip"}, "on"),
    ],
)
def test_a_wrong_exception_is_refused_by_the_name_of_its_field(shared, wrong, field):
    answer = shared.post("/series/{series}/exceptions", wrong)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


@pytest.mark.parametrize("which", ["2026-12-24", "tomorrow", "3f2b1c1e-0000-4000-8000-000000000000"])
def test_an_exception_that_is_not_there_is_not_found(shared, which):
    assert shared.ask("DELETE", f"/series/{{series}}/exceptions/{which}").status_code == 404


BOMBS = [
    "FREQ=SECONDLY",
    "FREQ=DAILY;COUNT=1000000",
    "FREQ=WEEKLY;BYDAY=TU;INTERVAL=999999999",
    "FREQ=WEEKLY;BYDAY=TU;COUNT=1000000",
    "FREQ=WEEKLY;BYDAY=TU;UNTIL=99991231T000000Z",
    "FREQ=MONTHLY;BYDAY=1MO,2MO;BYSETPOS=-1",
    "FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=5MO",
    f"FREQ=WEEKLY;BYDAY={','.join(WEEKDAYS)}",
    f"FREQ=MONTHLY;BYDAY={','.join(f'{n}{day}' for n in range(1, 6) for day in WEEKDAYS)}",
]


@pytest.fixture
def expanded(monkeypatch):
    """The dates that were looked at."""
    drawn = []

    def counting(*given, **named):
        for on in dates(*given, **named):
            drawn.append(on)
            yield on

    dates = recurrence.dates
    monkeypatch.setattr(recurrence, "dates", counting)
    return drawn


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("changing", [False, True], ids=["new", "change"])
def test_a_rule_that_never_ends_is_refused_without_being_expanded(shared, expanded, bomb, changing):
    entered = {"rule": bomb, "ends_on": "2199-12-31"}
    seen = etag(shared)
    expanded.clear()
    if changing:
        answer = shared.patch("/series/{series}", entered, headers=seen)
        # The present rule is expanded first: what is made by it, and how the sessions stand.
        allowed = MOST + 1 + 2 * 26
    else:
        answer = shared.post("/expert-groups/{group}/series", ROUND | entered)
        allowed = MOST + 1
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["rule"])
    assert len(expanded) <= allowed


def test_the_count_would_see_a_rule_that_is_expanded_whole(shared, expanded, monkeypatch):
    monkeypatch.setattr(recurrence, "MOST", 5000)
    entered = {"rule": f"FREQ=WEEKLY;BYDAY={','.join(WEEKDAYS)}", "ends_on": "2199-12-31"}
    shared.post("/expert-groups/{group}/series", ROUND | entered)
    assert len(expanded) > MOST + 1
