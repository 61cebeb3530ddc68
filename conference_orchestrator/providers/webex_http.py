"""Talking to Webex: addresses, pages of lists, and what each answer means.

Classes of errors follow Webex's OpenAPI description; its error body is `{message, errors: [{description}],
trackingId}`, any part of which may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from requests.utils import parse_header_links

from conference_orchestrator.providers.calling import REFUSALS, REQUEST_TIMEOUT, SERVER_ERRORS, SUCCESS
from conference_orchestrator.providers.errors import (
    Ambiguous,
    Invalid,
    ProviderError,
    RateLimited,
    Transient,
    Unreachable,
)
from conference_orchestrator.providers.exchange import USUAL_WAIT, Answer, NoAnswer, NotSent, Timeouts, exchange

NAME: Final = "webex"
UNAUTHORIZED, MOST_PAGES = 401, 100


class Unreadable(Exception):
    """An answer is not what the description promises."""


class Credentials(Protocol):
    """Where the bearer token comes from. Both may raise AuthError, RateLimited or Unreachable."""

    def token(self, operation: str) -> str:
        """The token to call with."""
        ...

    def token_instead_of(self, refused: str, operation: str) -> str | None:
        """Another one after this was answered with 401; None where there is none."""
        ...


class WebexHttp:
    """One Webex address under one set of credentials. Every failure is a ProviderError that tells no secret.

    `secrets` are those that requests may hold besides the token: an answer that repeats one is masked.
    """

    def __init__(self, url: str, credentials: Credentials, timeouts: Timeouts, *, secrets: Sequence[str] = ()) -> None:
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._timeouts = timeouts
        self._secrets = tuple(filter(None, secrets))

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        """One request and its successful answer. `operation` is the port's word for what is being done.

        A token that is refused is renewed once, and the request repeated once: it was not carried out.
        """
        return self._send(operation, method, f"{self._url}/{path}", query=query, body=body)

    def listed(self, operation: str, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """The items of a list, all pages of it. What is no list, or has no end, is an error and not an empty list.

        Invalid when the next page is said to be at another origin: the token would go there.
        """
        with self.readable(operation):
            return list(self._items(operation, path, query))

    @contextmanager
    def readable(self, operation: str, answer: Answer | None = None, *, created: bool = False) -> Iterator[None]:
        """Turn Unreadable, which reading an answer in the block may raise, into the error of a lost answer."""
        try:
            yield
        except Unreadable as error:
            raise self._lost(operation, str(error), answer, created=created) from None

    def _items(self, operation: str, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
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
                raise Invalid("The list goes on elsewhere; not followed.", provider=NAME, operation=operation)
            answer = self._send(operation, "GET", following)
        raise Unreadable(f"the list does not end within {MOST_PAGES} pages")

    def _lost(self, operation: str, message: str, answer: Answer | None, *, created: bool) -> ProviderError:
        """The error for a request that was sent and has no readable answer: a create may have made a meeting."""
        kind = Ambiguous if created else Transient
        status, wait = (answer.status, answer.retry_after()) if answer else (None, None)
        return kind(message, provider=NAME, operation=operation, status=status, retry_after=wait)

    def _send(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        creates = (operation, method) == ("create", "POST")
        used = [self._credentials.token(operation)]

        def sent() -> Answer:
            try:
                return exchange(method, url, token=used[-1], timeouts=self._timeouts, query=query, body=body)
            except NotSent as error:
                raise Unreachable(str(error), provider=NAME, operation=operation) from None
            except NoAnswer as error:
                raise self._lost(operation, str(error), None, created=creates) from None

        answer = sent()
        if answer.status == UNAUTHORIZED and (another := self._credentials.token_instead_of(used[0], operation)):
            used.append(another)
            answer = sent()
        if answer.status in SUCCESS:
            return answer
        raise self._refusal(operation, answer, used, created=creates)

    def _refusal(self, operation: str, answer: Answer, tokens: Sequence[str], *, created: bool) -> ProviderError:
        kind = REFUSALS.get(answer.status, Invalid)
        if answer.status in SERVER_ERRORS or answer.status == REQUEST_TIMEOUT:
            kind = Ambiguous if created else Transient
        body = error_body(answer)
        tracking_id = body.get("trackingId") or answer.headers.get("trackingId")
        wait = answer.retry_after()
        # A proxy's error page may repeat the request, token and all.
        secrets = (*tokens, *self._secrets)
        return kind(
            masked(_error_text(body) or "no explanation was given", *secrets),
            provider=NAME,
            operation=operation,
            status=answer.status,
            tracking_id=masked(tracking_id, *secrets) if isinstance(tracking_id, str) else None,
            retry_after=USUAL_WAIT if kind is RateLimited and wait is None else wait,
        )


def masked(text: str, *secrets: str) -> str:
    """The text without the secrets."""
    for secret in secrets:
        text = text.replace(secret, "********")
    return text


def json_object(answer: Answer) -> dict[str, Any]:
    """The body of an answer, which must be a JSON object; otherwise Unreadable."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unreadable("the answer is not JSON") from None
    if not isinstance(body, dict):
        raise Unreadable("the answer is not a JSON object")
    return body


def error_body(answer: Answer) -> dict[str, Any]:
    """The body of an error where it is a JSON object; empty otherwise, for any part of it may be missing."""
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
