from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests

from conference_orchestrator.providers.base import MeetingRef, Person
from conference_orchestrator.providers.bigbluebutton import BigBlueButtonProvider, provider
from conference_orchestrator.providers.bigbluebutton_http import checksum
from conference_orchestrator.providers.contract import ProviderContract
from conference_orchestrator.providers.errors import AuthError, Conflict, Invalid, NotFound
from conference_orchestrator.providers.tokens import TokensInMemory
from conference_orchestrator.settings import Settings, SettingsError
from tests.providers.bigbluebutton_server import SECRET, BigBlueButtonServer

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA, EMIL = Person("Ada Byron", "ada@clinic.example"), Person("Emil Łoś & Söhne", "emil@clinic.example")


class Clock:
    def now(self):
        return self.at

    at = NOW


@pytest.fixture
def server():
    with BigBlueButtonServer() as running:
        yield running


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bbb(server, clock):
    return BigBlueButtonProvider(server.url, SECRET, clock=clock)


@pytest.fixture
def soon(spec):
    """A meeting that begins now and lasts an hour."""
    return spec(starts_at=NOW, ends_at=NOW + HOUR)


class TestBigBlueButton(ProviderContract):
    """The contract over real HTTP."""

    @pytest.fixture
    def provider(self, server):
        return BigBlueButtonProvider(server.url, SECRET)


def test_a_call_is_signed_as_the_documentation_s_example_is():
    query = "name=Test+Meeting&meetingID=abc123&attendeePW=111222&moderatorPW=333444"
    assert checksum("create", query, SECRET, algorithm="sha1") == "1fcbb0c4fc1f039f73aa6d697d2db9ba7f803f17"


def test_calls_are_signed_with_sha_256(bbb, server, soon):
    bbb.create(soon)
    with requests.Session() as session:
        assert "checksumError" not in session.get(bbb._http.address("isMeetingRunning", {"meetingID": "a"})).text
    assert len(server.called("isMeetingRunning")) == 2


def test_a_wanted_meeting_makes_no_room_yet(bbb, server, soon):
    bbb.create(soon)
    assert server.rooms == {}
    assert [name for name, _ in server.calls] == ["isMeetingRunning"]


def test_a_wrong_secret_shows_when_a_meeting_is_wanted(server, soon):
    with pytest.raises(AuthError) as told:
        BigBlueButtonProvider(server.url, "another-secret").create(soon)
    assert told.value.code == "checksumError"


def test_the_way_in_makes_the_room_with_a_lobby_and_without_recording(bbb, server, soon):
    bbb.join_link(bbb.create(soon).ref, ADA, "moderator")
    [query] = server.called("create")
    assert {name: query[name] for name in query if not name.endswith("PW")} == {
        "name": "Brain Tumour round",
        "meetingID": soon.key,
        "guestPolicy": "ASK_MODERATOR",
        "record": "false",
        "autoStartRecording": "false",
        "allowStartStopRecording": "false",
        "duration": "180",
    }


def test_a_moderator_comes_in_and_the_others_wait_in_the_lobby(bbb, server, soon):
    ref = bbb.create(soon).ref
    for person, role in ((ADA, "moderator"), (EMIL, "attendee"), (Person("Speaker", "s@clinic.example"), "panellist")):
        answer = requests.get(bbb.join_link(ref, person, role), timeout=5)
        assert "successfullyJoined" in answer.text
    room = server.rooms[soon.key]
    assert (room.inside, room.waiting) == (["Ada Byron"], ["Emil Łoś & Söhne", "Speaker"])


def test_nobody_s_address_is_given_away(bbb, server, soon):
    assert "clinic.example" not in bbb.join_link(bbb.create(soon).ref, ADA, "moderator") + repr(server.calls)


def test_a_link_with_another_role_put_in_opens_nothing(bbb, server, soon):
    link = bbb.join_link(bbb.create(soon).ref, EMIL, "attendee")
    forged = link.replace("role=VIEWER", "role=MODERATOR")
    assert forged != link
    assert "checksumError" in requests.get(forged, timeout=5).text
    assert "checksumError" in requests.get(bbb.create(soon).join_url, timeout=5).text


def test_a_link_opens_no_later_room_of_the_same_name(bbb, server, soon):
    ref = bbb.create(soon).ref
    link = bbb.join_link(ref, ADA, "moderator")
    server.everybody_leaves()
    bbb.join_link(ref, EMIL, "attendee")
    assert "mismatchCreateTimeParam" in requests.get(link, timeout=5).text


def test_another_instance_with_the_same_secret_leads_into_the_same_room(bbb, server, soon, clock):
    ref = bbb.create(soon).ref
    bbb.join_link(ref, ADA, "moderator")
    clock.at += timedelta(minutes=5)
    BigBlueButtonProvider(server.url, SECRET, clock=clock).join_link(ref, EMIL, "attendee")
    first, second = server.called("create")
    assert first == second
    assert len(server.rooms) == 1


def test_a_room_that_somebody_else_made_under_our_key_is_not_entered(bbb, server, soon):
    ref = bbb.create(soon).ref
    bbb.join_link(ref, ADA, "moderator")
    server.rooms[soon.key].said["moderatorPW"] = "another"
    with pytest.raises(Conflict):
        bbb.join_link(ref, EMIL, "attendee")


@pytest.mark.parametrize("off", [timedelta(minutes=-61), timedelta(hours=2)])
def test_outside_of_its_hours_the_room_is_not_opened(bbb, server, soon, clock, off):
    ref = bbb.create(soon).ref
    clock.at += off
    with pytest.raises(Invalid, match="open from 2026-11-24T09:00:00Z to 2026-11-24T12:00:00Z"):
        bbb.join_link(ref, ADA, "moderator")
    assert server.rooms == {}


@pytest.mark.parametrize("off", [timedelta(minutes=-60), timedelta(hours=2, seconds=-1)])
def test_within_its_hours_it_is(bbb, server, soon, clock, off):
    ref = bbb.create(soon).ref
    clock.at += off
    bbb.join_link(ref, ADA, "moderator")
    assert list(server.rooms) == [soon.key]


def test_while_people_are_in_it_a_meeting_is_running_and_can_be_ended(bbb, server, soon):
    ref = bbb.create(soon).ref
    requests.get(bbb.join_link(ref, ADA, "moderator"), timeout=5)
    assert bbb.get(ref).state == "running"
    assert bbb.cancel(ref) is True
    assert bbb.cancel(ref) is False
    with pytest.raises(NotFound):
        bbb.get(ref)


@pytest.mark.parametrize(
    "wrong", [{"title": "A"}, {"title": "two\nlines"}, {"key": "Co-1"}, {"key": "co 1"}, {"key": "c"}]
)
def test_what_bigbluebutton_would_refuse_costs_no_call(bbb, server, spec, wrong):
    with pytest.raises(Invalid):
        bbb.create(spec(**wrong))
    assert server.calls == []


@pytest.mark.parametrize("tampered", ["a.b.c.d", "{id}.x", "{id}=", "../{id}", "{id}\n", "X{id}"])
def test_an_id_that_we_did_not_make_costs_no_call(bbb, server, soon, tampered):
    ref = bbb.create(soon).ref
    server.calls.clear()
    wrong = MeetingRef(ref.provider, tampered.format(id=ref.id), ref.host)
    with pytest.raises(NotFound):
        bbb.get(wrong)
    with pytest.raises(NotFound):
        bbb.join_link(wrong, ADA, "attendee")
    assert bbb.cancel(wrong) is False
    assert server.calls == []


@pytest.mark.parametrize("setting", ["CO_BIGBLUEBUTTON_URL", "CO_BIGBLUEBUTTON_SECRET"])
def test_each_setting_is_required_by_name(setting):
    given = {"bigbluebutton_url": "https://bbb.example/bigbluebutton/api/", "bigbluebutton_secret": "secret"}
    del given[setting.removeprefix("CO_").lower()]
    with pytest.raises(SettingsError, match=setting):
        provider(Settings(**given), TokensInMemory())


def test_an_address_on_which_links_could_be_read_is_refused():
    with pytest.raises(SettingsError, match="CO_BIGBLUEBUTTON_URL must begin with https"):
        provider(Settings(bigbluebutton_url="http://bbb.example/", bigbluebutton_secret="s"), TokensInMemory())


@pytest.mark.parametrize("end", ["bigbluebutton", "bigbluebutton/", "bigbluebutton/api", "bigbluebutton/api/"])
def test_the_address_is_taken_in_each_form_in_which_it_is_told(server, soon, end):
    url = server.url.removesuffix("bigbluebutton/api") + end
    provider(Settings(bigbluebutton_url=url, bigbluebutton_secret=SECRET), TokensInMemory()).create(soon)
    assert len(server.calls) == 1
