"""A call to a provider over HTTP whose every failure is the ProviderError that the port promises.

For adapters whose provider has nothing peculiar about statuses; what is peculiar they tell by `Explanation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from conference_orchestrator.providers.errors import (
    Ambiguous,
    AuthError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ProviderError,
    RateLimited,
    Transient,
    Unreachable,
)
from conference_orchestrator.providers.exchange import USUAL_WAIT, Answer, NoAnswer, NotSent, Timeouts, exchange

REFUSALS: Final[Mapping[int, type[ProviderError]]] = {
    401: AuthError,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    423: RateLimited,
    429: RateLimited,
}
"""What a status below 500 means; any other is Invalid, redirects included, except for a time-out on their side."""
REQUEST_TIMEOUT, SERVER_ERRORS, SUCCESS = 408, range(500, 600), range(200, 300)

Explanation = Callable[[Answer], str]
"""Finds in the answer of a refused request what the provider says about it; "" when that is nothing."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """Who calls what: the provider's name and the port's word for the operation, for the errors to tell.

    `may_make`: a request of it may leave a meeting behind, so that one without a readable answer is Ambiguous.
    """

    provider: str
    operation: str
    may_make: bool = False

    def failed(self, kind: type[ProviderError], message: str, answer: Answer | None = None) -> ProviderError:
        """The error of that class for this call."""
        status, wait = (answer.status, answer.retry_after()) if answer else (None, None)
        if kind is RateLimited and wait is None:
            wait = USUAL_WAIT
        return kind(message, provider=self.provider, operation=self.operation, status=status, retry_after=wait)

    def lost(self, message: str, answer: Answer | None = None) -> ProviderError:
        """The error for a request that was sent and has no readable answer."""
        return self.failed(Ambiguous if self.may_make else Transient, message, answer)


def send(
    call: Call,
    method: str,
    url: str,
    *,
    token: str | None = None,
    timeouts: Timeouts,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
    explain: Explanation = lambda _answer: "",
) -> Answer:
    """One request and its successful answer; ProviderError otherwise, whose text holds the token nowhere."""
    try:
        answer = exchange(method, url, token=token, timeouts=timeouts, query=query, body=body, accept="*/*")
    except NotSent as error:
        raise call.failed(Unreachable, str(error)) from None
    except NoAnswer as error:
        raise call.lost(str(error)) from None
    if answer.status in SUCCESS:
        return answer
    message = explain(answer) or "no explanation was given"
    if token is not None:
        # A proxy's error page may repeat the request, token and all.
        message = message.replace(token, "********")
    if answer.status in SERVER_ERRORS or answer.status == REQUEST_TIMEOUT:
        raise call.lost(message, answer)
    raise call.failed(REFUSALS.get(answer.status, Invalid), message, answer)
