from __future__ import annotations

import hashlib
import hmac
import json
import logging
from datetime import timedelta

import pytest
import requests

from conference_orchestrator.providers.base import MeetingChanges, MeetingRef
from conference_orchestrator.providers.contract import ProviderContract, left_out
from conference_orchestrator.providers.contract_http import HttpProviderContract
from conference_orchestrator.providers.errors import Invalid, NotFound, Transient
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.tokens import TokensInMemory
from conference_orchestrator.providers.webex import WebexProvider, provider
from conference_orchestrator.settings import Host, Settings, SettingsError

DAY = timedelta(days=1)
SECRET = "secret-of-the-webhooks"


class TestWebex(ProviderContract):
    """The contract over real HTTP, against a sandbox that gives two meetings a page."""

    @pytest.fixture
    def small_pages(self):
        return 2

    @pytest.fixture
    def sandbox(self, small_pages):
        with RunningSandbox(largest_page=small_pages) as running:
            yield running

    @pytest.fixture
    def provider(self, sandbox, token):
        return WebexProvider(sandbox.url, token, webhook_secret=SECRET)

    @pytest.fixture
    def mails(self, sandbox):
        return lambda: sandbox.mails

    @pytest.fixture
    def signed_event(self):
        body = b'{"resource": "meetings", "event": "updated", "data": {"id": "a"}}'
        return {"X-Spark-Signature": hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}, body


class TestWebexOverHttp(HttpProviderContract):
    """The contract with servers that do not behave."""

    secrets = ("token-of-this-suite", "secret-of-this-suite")

    def provider_at(self, url, read_timeout):
        token, secret = self.secrets
        return WebexProvider(url, token, webhook_secret=secret, timeouts=Timeouts(connect=5, read=read_timeout))

    def error_body(self, text):
        return json.dumps({"message": text, "errors": [{"description": text}], "trackingId": text}).encode()


def test_the_contract_leaves_out_only_what_webex_cannot_do(sandbox, token):
    capabilities = WebexProvider(sandbox.url, token, webhook_secret=SECRET).capabilities()
    assert set(left_out(TestWebex, capabilities).values()) == {
        "creating twice makes two meetings",
        "the meeting's own link is for everybody",
        "the provider is told who comes",
        "the provider tells who was there",
        "the provider sends events",
        "the provider keeps its meetings",
    }


def find(webex, spec):
    return webex.find(spec.key, spec.host, spec.starts_at, spec.ends_at)


def test_webex_is_never_asked_to_mail_anybody(sandbox, webex, spec):
    meeting = webex.create(spec())
    webex.update(meeting.ref, MeetingChanges(title="Another"))
    webex.cancel(meeting.ref)
    assert sandbox.mails == []


def test_the_sandbox_would_have_seen_a_request_to_mail(sandbox, webex, spec, token):
    meeting = webex.create(spec())
    requests.delete(f"{sandbox.url}meetings/{meeting.ref.id}", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert sandbox.mails == [("DELETE", meeting.ref.id)]


def test_a_create_says_all_that_must_be_right(sandbox, webex, spec):
    wanted = spec()
    webex.create(wanted)
    [(_, _, body)] = sandbox.bodies
    assert body == {
        "title": "Brain Tumour round",
        "agenda": "Two cases of twenty minutes.",
        "start": wanted.starts_at.isoformat().replace("+00:00", "Z"),
        "end": wanted.ends_at.isoformat().replace("+00:00", "Z"),
        "timezone": "Europe/Berlin",
        "hostEmail": wanted.host,
        "integrationTags": [wanted.key],
        "scheduledType": "meeting",
        "enabledJoinBeforeHost": True,
        "joinBeforeHostMinutes": 10,
        "unlockedMeetingJoinSecurity": "allowJoinWithLobby",
        "publicMeeting": False,
        "enabledAutoRecordMeeting": False,
        "sendEmail": False,
    }


def test_without_a_host_the_owner_of_the_token_is_never_named(sandbox, webex, spec):
    meeting = webex.create(spec(host=None))
    assert webex.update(meeting.ref, MeetingChanges(title="Another")).ref.host is None
    assert len(find(webex, spec(host=None))) == 1
    assert not [body for _, _, body in sandbox.bodies if "hostEmail" in body]


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"title": "Another"}, {"title": "Another"}),
        ({"agenda": None}, {"agenda": None}),
        ({"lobby": False}, {"unlockedMeetingJoinSecurity": "allowJoin"}),
        ({"join_before_minutes": 0}, {"enabledJoinBeforeHost": False, "joinBeforeHostMinutes": 0}),
        ({"time_zone": "Europe/Lisbon"}, {"timezone": "Europe/Lisbon"}),
    ],
)
def test_an_update_sends_the_changed_fields_only(sandbox, webex, spec, changes, sent):
    meeting = webex.create(spec())
    webex.update(meeting.ref, MeetingChanges(**changes))
    assert sandbox.bodies[-1] == (
        "PATCH",
        f"/v1/meetings/{meeting.ref.id}",
        {**sent, "sendEmail": False, "hostEmail": spec().host},
    )


def test_a_cleared_agenda_is_gone_at_the_provider(sandbox, webex, spec):
    meeting = webex.create(spec())
    webex.update(meeting.ref, MeetingChanges(agenda=None))
    assert sandbox.meetings()[0]["agenda"] is None


def test_a_change_of_nothing_sends_no_change(sandbox, webex, spec):
    meeting = webex.create(spec())
    webex.update(meeting.ref, MeetingChanges())
    assert sandbox.count("PATCH") == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"title": "x" * 129},
        {"agenda": "x" * 1301},
        {"kind": "gathering"},
        {"key": "x" * 65},
        {"join_before_minutes": 7},
    ],
)
def test_what_webex_would_refuse_costs_no_request(sandbox, webex, spec, broken):
    with pytest.raises(Invalid):
        webex.create(spec(**broken))
    assert sandbox.requests == []


def test_a_naive_window_costs_no_request(sandbox, webex, spec):
    with pytest.raises(TypeError):
        webex.find("co-1", None, spec().starts_at.replace(tzinfo=None), spec().ends_at)
    assert sandbox.requests == []


def test_every_meeting_of_ours_in_the_window_is_listed_and_nobody_elses(sandbox, webex, spec, other_host):
    mine = spec()
    refs = {webex.create(mine).ref, webex.create(spec(key="co-another")).ref}
    for other in (spec(key="ticket-7"), spec(host=other_host)):
        webex.create(other)
    webex.create(spec(starts_at=mine.ends_at, ends_at=mine.ends_at + timedelta(hours=1)))
    assert {meeting.ref for meeting in webex.ours(mine.host, mine.starts_at, mine.ends_at)} == refs


def test_a_list_without_an_end_is_an_error(sandbox, webex, spec, token):
    @sandbox.app.after_request
    def repeat(answer):
        answer.headers["Link"] = f'<{sandbox.url}meetings>; rel="next"'
        return answer

    with pytest.raises(Transient, match="does not end"):
        find(webex, spec())
    assert sandbox.count("GET") < 200


def test_a_meeting_to_which_the_host_is_only_invited_is_not_found(sandbox, webex, spec, token, other_host):
    wanted = spec()
    body = {
        "title": "Elsewhere",
        "start": wanted.starts_at.isoformat(),
        "end": wanted.ends_at.isoformat(),
        "hostEmail": other_host,
        "invitees": [{"email": wanted.host}],
        "integrationTags": [wanted.key],
    }
    authorization = {"Authorization": f"Bearer {token}"}
    assert requests.post(f"{sandbox.url}meetings", json=body, headers=authorization, timeout=5).ok
    query = {
        "hostEmail": wanted.host,
        "from": wanted.starts_at.isoformat(),
        "to": wanted.ends_at.isoformat(),
    }
    listed = requests.get(f"{sandbox.url}meetings", params=query, headers=authorization, timeout=5).json()["items"]
    assert len(listed) == 1, "the list no longer holds what has to be left out"
    assert find(webex, wanted) == []


def test_the_key_of_another_client_is_not_found(sandbox, webex, spec):
    WebexProvider(sandbox.url, "another-client").create(spec())
    assert find(webex, spec()) == []


def test_a_host_is_the_same_in_any_case_of_letters(webex, spec):
    meeting = webex.create(spec(host="Round@Hosts.example"))
    [found] = webex.find(spec().key, "round@hosts.example", spec().starts_at, spec().ends_at)
    assert (found.ref.id, found.ref.host) == (meeting.ref.id, "round@hosts.example")


@pytest.mark.parametrize("meeting_id", ["", "..", "a/b", "a?b", "%2e%2e"])
def test_an_id_that_is_none_costs_no_request(sandbox, webex, meeting_id):
    with pytest.raises(NotFound):
        webex.get(MeetingRef("webex", meeting_id, None))
    assert webex.cancel(MeetingRef("webex", meeting_id, None)) is False
    assert sandbox.requests == []


def test_seconds_within_the_first_minute_do_not_make_a_longer_meeting(webex, spec):
    starts_at = spec().starts_at + timedelta(seconds=59)
    meeting = webex.create(spec(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=10)))
    assert meeting.ends_at - meeting.starts_at == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("state", "ours"), [("inProgress", "running"), ("ended", "over"), ("missed", "over"), ("invented", "scheduled")]
)
def test_the_states_of_webex_become_ours(sandbox, webex, spec, state, ours):
    meeting = webex.create(spec())
    answer = {
        "id": meeting.ref.id,
        "title": "x",
        "start": "2027-01-05T10:00:00Z",
        "end": "2027-01-05T11:00:00+00:00",
        "webLink": "https://site.example/j",
        "hostEmail": spec().host,
        "state": state,
    }
    sandbox.faults.add(method="GET", status=200, body=json.dumps(answer))
    assert webex.get(meeting.ref).state == ours


def test_settings_that_webex_does_not_tell_count_as_wrong(sandbox, webex, spec):
    body = '{"id": "a", "title": "x", "start": "2027-01-05T10:00:00Z", "end": "2027-01-05T11:00:00Z", '
    body += '"webLink": "https://site.example/j", "hostEmail": "round@hosts.example"}'
    sandbox.faults.add(method="POST", status=200, body=body)
    assert webex.create(spec()).shortcomings() == ("no-password", "no-lobby", "public", "recording")


def test_no_secret_is_in_any_error_log_or_repr(sandbox, webex, spec, token, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    meeting = webex.create(spec())
    secrets = [token, *vars(meeting.secrets).values()]
    said = [repr(meeting), repr(webex)]
    echo = f'{{"message": "Bearer {token} may not", "trackingId": "T-{token}"}}'
    sandbox.faults.add(method="GET", times=2, status=403, body=echo)
    sandbox.faults.add(method="GET", fault="reset-in-body")
    for _ in range(3):
        with pytest.raises(Exception, match="webex get") as told:
            webex.get(meeting.ref)
        said += [str(told.getrepr(chain=True, showlocals=False)), repr(vars(told.value))]
    said += [caplog.text, *capsys.readouterr()]
    assert "may not" in "".join(said)
    assert not [secret for secret in secrets if secret in "".join(said)]


def test_the_token_is_required_by_name():
    with pytest.raises(SettingsError, match="CO_WEBEX_TOKEN"):
        provider(Settings(provider="webex"), TokensInMemory())


@pytest.mark.parametrize("missing", ["client_id", "client_secret", "refresh_token"])
def test_what_is_missing_of_three_settings_is_named(missing):
    given = {f"webex_{name}": "x" for name in ("client_id", "client_secret", "refresh_token") if name != missing}
    with pytest.raises(SettingsError, match=f"needs CO_WEBEX_{missing.upper()} too"):
        provider(Settings(**given), TokensInMemory())


@pytest.mark.parametrize("name", ["webex_client_id", "webex_client_secret", "webex_refresh_token"])
def test_a_credential_that_cannot_be_one_is_refused_without_being_shown(name):
    given = {"webex_client_id": "x", "webex_client_secret": "x", "webex_refresh_token": "x", name: "two words"}
    with pytest.raises(SettingsError, match=f"CO_{name.upper()} holds a blank") as told:
        provider(Settings(**given), TokensInMemory())
    assert "two words" not in str(told.value)


@pytest.mark.parametrize(
    ("hosts", "creates_per_day"), [((), 100), ((Host("round@hosts.example"), Host("panel@hosts.example")), 800)]
)
def test_an_admin_may_create_more_for_each_host_than_a_user_for_himself(token, hosts, creates_per_day):
    webex = provider(Settings(webex_token=token, webex_hosts=hosts), TokensInMemory())
    assert webex.capabilities().creates_per_day == creates_per_day


@pytest.mark.parametrize(("secret", "events"), [("", False), ("x", True)])
def test_events_are_a_matter_of_the_secret_that_signs_them(token, secret, events):
    webex = provider(Settings(webex_token=token, webex_webhook_secret=secret), TokensInMemory())
    assert webex.capabilities().events is events


@pytest.mark.parametrize("wrong", ["two words", "line\nbreak", "tokén"])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(wrong):
    with pytest.raises(SettingsError) as told:
        provider(Settings(webex_token=wrong), TokensInMemory())
    assert wrong not in str(told.value)


def test_the_address_of_the_settings_is_called(sandbox, spec, token):
    webex = provider(Settings(webex_url=sandbox.url.rstrip("/"), webex_token=token), TokensInMemory())
    assert find(webex, spec()) == []
    assert sandbox.requests == [("GET", "/v1/meetings", 200)]
