"""What a create sends and trusts: it is read back, and webinars need what meetings do not."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import MeetingChanges

SESSION_TYPES = "/v1/meetings/sessionTypes"


def shown(spec, **more):
    """A meeting in Webex's words, as few of them as we need."""
    return {
        "id": "abc",
        "title": spec.title,
        "start": spec.starts_at.isoformat(),
        "end": spec.ends_at.isoformat(),
        "webLink": "https://site.example/j",
        "hostEmail": spec.host,
        "integrationTags": [spec.key],
        "password": "p",
        "unlockedMeetingJoinSecurity": "allowJoinWithLobby",
        "publicMeeting": False,
        "enabledAutoRecordMeeting": False,
    } | more


def answer(sandbox, method, body):
    sandbox.faults.add(method=method, status=200, body=json.dumps(body))


def test_a_meeting_is_read_back_after_it_is_made(sandbox, webex, spec):
    meeting = webex.create(spec())
    assert sandbox.requests == [("POST", "/v1/meetings", 200), ("GET", f"/v1/meetings/{meeting.ref.id}", 200)]
    assert meeting.shortcomings() == ()


@pytest.mark.parametrize(
    ("kept", "shortcoming"),
    [
        ({"password": ""}, "no-password"),
        ({"unlockedMeetingJoinSecurity": "allowJoin"}, "no-lobby"),
        ({"publicMeeting": True}, "public"),
        ({"enabledAutoRecordMeeting": True}, "recording"),
    ],
)
def test_what_counts_is_how_the_meeting_is_kept_and_not_what_the_create_said(sandbox, webex, spec, kept, shortcoming):
    answer(sandbox, "POST", shown(spec()))
    answer(sandbox, "GET", shown(spec(), **kept))
    assert webex.create(spec()).shortcomings() == (shortcoming,)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 404},
        {"status": 403},
        {"status": 429},
        {"fault": "drop-before-apply"},
        {"fault": "html"},
        {"fault": "empty-object"},
        {"delay": 60},
    ],
)
def test_a_meeting_that_cannot_be_read_back_stands_and_is_not_relied_on(sandbox, hasty_webex, spec, fault):
    sandbox.faults.add(method="GET", **fault)
    meeting = hasty_webex.create(spec())
    [kept] = sandbox.meetings()
    assert (meeting.ref.id, meeting.key) == (kept["id"], spec().key)
    assert meeting.shortcomings() == ("no-password", "no-lobby", "public", "recording")


def test_a_create_of_which_only_the_id_can_be_read_is_read_back(sandbox, webex, spec):
    answer(sandbox, "POST", {"id": "abc"})
    answer(sandbox, "GET", shown(spec()))
    assert webex.create(spec()).ref.id == "abc"


def test_a_create_of_which_only_the_id_can_be_read_and_nothing_read_back_is_ambiguous(sandbox, webex, spec):
    answer(sandbox, "POST", {"id": "abc"})
    sandbox.faults.add(method="GET", status=503)
    with pytest.raises(errors.Ambiguous):
        webex.create(spec())


def test_a_webinar_is_made_with_the_session_type_of_its_host(sandbox, webex, spec):
    meeting = webex.create(spec(kind="webinar"))
    [(_, _, body)] = sandbox.bodies
    assert (body["scheduledType"], body["sessionTypeId"], body["sendEmail"]) == ("webinar", 169, False)
    assert meeting.shortcomings() == ()


def test_the_session_type_of_a_host_is_looked_up_once(sandbox, webex, spec, other_host):
    for host in (spec().host, spec().host, other_host, spec().host):
        webex.create(spec(kind="webinar", host=host))
    assert [path for _, path, _ in sandbox.requests].count(SESSION_TYPES) == 2


def test_a_meeting_needs_no_session_type(sandbox, webex, spec):
    webex.create(spec())
    assert SESSION_TYPES not in [path for _, path, _ in sandbox.requests]


@pytest.mark.parametrize(("wanted", "sent"), [(0, 0), (5, 0), (7, 0), (8, 15), (10, 15), (15, 15), (40, 45), (60, 60)])
def test_a_webinar_opens_at_the_nearest_time_that_webex_knows(sandbox, webex, spec, wanted, sent):
    webex.create(spec(kind="webinar", join_before_minutes=wanted))
    [(_, _, body)] = sandbox.bodies
    assert (body["joinBeforeHostMinutes"], body["enabledJoinBeforeHost"]) == (sent, sent > 0)


@pytest.mark.parametrize("minutes", [-1, 61])
def test_a_webinar_that_is_to_open_beyond_all_times_costs_no_request(sandbox, webex, spec, minutes):
    with pytest.raises(errors.Invalid):
        webex.create(spec(kind="webinar", join_before_minutes=minutes))
    assert sandbox.requests == []


@pytest.mark.parametrize("listed", [[], [{"id": 3, "type": "meeting"}], [{"id": 3}]])
def test_another_host_is_wanted_when_this_one_can_hold_no_webinar(sandbox, webex, spec, listed):
    answer(sandbox, "GET", {"items": listed})
    with pytest.raises(errors.HostUnavailable, match="licence for webinars"):
        webex.create(spec(kind="webinar"))
    assert sandbox.count("POST") == 0
    webex.create(spec(kind="webinar"))  # it got the licence meanwhile


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"fault": "drop-before-apply"},
        {"fault": "html"},
        {"status": 200, "body": '{"items": [{"id": true, "type": "webinar"}]}'},
        {"status": 200, "body": '{"items": [{"id": "many", "type": "webinar"}]}'},
    ],
)
def test_a_webinar_was_not_made_when_the_session_type_cannot_be_had(sandbox, webex, spec, fault):
    sandbox.faults.add(path=SESSION_TYPES, **fault)
    with pytest.raises(errors.Transient):
        webex.create(spec(kind="webinar"))
    assert sandbox.meetings() == []


def test_a_session_type_that_webex_refuses_is_looked_up_again(sandbox, webex, spec):
    webex.create(spec(kind="webinar"))
    sandbox.faults.add(method="POST", status=400)
    with pytest.raises(errors.Invalid):
        webex.create(spec(kind="webinar"))
    webex.create(spec(kind="webinar"))
    assert [path for _, path, _ in sandbox.requests].count(SESSION_TYPES) == 2


@pytest.mark.parametrize(("kind", "minutes"), [("meeting", 5), ("webinar", 30)])
def test_a_change_may_name_the_times_of_its_kind(sandbox, webex, spec, kind, minutes):
    meeting = webex.create(spec(kind=kind))
    webex.update(meeting.ref, MeetingChanges(join_before_minutes=minutes))
    assert sandbox.bodies[-1][2]["joinBeforeHostMinutes"] == minutes


def test_the_address_where_people_register_is_told(sandbox, webex, spec):
    answer(sandbox, "POST", shown(spec()))
    answer(sandbox, "GET", shown(spec(), registerLink="https://site.example/register"))
    assert webex.create(spec()).registration_url == "https://site.example/register"


def test_a_meeting_without_registration_has_no_address_for_it(webex, spec):
    assert webex.create(spec()).registration_url is None


def test_an_address_to_register_that_is_none_is_not_handed_on(sandbox, webex, spec):
    meeting = webex.create(spec())
    answer(sandbox, "GET", shown(spec(), registerLink="javascript:alert(1)"))
    with pytest.raises(errors.Transient):
        webex.get(meeting.ref)


def test_the_key_of_a_meeting_is_the_tag_that_is_ours(sandbox, webex, spec):
    answer(sandbox, "GET", {"items": [shown(spec(), integrationTags=["ticket-7", spec().key])]})
    [meeting] = webex.ours(spec().host, spec().starts_at - timedelta(days=1), spec().ends_at)
    assert meeting.key == spec().key
