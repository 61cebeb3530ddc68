"""What can go wrong at a provider, told apart by the one question that matters: what may be done next.

ProviderError                                                              repeat?            perhaps applied
├── AuthError         our credentials are refused                          no, tell helpdesk  no
├── Forbidden         the account may not do this                          no                 no
├── Invalid           the provider, or our own check of limits, refuses    no, show it        no
├── NotFound          no such meeting                                      no                 no
├── Conflict          the present state of the meeting forbids it          no, look again     no
├── HostUnavailable   the host has no licence or is busy                   with another host  no
├── RateLimited       too many requests                                    after the wait     no
├── Unreachable       the request never left us                            yes                no
├── Ambiguous         a create without a readable answer                   look first         YES
├── Transient         another operation without a readable answer          yes                same end state
└── BadSignature      an event that the provider did not send              no                 -

Each has the attributes of ProviderError; the first two columns are `repeatable` and `maybe_applied`.
"""

from __future__ import annotations

from typing import ClassVar

MESSAGE_LENGTH = 300


class ProviderError(Exception):
    """A call to a provider failed.

    `status` is the HTTP status, `code` the provider's own code where it has one, `tracking_id` what its support asks
    for, `retry_after` the wait in seconds that it wishes. `message` is one printable line of at most 300 characters.
    """

    repeatable: ClassVar[bool] = False
    """The same call may simply be made again later."""
    maybe_applied: ClassVar[bool] = False
    """The provider may have made a meeting that we do not know of: look before creating again."""

    def __init__(
        self,
        message: str,
        /,
        *,
        provider: str,
        operation: str,
        status: int | None = None,
        code: str | None = None,
        tracking_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = _one_line(message)
        self.provider = provider
        self.operation = operation
        self.status = status
        self.code = code and _one_line(code)
        self.tracking_id = tracking_id and _one_line(tracking_id)
        self.retry_after = retry_after
        super().__init__(f"{provider} {operation}: {self.message}{self._details()}")

    def _details(self) -> str:
        details = {"status": self.status, "code": self.code, "tracking id": self.tracking_id}
        told = ", ".join(f"{name} {value}" for name, value in details.items() if value)
        return f" ({told})" if told else ""


class AuthError(ProviderError):
    """The credentials are refused (401). Calling on makes it worse; a human has to renew them."""


class Forbidden(ProviderError):
    """The account is known and may not do this (403)."""


class Invalid(ProviderError):
    """The request cannot succeed as it is: the provider refuses it, or our check of its limits before any request."""


class NotFound(ProviderError):
    """There is no such meeting, or none any more (404, 410)."""


class Conflict(ProviderError):
    """The present state of the meeting forbids it (409)."""


class HostUnavailable(ProviderError):
    """The host has no licence for it or is busy; another host may do."""


class RateLimited(ProviderError):
    """Too many requests, or locked (429, 423). `retry_after` is always set."""

    repeatable = True


class Unreachable(ProviderError):
    """Refused, no such name, or no TLS: not one byte of the request was sent."""

    repeatable = True


class Ambiguous(ProviderError):
    """A create was sent, at least in part, and no readable answer came: there may be a meeting."""

    maybe_applied = True


class Transient(ProviderError):
    """A look, change or cancellation was sent and no readable answer came; made again, it ends in the same state."""

    repeatable = True


class BadSignature(ProviderError):
    """An event that came in has no signature, or one that was not made over this body with our secret."""


def _one_line(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MESSAGE_LENGTH])
    return " ".join(printable.split())[:MESSAGE_LENGTH]
