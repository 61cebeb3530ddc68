"""Work to be done after a commit: written in the same transaction as the change that caused it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Protocol

from sqlalchemy import Connection


class Rank(IntEnum):
    """What goes first when much is due."""

    URGENT = 0
    NORMAL = 10
    BULK = 20


@dataclass(frozen=True, kw_only=True)
class Task:
    """A wake-up for one aggregate or one batch of messages. It runs at least once, so its effect may be repeated.

    `lock` keeps two tasks of one aggregate from running at the same time; `due_at` None means at once.
    """

    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    lock: str | None = None
    rank: Rank = Rank.NORMAL
    due_at: datetime | None = None


class Queue(Protocol):
    """Takes tasks inside the caller's transaction and sees to it that each runs after the commit."""

    def enqueue(self, tasks: Sequence[Task], *, on: Connection, now: datetime) -> None:
        """Write the tasks on the caller's connection: they exist if and only if the change is committed."""
        ...

    def wake(self) -> None:
        """Say that something was committed, so that work starts without waiting for the next look."""
        ...
