"""What fails in a walk: processes that end, a provider, a mail server."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.transaction import is_open
from conference_orchestrator.notify.sending import Lost, nobody
from tests.faulty_provider import FaultyProvider
from tests.house import RememberingQueue, StandingClock
from tests.post import Killed

# Where a process may end. A task that it was doing is still there, and is done again.
DEATHS = (
    "before a commit",
    "after a commit",
    "before a call",
    "after a call",
    "before a mail",
    "after a mail",
)


@dataclass
class Fate:
    """Where the process ends next, once."""

    death: str | None = None

    def at(self, point: str) -> None:
        if self.death == point:
            self.death = None
            raise Killed(point)


class WalkQueue(RememberingQueue):
    """Remembers tasks as an outbox does, and may be where the process ends."""

    fate: Fate

    def enqueue(self, tasks: Sequence[Task], **more: Any) -> None:
        self.fate.at("before a commit")
        super().enqueue(tasks, **more)

    def wake(self) -> None:
        super().wake()
        self.fate.at("after a commit")


class Provider(FaultyProvider):
    """A provider with host accounts, whose caller may end before it hears the answer."""

    fate: Fate

    def _called(self, operation: str, work: Callable[[], Any]) -> Any:
        self.fate.at("before a call")
        answer = super()._called(operation, work)
        self.fate.at("after a call")
        return answer


@dataclass(frozen=True)
class Mail:
    """A mail that the server took; those with a calendar object say which."""

    to: str
    at: datetime
    message_id: str
    uid: str | None = None
    sequence: int | None = None
    method: str | None = None


class Mailbox:
    """A mail server that keeps what it took. `troubles` are what befalls the next mails to a person."""

    def __init__(self, fate: Fate, clock: StandingClock) -> None:
        self.fate, self.clock = fate, clock
        self.troubles: dict[str, list[Exception]] = {}
        self.taken: list[Mail] = []
        self.lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(
        self, _from_address: str, to_address: str, data: bytes, *, next_to: Callable[[], str | None] = nobody
    ) -> str:
        assert not is_open(), "a mail is sent with no transaction open"
        self.fate.at("before a mail")
        next_to()
        troubles = self.troubles.get(to_address.partition("@")[0])
        trouble = troubles.pop(0) if troubles else None
        if trouble is None or isinstance(trouble, Lost):
            self.taken.append(_read(to_address, data, at=self.clock.at))
        if trouble is not None:
            self.lost += isinstance(trouble, Lost)
            raise trouble
        self.fate.at("after a mail")
        return "250 taken"


def _read(address: str, data: bytes, *, at: datetime) -> Mail:
    """The mail as far as it matters here; a parser of the whole takes longer than all else that sends it."""
    message_id = re.search(rb"^Message-ID: (.*?)\r$", data, re.MULTILINE)
    assert message_id is not None
    said = {}
    if part := re.search(rb"^Content-Type: text/calendar.*?\r\n\r\n(.*?)\r\n--", data, re.MULTILINE | re.DOTALL):
        text = base64.b64decode(part[1]).decode().replace("\r\n ", "")
        said = dict(re.findall(r"^(UID|SEQUENCE|METHOD):(.*?)\r$", text, re.MULTILINE))
    sequence = int(said["SEQUENCE"]) if said else None
    return Mail(address, at, message_id[1].decode(), said.get("UID"), sequence, said.get("METHOD"))


def provider(fate: Fate) -> Provider:
    made = Provider(needs_host=True)
    made.fate = fate
    return made
