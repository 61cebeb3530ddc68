"""Webex clients that are not ours take the sandbox for Webex."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from webexpythonsdk import ApiError, RateLimitError, WebexAPI
from wxc_sdk import WebexSimpleApi
from wxc_sdk.meetings import MeetingState, Registration
from wxc_sdk.meetings.invitees import CreateInviteesItem
from wxc_sdk.rest import RestError, RestSession
from wxc_sdk.webhook import WebhookEvent, WebhookEventType, WebhookResource

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.providers.sandbox.client import AT, HOST

SPAN = {"start": AT.isoformat(), "end": (AT + timedelta(hours=1)).isoformat()}
LATER = {"start": (AT + timedelta(days=1)).isoformat(), "end": (AT + timedelta(days=1, hours=1)).isoformat()}
CALLBACK = "http://127.0.0.1:1/events"


@pytest.fixture
def small_pages():
    """A sandbox that gives two items at a time, whatever is asked for."""
    with RunningSandbox(largest_page=2) as running:
        yield running


@pytest.fixture
def webexpythonsdk(small_pages):
    """It has no option to leave the connection to the caller, so its own is closed here."""
    api = WebexAPI(access_token="first-client", base_url=small_pages.url)
    yield api
    api._session._req_session.close()


@pytest.fixture
def wxc_sdk(small_pages, monkeypatch):
    """It has no option for the address of the API, only this constant."""
    monkeypatch.setattr(RestSession, "BASE", small_pages.url.rstrip("/"))
    api = WebexSimpleApi(tokens="first-client", retry_429=False)
    yield api
    api.close()


def test_webexpythonsdk_makes_reads_changes_and_deletes_a_meeting(webexpythonsdk):
    meetings = webexpythonsdk.meetings
    made = meetings.create(title="Round", sendEmail=False, hostEmail=HOST, integrationTags=["ours"], **SPAN)
    assert (made.title, made.hostEmail, meetings.get(made.id).id) == ("Round", HOST, made.id)
    changed = meetings.update(made.id, "Another", "secret-1", LATER["start"], LATER["end"], sendEmail=False)
    assert (changed.title, changed.password) == ("Another", "secret-1")
    assert datetime.fromisoformat(changed.start) == AT + timedelta(days=1)
    meetings.delete(made.id)
    with pytest.raises(ApiError, match="404"):
        meetings.get(made.id)


def test_webexpythonsdk_follows_the_pages_of_a_list(webexpythonsdk):
    made = [webexpythonsdk.meetings.create(title="Round", sendEmail=False, **SPAN).id for _ in range(5)]
    listed = list(webexpythonsdk.meetings.list(_from=AT.isoformat(), to=LATER["end"], meetingType="meetingSeries"))
    assert sorted(meeting.id for meeting in listed) == sorted(made)


def test_webexpythonsdk_invites_and_uninvites(webexpythonsdk):
    meeting_id, invitees = webexpythonsdk.meetings.create(title="Round", **SPAN).id, webexpythonsdk.meeting_invitees
    made = [invitees.create(meeting_id, f"p{number}@clinic.example", sendEmail=False) for number in range(3)]
    assert [one.id for one in invitees.list(meeting_id)] == [one.id for one in made]
    assert invitees.get(made[0].id).email == "p0@clinic.example"
    with pytest.raises(ApiError, match="409"):
        invitees.create(meeting_id, "p1@clinic.example")
    invitees.delete(made[0].id)
    assert len(list(invitees.list(meeting_id))) == 2


def test_webexpythonsdk_registers_people(webexpythonsdk):
    made = webexpythonsdk.meetings.create(title="Open round", registration={"autoAcceptRequest": True}, **SPAN)
    registrants = webexpythonsdk.meeting_registrants
    added = registrants.create(made.id, "Ann", "Bell", "ann@clinic.example", sendEmail=False)
    assert (added.status, registrants.get(made.id, added.id).email) == ("approved", "ann@clinic.example")
    assert [one.id for one in registrants.list(made.id)] == [added.id]


def test_webexpythonsdk_keeps_webhooks(webexpythonsdk):
    webhooks = webexpythonsdk.webhooks
    made = webhooks.create("ours", CALLBACK, "meetings", "created", secret="shh")
    assert (webhooks.get(made.id).targetUrl, [one.id for one in webhooks.list()]) == (CALLBACK, [made.id])
    assert webhooks.update(made.id, name="another", targetUrl=CALLBACK).name == "another"
    webhooks.delete(made.id)
    assert list(webhooks.list()) == []


def test_webexpythonsdk_refreshes_its_token():
    with RunningSandbox(clients={"ours": "our-secret"}, rotates=True) as sandbox:
        api = WebexAPI(access_token="none-yet", base_url=sandbox.url)
        first = sandbox.tokens.issue("ours")
        given = api.access_tokens.refresh("ours", "our-secret", first)
        api._session._req_session.close()
        fresh = WebexAPI(access_token=given.access_token, base_url=sandbox.url)
        assert list(fresh.meetings.list()) == []
        fresh._session._req_session.close()
    assert given.refresh_token != first


def test_webexpythonsdk_understands_the_quota():
    with RunningSandbox(meetings_per_day=1) as sandbox:
        api = WebexAPI(access_token="first-client", base_url=sandbox.url, wait_on_rate_limit=False)
        api.meetings.create(title="Round", **SPAN)
        with pytest.raises(RateLimitError) as told:
            api.meetings.create(title="Round", **SPAN)
        api._session._req_session.close()
    assert 0 < told.value.retry_after <= 24 * 3600 + 1


def test_wxc_sdk_makes_reads_patches_updates_and_deletes_a_meeting(wxc_sdk):
    meetings = wxc_sdk.meetings
    made = meetings.create(title="Round", send_email=False, host_email=HOST, integration_tags=["ours"], **SPAN)
    assert meetings.get(made.id, host_email=HOST).integration_tags == ["ours"]
    assert meetings.patch(made.id, agenda="Two cases").agenda == "Two cases"
    changed = meetings.update(made.id, title="Another", password="secret-1", host_email=HOST, **LATER)
    assert (changed.title, changed.agenda) == ("Another", "Two cases")
    meetings.delete(made.id, host_email=HOST, send_email=False)
    with pytest.raises(RestError, match="404"):
        meetings.get(made.id)


def test_wxc_sdk_follows_the_pages_of_a_list(wxc_sdk):
    made = [wxc_sdk.meetings.create(title="Round", host_email=HOST, **SPAN).id for _ in range(5)]
    listed = wxc_sdk.meetings.list(host_email=HOST, from_=AT.isoformat(), to_=LATER["end"], current=False)
    assert sorted(meeting.id for meeting in listed) == sorted(made)


def test_wxc_sdk_invites_many_and_uninvites(wxc_sdk):
    meeting_id, invitees = wxc_sdk.meetings.create(title="Round", **SPAN).id, wxc_sdk.meetings.invitees
    invitees.create_invitee("a@clinic.example", meeting_id=meeting_id, display_name="Ann", send_email=False)
    items = [CreateInviteesItem(email=f"{name}@clinic.example", panelist=True) for name in ("b", "c")]
    assert len(invitees.create_invitees(meeting_id, items)) == 2
    listed = list(invitees.list(meeting_id))
    assert [(one.email, one.panelist) for one in listed] == [
        ("a@clinic.example", False),
        ("b@clinic.example", True),
        ("c@clinic.example", True),
    ]
    invitees.delete(listed[0].id, send_email=False)
    assert len(list(invitees.list(meeting_id))) == 2


def test_wxc_sdk_makes_a_webinar_and_a_personal_link(wxc_sdk):
    made = wxc_sdk.meetings.create(
        title="Webinar",
        scheduled_type="webinar",
        session_type_id=169,
        registration=Registration(auto_accept_request=True),
        **SPAN,
    )
    assert made.registerLink.endswith(f"/register/{made.id}")
    link = wxc_sdk.meetings.join(made.id, join_directly=False, email="ann@clinic.example", display_name="Ann")
    assert f"/join/{made.id}?as=" in link.join_link
    assert datetime.fromisoformat(link.expiration) > datetime.now(UTC)


def test_wxc_sdk_reads_who_was_there(wxc_sdk, small_pages):
    meeting_id, now = wxc_sdk.meetings.create(title="Round", host_email=HOST, **SPAN).id, datetime.now(UTC)
    visits = [
        (f"Person {number}", f"p{number}@x.example", now - timedelta(minutes=9 - number), now) for number in range(3)
    ]
    small_pages.hold(meeting_id, *visits)
    held = wxc_sdk.meetings.list_of_series(
        meeting_series_id=meeting_id, meeting_type="meeting", state="ended", host_email=HOST
    )
    [instance] = held
    assert instance.state == MeetingState.ended
    told = list(wxc_sdk.meetings.participants.list_participants(instance.id, host_email=HOST))
    assert [one.email for one in told] == [f"p{number}@x.example" for number in range(3)]


def test_wxc_sdk_keeps_webhooks_and_reads_their_events(wxc_sdk, small_pages, listener):
    webhooks, kind = wxc_sdk.webhook, (WebhookResource.meetings, WebhookEventType.created)
    made = webhooks.create("ours", listener.url, *kind, secret="shh")
    assert [one.webhook_id for one in webhooks.list()] == [made.webhook_id]
    wxc_sdk.meetings.create(title="Round", **SPAN)
    [message] = small_pages.events
    assert WebhookEvent.model_validate(message.json).event == WebhookEventType.created
    webhooks.webhook_delete(made.webhook_id)
    assert list(webhooks.list()) == []
