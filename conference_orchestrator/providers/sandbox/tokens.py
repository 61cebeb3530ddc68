"""Who may call: client applications, the refresh tokens they hold, and the access tokens that these give (RFC 6749)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from conference_orchestrator.providers.sandbox.meetings import Refused

REFRESH_TOKEN_LIFETIME = timedelta(days=90)


class GrantRefused(Exception):
    """The token endpoint answers with `status` and the `error` of OAuth."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


@dataclass(frozen=True, repr=False)
class Grant:
    """What the token endpoint gives; the lifetimes are in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_token_expires_in: int


class Tokens:
    """The clients by id with their secrets, and what was issued to them; all in memory. Safe for threads.

    Without clients any access token is accepted and stands for a client of its own, and none are issued. With
    `rotates` each refresh gives a new refresh token, and the one before stops working.
    """

    def __init__(
        self,
        clients: Mapping[str, str] | None,
        *,
        lifetime: timedelta,
        rotates: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._clients = clients
        self._lifetime = lifetime
        self._rotates = rotates
        self._now = now
        self._lock = Lock()
        self._access: dict[str, tuple[str, datetime]] = {}
        self._refresh: dict[str, tuple[str, datetime]] = {}

    def issue(self, client: str) -> str:
        """A refresh token for the client, as after the consent of a user. KeyError for an unknown client."""
        if client not in (self._clients or {}):
            raise KeyError(client)
        with self._lock:
            return self._new_refresh_token(client)

    def expire(self) -> None:
        """Let all access tokens expire now; the refresh tokens stay."""
        with self._lock:
            self._access.clear()

    def revoke(self, client: str) -> None:
        """Take all tokens from the client, as when the user withdraws the consent."""
        with self._lock:
            for issued in (self._access, self._refresh):
                for token in [token for token, (holder, _) in issued.items() if holder == client]:
                    del issued[token]

    def refresh(self, grant_type: str, *, client: str, secret: str, refresh_token: str) -> Grant:
        """A new access token. GrantRefused for another type of grant and a wrong client, secret or refresh token."""
        if grant_type != "refresh_token":
            raise GrantRefused(400, "unsupported_grant_type", "This sandbox knows only grant_type=refresh_token.")
        known = (self._clients or {}).get(client)
        if known is None or not secrets.compare_digest(known.encode(), secret.encode()):
            raise GrantRefused(401, "invalid_client", "The client is unknown or its secret is wrong.")
        with self._lock:
            holder, until = self._refresh.get(refresh_token, (None, self._now()))
            if holder != client or until <= self._now():
                raise GrantRefused(400, "invalid_grant", "The refresh token is unknown, expired or was replaced.")
            if self._rotates:
                del self._refresh[refresh_token]
                refresh_token = self._new_refresh_token(client)
            access_token = secrets.token_urlsafe(48)
            self._access[access_token] = (client, self._now() + self._lifetime)
            left = self._refresh[refresh_token][1] - self._now()
        return Grant(access_token, _seconds(self._lifetime), refresh_token, _seconds(left))

    def client_of(self, access_token: str) -> str:
        """The client that may call with the token. Refused with 401 when it is unknown or has expired."""
        if self._clients is None:
            # The token itself is kept nowhere: the page and the state file may be shown to others.
            return hashlib.sha256(access_token.encode()).hexdigest()[:12]
        with self._lock:
            holder, until = self._access.get(access_token, (None, self._now()))
        if holder is None or until <= self._now():
            raise Refused(401, "The access token is unknown or has expired.")
        return holder

    def _new_refresh_token(self, client: str) -> str:
        token = secrets.token_urlsafe(48)
        self._refresh[token] = (client, self._now() + REFRESH_TOKEN_LIFETIME)
        return token


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
