"""An exception far ahead is one date: the round before it is arranged, told and extended as if it were not there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conference_orchestrator.app import engine_of
from conference_orchestrator.insight import invariants
from tests.web.conftest import Service

# Until a date 17 months ahead this rule yields more than a series may have.
THRICE_A_WEEK = {
    "rule": "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "starts_on": "2026-11-25",
    "start_time": "15:00",
    "time_zone": "Europe/Berlin",
    "slots": 1,
    "slot_minutes": 20,
}
FAR = {
    "skip": {"on": "2028-05-01", "kind": "skip"},
    "move": {"on": "2028-05-01", "kind": "move", "starts_at": "2028-05-02T10:00:00Z"},
    "extra": {"on": "2028-05-02", "kind": "extra"},
    "pause": {"on": "2028-05-01", "kind": "pause", "until_on": "2029-08-31"},
}


def work(service: Service) -> None:
    engine_of(service.app).run_due()


@pytest.fixture
def series(service: Service) -> str:
    return service.made("/expert-groups/{group}/series", THRICE_A_WEEK)["id"]


def sessions(service: Service, series_id: str) -> list[str]:
    found = service.get("/sessions?group=brain&limit=500").json["items"]
    return [one["starts_at"] for one in found if one["series"] == series_id and one["state"] == "planned"]


def change(service: Service, series_id: str, changes: dict[str, object]) -> int:
    seen = {"If-Match": service.get(f"/series/{series_id}").headers["ETag"]}
    return service.patch(f"/series/{series_id}", changes, headers=seen).status_code


@pytest.mark.parametrize("kind", FAR)
def test_with_an_exception_far_ahead_the_round_is_arranged_as_before(service: Service, series: str, kind: str) -> None:
    before = sessions(service, series)
    path = f"/series/{series}/exceptions"
    assert service.post(path, FAR[kind]).status_code == 201
    far = sessions(service, series)[len(before) :]
    assert far == {"move": ["2028-05-02T10:00:00Z"], "extra": ["2028-05-02T13:00:00Z"]}.get(kind, [])
    assert service.post(path, {"on": "2026-12-02", "kind": "skip"}).status_code == 201
    nearer = [at for at in before if at[:10] != "2026-12-02"]
    assert sessions(service, series) == [*nearer, *far], "beyond the horizon there is the one that was asked for"
    assert change(service, series, {"slots": 2}) == 200
    assert service.ask("DELETE", f"{path}/{FAR[kind]['on']}").status_code == 204
    # The session of a date that was moved is there already: it is held when the rule says.
    assert sessions(service, series) == [*nearer, *(["2028-05-01T13:00:00Z"] if kind == "move" else [])]


def test_a_session_far_ahead_takes_a_new_date_of_its_week_when_the_rule_changes(service: Service, series: str) -> None:
    moved = {"on": "2028-05-03", "kind": "move", "starts_at": "2028-05-03T17:00:00Z"}
    assert service.post(f"/series/{series}/exceptions", moved).status_code == 201
    assert change(service, series, {"rule": "FREQ=WEEKLY;BYDAY=TU"}) == 200
    assert sessions(service, series)[-1] == "2028-05-02T13:00:00Z"


@pytest.mark.parametrize("kind", FAR)
def test_who_holds_the_series_is_told_of_an_exception_far_ahead(service: Service, series: str, kind: str) -> None:
    work(service)
    service.ask("PUT", "/expert-groups/{group}/members/{expert}/calendar", json={"calendar": "series"})
    work(service)
    assert service.post(f"/series/{series}/exceptions", FAR[kind]).status_code == 201
    for _ in range(6):  # as often as a task is tried
        work(service)
        service.clock.move_on(timedelta(minutes=10))
    with service.app.app_context():
        assert [str(one) for one in invariants.violations()] == []
    assert change(service, series, {"slots": 2}) == 200
