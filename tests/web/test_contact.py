"""Anybody writes to the helpdesk; the helpdesk is told, sees what waits for an answer, and nobody else does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from conference_orchestrator.flows import bookkeeping
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.contact_messages import ContactMessage
from tests.web.conftest import Service, person

ASKED = {
    "network": "covid",
    "name": "Zofia Lis",
    "email": "Zofia.Lis@szpital.example",
    "message": "How do I join?\nThank you.",
}


def write(service: Service, **changes: Any) -> TestResponse:
    return service.post("/contact", ASKED | changes, by="anonymous")


def kept(service: Service, state: str | None = None) -> list[dict[str, Any]]:
    answer = service.get("/contact" if state is None else f"/contact?state={state}")
    assert answer.json is not None
    return list(answer.json["items"])


def alerts(service: Service) -> list[Message]:
    with service.app.app_context():
        return list(db.session.scalars(db.select(Message).filter_by(kind="desk-alert")))


def test_a_question_waits_for_the_helpdesk_until_it_has_seen_to_it(service: Service) -> None:
    answer = write(service)
    assert (answer.status_code, answer.json) == (202, {"status": "received"})
    (asked,) = kept(service, "open")
    told = {"name": "Zofia Lis", "email": "zofia.lis@szpital.example", "message": ASKED["message"], "state": "open"}
    assert {name: asked[name] for name in told} == told
    assert (asked["network"], asked["resolved_at"]) == (service.ids["network"], None)
    for _ in range(2):
        resolved = service.post(f"/contact/{asked['id']}/resolution")
        assert (resolved.status_code, resolved.json["state"]) == (200, "resolved")
    assert (kept(service, "open"), len(kept(service, "resolved")), len(kept(service))) == ([], 1, 1)
    done = [one["action"] for one in service.get("/audit", by="auditor").json["items"]]
    assert done.count("contact.resolve") == 1


def test_the_helpdesk_alone_is_told_at_once(service: Service) -> None:
    before = {alert.id for alert in alerts(service)}
    write(service)
    (alert,) = (one for one in alerts(service) if one.id not in before)
    assert alert.address == "helpdesk@network.example"
    assert alert.facts["title"] == "Somebody wrote to the helpdesk"
    said = "Zofia Lis <zofia.lis@szpital.example> writes to COVID19 Clinicians Network: How do I join?\nThank you."
    assert alert.facts["detail"] == said
    with service.app.app_context():
        assert db.session.scalars(db.select(Message).filter_by(address="zofia.lis@szpital.example")).all() == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"network": "nobody"}, "network"),
        ({"email": "no address"}, "email"),
        ({"name": "Zofia\nBcc: x@y.example"}, "name"),
        ({"name": ""}, "name"),
        ({"message": ""}, "message"),
        ({"message": "x" * 5001}, "message"),
        ({"message": "a\u202eb"}, "message"),
        ({"state": "resolved"}, "state"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_nobody_is_told(
    service: Service, changes: dict[str, str], field: str
) -> None:
    before = len(alerts(service))
    answer = write(service, **changes)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert (kept(service), len(alerts(service))) == ([], before)


def test_one_address_writes_three_times_an_hour(service: Service) -> None:
    assert [write(service, message=f"{number}").status_code for number in range(4)] == [202, 202, 202, 429]
    assert write(service, email="another@szpital.example").status_code == 202
    again = write(service)
    assert 0 < int(again.headers["Retry-After"]) <= 3601
    assert len(kept(service)) == 4
    service.clock.at += timedelta(hours=1)
    assert write(service).status_code == 202


def test_it_needs_the_captcha_where_that_is_on(guarded: Service) -> None:
    answer = guarded.post("/contact", ASKED, by="anonymous")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["altcha"])


def test_a_helpdesk_of_one_network_sees_its_own_questions(service: Service) -> None:
    write(service, network="other")
    (asked,) = kept(service)
    headers = {"Authorization": f"Bearer {service.token('helpdesk', network='covid')}"}
    assert service.get("/contact", headers=headers).json["items"] == []
    assert service.post(f"/contact/{asked['id']}/resolution", headers=headers).status_code == 404


def test_an_erasure_forgets_the_questions_of_the_person_and_the_alerts_about_them(service: Service) -> None:
    made = service.made("/clinicians", person("zofia.lis") | {"network": "covid"})
    write(service, email="zofia.lis@szpital.example", message="My telephone number is +48 22 1234567.")
    write(service, email="another@szpital.example", message="Nothing personal.")
    exported = service.get(f"/clinicians/{made['id']}/export").json
    assert [row["message"] for row in exported["tables"]["contact_message"]] == [
        "My telephone number is +48 22 1234567."
    ]
    assert service.ask("DELETE", f"/clinicians/{made['id']}").status_code == 204
    assert [one["email"] for one in kept(service)] == ["another@szpital.example"]
    details = [one.facts["detail"] for one in alerts(service)]
    assert [one for one in details if "1234567" in one] == []
    assert sum("Nothing personal." in one for one in details) == 1


def test_ninety_days_after_the_answer_a_question_is_forgotten(service: Service) -> None:
    write(service, message="answered")
    service.clock.at += timedelta(seconds=1)
    write(service, message="open")
    service.post(f"/contact/{kept(service)[0]['id']}/resolution")
    service.clock.at += timedelta(days=89)
    with service.app.app_context():
        bookkeeping.prune()
    assert [one["message"] for one in kept(service)] == ["answered", "open"]
    service.clock.at += timedelta(days=2)
    with service.app.app_context():
        bookkeeping.prune()
        assert [one.message for one in db.session.scalars(db.select(ContactMessage))] == ["open"]
