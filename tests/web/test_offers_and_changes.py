"""An offer holds as long as its slot stays where it is, and keeps the place in line of who has it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from conference_orchestrator.app import engine_of
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from tests.web.conftest import Service, request_for

THAT_DAY = {"earliest_on": "2026-11-24", "latest_on": "2026-11-24"}
FEWER = "The round has fewer slots now: the one that it was offered is gone."


def work(service: Service) -> None:
    engine_of(service.app).run_due()


def change(service: Service, path: str, changes: dict[str, Any]) -> None:
    answer = service.patch(path, changes, headers={"If-Match": service.get(path).headers["ETag"]})
    assert answer.status_code == 200, answer.json
    work(service)


def asks(service: Service, case: str) -> str:
    made = service.made("/consultation-requests", request_for(service, case_reference=case, **THAT_DAY))["id"]
    service.made(f"/consultation-requests/{made}/triage", {"decision": "accept"})
    service.made(f"/consultation-requests/{made}/allocation", {})
    work(service)
    return str(made)


def seen(service: Service, request: str) -> dict[str, Any]:
    return dict(service.get(f"/consultation-requests/{request}").json)


def mails(service: Service) -> int:
    with service.app.app_context():
        return db.session.scalar(select(func.count()).select_from(Message)) or 0


@pytest.fixture
def second(service: Service) -> str:
    """The first slot of the first session is taken by the request that there is; this one gets the second."""
    work(service)
    taken = asks(service, "CASE-2")
    assert seen(service, taken)["state"] == "allocated"
    return taken


def offered(service: Service, second: str, *, slot: int) -> tuple[str, str]:
    """Who waits for that day alone is offered that slot; the request and the offer."""
    waits = asks(service, "CASE-3")
    assert seen(service, waits)["state"] == "waiting"
    change(service, "/expert-groups/{group}", {"rules": {"offer_hours": 5}})
    service.post(f"/consultation-requests/{[service.ids['request'], second][slot - 1]}/withdrawal")
    work(service)
    return waits, seen(service, waits)["offer"]


@pytest.mark.parametrize(("slot", "slots"), [(1, 1), (2, 3)], ids=["a slot less", "a slot more"])
def test_an_offer_stays_open_while_its_slot_stays_where_it_is(
    service: Service, second: str, slot: int, slots: int
) -> None:
    waits, offer = offered(service, second, slot=slot)
    service.clock.move_on(timedelta(minutes=1))
    before = mails(service)
    change(service, "/series/{series}", {"slots": slots})
    assert service.get(f"/offers/{offer}").json["state"] == "open"
    assert service.post(f"/offers/{offer}/acceptance").status_code == 200
    assert seen(service, waits)["state"] == "allocated"
    if slots == 3:
        assert mails(service) - before == 1, "everybody in the session hears of its end, and nobody of an offer"


def test_who_is_offered_a_slot_that_falls_away_is_told_so(service: Service, second: str) -> None:
    waits, offer = offered(service, second, slot=2)
    change(service, "/series/{series}", {"slots": 1})
    assert service.get(f"/offers/{offer}").json["state"] == "withdrawn"
    assert FEWER in seen(service, waits)["reasons"]


def test_who_is_offered_a_slot_at_another_hour_is_told_so(service: Service, second: str) -> None:
    waits, offer = offered(service, second, slot=2)
    change(service, "/series/{series}", {"break_minutes": 10})
    assert service.get(f"/offers/{offer}").json["state"] == "withdrawn"
    again = seen(service, waits)["offer"]
    assert service.get(f"/offers/{again}").json["starts_at"] == "2026-11-24T10:30:00Z"


def test_who_is_offered_keeps_its_place_when_the_clock_is_put_right(service: Service, second: str) -> None:
    waits, offer = offered(service, second, slot=2)
    service.clock.move_on(timedelta(minutes=-10))
    late = asks(service, "CASE-4")
    assert service.post(f"/offers/{offer}/refusal").status_code == 200
    assert [seen(service, one)["waiting_position"] for one in (waits, late)] == [1, 2]
