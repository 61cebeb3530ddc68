"""What the sandbox remembers: meetings, kept in a file when one is given, and what clients did."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TypeVar

from conference_orchestrator.providers.sandbox.meetings import Kept, Refused

T = TypeVar("T")
DAY = timedelta(days=1)


class Store:
    """The meetings by id. Every change is on disk before it is answered, if there is a file. Safe for threads."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = Lock()
        self._meetings: dict[str, Kept] = {}
        self._hidden: dict[str, int] = {}
        if file and file.exists():
            kept = json.loads(file.read_text(encoding="utf-8"))
            self._meetings = {meeting["id"]: Kept(**meeting) for meeting in kept}

    def add(self, meeting: Kept) -> None:
        """Keep a new meeting."""
        with self._lock:
            self._meetings[meeting.id] = meeting
            self._save()

    def get(self, meeting_id: str, of: str | None) -> Kept:
        """The meeting, which must be hosted by `of` if given. Refused with 404 otherwise.

        The id may also be that of its occurrence or of an instance, which begin with the id of the meeting.
        """
        with self._lock:
            return self._known(meeting_id.partition("_")[0], of)

    def change(self, meeting_id: str, of: str | None, change: Callable[[Kept], T]) -> T:
        """What the change gives back, once it is kept. Refused with 404 without the meeting, or as the change refuses.

        A change that refuses must have changed nothing yet.
        """
        with self._lock:
            given = change(self._known(meeting_id, of))
            self._save()
            return given

    def delete(self, meeting_id: str, of: str | None) -> Kept:
        """Forget the meeting, and give it back. Refused with 404 when there is none."""
        with self._lock:
            meeting = self._meetings.pop(self._known(meeting_id, of).id)
            self._save()
            return meeting

    def all(self) -> list[Kept]:
        """Every meeting, the earliest first."""
        with self._lock:
            return sorted(self._meetings.values(), key=lambda meeting: (meeting.start, meeting.id))

    def hide(self, meeting_id: str, looks: int) -> None:
        """Leave a meeting out of the next `looks` lists that would hold it."""
        with self._lock:
            self._hidden[meeting_id] = looks

    def lags_behind(self, meeting: Kept) -> bool:
        """Whether a list that would hold the meeting must leave it out; counts as one look."""
        with self._lock:
            left = self._hidden.get(meeting.id, 0)
            self._hidden[meeting.id] = max(left - 1, 0)
            return left > 0

    def _known(self, meeting_id: str, of: str | None) -> Kept:
        meeting = self._meetings.get(meeting_id)
        if meeting is None or (of is not None and meeting.host.casefold() != of.casefold()):
            raise Refused(404, "The requested resource could not be found.")
        return meeting

    def _save(self) -> None:
        if self._file is None:
            return
        # Replaced as a whole, so that a kill at any moment leaves one version or the other.
        written = self._file.with_name(f"{self._file.name}.new")
        written.write_text(json.dumps([asdict(meeting) for meeting in self._meetings.values()]), encoding="utf-8")
        written.replace(self._file)


class Quota:
    """How many meetings a user may create in 24 hours; refused ones count too. Safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._created: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def use(self, user: str, now: datetime) -> None:
        """Count one attempt. Refused with 429 when there were too many; that one counts no more."""
        with self._lock:
            attempts = self._created[user]
            while attempts and attempts[0] <= now - DAY:
                attempts.popleft()
            if len(attempts) >= self._most:
                wait = attempts[0] + DAY - now if attempts else DAY
                raise Refused(429, "Too many meetings were scheduled.", retry_after=str(int(wait.total_seconds()) + 1))
            attempts.append(now)
