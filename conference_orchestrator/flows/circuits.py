"""Whether a provider may be called now: after failures in a row it is left alone, then one call looks if it is back.

Without this an outage would be met by every waiting conference at once, and a provider counts failed calls too. A
provider that asks for a pause (429) gets it from all. Refused credentials are tried again every quarter of an hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.transaction import Transaction
from conference_orchestrator.providers.errors import (
    Ambiguous,
    AuthError,
    ProviderError,
    RateLimited,
    Transient,
    Unreachable,
)
from conference_orchestrator.scheduling.provider_states import CreateAttempt, ProviderState

TOLERATED = 2
"""Failures in a row after which a provider is still called as before."""
TOLD = 5
"""The failure in a row at which the helpdesk is told."""
PAUSES = [timedelta(seconds=s) for s in (15, 30, 60)]
LOOK = timedelta(seconds=15)
"""So long the others wait for the one call that shows whether the provider is back."""
REFUSED = timedelta(minutes=15)
DAY = timedelta(days=1)


def closed_until(tx: Transaction, provider: str) -> datetime | None:
    """Until when nobody may call the provider; None when the caller may, and then has to tell `noted` what came of it.

    After failures the first caller looks whether the provider is back, the others go on waiting.
    """
    state = db.session.get(ProviderState, provider, populate_existing=True)
    if state is None or state.closed_until is None:
        return None
    if state.closed_until > tx.now:
        return state.closed_until
    if state.failures <= TOLERATED and state.problem is None:
        return None
    looking = update(ProviderState).where(
        ProviderState.provider == provider, ProviderState.closed_until == state.closed_until
    )
    until = tx.now + LOOK
    first = db.session.execute(looking.values(closed_until=until).returning(ProviderState.provider)).one_or_none()
    return None if first else until


def closed_now(tx: Transaction) -> set[str]:
    """The providers that nobody may call now."""
    return set(db.session.scalars(select(ProviderState.provider).where(ProviderState.closed_until > tx.now)))


def noted(tx: Transaction, provider: str, error: ProviderError | None) -> None:
    """A call ended so: close the provider to calls for a while, or open it again.

    A pause that it asked for (429) holds although another call was answered meanwhile.
    """
    if error is None or not isinstance(error, (RateLimited, AuthError, Unreachable, Transient, Ambiguous)):
        known = db.session.get(ProviderState, provider, populate_existing=True)
        if known is not None and (known.failures > TOLERATED or known.problem):
            reopen(provider)
        elif known is not None:
            known.failures = 0
        return
    state = _of(provider)
    match error:
        case RateLimited():
            wait = timedelta(seconds=error.retry_after or 0)
            state.closed_until = max(state.closed_until or tx.now, tx.now + wait)
        case AuthError():
            if state.problem is None:
                _alert(tx, provider, "A provider refuses our credentials", error.message)
            state.problem, state.closed_until = error.message, tx.now + REFUSED
        case _:
            state.failures += 1
            if state.failures > TOLERATED:
                pause = PAUSES[min(state.failures - TOLERATED, len(PAUSES)) - 1]
                state.closed_until = max(state.closed_until or tx.now, tx.now + pause)
            if state.failures == TOLD:
                _alert(tx, provider, "The provider cannot be reached", f"{error.message}. It is tried again by itself")


def reopen(provider: str) -> None:
    """It answers, or a person says that it is worth a try now."""
    state = _of(provider)
    state.failures, state.closed_until, state.problem = 0, None, None


def quota_used_until(tx: Transaction, provider: str, host: str | None) -> datetime | None:
    """Until when the host account may create no further meeting; None when it may, and then one is counted as tried."""
    most = provider_named()(provider).capabilities().creates_per_day
    if most is None:
        return None
    of_host = CreateAttempt.host.is_(None) if host is None else CreateAttempt.host == host
    within = select(func.count(), func.min(CreateAttempt.created_at)).where(
        CreateAttempt.provider == provider, of_host, CreateAttempt.created_at > tx.now - DAY
    )
    used, oldest = db.session.execute(within).one()
    if used >= most:
        until: datetime = oldest + DAY
        said = f"{host or 'The owner of the token'} has made {used} meetings within a day; it goes on by itself"
        _alert(tx, provider, "A host account has used its quota", said, since=f"{host}:{until:%Y-%m-%d}")
        return until
    db.session.add(CreateAttempt(provider=provider, host=host, created_at=tx.now))
    return None


def _of(provider: str) -> ProviderState:
    state = db.session.get(ProviderState, provider, populate_existing=True, with_for_update=True)
    if state is None:
        db.session.execute(insert_new(ProviderState).values(provider=provider, failures=0))
        state = db.session.get_one(ProviderState, provider, with_for_update=True)
    return state


def _alert(tx: Transaction, provider: str, title: str, detail: str, *, since: str | None = None) -> None:
    """Tell the helpdesk, once for what goes on `since` the same cause, else once an hour."""
    cause = f"provider:{provider}:{title}:{since or f'{tx.now:%Y-%m-%dT%H}'}"
    delivering.tell_helpdesk(tx, title, f"{provider}: {detail}.", path="/", cause=cause)
