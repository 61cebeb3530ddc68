"""What the shipped contract stands on: its fixtures, and which of its tests apply to an adapter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

import pytest

from conference_orchestrator.providers.base import (
    KEY_PREFIX,
    Capabilities,
    ConferenceProvider,
    MeetingSpec,
    to_the_minute,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MakeSpec = Callable[..., MeetingSpec]
SignedEvent = tuple[dict[str, str], bytes]
Test = TypeVar("Test", bound=Callable[..., None])


def usual(**instead: object) -> MeetingSpec:
    """A meeting of an hour in sixty days, with a fresh key; keyword arguments replace what is said here."""
    begins = instead.get("starts_at", to_the_minute(datetime.now(UTC)) + 60 * DAY)
    assert isinstance(begins, datetime)
    said: dict[str, object] = {
        "key": f"{KEY_PREFIX}{uuid4().hex}",
        "kind": "meeting",
        "title": "Expert group meeting",
        "agenda": "Two cases of twenty minutes.",
        "starts_at": begins,
        "ends_at": begins + HOUR,
        "time_zone": "Europe/Berlin",
        "host": "first@hosts.example",
        "join_before_minutes": 10,
    }
    return MeetingSpec(**(said | instead))  # type: ignore[arg-type]


REASONS = {
    "keeps_meetings": "the provider keeps no meetings",
    "not keeps_meetings": "the provider keeps its meetings",
    "find_by_key": "meetings cannot be found by their key",
    "native_idempotency": "creating twice makes two meetings",
    "not native_idempotency": "creating twice makes one meeting",
    "personal_links": "the meeting's own link is for everybody",
    "invitees": "the provider is not told who comes",
    "not invitees": "the provider is told who comes",
    "attendance": "the provider does not tell who was there",
    "not attendance": "the provider tells who was there",
    "events": "the provider sends no events",
    "not events": "the provider sends events",
    "webinar": "the provider makes no webinars",
    "mails": "the test has no fixture `mails`",
    "signed_event": "the test has no fixture `signed_event`",
    "small_pages": "the test has no fixture `small_pages`",
}
"""Why a test does not apply, by what it needs: a capability, its absence, or a fixture that only some tests have."""


def needs(*what: str) -> Callable[[Test], Test]:
    """Let a test apply only where all of these are given, see `REASONS`."""

    def mark(test: Test) -> Test:
        test.needs = what  # type: ignore[attr-defined]
        return test

    return mark


def left_out(suite: type[ContractScene], capabilities: Capabilities) -> dict[str, str]:
    """The tests that do not apply to an adapter, by name, with the reason of each."""
    tests = {name: test for name, test in inspect.getmembers(suite) if name.startswith("test_")}
    reasons = {name: _reason(test, suite, capabilities) for name, test in tests.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(test: Callable[..., None], suite: type, capabilities: Capabilities) -> str:
    missing = [what for what in getattr(test, "needs", ()) if not _is_given(what, suite, capabilities)]
    return "; ".join(REASONS[what] for what in missing)


def _is_given(what: str, suite: type, capabilities: Capabilities) -> bool:
    if what == "webinar":
        return "webinar" in capabilities.kinds
    if what in vars(ContractScene):
        return inspect.getattr_static(suite, what) is not vars(ContractScene)[what]
    is_there = getattr(capabilities, what.removeprefix("not "))
    return bool(is_there) is not what.startswith("not ")


class ContractScene:
    """What the tests stand on; an adapter's test class overrides what its provider makes necessary."""

    @pytest.fixture
    def provider(self) -> ConferenceProvider:
        """The adapter under test."""
        raise NotImplementedError("override the fixture `provider`")

    @pytest.fixture
    def host(self) -> str:
        """A host account at the provider; one that has none takes any."""
        return "first@hosts.example"

    @pytest.fixture
    def other_host(self) -> str:
        """Another host account at the provider."""
        return "second@hosts.example"

    @pytest.fixture
    def mails(self) -> Callable[[], Sequence[object]]:
        """Override it where the test's provider can tell what it has mailed so far: that has to stay nothing."""
        raise NotImplementedError

    @pytest.fixture
    def signed_event(self) -> SignedEvent:
        """Override it where the provider sends events: the headers and the body of a genuine one."""
        raise NotImplementedError

    @pytest.fixture
    def small_pages(self) -> int:
        """Override it where the test's provider can be told to list few meetings on a page: how many."""
        raise NotImplementedError

    @pytest.fixture
    def wanted(self, host: str) -> MakeSpec:
        """Makes specs with a fresh key; keyword arguments replace what is said here."""
        return partial(usual, host=host)

    @pytest.fixture
    def imminent(self, wanted: MakeSpec) -> MeetingSpec:
        """A meeting to which people are about to come."""
        return wanted(starts_at=to_the_minute(datetime.now(UTC)) + timedelta(minutes=10))

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest, provider: ConferenceProvider) -> None:
        if reason := _reason(request.function, type(self), provider.capabilities()):
            pytest.skip(f"does not apply: {reason}")
