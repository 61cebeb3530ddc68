"""What is wrong, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from conference_orchestrator.kernel.times import rfc3339


@dataclass(frozen=True)
class Violation:
    """One thing that must never be so, and is: the short name of the invariant, and what breaks it.

    `said` names rows by their ids and nobody by name or address. `conference_id` where the invitations of a conference
    are to be looked at again.
    """

    invariant: str
    said: str
    conference_id: UUID | None = None

    def __str__(self) -> str:
        return f"{self.invariant}: {self.said}"


def span(starts_at: datetime, ends_at: datetime) -> str:
    """A window in the words of a violation."""
    return f"{rfc3339(starts_at)} to {rfc3339(ends_at)}"
