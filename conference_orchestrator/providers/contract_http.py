"""The suite for adapters that speak HTTP, beside `contract`: what must come of a server that does not behave.

    class TestMyProviderOverHttp(HttpProviderContract):
        secrets = ("the-token-that-provider-at-gives",)

        def provider_at(self, url, read_timeout):
            return MyProvider(url, token=self.secrets[0], timeouts=Timeouts(connect=5, read=read_timeout))

The suite brings the server. Each operation is asked of it as far as the capabilities go; a provider that keeps no
meetings makes none by `create`, so that a lost answer is Transient there and Ambiguous elsewhere.
"""

from __future__ import annotations

import logging
import socket
import time
import traceback
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar
from uuid import uuid4

import pytest

from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import ConferenceProvider, MeetingChanges, MeetingRef
from conference_orchestrator.providers.contract import beyond_the_limits
from conference_orchestrator.providers.contract_scene import usual
from conference_orchestrator.providers.contract_server import Conversation, Manner, MisbehavingServer
from conference_orchestrator.providers.errors import ProviderError
from conference_orchestrator.providers.exchange import LONGEST_WAIT, SHORTEST_WAIT, USUAL_WAIT

PATIENT, HASTY = 30.0, 0.3
"""Seconds that an adapter waits for an answer that comes, and for one that does not."""
GIVEN_UP_AFTER, MOST_MEMORY = 5.0, 16_000_000
"""Seconds within which a hasty one must have given up, and bytes that it may take for it."""
MOST_LETTERS = 300
HTML = b"<!doctype html><title>Gateway</title><h1>Something else answers here</h1>"

REFUSALS = {
    302: errors.Invalid,
    307: errors.Invalid,
    400: errors.Invalid,
    401: errors.AuthError,
    403: errors.Forbidden,
    405: errors.Invalid,
    409: errors.Conflict,
    415: errors.Invalid,
    422: errors.Invalid,
    423: errors.RateLimited,
    428: errors.Invalid,
    429: errors.RateLimited,
}
UNREADABLE = {"nothing": b"", "empty object": b"{}", "html": HTML, "no text": b"\xff\xfe\x00\x80", "a list": b"[]"}
ERROR_BODIES = {"nothing": b"", "html": HTML, "a megabyte": b"x" * 1_000_000, "no text": b"\xff\xfe\x00\x80"}
ENDLESS: dict[str, Manner] = {
    "50 MB": lambda to: to.begin(200, {"Content-Length": "50000000"}).pour(800),
    "without end": lambda to: to.begin(200, {}).pour(None),
    "error without end": lambda to: to.begin(500, {}).pour(None),
    "a byte now and then": lambda to: to.begin(200, {"Content-Length": "99999"}).drip(),
    "silence": Conversation.be_silent,
}
LOST: dict[str, Manner] = {
    "reset": Conversation.reset,
    "closed": lambda _to: None,
    "no HTTP": lambda to: to.say(b"nonsense\r\n\r\n"),
    "cut off": lambda to: to.begin(200, {"Content-Length": "9"}),
}


class HttpProviderContract:
    """What the flows rely on when a provider or the way to it is out of order, one behaviour a test."""

    secrets: ClassVar[tuple[str, ...]] = ()
    """What `provider_at` gives the adapter to prove itself with; none of it may show anywhere."""

    def provider_at(self, url: str, read_timeout: float) -> ConferenceProvider:
        """The adapter, calling this address and waiting so many seconds for an answer."""
        raise NotImplementedError("override `provider_at`")

    def reference(self, provider: ConferenceProvider) -> MeetingRef:
        """A meeting that may be there; override it where an id has a form that the adapter looks at first."""
        return MeetingRef(provider.name, uuid4().hex, "first@hosts.example")

    def error_body(self, text: str) -> bytes:
        """An error in the provider's own words, holding this text; override it where there is such a form."""
        return text.encode()

    def test_a_refusal_is_of_the_class_that_says_what_may_be_done(self) -> None:
        for status, expected in REFUSALS.items():
            with MisbehavingServer(lambda to, status=status: to.answer(status)) as server:  # type: ignore[misc]
                for error in self._failures(server.url):
                    assert (type(error), error.status) == (expected, status)
                    assert error.maybe_applied is False
                    assert (error.retry_after is not None) is (expected is errors.RateLimited)

    @pytest.mark.parametrize("status", [404, 410])
    def test_what_is_gone_is_not_found_and_cancelling_it_no_error(self, status: int) -> None:
        with MisbehavingServer(lambda to: to.answer(status)) as server:
            provider = self.provider_at(server.url, PATIENT)
            assert provider.cancel(self.reference(provider)) is False
            with pytest.raises(errors.NotFound):
                provider.get(self.reference(provider))

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
    def test_a_server_error_leaves_open_what_was_done(self, status: int) -> None:
        with MisbehavingServer(lambda to: to.answer(status, HTML)) as server:
            self._expect_lost(server.url)

    @pytest.mark.parametrize("manner", LOST.values(), ids=LOST)
    def test_a_lost_answer_leaves_open_what_was_done(self, manner: Manner) -> None:
        with MisbehavingServer(manner) as server:
            self._expect_lost(server.url)
            assert server.heard, "nothing was sent"

    @pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
    def test_an_answer_of_another_form_is_no_answer(self, body: bytes) -> None:
        with MisbehavingServer(lambda to: to.answer(200, body)) as server:
            self._expect_lost(server.url, but_for="cancel")

    @pytest.mark.parametrize("manner", ENDLESS.values(), ids=ENDLESS)
    def test_an_answer_without_an_end_is_left_in_time_and_takes_little_room(self, manner: Manner) -> None:
        with MisbehavingServer(manner) as server:
            tracemalloc.start()
            begun = time.monotonic()
            try:
                with pytest.raises(ProviderError):
                    self._operations(self.provider_at(server.url, HASTY))["create"]()
                taken = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert time.monotonic() - begun < GIVEN_UP_AFTER
            assert taken < MOST_MEMORY
            self._expect_lost(server.url, wait=HASTY)

    @pytest.mark.parametrize("body", ERROR_BODIES.values(), ids=ERROR_BODIES)
    def test_an_error_body_of_any_form_leaves_the_class_as_it_is(self, body: bytes) -> None:
        with MisbehavingServer(lambda to: to.answer(400, body)) as server:
            for error in self._failures(server.url):
                assert type(error) is errors.Invalid
                assert len(error.message) <= MOST_LETTERS
                assert error.message.isprintable()

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [("7", 7.0), ("0", SHORTEST_WAIT), ("86400", LONGEST_WAIT), (None, USUAL_WAIT), ("soon", USUAL_WAIT)],
    )
    def test_a_limited_rate_tells_how_long_to_wait(self, said: str | None, seconds: float) -> None:
        headers = {"Retry-After": said} if said is not None else {}
        with MisbehavingServer(lambda to: to.answer(429, b"", headers)) as server:
            for error in self._failures(server.url):
                assert (type(error), error.retry_after) == (errors.RateLimited, seconds)

    def test_a_limited_rate_may_tell_an_instant(self) -> None:
        until = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
        with MisbehavingServer(lambda to: to.answer(423, b"", {"Retry-After": until})) as server:
            for error in self._failures(server.url):
                assert 100 < (error.retry_after or 0) <= 120  # noqa: PLR2004  - two minutes, less what passed since

    def test_a_redirect_to_another_origin_is_not_followed(self) -> None:
        with MisbehavingServer(lambda to: to.answer(200, b"{}")) as elsewhere:
            for status in (301, 302, 303, 307, 308):
                away = {"Location": f"{elsewhere.url}/meetings"}
                with MisbehavingServer(lambda to, status=status, away=away: to.answer(status, b"", away)) as server:  # type: ignore[misc]
                    assert {type(error) for error in self._failures(server.url)} == {errors.Invalid}
            assert elsewhere.heard == []

    def test_a_refused_connection_is_unreachable(self) -> None:
        with closing(socket.socket()) as unused:
            unused.bind(("127.0.0.1", 0))
            for error in self._failures(f"http://127.0.0.1:{unused.getsockname()[1]}/api"):
                assert type(error) is errors.Unreachable
                assert (error.maybe_applied, error.repeatable) == (False, True)

    def test_a_server_without_tls_is_unreachable(self) -> None:
        with MisbehavingServer(lambda to: to.answer(200, b"{}")) as server:
            errors_told = self._failures(server.url.replace("http://", "https://"))
            assert {type(error) for error in errors_told} == {errors.Unreachable}

    def test_what_cannot_be_right_costs_no_request(self) -> None:
        with MisbehavingServer(lambda to: to.answer(200, b"{}")) as server:
            provider = self.provider_at(server.url, PATIENT)
            for broken in beyond_the_limits(provider.capabilities(), usual()).values():
                with pytest.raises(errors.Invalid):
                    provider.create(usual(**broken))
            with pytest.raises(TypeError):
                provider.find(usual().key, None, usual().starts_at.replace(tzinfo=None), usual().ends_at)
            assert server.heard == []

    def test_no_secret_is_in_any_error_log_or_output(
        self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        manners: list[Manner] = [
            lambda to: to.answer(403, self.error_body(f"{to.heard.decode()} {' '.join(self.secrets)}")),
            lambda to: to.answer(500, to.heard),
            lambda to: to.answer(200, to.heard),
            *LOST.values(),
        ]
        said: list[str] = []
        for manner in manners:
            with MisbehavingServer(manner) as server:
                said += [repr(self.provider_at(server.url, PATIENT)), str(self.provider_at(server.url, 1))]
                for error in self._failures(server.url, but_for="cancel"):
                    said += [*traceback.format_exception(error), repr(error), repr(vars(error))]
        said += [caplog.text, *capsys.readouterr()]
        assert self.secrets, "the test class names no secrets"
        assert not [secret for secret in self.secrets if secret in "".join(said)]

    def _operations(self, provider: ConferenceProvider) -> dict[str, Callable[[], object]]:
        can, ref, spec = provider.capabilities(), self.reference(provider), usual()
        operations: dict[str, Callable[[], object]] = {
            "create": lambda: provider.create(spec),
            "get": lambda: provider.get(ref),
            "cancel": lambda: provider.cancel(ref),
        }
        if can.find_by_key:
            operations["find"] = lambda: provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at)
        if can.keeps_meetings:
            operations["update"] = lambda: provider.update(ref, MeetingChanges(title="Another title"))
        return operations

    def _failures(self, url: str, *, but_for: str = "", wait: float = PATIENT) -> list[ProviderError]:
        """The errors of all operations against that server, which has to make each of them fail."""
        provider, failures = self.provider_at(url, wait), []
        for name, operation in self._operations(provider).items():
            if name != but_for:
                with pytest.raises(ProviderError) as told:
                    operation()
                assert (told.value.provider, told.value.operation) == (provider.name, name)
                failures.append(told.value)
        return failures

    def _expect_lost(self, url: str, *, but_for: str = "", wait: float = PATIENT) -> None:
        makes = self.provider_at(url, wait).capabilities().keeps_meetings
        for error in self._failures(url, but_for=but_for, wait=wait):
            created = error.operation == "create" and makes
            assert type(error) is (errors.Ambiguous if created else errors.Transient)
