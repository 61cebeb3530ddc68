"""Who was in a meeting: every page, every device, every time that it was started, and when that is all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from tests.house import StandingClock

MINUTE = timedelta(minutes=1)
PARTICIPANTS = "/v1/meetingParticipants"


class Held:
    """A meeting of an hour, with a clock that stands at its end."""

    def __init__(self, sandbox, token, spec):
        self.sandbox = sandbox
        self.clock = StandingClock()
        self.webex = WebexProvider(sandbox.url, token, now=self.clock.now)
        self.meeting = self.webex.create(spec)
        self.begins, self.ends = self.meeting.starts_at, self.meeting.ends_at
        self.clock.at = self.ends

    def visit(self, name, joined, left=None):
        """Minutes after the beginning."""
        span = (self.begins + joined * MINUTE, None if left is None else self.begins + left * MINUTE)
        return (name, f"{name.lower()}@clinic.example", *span)

    def hold(self, *visits):
        self.sandbox.hold(self.meeting.ref.id, *visits)

    def attendance(self, **instead):
        return self.webex.attendance(
            self.meeting.ref, instead.get("begins", self.begins), instead.get("ends", self.ends)
        )

    def told(self, *participants):
        """Have Webex tell these, whatever there was."""
        body = json.dumps({"items": participants})
        self.sandbox.faults.add(path=PARTICIPANTS, times=None, status=200, body=body)


@pytest.fixture
def largest_page():
    return 100


@pytest.fixture
def sandbox(largest_page):
    with RunningSandbox(largest_page=largest_page) as running:
        yield running


@pytest.fixture
def held(sandbox, token, spec):
    return Held(sandbox, token, spec())


def stay(joined: datetime, left: datetime | None = None, **more):
    return {"joinedTime": joined.isoformat(), "leftTime": left.isoformat() if left else "1970-01-01T00:00:00Z", **more}


def names(attendance):
    return sorted(visit.name for visit in attendance.visits)


def test_a_visit_tells_who_and_when(held):
    held.hold(held.visit("Ada", 0, 50))
    [visit] = held.attendance().visits
    assert (visit.name, visit.email, visit.is_host) == ("Ada", "ada@clinic.example", False)
    assert (visit.joined_at, visit.left_at) == (held.begins, held.begins + 50 * MINUTE)


def test_the_host_is_known_as_such(held):
    host = held.meeting.ref.host
    held.hold(("Round", host, held.begins, held.ends))
    assert [visit.is_host for visit in held.attendance().visits] == [True]


@pytest.mark.parametrize("largest_page", [2])
def test_all_pages_are_read(held):
    held.hold(*[held.visit(f"C{number}", number, 50) for number in range(5)])
    assert names(held.attendance()) == [f"C{number}" for number in range(5)]


def test_every_time_that_the_meeting_was_started_counts(held):
    held.hold(held.visit("Ada", 0, 10))
    held.hold(held.visit("Emil", 20, 30))
    held.hold(held.visit("Ada", 40, 50))
    assert names(held.attendance()) == ["Ada", "Ada", "Emil"]


def test_a_time_that_the_list_does_not_hold_yet_counts_too(held):
    held.hold(held.visit("Ada", 0, 10))
    held.hold(held.visit("Emil", 20))
    listed = held.webex._webex.listed("get", "meetings", instances_of(held))
    ended = [item for item in listed if item["state"] == "ended"]
    held.sandbox.faults.add(method="GET", path="/v1/meetings", status=200, body=json.dumps({"items": ended}))
    assert len(ended) == 1
    assert names(held.attendance()) == ["Ada", "Emil"]


def instances_of(held):
    around = {"from": (held.begins - timedelta(days=1)).isoformat(), "to": (held.ends + timedelta(days=1)).isoformat()}
    series = {"meetingSeriesId": held.meeting.ref.id, "hostEmail": held.meeting.ref.host}
    return {**series, "meetingType": "meeting", **around}


def test_somebody_on_two_devices_visits_twice(held):
    devices = [stay(held.begins, held.ends), stay(held.begins + 5 * MINUTE, held.ends)]
    held.told({"displayName": "Ada", "email": "ada@clinic.example", "state": "end", "devices": devices})
    visits = held.attendance().visits
    assert [visit.joined_at for visit in visits] == [held.begins, held.begins + 5 * MINUTE]


def test_without_devices_the_participant_is_the_visit(held):
    held.told({"displayName": "Ada", "state": "end", "devices": [], **stay(held.begins, held.ends)})
    [visit] = held.attendance().visits
    assert (visit.email, visit.left_at) == (None, held.ends)


def test_who_waits_in_the_lobby_was_not_there(held):
    held.told({"displayName": "Ada", "state": "lobby", **stay(held.begins)})
    assert held.attendance().visits == ()


def test_only_visits_within_the_interval_are_told(held):
    held.hold(
        held.visit("Early", -10, -5),
        held.visit("Before", -10, 5),
        held.visit("After", 55, 70),
        held.visit("Late", 61, 70),
    )
    assert names(held.attendance()) == ["After", "Before"]


@pytest.mark.parametrize(("minutes", "complete"), [(0, False), (14, False), (15, True)])
def test_it_is_complete_a_quarter_of_an_hour_after_the_end(held, minutes, complete):
    held.hold(held.visit("Ada", 0, 50))
    held.clock.at = held.ends + minutes * MINUTE
    assert held.attendance().is_complete is complete


def test_it_is_not_complete_while_somebody_is_in(held):
    held.hold(held.visit("Ada", 0, 50), held.visit("Emil", 0))
    held.clock.at = held.ends + timedelta(hours=5)
    attendance = held.attendance()
    assert not attendance.is_complete
    assert [visit.left_at for visit in attendance.visits if visit.name == "Emil"] == [None]


@pytest.mark.parametrize("state", ["inProgress", "lobby"])
def test_it_is_not_complete_while_the_meeting_runs_though_everybody_seems_to_have_left(held, state):
    running = json.dumps({"items": [{"id": f"{held.meeting.ref.id}_I_1", "state": state}]})
    held.sandbox.faults.add(method="GET", path="/v1/meetings", status=200, body=running)
    held.told({"displayName": "Ada", "state": "end", **stay(held.begins, held.ends)})
    held.clock.at = held.ends + timedelta(hours=5)
    attendance = held.attendance()
    assert (names(attendance), attendance.is_complete) == (["Ada"], False)


@pytest.mark.parametrize(("minutes", "complete"), [(44, False), (45, True)])
def test_a_meeting_that_overran_is_complete_a_quarter_of_an_hour_later(held, minutes, complete):
    held.hold(held.visit("Ada", 0, 90))
    held.clock.at = held.ends + minutes * MINUTE
    assert held.attendance().is_complete is complete


@pytest.mark.parametrize("joined", [{}, {"joinedTime": "1970-01-01T00:00:00.000Z"}, {"joinedTime": None}])
def test_a_visit_whose_beginning_is_not_told_yet_is_none_and_more_is_to_come(held, joined):
    held.told({"displayName": "Ada", "state": "joined", **joined})
    held.clock.at = held.ends + timedelta(hours=1)
    attendance = held.attendance()
    assert (attendance.visits, attendance.is_complete) == ((), False)


@pytest.mark.parametrize(("minutes", "complete"), [(14, False), (15, True)])
def test_that_nobody_came_is_known_a_quarter_of_an_hour_after_the_end(held, minutes, complete):
    held.clock.at = held.ends + minutes * MINUTE
    attendance = held.attendance()
    assert (attendance.visits, attendance.is_complete) == ((), complete)


@pytest.mark.parametrize("status", [404, 410])
def test_a_list_that_webex_has_not_is_nobody_as_long_as_there_is_the_meeting(held, status):
    held.clock.at = held.ends + timedelta(hours=1)
    held.sandbox.faults.add(path=PARTICIPANTS, status=status)
    assert held.attendance().visits == ()


def test_of_a_meeting_that_is_gone_nobody_can_say_who_was_there(held):
    held.webex.cancel(held.meeting.ref)
    with pytest.raises(errors.NotFound) as told:
        held.attendance()
    assert told.value.operation == "attendance"


@pytest.mark.parametrize("fault", [{"status": 503}, {"fault": "html"}, {"fault": "empty-object"}])
def test_a_list_that_cannot_be_read_is_not_nobody(held, fault):
    held.sandbox.faults.add(path=PARTICIPANTS, **fault)
    with pytest.raises(errors.Transient):
        held.attendance()


@pytest.mark.parametrize("wrong", [{"joinedTime": "yesterday"}, {"joinedTime": "2027-01-05T10:00:00"}])
def test_a_time_that_is_none_is_not_guessed(held, wrong):
    held.told({"displayName": "Ada", "state": "end", **wrong})
    with pytest.raises(errors.Transient):
        held.attendance()


def test_a_naive_interval_costs_no_request(held):
    held.sandbox.requests.clear()
    with pytest.raises(TypeError):
        held.attendance(begins=held.begins.replace(tzinfo=None))
    assert held.sandbox.requests == []


def test_the_owner_of_the_token_needs_no_host(sandbox, token, spec):
    held = Held(sandbox, token, spec(host=None))
    held.hold(held.visit("Ada", 0, 10))
    assert held.meeting.ref == MeetingRef("webex", held.meeting.ref.id, None)
    assert names(held.attendance()) == ["Ada"]
