"""The store of credentials that providers renew: sealed in the database, renewed by one process at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event
from time import monotonic
from uuid import uuid4

from sqlalchemy import ColumnElement, or_, select, update

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.sealing import seal, unseal
from conference_orchestrator.kernel.transaction import Transaction, transaction, with_next_commit
from conference_orchestrator.providers.tokens import Tokens
from conference_orchestrator.scheduling.provider_states import ProviderState

PURPOSE = "provider-tokens"
LEASE = timedelta(minutes=2)  # longer than the longest exchange with a provider
PATIENCE_SECONDS, LOOK_EVERY_SECONDS = 60.0, 0.1


class SealedTokens:
    """A TokenStore in our database. Every call needs an application context, and no transaction open."""

    def load(self, provider: str) -> Tokens | None:
        """What was stored last, by whatever process; None before the first time, or after CO_SECRET_KEY was changed."""
        with db.engine.connect() as connection:
            sealed = connection.scalar(select(ProviderState.tokens).where(ProviderState.provider == provider))
        opened = unseal(PURPOSE, sealed) if sealed else None
        if opened is None:
            return None
        kept = json.loads(opened)
        return Tokens(
            access_token=kept["access_token"],
            access_expires_at=_instant(kept["access_expires_at"]),
            refresh_token=kept["refresh_token"],
            refresh_expires_at=_instant(kept["refresh_expires_at"]),
        )

    @contextmanager
    def alone(self, provider: str) -> Iterator[None]:
        """Hold the right to renew, over all processes; TimeoutError when it is not free within a minute."""
        holder = uuid4().hex
        deadline = monotonic() + PATIENCE_SECONDS
        # Another process cannot wake this one: it looks again, as long as a renewal may take.
        while not _taken(provider, holder):
            if monotonic() > deadline:
                raise TimeoutError("another process is renewing the credentials")
            Event().wait(LOOK_EVERY_SECONDS)
        try:
            yield
        finally:
            with _transaction():
                ours = update(ProviderState).where(ProviderState.provider == provider)
                db.session.execute(ours.where(ProviderState.locked_by == holder).values(locked_until=None))

    def save(self, provider: str, tokens: Tokens) -> None:
        """Store them for good before this returns: a rotated refresh token must not be lost."""
        kept = {
            "access_token": tokens.access_token,
            "access_expires_at": _text(tokens.access_expires_at),
            "refresh_token": tokens.refresh_token,
            "refresh_expires_at": _text(tokens.refresh_expires_at),
        }
        with _transaction():
            db.session.execute(insert_new(ProviderState).values(provider=provider, failures=0))
            one = update(ProviderState).where(ProviderState.provider == provider)
            db.session.execute(one.values(tokens=seal(PURPOSE, json.dumps(kept))))


def _taken(provider: str, holder: str) -> bool:
    # Those who wait only read: on SQLite each write would hold up everybody else's.
    with db.engine.connect() as connection:
        busy = select(ProviderState.provider).where(ProviderState.provider == provider, ~_is_free(ports.clock().now()))
        if connection.scalar(busy) is not None:
            return False
    with _transaction() as tx:
        db.session.execute(insert_new(ProviderState).values(provider=provider, failures=0))
        one = update(ProviderState).where(ProviderState.provider == provider, _is_free(tx.now))
        taken = one.values(locked_until=tx.now + LEASE, locked_by=holder).returning(ProviderState.provider)
        return db.session.execute(taken).one_or_none() is not None


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(ProviderState.locked_until.is_(None), ProviderState.locked_until <= now)


@contextmanager
def _transaction() -> Iterator[Transaction]:
    # An adapter renews its credentials amid a flow's work: the mark of an Idempotency-Key belongs to that work's own
    # commit and must not go with this one.
    with with_next_commit(lambda _connection: None), transaction() as tx:
        yield tx


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
