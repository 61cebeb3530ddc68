"""No patient data: free text is checked before it is stored, whoever writes it and wherever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from conference_orchestrator.kernel.database import db
from conference_orchestrator.scheduling.requests import ConsultationRequest
from tests.web.conftest import WEBINAR, Service, request_for

BORN = "A girl, born on 03.04.2015."
NUMBER = "44051401359"  # with the check digit of Poland
ASKED = "The number that ends in 359 may be somebody's national number: leave it out, or say in identifiers_reason"
CONTACT = {"network": "covid", "name": "Zofia Lis", "email": "zofia@szpital.example"}


@pytest.fixture
def request_path(service: Service) -> str:
    return f"/consultation-requests/{service.made('/consultation-requests', request_for(service))['id']}"


def stored(service: Service) -> list[str]:
    with service.app.app_context():
        return list(db.session.scalars(db.select(ConsultationRequest.question)))


def corrected(service: Service, path: str, **changes: Any) -> int:
    return service.patch(path, changes, headers={"If-Match": service.get(path).headers["ETag"]}).status_code


def written(service: Service, request_path: str) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Each way in for a free text: method, path, body and the name of the field."""
    asks = request_for(service)
    yield "POST", "/consultation-requests", asks | {"question": BORN}, "question"
    image = {"modality": BORN, "acquired_on": "2026-11-01", "image_count": 1}
    yield "POST", "/consultation-requests", asks | {"imaging": [image]}, "imaging.0.modality"
    yield "POST", "/consultation-requests", asks | {"checklist": {"report": BORN}}, "checklist.report"
    yield "POST", "/consultation-requests", asks | {"identifiers_reason": BORN}, "identifiers_reason"
    yield "PATCH", request_path, {"question": BORN}, "question"
    yield "POST", f"{request_path}/triage", {"decision": "decline", "reason": BORN}, "reason"
    yield "POST", "/sessions/{session}/cancellation", {"reason": BORN}, "reason"
    yield "POST", "/webinar-requests", WEBINAR | {"topic": BORN}, "topic"
    yield "POST", "/contact", CONTACT | {"message": BORN}, "message"


def test_a_labelled_date_of_birth_is_refused_by_the_name_of_its_field(service: Service, request_path: str) -> None:
    before = stored(service)
    service.ids["session"] = service.get("/sessions").json["items"][0]["id"]
    for method, path, body, field in written(service, request_path):
        seen = {"If-Match": service.get(path).headers["ETag"]} if method == "PATCH" else {}
        answer = service.ask(method, path, json=body, headers=seen)
        assert (answer.status_code, list(answer.json["errors"])) == (422, [field]), path
        assert answer.json["errors"][field] == ["This looks like a patient's date of birth: say the age instead."]
    assert stored(service) == before
    assert service.get("/contact").json["items"] == []


@pytest.mark.parametrize("field", ["question", "checklist.note"])
def test_a_number_alone_is_asked_about_and_kept_with_a_reason_that_the_audit_keeps(
    service: Service, field: str
) -> None:
    item = {"code": "note", "label": "Note", "kind": "text", "required": False}
    group = service.get("/expert-groups/{group}").json
    etag = service.get("/expert-groups/{group}").headers["ETag"]
    changes = {"checklist": [*group["checklist"], item]}
    assert service.patch("/expert-groups/{group}", changes, headers={"If-Match": etag}).status_code == 200
    entered = {"question": f"See {NUMBER}."} if field == "question" else {"checklist": {"note": f"See {NUMBER}."}}
    asks = request_for(service) | entered
    refused = service.post("/consultation-requests", asks)
    assert refused.status_code == 422
    ((named, (said,)),) = refused.json["errors"].items()
    assert (named, said.startswith(ASKED)) == (field, True)
    kept = service.post("/consultation-requests", asks | {"identifiers_reason": "The archive's number of the slide."})
    assert kept.status_code == 201
    assert "identifiers_reason" not in kept.json
    *_, submitted = service.get("/audit?limit=500", by="auditor").json["items"]
    assert (submitted["action"], submitted["reason"]) == ("request.submit", "The archive's number of the slide.")


def test_a_correction_is_asked_about_what_it_changes_alone(service: Service) -> None:
    explained = {"question": f"See {NUMBER}.", "identifiers_reason": "The archive's number of the slide."}
    made = service.made("/consultation-requests", request_for(service) | explained)
    path = f"/consultation-requests/{made['id']}"
    assert corrected(service, path, urgency="urgent") == 200
    assert corrected(service, path, question=f"And {NUMBER}?") == 422
    assert corrected(service, path, question=f"And {NUMBER}?", identifiers_reason="The same.") == 200
    assert service.get(path).json["question"] == f"And {NUMBER}?"


def test_elsewhere_a_number_alone_is_only_a_number(service: Service) -> None:
    written = service.post("/contact", CONTACT | {"message": f"Please call {NUMBER}."})
    assert written.status_code == 202
