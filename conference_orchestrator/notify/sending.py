"""The port through which mail leaves, and what can come of one mail.

    SendingError
    ├── Refused     the server will never take it for this recipient (5xx)      do not repeat
    ├── Deferred    it was certainly not taken: 4xx, no connection, TLS, disk   repeat later
    │   └── TooFast ... because we send too fast to this recipient's domain     slow down there
    └── Lost        the answer after the last byte never came: taken or not     repeat, within a small budget

The third one is real: a server may hold the mail although its answer was lost (RFC 1047).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self


class SendingError(Exception):
    """A mail was not, or not certainly, taken. The text is what the server or the system said."""


class Refused(SendingError):
    """The server will never take this mail for this recipient."""


class Deferred(SendingError):
    """The mail was certainly not taken; the same may be tried later."""


class TooFast(Deferred):
    """The mail was not taken because too many go to the recipient's domain: all of them should wait."""


class Lost(SendingError):
    """The mail went out whole and the answer did not come back: it may or may not have been taken."""


def nobody() -> None:
    """No mail is known to follow."""


class MailSender(Protocol):
    """Where mails go. A context manager: leaving it closes the connection that the sends shared."""

    def send(
        self, from_address: str, to_address: str, data: bytes, *, next_to: Callable[[], str | None] = nobody
    ) -> str:
        """Hand over one mail for one recipient; the server's last answer. Raises Refused, Deferred or Lost.

        Addresses are bare (`name@hospital.example`), `data` is the whole mail with CRLF. After any of the errors the
        sender may be used for the next mail.

        `next_to` tells to whom the next mail from the same address will go, None for nobody. A sender that has to wait
        for an answer asks meanwhile, once: whoever sends may use that time. Sending another mail next, or none, is
        always right.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f\x7f-\x9f]+@[^\s@<>\x00-\x1f\x7f-\x9f]+")


def checked_address(address: str) -> str:
    """The address if it can stand in an SMTP command; else Refused, because no repetition will mend it."""
    if not _ADDRESS.fullmatch(address):
        raise Refused(f"{address!r} is not an e-mail address")
    return address
