"""Talking to Webex: addresses, pages of lists, and what each answer means.

Classes of errors follow Webex's OpenAPI description; its error body is `{message, errors: [{description}],
trackingId}`, any part of which may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from requests.utils import parse_header_links

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
MOST_PAGES = 100


class Unreadable(Exception):
    """An answer is not what the description promises."""


class WebexHttp:
    """One Webex address under one bearer token. Every failure is a ProviderError that tells no secret."""

    def __init__(self, url: str, token: str, timeouts: Timeouts) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeouts = timeouts

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        """One request and its successful answer. `operation` is the port's word for what is being done."""
        return self._send(operation, method, f"{self._url}/{path}", query=query, body=body)

    def listed(self, operation: str, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page. Raises Unreadable where the answer is no list.

        Invalid when the next page is said to be at another origin: the token would go there.
        """
        answer = self.call(operation, "GET", path, query=query)
        for _ in range(MOST_PAGES):
            items = json_object(answer).get("items")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                # An answer without items is no answer: taken for "none", it would lead to a second meeting.
                raise Unreadable("the list has no items")
            yield from items
            following = _next_page(answer)
            if following is None:
                return
            if _origin(following) != _origin(self._url):
                raise Invalid("The list goes on elsewhere; not followed.", provider="webex", operation=operation)
            answer = self._send(operation, "GET", following)
        raise Unreadable(f"the list does not end within {MOST_PAGES} pages")

    def lost(self, operation: str, message: str, answer: Answer | None = None) -> ProviderError:
        """The error for a request that was sent and has no readable answer: a create may have made a meeting."""
        kind = Ambiguous if operation == "create" else Transient
        status, wait = (answer.status, answer.retry_after()) if answer else (None, None)
        return kind(message, provider="webex", operation=operation, status=status, retry_after=wait)

    def _send(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        try:
            answer = exchange(method, url, token=self._token, timeouts=self._timeouts, query=query, body=body)
        except NotSent as error:
            raise Unreachable(str(error), provider="webex", operation=operation) from None
        except NoAnswer as error:
            raise self.lost(operation, str(error)) from None
        if answer.status in SUCCESS:
            return answer
        raise self._refusal(operation, answer)

    def _refusal(self, operation: str, answer: Answer) -> ProviderError:
        kind = REFUSALS.get(answer.status, Invalid)
        if answer.status in SERVER_ERRORS or answer.status == REQUEST_TIMEOUT:
            kind = Ambiguous if operation == "create" else Transient
        body = _error_body(answer)
        tracking_id = body.get("trackingId") or answer.headers.get("trackingId")
        wait = answer.retry_after()
        return kind(
            self._masked(_error_text(body) or "no explanation was given"),
            provider="webex",
            operation=operation,
            status=answer.status,
            tracking_id=self._masked(tracking_id) if isinstance(tracking_id, str) else None,
            retry_after=USUAL_WAIT if kind is RateLimited and wait is None else wait,
        )

    def _masked(self, text: str) -> str:
        # A proxy's error page may repeat the request, token and all.
        return text.replace(self._token, "********")


def json_object(answer: Answer) -> dict[str, Any]:
    """The body of an answer, which must be a JSON object; otherwise Unreadable."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unreadable("the answer is not JSON") from None
    if not isinstance(body, dict):
        raise Unreadable("the answer is not a JSON object")
    return body


def _error_body(answer: Answer) -> dict[str, Any]:
    try:
        return json_object(answer)
    except Unreadable:
        return {}


def _error_text(body: dict[str, Any]) -> str:
    errors = body.get("errors")
    listed = errors if isinstance(errors, list) else []
    details = [error.get("description") for error in listed if isinstance(error, dict)]
    return " ".join(text for text in (body.get("message"), *details) if isinstance(text, str))


def _next_page(answer: Answer) -> str | None:
    links = parse_header_links(answer.headers.get("Link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), None)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", None, None
