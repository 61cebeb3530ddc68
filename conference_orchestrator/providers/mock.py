"""A provider in memory, for demonstrations and for tests that are about something else.

It forgets everything when the process ends, as if its meetings had been deleted. A meeting's id and link are made from
the key, so that one created again is the same meeting at the same address and mailed links stay true.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import Lock
from urllib.parse import quote

from conference_orchestrator.providers.base import (
    KEY_PREFIX,
    UNSET,
    Capabilities,
    Meeting,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
    Person,
    Role,
    Secrets,
    WithoutExtras,
    must_be_aware,
    to_the_minute,
)
from conference_orchestrator.providers.errors import Invalid, NotFound
from conference_orchestrator.providers.tokens import TokenStore
from conference_orchestrator.settings import Settings

CAPABILITIES = Capabilities(
    kinds=frozenset({"meeting", "webinar"}),
    find_by_key=True,
    native_idempotency=True,
    needs_host=False,
    min_minutes=1,
    max_minutes=24 * 60,
    title_length=200,
    agenda_length=5000,
    is_durable=False,
)


class MockProvider(WithoutExtras):
    """Meetings in this process's memory. Safe for threads."""

    name = "mock"

    def __init__(self) -> None:
        self._meetings: dict[str, Meeting] = {}
        self._lock = Lock()

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def create(self, spec: MeetingSpec) -> Meeting:
        self._refuse(CAPABILITIES.obstacles(spec), "create")
        with self._lock:
            return self._meetings.setdefault(spec.key, _made(spec))

    def find(self, key: str, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        must_be_aware(starts_at, ends_at)
        with self._lock:
            meeting = self._meetings.get(key)
        return [meeting] if meeting and meeting.ref.host == host else []

    def ours(self, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        with self._lock:
            known = list(self._meetings.values())
        return [
            one
            for one in known
            if (one.key or "").startswith(KEY_PREFIX)
            and one.ref.host == host
            and one.starts_at < ends_at
            and one.ends_at > starts_at
        ]

    def get(self, ref: MeetingRef) -> Meeting:
        with self._lock:
            return self._known(ref, "get")

    def update(self, ref: MeetingRef, changes: MeetingChanges) -> Meeting:
        self._refuse(CAPABILITIES.obstacles(changes), "update")
        with self._lock:
            changed = _changed(self._known(ref, "update"), changes)
            self._meetings[ref.id] = changed
            return changed

    def cancel(self, ref: MeetingRef) -> bool:
        with self._lock:
            return self._meetings.pop(ref.id, None) is not None

    def join_link(self, ref: MeetingRef, _person: Person, _role: Role) -> str:
        return self.get(ref).join_url

    def _known(self, ref: MeetingRef, operation: str) -> Meeting:
        try:
            return self._meetings[ref.id]
        except KeyError:
            raise NotFound("There is no such meeting.", provider=self.name, operation=operation) from None

    def _refuse(self, obstacles: tuple[str, ...], operation: str) -> None:
        if obstacles:
            raise Invalid(" ".join(obstacles), provider=self.name, operation=operation)


def _made(spec: MeetingSpec) -> Meeting:
    return Meeting(
        ref=MeetingRef(MockProvider.name, spec.key, spec.host),
        key=spec.key,
        number=None,
        title=spec.title,
        starts_at=to_the_minute(spec.starts_at),
        ends_at=to_the_minute(spec.ends_at),
        state="scheduled",
        join_url=f"https://mock.example/{quote(spec.key, safe='')}",
        secrets=Secrets(host_key="123456", password="mock-password"),  # noqa: S106  - opens nothing
        has_password=True,
        lobby=spec.lobby,
        public=False,
        recording=False,
    )


def _changed(meeting: Meeting, changes: MeetingChanges) -> Meeting:
    return replace(
        meeting,
        title=meeting.title if changes.title is UNSET else changes.title,
        starts_at=meeting.starts_at if changes.starts_at is UNSET else to_the_minute(changes.starts_at),
        ends_at=meeting.ends_at if changes.ends_at is UNSET else to_the_minute(changes.ends_at),
        lobby=meeting.lobby if changes.lobby is UNSET else changes.lobby,
    )


def provider(_settings: Settings, _tokens: TokenStore) -> MockProvider:
    """The entry point; the mock needs no settings."""
    return MockProvider()
