"""Each provider with a way to let the next create of a meeting go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from conference_orchestrator.providers.base import ConferenceProvider, Meeting, MeetingSpec
from conference_orchestrator.providers.bigbluebutton import BigBlueButtonProvider
from conference_orchestrator.providers.contract_server import Conversation, Manner, MisbehavingServer
from conference_orchestrator.providers.errors import Ambiguous
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.jitsi import JitsiProvider
from conference_orchestrator.providers.mock import MockProvider
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from tests.providers.bigbluebutton_server import SECRET, BigBlueButtonServer

Create = Callable[[MeetingSpec], Meeting]
TIMEOUTS = Timeouts(connect=5, read=0.5)
HTML = b"<!doctype html><title>Gateway</title><h1>Something else answers here</h1>"

MANNERS: dict[str, Manner] = {
    "time-out before": Conversation.be_silent,
    "503 before": lambda to: to.answer(503),
    "reset before": Conversation.reset,
    "an empty object": lambda to: to.answer(200, b"{}"),
    "a page": lambda to: to.answer(200, HTML),
}
"""What a server answers that makes no meeting."""


class Rig:
    """A provider whose first create goes the way that `meet` was told; `made` are the ids of what it gave."""

    leaves_out: ClassVar[dict[str, str]] = {}
    """Faults that the provider cannot meet, and why."""
    attempts: ClassVar[dict[str, int]] = {}
    """How many attempts a fault costs, if not one."""

    def __init__(self, provider: ConferenceProvider) -> None:
        self._provider = provider
        self._first: Create | None = None
        self.made: list[str] = []
        self.has_met = False
        self.stack = ExitStack()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def create(self, spec: MeetingSpec) -> Meeting:
        create, self._first = self._first or self._provider.create, None
        meeting = create(spec)
        self.made.append(meeting.ref.id)
        return meeting

    def meet(self, fault: str) -> None:
        """Let the next create go wrong so."""
        raise NotImplementedError

    def meetings(self) -> list[str]:
        """The ids of the meetings that stand at the provider; of rooms that were given an address where it has none."""
        return sorted(set(self.made))

    def go(self, first: Create) -> None:
        """Have the next create done this way."""

        def noting(spec: MeetingSpec) -> Meeting:
            self.has_met = True
            return first(spec)

        self._first = noting

    def lose(self, spec: MeetingSpec) -> Meeting:
        """Make it, and never tell."""
        self._provider.create(spec)
        raise Ambiguous("no whole answer came", provider=self._provider.name, operation="create")


class WebexRig(Rig):
    """The adapter over HTTP to the sandbox."""

    ways: ClassVar[dict[str, dict[str, Any]]] = {
        "time-out after": {"delay": 30},
        "503 before": {"status": 503},
        "502 after": {"status": 502, "applied": True},
        "reset before": {"fault": "drop-before-apply"},
        "reset after": {"fault": "apply-then-drop"},
        "reset in the body": {"fault": "reset-in-body"},
        "an empty object": {"fault": "empty-object"},
        "a page": {"fault": "html"},
    }
    attempts: ClassVar[dict[str, int]] = {"time-out before": 2, "503 before": 2, "reset before": 2}

    def __init__(self, sandbox: RunningSandbox) -> None:
        super().__init__(WebexProvider(sandbox.url, "token-of-the-test", timeouts=TIMEOUTS))
        self._sandbox = sandbox

    def meet(self, fault: str) -> None:
        if fault == "time-out before":
            silent = self.stack.enter_context(MisbehavingServer(Conversation.be_silent))
            self.go(WebexProvider(silent.url, "token-of-the-test", timeouts=TIMEOUTS).create)
        elif fault == "list lag":
            self._sandbox.faults.add(method="POST", list_lag=2)
            self.go(self.lose)
        else:
            self._sandbox.faults.add(method="POST", **self.ways[fault])
            self.go(self._provider.create)

    def meetings(self) -> list[str]:
        return [meeting["id"] for meeting in self._sandbox.meetings()]


class MockRig(Rig):
    """The provider in memory, whose create may raise before or after it is done."""

    no_wire = "the mock has no answers that could be misread"
    leaves_out: ClassVar[dict[str, str]] = {
        "reset in the body": no_wire,
        "an empty object": no_wire,
        "a page": no_wire,
        "list lag": "the mock finds what it holds at once",
    }
    attempts: ClassVar[dict[str, int]] = {"time-out before": 2, "503 before": 2, "reset before": 2}

    def __init__(self) -> None:
        super().__init__(MockProvider())

    def meet(self, fault: str) -> None:
        self.go(self._refuse if fault.endswith("before") else self.lose)

    def meetings(self) -> list[str]:
        return sorted(self._provider._meetings)

    def _refuse(self, _spec: MeetingSpec) -> Meeting:
        raise Ambiguous("no whole answer came", provider="mock", operation="create")


class BigBlueButtonRig(Rig):
    """The adapter over HTTP to a small BigBlueButton: a wanted meeting is an address, made after one look."""

    no_effect = "bigbluebutton: the look that a create is makes nothing, so nothing can have been applied"
    leaves_out: ClassVar[dict[str, str]] = {
        "time-out after": no_effect,
        "502 after": no_effect,
        "reset after": no_effect,
        "reset in the body": no_effect,
        "list lag": "bigbluebutton keeps no meetings, so nothing is listed",
    }

    def __init__(self) -> None:
        self.server = BigBlueButtonServer()
        super().__init__(BigBlueButtonProvider(self.server.url, SECRET, timeouts=TIMEOUTS))

    def meet(self, fault: str) -> None:
        away = self.stack.enter_context(MisbehavingServer(MANNERS[fault]))
        self.go(BigBlueButtonProvider(away.url, SECRET, timeouts=TIMEOUTS).create)


class JitsiRig(Rig):
    """The adapter that calls nobody."""

    def __init__(self) -> None:
        super().__init__(JitsiProvider("https://meet.hospital.example", "conferences", "0123456789abcdef" * 2))


@contextmanager
def running(rig: Rig) -> Iterator[Rig]:
    """The rig, with whatever servers it started until the end of the block."""
    with rig.stack:
        yield rig
