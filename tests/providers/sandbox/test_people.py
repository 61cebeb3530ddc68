from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import requests

from tests.providers.sandbox.client import ANN, HOST, Client, body

BULK = "meetingInvitees/bulkInsert"


def invitation(meeting_id, **instead):
    return ANN | {"meetingId": meeting_id, "hostEmail": HOST, "sendEmail": False} | instead


@pytest.fixture
def meeting_id(client):
    return client.create()


def test_an_invitee_is_known_by_address_and_role(client, meeting_id):
    made = client("POST", "meetingInvitees", json=invitation(meeting_id, panelist=True)).json()
    told = {name: made[name] for name in ("email", "displayName", "coHost", "panelist", "meetingId")}
    assert told == ANN | {"coHost": False, "panelist": True, "meetingId": meeting_id}
    assert client.items("meetingInvitees", meetingId=meeting_id) == [made]
    assert client("GET", f"meetingInvitees/{made['id']}").json() == made


def test_who_is_invited_is_not_invited_again(client, meeting_id):
    client("POST", "meetingInvitees", json=invitation(meeting_id))
    again = client("POST", "meetingInvitees", json=invitation(meeting_id, email=ANN["email"].upper()))
    assert again.status_code == 409
    assert len(client.items("meetingInvitees", meetingId=meeting_id)) == 1


def test_many_are_invited_at_once(client, meeting_id):
    people = [{"email": f"p{number}@clinic.example", "sendEmail": False} for number in range(100)]
    answer = client("POST", BULK, json={"meetingId": meeting_id, "items": people})
    assert (answer.status_code, len(answer.json()["items"])) == (200, 100)


@pytest.mark.parametrize("count", [0, 101])
def test_not_nobody_and_not_more_than_a_hundred_at_once(client, meeting_id, count):
    people = [{"email": f"p{number}@clinic.example"} for number in range(count)]
    assert client("POST", BULK, json={"meetingId": meeting_id, "items": people}).status_code == 400


@pytest.mark.parametrize("known", ["p1@clinic.example", "ann@clinic.example"])
def test_of_many_all_are_invited_or_none(sandbox, client, meeting_id, known):
    client("POST", "meetingInvitees", json=invitation(meeting_id))
    people = [{"email": "p1@clinic.example"}, {"email": known}]
    assert client("POST", BULK, json={"meetingId": meeting_id, "items": people}).status_code == 409
    assert [one["email"] for one in sandbox.meetings()[0]["invitees"]] == [ANN["email"]]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"email": "nobody"}, 400),
        ({"email": None}, 400),
        ({"coHost": "no"}, 400),
        ({"displayName": 5}, 400),
        ({"meetingId": None}, 400),
        ({"meetingId": "none"}, 404),
        ({"hostEmail": "panel@hosts.example"}, 404),
    ],
)
def test_a_wrong_invitation_is_refused(sandbox, client, meeting_id, wrong, status):
    assert client("POST", "meetingInvitees", json=invitation(meeting_id, **wrong)).status_code == status
    assert sandbox.meetings()[0]["invitees"] == []


def test_invitees_are_listed_by_address_in_pages_and_by_role(client, meeting_id):
    for name in ("c", "a", "b"):
        client("POST", "meetingInvitees", json=invitation(meeting_id, email=f"{name}@x.example", panelist=name == "a"))
    first = client("GET", "meetingInvitees", params={"meetingId": meeting_id, "max": 2, "hostEmail": HOST})
    second = client("GET", first.links["next"]["url"].removeprefix(client.url))
    listed = [one["email"] for answer in (first, second) for one in answer.json()["items"]]
    assert listed == ["a@x.example", "b@x.example", "c@x.example"]
    panel = client.items("meetingInvitees", meetingId=meeting_id, panelist="true")
    assert [one["email"] for one in panel] == ["a@x.example"]


def test_an_invitation_is_taken_back_once(sandbox, client, meeting_id):
    made = client("POST", "meetingInvitees", json=invitation(meeting_id)).json()
    path = f"meetingInvitees/{made['id']}"
    assert [client("DELETE", path, params={"sendEmail": "false"}).status_code for _ in range(2)] == [204, 404]
    assert client.items("meetingInvitees", meetingId=meeting_id) == []
    assert sandbox.mails == []


def test_webex_mails_each_invitee_unless_told_otherwise(sandbox, client, meeting_id):
    people = [{"email": "a@x.example"}, {"email": "b@x.example", "sendEmail": False}, {"email": "c@x.example"}]
    made = client("POST", BULK, json={"meetingId": meeting_id, "items": people}).json()["items"]
    client("DELETE", f"meetingInvitees/{made[0]['id']}")
    assert sandbox.mails == [("POST", meeting_id)] * 2 + [("DELETE", meeting_id)]


def test_people_may_be_invited_when_a_meeting_is_made(client):
    meeting_id = client.create(invitees=[ANN])
    assert [one["email"] for one in client.items("meetingInvitees", meetingId=meeting_id)] == [ANN["email"]]
    assert client.ids(hostEmail=ANN["email"]) == [meeting_id]
    assert client("POST", json=body(invitees=[{"email": "nobody"}])).status_code == 400


def test_a_list_without_a_meeting_is_refused(client):
    assert client("GET", "meetingInvitees").status_code == 400
    assert client("GET", "meetingInvitees", params={"meetingId": "none"}).status_code == 404


def asked(meeting_id, **instead):
    return ANN | {"meetingId": meeting_id, "hostEmail": HOST, "joinDirectly": False} | instead


def test_a_personal_link_is_for_one_person_and_some_minutes(standing, clock):
    client = Client(standing)
    meeting_id = client.create(start="2027-03-01T10:00:00Z", end="2027-03-01T11:00:00Z")
    given = client("POST", "meetings/join", json=asked(meeting_id, expirationMinutes=20)).json()
    assert datetime.fromisoformat(given["expiration"]) == clock.at + timedelta(minutes=20)
    page = requests.get(given["joinLink"], timeout=5)
    assert 'value="Ann Bell"' in page.text
    clock.at += timedelta(minutes=20)
    late = requests.get(given["joinLink"], timeout=5)
    assert (late.status_code, "expired" in late.text) == (403, True)


def test_whoever_asks_to_join_directly_is_sent_there(client, meeting_id):
    answer = client("POST", "meetings/join", json=asked(meeting_id, joinDirectly=True), allow_redirects=False)
    assert answer.status_code == 302
    assert f"/join/{meeting_id}?as=" in answer.headers["Location"]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"expirationMinutes": 0}, 400), ({"expirationMinutes": 61}, 400), ({"meetingId": "none"}, 404)],
)
def test_a_wrong_request_for_a_link_is_refused(client, meeting_id, wrong, status):
    assert client("POST", "meetings/join", json=asked(meeting_id, **wrong)).status_code == status
