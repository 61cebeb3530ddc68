"""A provider in memory without native idempotency, which fails as it is told and keeps watch over its callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Any, cast

from conference_orchestrator.kernel.transaction import is_open
from conference_orchestrator.providers.base import (
    Capabilities,
    Event,
    EventKind,
    Meeting,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
    Person,
    Role,
    WithoutExtras,
)
from conference_orchestrator.providers.errors import BadSignature, NotFound, ProviderError
from conference_orchestrator.providers.mock import CAPABILITIES, MockProvider


@dataclass
class Fault:
    """What happens instead of the answer, so many times (None: always); `applied`: after the work was done."""

    error: Callable[[str], ProviderError]
    applied: bool
    times: int | None


class FaultyProvider(WithoutExtras):
    """Every call asserts that no transaction is open. `calls` are the operations in order.

    `touched` are those that change a meeting, each with the meeting's id; `listens_at` is where events are to be sent.
    """

    def __init__(self, name: str = "mock", **capabilities: Any) -> None:
        self.name = name
        usual: dict[str, Any] = {"native_idempotency": False, "is_durable": True}
        self._capabilities = replace(CAPABILITIES, **(usual | capabilities))
        self._lock = Lock()
        self._faults: dict[str, list[Fault]] = {}
        self._during: dict[str, list[Callable[[], Any]]] = {}
        self._hidden: dict[str, int] = {}
        self._made = 0
        self.meetings: dict[str, Meeting] = {}
        self.calls: list[str] = []
        self.touched: list[tuple[str, str]] = []
        self.listens_at: list[str] = []
        self.sees_transaction_open = False
        self.list_lag = 0
        self.settings: dict[str, Any] = {}

    def fail(
        self, operation: str, kind: type[ProviderError], *, applied: bool = False, times: int | None = 1, **more: Any
    ) -> None:
        """Have the next calls of the operation fail."""

        def error(where: str) -> ProviderError:
            return kind("as the test told it", provider=self.name, operation=where, **more)

        self._faults.setdefault(operation, []).append(Fault(error, applied, times))

    def mend(self) -> None:
        """Have nothing fail any more."""
        self._faults.clear()

    def during(self, operation: str, act: Callable[[], Any]) -> None:
        """Do this in the next call of the operation, before it is carried out."""
        self._during.setdefault(operation, []).append(act)

    def count(self, operation: str) -> int:
        """How often it was called."""
        return self.calls.count(operation)

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def create(self, spec: MeetingSpec) -> Meeting:
        return self._called("create", lambda: self._create(spec))

    def find(self, key: str, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        return self._called("find", lambda: self._find(key, host, starts_at, ends_at))

    def ours(self, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        return self._called("ours", lambda: self._ours(host, starts_at, ends_at))

    def get(self, ref: MeetingRef) -> Meeting:
        return self._called("get", lambda: self._known(ref, "get"))

    def update(self, ref: MeetingRef, changes: MeetingChanges) -> Meeting:
        self.touched.append(("update", ref.id))
        return self._called("update", lambda: self._update(ref, changes))

    def cancel(self, ref: MeetingRef) -> bool:
        self.touched.append(("cancel", ref.id))
        return self._called("cancel", lambda: self.meetings.pop(ref.id, None) is not None)

    def listen(self, url: str) -> None:
        self._called("listen", lambda: self.listens_at.append(url))

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> Event:
        """The body is `id kind meeting`; the header `X-Signature: ours` is the signature."""
        if headers.get("X-Signature") != "ours":
            raise BadSignature("The event is not signed.", provider=self.name, operation="parse_event")
        event_id, kind, meeting_id = body.decode().split()
        return Event(id=event_id, kind=cast("EventKind", kind), meeting_id=meeting_id)

    def join_link(self, ref: MeetingRef, person: Person, role: Role) -> str:
        return self._called("join_link", lambda: f"{self._known(ref, 'join_link').join_url}/{person.email}/{role}")

    def _called(self, operation: str, work: Callable[[], Any]) -> Any:
        with self._lock:
            self.calls.append(operation)
            self.sees_transaction_open |= is_open()
            waiting = self._during.get(operation)
            act = waiting.pop(0) if waiting else None
            fault = self._fault(operation)
        if act is not None:
            act()
        with self._lock:
            answer = work() if fault is None or fault.applied else None
        if fault is not None:
            raise fault.error(operation)
        return answer

    def _fault(self, operation: str) -> Fault | None:
        for fault in self._faults.get(operation, []):
            if fault.times is None:
                return fault
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _create(self, spec: MeetingSpec) -> Meeting:
        self._made += 1
        number = self._made
        made = replace(
            MockProvider().create(spec),
            ref=MeetingRef(self.name, f"meeting-{number:03}", spec.host),
            join_url=f"https://{'meet' if self.name == 'mock' else self.name}.example/{number:03}",
            **self.settings,
        )
        self.meetings[made.ref.id] = made
        self._hidden[made.ref.id] = self.list_lag
        return made

    def _find(self, key: str, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        found = []
        for meeting in self.meetings.values():
            in_window = meeting.starts_at < ends_at and meeting.ends_at > starts_at
            if meeting.key == key and meeting.ref.host == host and in_window:
                self._hidden[meeting.ref.id] -= 1
                found += [meeting] if self._hidden[meeting.ref.id] < 0 else []
        return found

    def _ours(self, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        return [
            one
            for one in self.meetings.values()
            if (one.key or "").startswith("co-")
            and one.ref.host == host
            and one.starts_at < ends_at
            and one.ends_at > starts_at
        ]

    def _update(self, ref: MeetingRef, changes: MeetingChanges) -> Meeting:
        given: dict[str, Any] = {k: v for k, v in changes.given().items() if k in {"title", "starts_at", "ends_at"}}
        self.meetings[ref.id] = replace(self._known(ref, "update"), **given | self.settings)
        return self.meetings[ref.id]

    def _known(self, ref: MeetingRef, operation: str) -> Meeting:
        if ref.id not in self.meetings:
            raise NotFound("There is no such meeting.", provider=self.name, operation=operation)
        return self.meetings[ref.id]


def the_only(provider: FaultyProvider) -> Meeting:
    """The meeting, of which there is exactly one."""
    (meeting,) = provider.meetings.values()
    return meeting
