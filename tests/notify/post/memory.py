"""A mailbox in memory that keeps what the port promises, for tests of what is done with the mails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from conference_orchestrator.notify.mailbox import LARGEST_MAIL, Mail, MailboxError, MailboxUnavailable, MailKey


class MailboxInMemory:
    """Mails in the order in which they were put. `trouble` is raised at the next use, once; `seen` is what is done."""

    def __init__(self, *mails: bytes, validity: int = 1) -> None:
        self.validity = validity
        self.mails = dict(enumerate(mails, start=1))
        self.seen: set[MailKey] = set()
        self.unfetchable: set[int] = set()
        self.trouble: MailboxError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def put(self, mail: bytes) -> MailKey:
        number = max(self.mails, default=0) + 1
        self.mails[number] = mail
        return MailKey(self.validity, number)

    def new(self, limit: int) -> Iterator[Mail]:
        self._fail()
        waiting = [key for number in sorted(self.mails) if (key := MailKey(self.validity, number)) not in self.seen]
        withheld = [key for key in waiting[:limit] if key.number in self.unfetchable]
        for key in waiting[:limit]:
            self._fail()
            if key not in withheld:
                data = self.mails[key.number]
                whole = len(data) <= LARGEST_MAIL
                yield Mail(key=key, data=data if whole else data[: 64 * 1024], whole=whole)
        if withheld and withheld == waiting[:limit]:
            raise MailboxUnavailable("the mail server hands out none of its mails")
        yield from (Mail(key=key, data=b"", whole=False) for key in withheld)

    def done(self, key: MailKey) -> None:
        self._fail()
        if key.validity == self.validity:
            self.seen.add(key)

    def _fail(self) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
