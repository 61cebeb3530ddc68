"""Nobody learns an address that its owner did not share, and nothing leaves the own scope."""

from __future__ import annotations

import csv
import io
from uuid import UUID

import pytest
from openpyxl import load_workbook

from conference_orchestrator.flows import conferencing
from tests.web.conftest import person, request_for


def record(service, who, *, by):
    return service.get(f"/clinicians/{{{who}}}", by=by).json


@pytest.mark.parametrize(
    ("role", "requester", "expert", "colleague"),
    [
        # The requester and the expert share nothing, the colleague shares the address. The requester is the clinician
        # of the clinician's token and belongs to the reference centre's hospital.
        ("helpdesk", "requester@szpital.example", "expert@szpital.example", "colleague@szpital.example"),
        ("clinician", "requester@szpital.example", None, "colleague@szpital.example"),
        ("coordinator", "requester@szpital.example", "expert@szpital.example", "colleague@szpital.example"),
        ("reference-centre", "requester@szpital.example", None, "colleague@szpital.example"),
        ("auditor", "r***@***", "e***@***", "c***@***"),
    ],
)
def test_each_role_sees_the_addresses_that_the_table_gives_it(shared, role, requester, expert, colleague):
    seen = [record(shared, who, by=role)["email"] for who in ("requester", "expert", "colleague")]
    assert seen == [requester, expert, colleague]
    listed = {line["id"]: line["email"] for line in shared.get("/clinicians", by=role).json["items"]}
    names = ("requester", "expert", "colleague")
    assert [listed[shared.ids[name]] for name in names] == seen
    lines = shared.get("/participants?network=covid", by=role).json["items"]
    on_the_list = {line["clinician"]: line["email"] for line in lines}
    assert [on_the_list[shared.ids[name]] for name in names] == seen


def test_a_phone_is_shared_on_its_own(shared):
    assert record(shared, "colleague", by="clinician")["phone"] is None
    assert record(shared, "requester", by="clinician")["phone"] == "+48 22 555 0101"


def test_the_auditor_sees_masked_names_and_cannot_search_them(shared):
    seen = record(shared, "expert", by="auditor")
    assert (seen["given_name"], seen["family_name"], seen["language"]) == ("E***", "G***", None)
    assert shared.get("/clinicians?q=expert", by="auditor").status_code == 422


def test_preferences_are_seen_by_their_owner_and_the_helpdesk(shared):
    assert record(shared, "requester", by="clinician")["language"] == "en"
    assert record(shared, "expert", by="clinician")["language"] is None
    assert record(shared, "expert", by="helpdesk")["language"] == "en"


@pytest.mark.parametrize("role", ["clinician", "coordinator", "reference-centre"])
def test_people_of_another_network_are_not_there(shared, role):
    assert shared.get("/clinicians/{stranger}", by=role).status_code == 404
    listed = shared.get("/clinicians", by=role).json["items"]
    assert shared.ids["stranger"] not in {line["id"] for line in listed}
    assert shared.get("/participants?network=other", by=role).status_code == 404
    assert shared.get("/clinicians?group=ewing", by=role).status_code == 422


def test_nobody_changes_the_record_of_somebody_else(shared):
    etag = {"If-Match": shared.get("/clinicians/{colleague}", by="clinician").headers["ETag"]}
    for role in ("clinician", "coordinator", "reference-centre", "auditor"):
        answer = shared.patch("/clinicians/{colleague}", {"phone": None}, by=role, headers=etag)
        assert answer.status_code == 404


def test_everybody_changes_the_own_record(service):
    etag = {"If-Match": service.get("/clinicians/{requester}", by="clinician").headers["ETag"]}
    answer = service.patch("/clinicians/{requester}", {"share": ["phone"]}, by="clinician", headers=etag)
    assert (answer.status_code, answer.json["share"]) == (200, ["phone"])


def test_the_members_of_a_group_can_be_listed(shared):
    listed = shared.get("/clinicians?group=brain", by="clinician").json["items"]
    assert [(line["id"], line["email"]) for line in listed] == [(shared.ids["expert"], None)]
    members = shared.get("/expert-groups/{group}/members", by="coordinator").json["items"]
    assert [(line["clinician"], line["email"]) for line in members] == [
        (shared.ids["expert"], "expert@szpital.example")
    ]


def test_a_coordinator_has_the_own_group_only(shared):
    assert shared.get("/expert-groups/{other_group}", by="coordinator").status_code == 404
    listed = shared.get("/expert-groups", by="coordinator").json["items"]
    assert [group["code"] for group in listed] == ["brain"]


def test_a_request_is_seen_by_those_whose_it_is(service):
    made = service.made("/consultation-requests", request_for(service, requester=service.ids["expert"]))
    for role, status in [("clinician", 404), ("reference-centre", 404), ("coordinator", 200), ("helpdesk", 200)]:
        assert service.get(f"/consultation-requests/{made['id']}", by=role).status_code == status
        listed = service.get("/consultation-requests", by=role).json["items"]
        assert (made["id"] in {line["id"] for line in listed}) == (status == 200)


def test_a_slot_names_its_request_only_to_those_whose_it_is(service):
    made = service.made("/consultation-requests", request_for(service, requester=service.ids["expert"]))
    service.made(f"/consultation-requests/{made['id']}/triage", {"decision": "accept"})
    service.made(f"/consultation-requests/{made['id']}/allocation", {})
    for role, own, other in [
        ("helpdesk", True, True),
        ("coordinator", True, True),
        ("clinician", True, False),
        ("reference-centre", True, False),
        ("auditor", False, False),
    ]:
        slots = service.get("/sessions/{session}", by=role).json["slots"]
        assert [slot["state"] for slot in slots] == ["taken", "taken"]
        seen = [slot["request"] for slot in slots]
        assert seen == [service.ids["request"] if own else None, made["id"] if other else None]


@pytest.mark.parametrize(("role", "sees"), [("helpdesk", True), ("coordinator", True), ("auditor", False)])
def test_the_link_is_for_those_who_may_join(service, role, sees):
    with service.app.app_context():
        conferencing.ensure(UUID(service.ids["conference"]))
    seen = service.get("/conferences/{conference}", by=role).json
    assert seen["state"] == "ready"
    assert (seen["join_url"] is not None) == sees


def test_a_delivery_is_masked_for_the_auditor(shared):
    assert shared.get("/deliveries/{delivery}").json["address"] == "requester@szpital.example"
    assert shared.get("/deliveries/{delivery}", by="auditor").json["address"] == "r***@***"
    own = shared.get("/deliveries", by="clinician").json["items"]
    assert own
    assert {line["clinician"] for line in own} == {shared.ids["requester"]}


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1"]


@pytest.fixture
def hostile(service):
    """A network whose people have names that a spreadsheet would compute."""
    for number, name in enumerate(HOSTILE):
        entered = person(f"p{number}", given_name=name, hospital=None, hospital_name=name, country="PL")
        service.made("/clinicians", entered)
    return service


def test_the_list_as_csv_has_no_formula(hostile):
    answer = hostile.get("/participants?network=covid", headers={"Accept": "text/csv"})
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/csv", "no-store")
    rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert rows[0] == ["country", "hospital", "name", "email", "phone"]
    assert len(rows) == 1 + 3 + len(HOSTILE)
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))] == []


def test_the_list_as_xlsx_has_no_formula(hostile):
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    answer = hostile.get("/participants?network=covid", headers={"Accept": media})
    assert answer.mimetype == media
    cells = [cell for row in load_workbook(io.BytesIO(answer.get_data())).active for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}, "only texts and empty cells"
    assert any(str(cell.value).startswith("'=") for cell in cells)


def test_the_list_in_another_form_is_406(shared):
    answer = shared.get("/participants?network=covid", headers={"Accept": "application/pdf"})
    assert answer.status_code == 406


def test_the_participant_list_comes_in_pages_without_gaps(shared):
    whole = shared.get("/participants?network=covid").json["items"]
    seen, address = [], "/participants?network=covid&limit=1"
    while address:
        page = shared.get(address).json
        seen += page["items"]
        address = page["next"]
    assert seen == whole
    assert len(whole) > 1
    assert shared.get("/participants?network=covid&cursor=x").status_code == 422
