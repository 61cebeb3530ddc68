"""With which bearer token Webex is called: one that is given for good, or one that a refresh token renews.

Lifetimes are those that Webex tells. Any renewal may bring a new refresh token and make the old one worthless, so one
renewal happens at a time over all processes, and what it brought is stored before it is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from conference_orchestrator.providers.calling import SUCCESS
from conference_orchestrator.providers.errors import AuthError, RateLimited, Unreachable
from conference_orchestrator.providers.exchange import (
    USUAL_WAIT,
    Answer,
    NoAnswer,
    NotSent,
    Timeouts,
    exchange,
)
from conference_orchestrator.providers.tokens import Tokens, TokenStore
from conference_orchestrator.providers.webex_http import NAME, Unreadable, error_body, json_object

ENDING: Final = timedelta(minutes=1)
"""A token that ends sooner than this is renewed before it is used."""
LONGEST_LIFETIME: Final = timedelta(days=3650)
REFUSED, LIMITED = {400, 401, 403}, {423, 429}


def is_token(text: object) -> bool:
    """Whether this can be a token at all: a text of visible ASCII characters."""
    return isinstance(text, str) and re.fullmatch(r"[!-~]+", text) is not None


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


class GivenToken:
    """A token that stays as it is."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, _operation: str) -> str:
        """The token."""
        return self._token

    def token_instead_of(self, _refused: str, _operation: str) -> None:
        """There is no other."""


@dataclass(frozen=True, repr=False)
class Client:
    """The integration at Webex, and the refresh token that the operator was given for it."""

    id: str
    secret: str
    refresh_token: str

    @property
    def mark(self) -> str:
        """Tells this client and refresh token from others without telling them."""
        return hashlib.sha256(f"{self.id}\0{self.refresh_token}".encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return "Client(********)"


class RenewedToken:
    """A token that is renewed when it is about to end, and when it is refused.

    The refresh token of the store goes before that of the settings, which rotation may have made worthless. What the
    store keeps is marked with the settings from which it came: an operator who enters another refresh token begins
    anew with that one.
    """

    def __init__(
        self,
        url: str,
        client: Client,
        tokens: TokenStore,
        *,
        timeouts: Timeouts | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._url = f"{url.rstrip('/')}/access_token"
        self._client = client
        self._tokens = tokens
        self._timeouts = timeouts or Timeouts()
        self._now = now

    def token(self, operation: str) -> str:
        """The stored token, or a new one when there is none or it is about to end."""
        kept = self._kept()
        if kept is not None and not self._ends_within(ENDING, kept):
            return kept.access_token
        return self._renewed(operation, worn=kept.access_token if kept else None)

    def token_instead_of(self, refused: str, operation: str) -> str:
        """Another token than the refused one: somebody else's new one, or one that is fetched now."""
        return self._renewed(operation, worn=refused)

    def _renewed(self, operation: str, *, worn: str | None) -> str:
        try:
            with self._tokens.alone(NAME):
                kept = self._kept()
                if kept is not None and kept.access_token != worn and not self._ends_within(timedelta(), kept):
                    return kept.access_token  # another one renewed while we waited
                fresh = self._fetched(operation, kept.refresh_token if kept else self._client.refresh_token)
                self._keep(fresh)
                return fresh.access_token
        except TimeoutError:
            raise Unreachable(
                "another process has been renewing the token for too long", provider=NAME, operation=operation
            ) from None

    def _fetched(self, operation: str, refresh_token: str) -> Tokens:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._client.id,
            "client_secret": self._client.secret,
            "refresh_token": refresh_token,
        }
        asked_at = self._now()
        try:
            answer = exchange("POST", self._url, token=None, timeouts=self._timeouts, form=form)
            if answer.status not in SUCCESS:
                raise _refusal(operation, answer)
            return _tokens_from(json_object(answer), refresh_token, asked_at=asked_at)
        except (NotSent, NoAnswer, Unreadable) as error:
            # Whatever was to be called was not: to try again later is safe.
            raise Unreachable(f"the token could not be renewed: {error}", provider=NAME, operation=operation) from None

    def _kept(self) -> Tokens | None:
        kept = self._tokens.load(NAME)
        if kept is None:
            return None
        mark, _, refresh_token = kept.refresh_token.partition(":")
        return replace(kept, refresh_token=refresh_token) if mark == self._client.mark else None

    def _keep(self, tokens: Tokens) -> None:
        self._tokens.save(NAME, replace(tokens, refresh_token=f"{self._client.mark}:{tokens.refresh_token}"))

    def _ends_within(self, time: timedelta, tokens: Tokens) -> bool:
        return tokens.access_expires_at is not None and tokens.access_expires_at <= self._now() + time


def _refusal(operation: str, answer: Answer) -> AuthError | RateLimited | Unreachable:
    """What a refusal at the token endpoint means. Of its text only the code is told: the rest may repeat secrets."""
    said = error_body(answer).get("error")
    code = said if isinstance(said, str) and re.fullmatch(r"[a-z_]{1,40}", said) else None
    if answer.status in REFUSED:
        text = "Webex refuses the refresh token or the client: authorize anew and set CO_WEBEX_REFRESH_TOKEN."
        return AuthError(text, provider=NAME, operation=operation, status=answer.status, code=code)
    kind = RateLimited if answer.status in LIMITED else Unreachable
    wait = answer.retry_after()
    return kind(
        "Webex does not renew the token now.",
        provider=NAME,
        operation=operation,
        status=answer.status,
        code=code,
        retry_after=USUAL_WAIT if kind is RateLimited and wait is None else wait,
    )


def _tokens_from(body: dict[str, Any], before: str, *, asked_at: datetime) -> Tokens:
    access_token, refresh_token = body.get("access_token"), body.get("refresh_token", before)
    if not is_token(access_token) or not is_token(refresh_token):
        raise Unreadable("the answer holds no token")
    return Tokens(
        access_token=str(access_token),
        access_expires_at=_end(body.get("expires_in"), asked_at),
        refresh_token=str(refresh_token),
        refresh_expires_at=_end(body.get("refresh_token_expires_in"), asked_at),
    )


def _end(seconds: object, asked_at: datetime) -> datetime | None:
    """When something ends that lasts so many seconds; None, which is unknown, for what cannot be a lifetime."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return asked_at + timedelta(seconds=seconds) if 0 < seconds <= LONGEST_LIFETIME.total_seconds() else None
