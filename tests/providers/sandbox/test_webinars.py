from __future__ import annotations

import pytest

from tests.providers.sandbox.client import AT, FORM, body, webinar


def test_the_site_has_a_session_type_for_meetings_and_one_for_webinars(client):
    items = client.items("meetings/sessionTypes")
    assert {item["type"] for item in items} == {"meeting", "webinar"}
    assert all(item["id"].isdecimal() and item["name"] for item in items)


def test_a_webinar_is_made_with_a_session_type_that_exists(client):
    [number] = [int(item["id"]) for item in client.items("meetings/sessionTypes") if item["type"] == "webinar"]
    made = client("POST", json=body(scheduledType="webinar", sessionTypeId=number)).json()
    assert (made["scheduledType"], made["sessionTypeId"]) == ("webinar", number)
    assert made["panelistPassword"]
    assert "registerLink" not in made


@pytest.mark.parametrize(
    "wrong",
    [
        {"sessionTypeId": None},
        {"sessionTypeId": 3},
        {"sessionTypeId": 4711},
        {"sessionTypeId": "169"},
        {"scheduledType": "meeting"},
        {"joinBeforeHostMinutes": 5},
        {"registration": True},
        {"registration": {"autoAcceptRequest": "yes"}},
        {"registration": {"maxRegisterNum": "ten"}},
        {"recurrence": "FREQ=WEEKLY;COUNT=2"},
        {"enabledJoinBeforeHost": True},
    ],
)
def test_what_makes_no_webinar_is_refused(sandbox, client, wrong):
    answer = client("POST", json=body(**webinar(**wrong)))
    assert answer.status_code == 400
    assert sandbox.meetings() == []


def test_a_register_link_is_told_when_the_webinar_is_made_or_read_and_not_in_lists_and_changes(client):
    made = client("POST", json=body(**webinar())).json()
    path = f"meetings/{made['id']}"
    assert made["registerLink"].endswith(f"/register/{made['id']}")
    assert client("GET", path).json()["registerLink"] == made["registerLink"]
    assert "registerLink" not in client("PATCH", path, json={"title": "Another"}).json()
    assert "registerLink" not in client.items("meetings", hostEmail="round@hosts.example")[0]


def test_a_registrant_gets_a_join_link_of_his_own(client):
    meeting_id = client.webinar()
    made = client("POST", f"meetings/{meeting_id}/registrants", json=FORM).json()
    other = client("POST", f"meetings/{meeting_id}/registrants", json=FORM | {"email": "bo@clinic.example"}).json()
    assert (made["status"], made["email"]) == ("approved", FORM["email"])
    assert made["joinLink"].startswith(client.url.removesuffix("v1/") + f"join/{meeting_id}?")
    assert made["joinLink"] != other["joinLink"]


def test_a_registration_may_wait_for_approval_without_a_link(client):
    meeting_id = client.webinar(registration={"autoAcceptRequest": False})
    made = client("POST", f"meetings/{meeting_id}/registrants", json=FORM).json()
    assert made["status"] == "pending"
    assert "joinLink" not in made


def test_the_same_address_registers_once_however_it_is_written(client):
    path = f"meetings/{client.webinar()}/registrants"
    assert client("POST", path, json=FORM).status_code == 200
    assert client("POST", path, json=FORM | {"email": FORM["email"].upper()}).status_code == 409
    assert len(client.items(path)) == 1


def test_a_full_registration_takes_nobody(client):
    path = f"meetings/{client.webinar(registration={'maxRegisterNum': 1})}/registrants"
    client("POST", path, json=FORM)
    refused = client("POST", path, json=FORM | {"email": "bo@clinic.example"})
    assert (refused.status_code, refused.json()["message"]) == (400, "The registration is full.")


@pytest.mark.parametrize("missing", ["firstName", "lastName", "email"])
def test_a_registrant_tells_name_and_address(client, missing):
    path = f"meetings/{client.webinar()}/registrants"
    form = {name: value for name, value in FORM.items() if name != missing}
    assert client("POST", path, json=form).status_code == 400


@pytest.mark.parametrize("instead", [{}, {"recurrence": "FREQ=WEEKLY;COUNT=2"}])
def test_nobody_registers_for_a_meeting_without_registration_or_a_recurring_one(client, instead):
    refused = client("POST", f"meetings/{client.create(**instead)}/registrants", json=FORM)
    assert (refused.status_code, refused.json()["message"]) == (400, "Registration is not enabled for this meeting.")


def test_registrants_are_listed_in_pages_and_by_address(client):
    path = f"meetings/{client.webinar()}/registrants"
    for number in range(3):
        client("POST", path, json=FORM | {"email": f"person{number}@clinic.example"})
    first = client("GET", path, params={"max": 2})
    assert [one["email"] for one in first.json()["items"]] == ["person0@clinic.example", "person1@clinic.example"]
    second = client("GET", first.links["next"]["url"].removeprefix(client.url)).json()["items"]
    assert [one["email"] for one in second] == ["person2@clinic.example"]
    assert client.items(path, email="PERSON1@clinic.example")[0]["email"] == "person1@clinic.example"


def test_a_registrant_is_read_by_his_id(client):
    path = f"meetings/{client.webinar()}/registrants"
    made = client("POST", path, json=FORM).json()
    assert client("GET", f"{path}/{made['id']}").json() == made
    assert client("GET", f"{path}/none").status_code == 404


def test_webex_mails_registrants_unless_told_otherwise(sandbox, client):
    meeting_id = client.webinar()
    said = {name: value for name, value in FORM.items() if name != "sendEmail"}
    client("POST", f"meetings/{meeting_id}/registrants", json=FORM)
    assert sandbox.mails == []
    client("POST", f"meetings/{meeting_id}/registrants", json=said | {"email": "bo@clinic.example"})
    assert sandbox.mails == [("POST", meeting_id)]


def test_a_put_needs_title_password_start_and_end(client):
    path, whole = f"meetings/{client.create()}", {"title": "Another", "password": "secret-1"}
    whole |= {"start": AT.isoformat(), "end": AT.replace(year=AT.year + 1).isoformat()}
    assert client("PUT", path, json={"title": "Another"}).status_code == 400
    assert client("PUT", path, json=whole).status_code == 400, "a year is too long"
    changed = client("PUT", path, json=whole | {"end": body()["end"]})
    assert (changed.status_code, changed.json()["title"], changed.json()["password"]) == (200, "Another", "secret-1")
