"""The contract of HTTP, passed by an adapter that behaves and failed by one that does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from xml.sax.saxutils import escape

import pytest
import requests

from conference_orchestrator.providers.base import Capabilities, MeetingRef, WithoutExtras
from conference_orchestrator.providers.bigbluebutton import BigBlueButtonProvider
from conference_orchestrator.providers.contract_http import ENDLESS, LOST, HttpProviderContract
from conference_orchestrator.providers.errors import Invalid
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.rooms import Room

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class TestBigBlueButtonOverHttp(HttpProviderContract):
    secrets = ("639259d4-9dd8-4b25-bf01-95f9567eaf4b",)

    def provider_at(self, url, read_timeout):
        return BigBlueButtonProvider(url, self.secrets[0], timeouts=Timeouts(connect=5, read=read_timeout))

    def reference(self, provider):
        room = Room(key=f"co-{uuid4().hex}", title="Round", starts_at=AT, ends_at=AT + timedelta(hours=1))
        return MeetingRef(provider.name, room.id, None)

    def error_body(self, text):
        failed = "<returncode>FAILED</returncode><messageKey>x</messageKey>"
        return f"<response>{failed}<message>{escape(text)}</message></response>".encode()


class Careless(WithoutExtras):
    """Follows redirects with its token, waits for ever, and tells everything in its errors."""

    name = "careless"

    def __init__(self, url):
        self._url = url

    def capabilities(self):
        return Capabilities(
            kinds=frozenset({"meeting"}),
            find_by_key=False,
            native_idempotency=True,
            needs_host=False,
            min_minutes=1,
            max_minutes=60,
            title_length=50,
            agenda_length=50,
            keeps_meetings=False,
        )

    def create(self, _spec):
        self._ask("create")

    def find(self, _key, _host, _starts_at, _ends_at):
        return []

    def get(self, _ref):
        self._ask("get")

    def cancel(self, _ref):
        self._ask("cancel")

    def _ask(self, operation):
        answer = requests.get(self._url, headers={"Authorization": "Bearer the-secret"}, timeout=5)
        raise Invalid(answer.text, provider=self.name, operation=operation, status=answer.status_code)


class CarelessOverHttp(HttpProviderContract):
    secrets = ("the-secret",)

    def provider_at(self, url, _read_timeout):
        return Careless(url)


@pytest.mark.parametrize(
    ("test", "given"),
    [
        ("test_a_refusal_is_of_the_class_that_says_what_may_be_done", ()),
        ("test_what_is_gone_is_not_found_and_cancelling_it_no_error", (404,)),
        ("test_a_server_error_leaves_open_what_was_done", (502,)),
        ("test_a_lost_answer_leaves_open_what_was_done", (LOST["reset"],)),
        ("test_an_answer_of_another_form_is_no_answer", (b"{}",)),
        ("test_an_answer_without_an_end_is_left_in_time_and_takes_little_room", (ENDLESS["50 MB"],)),
        ("test_a_limited_rate_tells_how_long_to_wait", ("7", 7.0)),
        ("test_a_redirect_to_another_origin_is_not_followed", ()),
        ("test_a_refused_connection_is_unreachable", ()),
        ("test_what_cannot_be_right_costs_no_request", ()),
    ],
    ids=lambda given: given if isinstance(given, str) else "given",
)
def test_a_careless_adapter_fails(test, given):
    with pytest.raises((AssertionError, requests.RequestException, Invalid, pytest.fail.Exception)):
        getattr(CarelessOverHttp(), test)(*given)


def test_a_careless_adapter_is_caught_telling_its_secret(caplog, capsys):
    with pytest.raises((AssertionError, requests.RequestException)):
        CarelessOverHttp().test_no_secret_is_in_any_error_log_or_output(caplog, capsys)
