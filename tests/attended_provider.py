"""A provider that knows panellists and tells who was there, as a test says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from conference_orchestrator.providers.base import Attendance, MeetingRef, Person, Role, Visit
from tests.faulty_provider import FaultyProvider


class AttendedProvider(FaultyProvider):
    """`invited` are (meeting, role, name, address); `visits` are told of every meeting, asked for with `asked`."""

    def __init__(self) -> None:
        super().__init__(invitees=True, attendance=True)
        self.invited: list[tuple[str, Role, str, str]] = []
        self.visits: list[Visit] = []
        self.is_complete = True
        self.asked: list[tuple[MeetingRef, datetime, datetime]] = []

    def invite(self, ref: MeetingRef, people: Sequence[Person], *, role: Role) -> None:
        new = [(ref.id, role, person.name, person.email) for person in people]
        self._called("invite", lambda: self.invited.extend(one for one in new if one not in self.invited))

    def attendance(self, ref: MeetingRef, starts_at: datetime, ends_at: datetime) -> Attendance:
        self.asked.append((ref, starts_at, ends_at))
        told: Attendance = self._called("attendance", lambda: Attendance(tuple(self.visits), self.is_complete))
        return told
