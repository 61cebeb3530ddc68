"""Who is made known to a meeting, and by which link people come in."""

from __future__ import annotations

import json

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import MeetingRef, Person
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider

ADA, EMIL = Person("Ada Byron", "ada@clinic.example"), Person("Emil Berg", "emil@clinic.example")
BULK, JOIN = "/v1/meetingInvitees/bulkInsert", "/v1/meetings/join"
NOWHERE = MeetingRef("webex", "0123456789abcdef", None)


@pytest.fixture
def meeting(webex, spec):
    return webex.create(spec())


def crowd(size):
    return [Person(f"Clinician {number}", f"c{number:03}@clinic.example") for number in range(size)]


def invited(sandbox):
    [kept] = sandbox.meetings()
    return {one["email"]: one for one in kept["invitees"]}


def sent(sandbox, path):
    return [body for _, asked, body in sandbox.bodies if asked == path]


def test_people_become_invitees_and_webex_mails_none_of_them(sandbox, webex, meeting):
    webex.invite(meeting.ref, [ADA, EMIL], role="attendee")
    assert set(invited(sandbox)) == {ADA.email, EMIL.email}
    assert sandbox.mails == []


@pytest.mark.parametrize(
    ("role", "flags"), [("attendee", (False, False)), ("moderator", (True, False)), ("panellist", (False, True))]
)
def test_a_role_is_told_in_the_words_of_webex(sandbox, webex, meeting, role, flags):
    webex.invite(meeting.ref, [ADA], role=role)
    [body] = sent(sandbox, BULK)
    assert body == {
        "meetingId": meeting.ref.id,
        "hostEmail": meeting.ref.host,
        "items": [
            {
                "email": ADA.email,
                "displayName": ADA.name,
                "coHost": flags[0],
                "panelist": flags[1],
                "sendEmail": False,
            }
        ],
    }


def test_two_hundred_and_fifty_people_come_in_three_calls(sandbox, webex, meeting):
    webex.invite(meeting.ref, crowd(250), role="attendee")
    assert [len(body["items"]) for body in sent(sandbox, BULK)] == [100, 100, 50]
    assert len(invited(sandbox)) == 250


def test_nobody_is_a_call_less(sandbox, webex, meeting):
    webex.invite(meeting.ref, [], role="attendee")
    assert sent(sandbox, BULK) == []


def test_who_is_named_twice_is_sent_once(sandbox, webex, meeting):
    webex.invite(meeting.ref, [ADA, Person("A. Byron", "ADA@clinic.example")], role="attendee")
    assert len(invited(sandbox)) == 1


def test_only_who_is_missing_is_sent_when_somebody_is_known(spec, token):
    with RunningSandbox(largest_page=2) as sandbox:
        webex = WebexProvider(sandbox.url, token)
        meeting = webex.create(spec())
        known, people = crowd(5), crowd(7)
        webex.invite(meeting.ref, known, role="moderator")
        sandbox.bodies.clear()
        webex.invite(
            meeting.ref, [Person(one.name, one.email.upper()) for one in people[:5]] + people[5:], role="attendee"
        )
        assert {item["email"] for item in sent(sandbox, BULK)[-1]["items"]} == {one.email for one in people[5:]}
        roles = {email: one["coHost"] for email, one in invited(sandbox).items()}
        assert roles == {one.email: one in known for one in people}, "who is known stays as before"


def test_inviting_the_same_people_again_changes_nothing(sandbox, webex, meeting):
    webex.invite(meeting.ref, [ADA, EMIL], role="attendee")
    webex.invite(meeting.ref, [ADA, EMIL], role="attendee")
    assert len(invited(sandbox)) == 2
    assert len(sent(sandbox, BULK)) == 2, "nobody is missing, so nothing more is sent"


def test_a_conflict_that_the_list_does_not_explain_is_told(sandbox, webex, meeting):
    sandbox.faults.add(path=BULK, times=2, status=409)
    with pytest.raises(errors.Conflict):
        webex.invite(meeting.ref, [ADA], role="attendee")


def test_a_name_is_cut_to_what_webex_takes(sandbox, webex, meeting):
    webex.invite(meeting.ref, [Person("x" * 200, ADA.email)], role="attendee")
    assert len(sent(sandbox, BULK)[0]["items"][0]["displayName"]) == 128


def test_people_cannot_be_made_known_to_a_meeting_that_is_gone(webex):
    with pytest.raises(errors.NotFound):
        webex.invite(NOWHERE, [ADA], role="attendee")


@pytest.mark.parametrize("meeting_id", ["", "a/b", "a?b"])
def test_an_id_that_is_none_costs_no_request(sandbox, webex, spec, meeting_id):
    ref = MeetingRef("webex", meeting_id, None)
    for call in (
        lambda: webex.invite(ref, [ADA], role="attendee"),
        lambda: webex.join_link(ref, ADA, "attendee"),
        lambda: webex.attendance(ref, spec().starts_at, spec().ends_at),
    ):
        with pytest.raises(errors.NotFound):
            call()
    assert sandbox.requests == []


def test_each_person_gets_a_link_of_their_own(sandbox, webex, meeting):
    links = {webex.join_link(meeting.ref, person, "attendee") for person in (ADA, EMIL)}
    assert len(links) == 2
    assert meeting.join_url not in links
    assert sent(sandbox, JOIN)[0] == {
        "meetingId": meeting.ref.id,
        "hostEmail": meeting.ref.host,
        "email": ADA.email,
        "displayName": ADA.name,
        "joinDirectly": False,
    }


@pytest.mark.parametrize("status", [403, 404])
def test_who_gets_no_link_of_their_own_gets_that_of_the_meeting(sandbox, webex, meeting, status):
    sandbox.faults.add(path=JOIN, status=status)
    assert webex.join_link(meeting.ref, ADA, "attendee") == meeting.join_url


def test_there_is_no_link_to_a_meeting_that_is_gone(webex):
    with pytest.raises(errors.NotFound):
        webex.join_link(NOWHERE, ADA, "attendee")


@pytest.mark.parametrize("status", [429, 503])
def test_a_link_that_cannot_be_had_now_is_not_replaced_by_that_of_all(sandbox, webex, meeting, status):
    sandbox.faults.add(path=JOIN, status=status)
    with pytest.raises(errors.ProviderError) as told:
        webex.join_link(meeting.ref, ADA, "attendee")
    assert told.value.repeatable


@pytest.mark.parametrize("said", [{}, {"joinLink": 5}, {"joinLink": "javascript:alert(1)"}])
def test_a_link_that_is_no_web_address_is_not_handed_on(sandbox, webex, meeting, said):
    sandbox.faults.add(path=JOIN, status=200, body=json.dumps(said))
    with pytest.raises(errors.Transient):
        webex.join_link(meeting.ref, ADA, "attendee")
