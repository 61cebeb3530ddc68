"""The port through which answers and bounces come in, and what can go wrong with it.

    MailboxError
    ├── MailboxUnavailable   no connection, or it broke or took too long     try later
    └── MailboxRefused       the login, the folder or writing is refused     somebody has to change the setting

A mail stays in its folder; what was looked at is only marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

# Bytes. An answer has some ten thousand; a bounce that brings a whole mail back, not many more.
LARGEST_MAIL = 1024 * 1024


class MailboxError(Exception):
    """The mailbox could not be used. The text is what the server or the system said."""


class MailboxUnavailable(MailboxError):
    """There is no connection, or it broke or took too long; the same may be tried later."""


class MailboxRefused(MailboxError):
    """The server refuses the login, the folder, or to mark mails: somebody has to look at the setting."""


@dataclass(frozen=True, order=True)
class MailKey:
    """A mail's place in its folder (IMAP's UIDVALIDITY and UID); it never comes to mean another mail."""

    validity: int
    number: int


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as it lies in the folder. Not `whole`: `data` is its header alone, empty when that could not be had."""

    key: MailKey
    data: bytes
    whole: bool


class Mailbox(Protocol):
    """A folder in which mails wait. A context manager: leaving it closes the connection."""

    def new(self, limit: int) -> Iterator[Mail]:
        """The mails that are not done, oldest first, at most `limit`; `done` may be called in between.

        A mail that cannot be fetched does not stop the others: it comes after them, without its data, unless none can
        be fetched. Raises MailboxUnavailable or MailboxRefused.
        """
        ...

    def done(self, key: MailKey) -> None:
        """Never hand on that mail again. A key from before the folder was renumbered marks nothing.

        Raises MailboxUnavailable or MailboxRefused.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
