"""What the API says of where a request stands and why, and of rules and check lists: word for word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import arranging
from tests.house import HELPDESK
from tests.scheduling.stage import ROUND
from tests.web.conftest import GROUP, HOSPITAL, Service, close, person, served

CHECKLIST = [
    {"code": "report", "label": "Pathology report", "kind": "flag", "labels": {"de": "Histologischer Befund"}},
    {"code": "stage", "label": "Stage", "kind": "choice", "options": ["localised", "metastatic"]},
    {"code": "slides", "label": "Slides", "kind": "file-reference", "required": False},
]
COMPLETE = {"report": True, "stage": "metastatic", "slides": "PACS:4711/2"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """One group with a round of one slot, a German clinician who asks, and a hospital."""
    built = served(f"sqlite:///{tmp_path / 'web.db'}", tmp_path)
    built.made("/networks", {"code": "covid", "name": "COVID19 Clinicians Network"})
    built.made("/hospitals", HOSPITAL | {"code": "warsaw"})
    built.ids["requester"] = built.made("/clinicians", person("requester", language="de"))["id"]
    built.ids["group"] = built.made("/expert-groups", GROUP | {"checklist": CHECKLIST})["id"]
    with built.app.app_context():
        changes = {"slots": 1, "ends_on": date(2026, 12, 1)}
        arranging.define_series(UUID(built.ids["group"]), ROUND | changes, by=HELPDESK)
    yield built
    close(built)


def entered(service: Service, **changes: Any) -> dict[str, Any]:
    return {
        "group": "brain",
        "case_reference": "CPMS-1",
        "question": "Which therapy?",
        "urgency": "routine",
        "consent_confirmed": True,
        "checklist": COMPLETE,
        "requester": service.ids["requester"],
    } | changes


def accepted(service: Service, **changes: Any) -> str:
    made = service.made("/consultation-requests", entered(service, **changes))
    service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"})
    return str(made["id"])


def allocated(service: Service, **changes: Any) -> dict[str, Any]:
    return service.made(f"/consultation-requests/{accepted(service, **changes)}/allocation", {})


def change_group(service: Service, **changes: Any) -> Any:
    present = service.get("/expert-groups/{group}")
    return service.patch("/expert-groups/{group}", changes, headers={"If-Match": present.headers["ETag"]})


def correct(service: Service, request: str, **changes: Any) -> dict[str, Any]:
    path = f"/consultation-requests/{request}"
    etag = service.get(path).headers["ETag"]
    return dict(service.patch(path, changes, headers={"If-Match": etag}).json or {})


class TestStanding:
    def test_who_has_a_slot_is_told_why_and_stands_in_no_line(self, service: Service) -> None:
        found = allocated(service, urgency="urgent")
        assert found["reasons"] == [
            "The earliest suitable free slot: Tuesday 24 November 2026, 11.00.",
            "The request is urgent.",
        ]
        assert (found["standing"], found["waiting_position"]) == (None, None)
        assert service.get(f"/consultation-requests/{found['id']}").json["reasons"] == found["reasons"]

    def test_who_waits_is_told_where_it_stands_and_why(self, service: Service) -> None:
        for _ in range(2):
            allocated(service)
        for _ in range(2):
            allocated(service, urgency="urgent")
        found = allocated(service)
        assert found["reasons"] == ["Every slot of the coming sessions is taken."]
        assert (found["waiting_position"], found["standing"]) == (
            3,
            "Third in line: two urgent requests since 23 November; no slot is free yet.",
        )
        again = service.get(f"/consultation-requests/{found['id']}").json
        (listed,) = [one for one in service.get("/consultation-requests").json["items"] if one["id"] == found["id"]]
        assert {(one["standing"], *one["reasons"]) for one in (again, listed)} == {
            (found["standing"], *found["reasons"])
        }

    def test_a_draft_is_told_what_lacks_in_the_language_of_its_requester(self, service: Service) -> None:
        found = service.made("/consultation-requests", entered(service, checklist={}))
        assert (found["state"], found["missing"]) == ("draft", ["report", "stage"])
        assert found["missing_labels"] == ["Histologischer Befund", "Stage"]

    def test_with_direct_intake_the_answer_to_the_submission_has_the_slot(self, service: Service) -> None:
        change_group(service, intake="direct")
        found = service.made("/consultation-requests", entered(service))
        assert (found["state"], found["slot"] is not None) == ("allocated", True)
        assert found["reasons"] == ["The earliest suitable free slot: Tuesday 24 November 2026, 11.00."]

    def test_what_the_group_asks_for_since_is_a_conflict_that_names_it(self, service: Service) -> None:
        request_id = accepted(service)
        change_group(service, checklist=[*CHECKLIST, {"code": "biopsy", "label": "Biopsy", "kind": "date"}])
        answer = service.post(f"/consultation-requests/{request_id}/allocation")
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/rule-broken")
        assert answer.json["missing"] == ["biopsy"]


class TestGroups:
    def test_a_group_shows_its_check_list_with_options_and_labels(self, service: Service) -> None:
        found = service.get("/expert-groups/{group}").json["checklist"]
        usual = {"required": True, "options": [], "labels": {}}
        assert found == [usual | item for item in CHECKLIST]

    def test_rules_are_shown_when_they_are_set_and_no_more_when_they_are_null(self, service: Service) -> None:
        assert service.get("/expert-groups/{group}").json["rules"] == {}
        both = {"hospital_share": 0.5, "reserve_slots": 1}
        assert change_group(service, rules=both).json["rules"] == both
        assert change_group(service, rules={"hospital_share": None}).json["rules"] == {"reserve_slots": 1}

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"rules": {"hospital_share": 2}}, "rules.hospital_share"),
            ({"rules": {"offer_hours": 0}}, "rules.offer_hours"),
            ({"rules": {"reserve_slots": -1}}, "rules.reserve_slots"),
            ({"rules": {"open_requests_per_requester": 0}}, "rules.open_requests_per_requester"),
            ({"checklist": [{"code": "a", "label": "A", "kind": "choice"}]}, "checklist.0.options"),
            ({"checklist": [CHECKLIST[0] | {"options": ["a"]}]}, "checklist.0.options"),
        ],
    )
    def test_a_wrong_rule_or_item_is_refused_by_the_name_of_its_field(
        self, service: Service, changes: dict[str, Any], field: str
    ) -> None:
        answer = change_group(service, **changes)
        assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


MR = {"modality": "MR", "acquired_on": "2026-11-01", "image_count": 120}


class TestRequests:
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"checklist": COMPLETE | {"stage": "regional"}}, "checklist.stage"),
            ({"checklist": COMPLETE | {"slides": "https://pacs.example/4711"}}, "checklist.slides"),
            ({"imaging": [MR, {**MR, "image_count": 0}]}, "imaging.1.image_count"),
            ({"imaging": [{**MR, "acquired_on": "2026-11-24"}]}, "imaging.0.acquired_on"),
        ],
    )
    def test_what_cannot_be_is_refused_by_the_name_of_its_field(
        self, service: Service, wrong: dict[str, Any], field: str
    ) -> None:
        answer = service.post("/consultation-requests", entered(service, **wrong))
        assert (answer.status_code, list(answer.json["errors"])) == (422, [field])

    @pytest.mark.parametrize(
        ("code", "wrong", "said"),
        [
            ("age", -1, "This is answered with a whole number from 0 to 1000000."),
            ("age", 1.5, "This is answered with a whole number from 0 to 1000000."),
            ("report", 1, "This is answered with true or false."),
            ("stage", [], "This is answered with one of: localised; metastatic."),
        ],
    )
    def test_a_wrong_answer_is_told_what_its_item_needs(
        self, service: Service, code: str, wrong: object, said: str
    ) -> None:
        change_group(service, checklist=[*CHECKLIST, {"code": "age", "label": "Age", "kind": "count"}])
        answer = service.post("/consultation-requests", entered(service, checklist=COMPLETE | {code: wrong}))
        assert (answer.status_code, answer.json["errors"]) == (422, {f"checklist.{code}": [said]})

    def test_a_change_of_one_answer_leaves_the_others(self, service: Service) -> None:
        made = service.made("/consultation-requests", entered(service))
        changed = correct(service, made["id"], checklist={"stage": "localised"})
        assert (changed["checklist"], changed["state"]) == (COMPLETE | {"stage": "localised"}, "submitted")

    def test_null_takes_an_answer_back(self, service: Service) -> None:
        made = service.made("/consultation-requests", entered(service))
        changed = correct(service, made["id"], checklist={"stage": None})
        assert (changed["checklist"], changed["missing"]) == ({"report": True, "slides": "PACS:4711/2"}, ["stage"])

    def test_why_it_was_returned_is_shown_until_it_is_submitted_again(self, service: Service) -> None:
        made = service.made("/consultation-requests", entered(service))
        service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "return", "reason": "No stage."})
        lacking = correct(service, made["id"], checklist={"stage": None})
        assert (lacking["state"], lacking["reason"]) == ("draft", "No stage.")
        complete = correct(service, made["id"], checklist={"stage": "localised"})
        assert (complete["state"], complete["reason"]) == ("submitted", None)

    @pytest.mark.parametrize("missing", MR)
    def test_whatever_a_series_of_images_lacks_is_named(self, service: Service, missing: str) -> None:
        series = {name: value for name, value in MR.items() if name != missing}
        answer = service.post("/consultation-requests", entered(service, imaging=[series]))
        assert (answer.status_code, list(answer.json["errors"])) == (422, [f"imaging.0.{missing}"])
