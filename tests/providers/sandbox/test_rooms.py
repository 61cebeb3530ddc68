from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
import requests

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.providers.sandbox.client import ANN, FORM, HOST, Client, webinar

NOT_YET = "1970-01-01T00:00:00.000Z"


class Browser:
    """What a person does with the pages: opens one, fills in its form, follows where that leads."""

    def __init__(self, address):
        self.answer = requests.get(address, timeout=5)

    def fill_in(self, **form):
        self.answer = requests.post(self.answer.url, data=form, timeout=5)
        return self

    @property
    def text(self):
        return re.sub(r"\s+", " ", self.answer.text)


@pytest.fixture
def client(standing):
    return Client(standing)


@pytest.fixture
def meeting(client):
    span = {"start": "2027-03-01T10:00:00Z", "end": "2027-03-01T11:00:00Z"}
    return client("GET", f"meetings/{client.create(**span, **webinar())}").json()


def participants(client, meeting_id, **query):
    return client.items("meetingParticipants", meetingId=meeting_id, hostEmail=HOST, **query)


def held(client, meeting_id, **query):
    query |= {"meetingSeriesId": meeting_id, "meetingType": "meeting", "hostEmail": HOST}
    return client.items("meetings", **query)


def test_the_room_shows_the_title_and_the_window(meeting):
    page = Browser(meeting["webLink"]).text
    assert "Round" in page
    assert "on 2027-03-01 from 10:00 to 11:00 UTC" in page


def test_who_gives_a_name_is_noted_until_leaving(client, clock, meeting):
    room = Browser(meeting["webLink"]).fill_in(name="Bo Lind", email="bo@clinic.example")
    assert "Bo Lind, you are in this meeting since 09:00 UTC, as bo@clinic.example." in room.text
    [inside] = participants(client, meeting["id"])
    assert (inside["displayName"], inside["email"], inside["state"]) == ("Bo Lind", "bo@clinic.example", "joined")
    assert (inside["joinedTime"], inside["leftTime"]) == ("2027-03-01T09:00:00Z", NOT_YET)
    clock.at += timedelta(minutes=25)
    assert "you were in this meeting from 09:00 to 09:25 UTC" in room.fill_in().text
    [gone] = participants(client, meeting["id"])
    assert (gone["state"], gone["leftTime"]) == ("end", "2027-03-01T09:25:00Z")
    assert gone["devices"][0]["durationSecond"] == 25 * 60


def test_leaving_twice_changes_nothing(client, clock, meeting):
    room = Browser(meeting["webLink"]).fill_in(name="Bo Lind").fill_in()
    clock.at += timedelta(minutes=5)
    room.fill_in()
    assert participants(client, meeting["id"])[0]["leftTime"] == "2027-03-01T09:00:00Z"


def test_who_comes_by_a_personal_link_is_noted_under_its_address_whatever_is_typed(client, meeting):
    asked = ANN | {"meetingId": meeting["id"], "joinDirectly": False}
    browser = Browser(client("POST", "meetings/join", json=asked).json()["joinLink"])
    assert f'value="{ANN["email"]}" readonly' in browser.text
    browser.fill_in(name="Somebody", email="another@clinic.example")
    [inside] = participants(client, meeting["id"])
    assert (inside["displayName"], inside["email"]) == ("Somebody", ANN["email"])


def test_a_personal_link_that_nobody_was_given_opens_nothing(client, meeting):
    browser = Browser(f"{meeting['webLink']}?as=guessed")
    assert browser.answer.status_code == 403
    assert browser.fill_in(name="Bo Lind").answer.status_code == 403
    assert participants(client, meeting["id"]) == []


@pytest.mark.parametrize("typed", [{}, {"name": " "}, {"name": "x" * 129}, {"name": "Bo Lind", "email": "nobody"}])
def test_without_a_name_nobody_comes_in(client, meeting, typed):
    assert Browser(meeting["webLink"]).fill_in(**typed).answer.status_code == 400
    assert participants(client, meeting["id"]) == []


def test_somebody_ends_the_meeting_for_everybody(client, meeting):
    rooms = [Browser(meeting["webLink"]).fill_in(name=name) for name in ("Ann", "Bo")]
    assert "In the room now: Ann, Bo." in rooms[1].text
    rooms[0].fill_in(leave="everybody")
    assert {one["state"] for one in participants(client, meeting["id"])} == {"end"}
    assert "Nobody is in the room now. It was held once." in Browser(meeting["webLink"]).text


def test_the_host_and_the_invited_are_told_from_others(client, meeting):
    client("POST", "meetingInvitees", json=ANN | {"meetingId": meeting["id"], "coHost": True})
    for email in (HOST.upper(), ANN["email"], "bo@clinic.example"):
        Browser(meeting["webLink"]).fill_in(name="Somebody", email=email)
    told = {one["email"]: (one["host"], one["invitee"], one["coHost"]) for one in participants(client, meeting["id"])}
    assert told == {
        HOST.upper(): (True, False, False),
        ANN["email"]: (False, True, True),
        "bo@clinic.example": (False, False, False),
    }


def test_two_devices_of_one_person_are_two_participants(client, meeting):
    for _ in range(2):
        Browser(meeting["webLink"]).fill_in(name="Ann", email=ANN["email"])
    told = participants(client, meeting["id"])
    assert [one["email"] for one in told] == [ANN["email"]] * 2
    assert len({one["id"] for one in told}) == 2


def test_the_state_follows_the_room(client, clock, meeting):
    def state():
        return client("GET", f"meetings/{meeting['id']}").json()["state"]

    states = [state()]
    room = Browser(meeting["webLink"]).fill_in(name="Ann")
    states.append(state())
    room.fill_in()
    states.append(state())
    clock.at += timedelta(hours=2)
    assert [*states, state()] == ["active", "inProgress", "active", "ended"]


def test_a_meeting_that_nobody_came_to_expires(client, clock, meeting):
    clock.at += timedelta(hours=2)
    assert client("GET", f"meetings/{meeting['id']}").json()["state"] == "expired"


def test_coming_back_into_the_empty_room_holds_the_meeting_again(client, clock, meeting):
    for name in ("Ann", "Bo"):
        Browser(meeting["webLink"]).fill_in(name=name).fill_in()
        clock.at += timedelta(minutes=10)
    first, second = held(client, meeting["id"], state="ended")
    assert [one["start"] for one in (first, second)] == ["2027-03-01T09:00:00Z", "2027-03-01T09:10:00Z"]
    assert {(one["meetingType"], one["meetingSeriesId"]) for one in (first, second)} == {("meeting", meeting["id"])}
    assert [one["displayName"] for one in participants(client, first["id"])] == ["Ann"]
    assert [one["displayName"] for one in participants(client, meeting["id"])] == ["Bo"], "the last time alone"


def test_the_window_chooses_the_last_time_in_it(client, clock, meeting):
    for name in ("Ann", "Bo"):
        Browser(meeting["webLink"]).fill_in(name=name).fill_in()
        clock.at += timedelta(minutes=10)
    window = {"meetingStartTimeFrom": "2027-03-01T08:00:00Z", "meetingStartTimeTo": "2027-03-01T09:05:00Z"}
    assert [one["displayName"] for one in participants(client, meeting["id"], **window)] == ["Ann"]
    assert participants(client, meeting["id"], meetingStartTimeFrom="2027-03-01T09:10:00Z") == []


def test_only_who_joined_in_the_window_is_told(client, clock, meeting):
    for name in ("Ann", "Bo"):
        Browser(meeting["webLink"]).fill_in(name=name)
        clock.at += timedelta(minutes=10)
    window = {"joinTimeFrom": "2027-03-01T09:05:00Z", "joinTimeTo": "2027-03-01T10:00:00Z"}
    assert [one["displayName"] for one in participants(client, meeting["id"], **window)] == ["Bo"]


def test_instances_are_listed_of_the_last_seven_days_unless_asked_otherwise(client, clock, meeting):
    Browser(meeting["webLink"]).fill_in(name="Ann").fill_in()
    clock.at += timedelta(days=8)
    assert held(client, meeting["id"]) == []
    [found] = held(client, meeting["id"], **{"from": "2027-03-01", "to": "2027-03-02"})
    assert client("GET", f"meetings/{found['id']}").json() == found


def test_one_that_goes_on_is_listed_as_in_progress(client, clock, meeting):
    Browser(meeting["webLink"]).fill_in(name="Ann")
    clock.at += timedelta(minutes=1)
    assert held(client, meeting["id"], state="ended") == []
    [found] = held(client, meeting["id"], state="inProgress")
    assert found["end"] == meeting["end"]


def test_a_series_has_one_occurrence(client, meeting):
    query = {"meetingSeriesId": meeting["id"], "meetingType": "scheduledMeeting", "hostEmail": HOST}
    [occurrence] = client.items("meetings", **query)
    assert (occurrence["id"], occurrence["state"]) == (f"{meeting['id']}_20270301T100000Z", "scheduled")
    assert client("GET", f"meetings/{occurrence['id']}").json() == occurrence
    assert client("GET", f"meetings/{meeting['id']}_I_7").status_code == 404


def test_participants_come_in_pages(client, standing, clock, meeting):
    visits = [(f"Person {number}", "", clock.at + timedelta(seconds=number), None) for number in range(5)]
    standing.hold(meeting["id"], *visits)
    names, path, query = [], "meetingParticipants", {"meetingId": meeting["id"], "max": 2}
    while path:
        answer = client("GET", path, params=query)
        names += [one["displayName"] for one in answer.json()["items"]]
        path, query = answer.links.get("next", {}).get("url", "").removeprefix(client.url), None
    assert names == [name for name, *_ in visits]


def test_people_are_put_into_the_room_together(client, standing, clock, meeting):
    later = clock.at + timedelta(minutes=30)
    standing.hold(
        meeting["id"],
        ("Ann", ANN["email"], clock.at, clock.at + timedelta(minutes=10)),
        ("Bo", "bo@clinic.example", later, later + timedelta(minutes=5)),
    )
    told = [
        (one["displayName"], datetime.fromisoformat(one["leftTime"])) for one in participants(client, meeting["id"])
    ]
    assert told == [("Ann", clock.at + timedelta(minutes=10)), ("Bo", later + timedelta(minutes=5))]
    clock.at += timedelta(hours=1)
    assert len(held(client, meeting["id"], state="ended")) == 1


def test_who_registers_on_the_page_comes_in_by_the_link_shown(client, meeting):
    form = {name: FORM[name] for name in ("firstName", "lastName", "email")}
    page = Browser(meeting["registerLink"]).fill_in(**form)
    [link] = re.findall(r'href="([^"]+)">your own join link', page.text)
    Browser(link).fill_in(name="Ann Bell")
    assert [one["email"] for one in participants(client, meeting["id"])] == [FORM["email"]]
    assert Browser(meeting["registerLink"]).fill_in(**form).answer.status_code == 409


def test_everything_typed_is_escaped(client, standing, meeting):
    evil = "<script>alert(1)</script>"
    room = Browser(meeting["webLink"]).fill_in(name=evil, email=f"{evil}@x.example")
    client("PATCH", f"meetings/{meeting['id']}", json={"title": evil})
    asked = {"email": f'"><b>{evil}@x.example', "displayName": f'"><b>{evil}'}
    link = client("POST", "meetings/join", json=asked | {"meetingId": meeting["id"], "joinDirectly": False}).json()
    addresses = [room.answer.url, meeting["webLink"], link["joinLink"], meeting["registerLink"]]
    pages = [Browser(address).text for address in [*addresses, standing.url.removesuffix("v1/")]]
    assert all("&lt;script&gt;" in page for page in pages)
    assert not any("<script" in page or "<b>" in page for page in pages)


def test_the_list_counts_who_is_invited_registered_and_there(client, standing, meeting):
    client("POST", "meetingInvitees", json=ANN | {"meetingId": meeting["id"]})
    client("POST", f"meetings/{meeting['id']}/registrants", json=FORM)
    Browser(meeting["webLink"]).fill_in(name="Ann").fill_in()
    Browser(meeting["webLink"]).fill_in(name="Ann")
    page = Browser(standing.url.removesuffix("v1/")).text
    assert re.findall(r'class="count">(\d*)<', page) == ["1", "1", "1", "2"]
    assert ">running<" in page


def test_people_and_visits_outlive_a_restart(tmp_path, clock):
    state = tmp_path / "sandbox.json"
    with RunningSandbox(state=state, now=clock) as first:
        client = Client(first)
        meeting_id = client.create(start="2027-03-01T10:00:00Z", end="2027-03-01T11:00:00Z", invitees=[ANN])
        first.hold(meeting_id, ("Ann", ANN["email"], clock.at, None))
    with RunningSandbox(state=state, now=clock) as second:
        [told] = participants(Client(second), meeting_id)
        assert (told["displayName"], told["invitee"], told["state"]) == ("Ann", True, "joined")
