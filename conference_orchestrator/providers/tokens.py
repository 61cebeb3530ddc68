"""Where an adapter keeps credentials that its provider renews, over all processes of the installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Protocol


@dataclass(frozen=True, kw_only=True, repr=False)
class Tokens:
    """An access token and the refresh token that renews it, with the instants at which they expire (None: unknown)."""

    access_token: str
    access_expires_at: datetime | None
    refresh_token: str
    refresh_expires_at: datetime | None

    def __repr__(self) -> str:
        return "Tokens(********)"


class TokenStore(Protocol):
    """One store for each provider. A call may wait for the database, never for the network."""

    def load(self, provider: str) -> Tokens | None:
        """What was stored last, by whatever process; None before the first time, or when it cannot be opened."""
        ...

    def alone(self, provider: str) -> AbstractContextManager[None]:
        """Hold the right to renew: one holder at a time over all processes; others wait here.

        TimeoutError when it is not free within a minute. Who gets it reads anew: another one may have renewed.
        """
        ...

    def save(self, provider: str, tokens: Tokens) -> None:
        """Store them for good before this returns: a rotated refresh token must not be lost."""
        ...


class TokensInMemory:
    """For a process that stands alone, such as a test or a script. Safe for threads."""

    def __init__(self) -> None:
        self._tokens: dict[str, Tokens] = {}
        self._lock = Lock()

    def load(self, provider: str) -> Tokens | None:
        """What was stored last."""
        return self._tokens.get(provider)

    @contextmanager
    def alone(self, _provider: str) -> Iterator[None]:
        """One lock for all providers."""
        if not self._lock.acquire(timeout=60):
            raise TimeoutError("somebody else is renewing the tokens")
        try:
            yield
        finally:
            self._lock.release()

    def save(self, provider: str, tokens: Tokens) -> None:
        """Keep them."""
        self._tokens[provider] = tokens
