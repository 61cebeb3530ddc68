"""Another provider on a person's word: the same conference, the same invitations, a new link for everyone.

What stands at the old provider is taken away there as soon as it answers; nobody waits for that.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from conference_orchestrator.flows import circuits, conferencing, hosting
from conference_orchestrator.flows.conferencing import ConferenceView
from conference_orchestrator.flows.hosting import ensure_later, provider_named
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.errors import ProviderError
from conference_orchestrator.scheduling import conferences, host_pool
from conference_orchestrator.scheduling.conferences import Conference, State
from conference_orchestrator.settings import SettingsError

log = structlog.get_logger()

WAIT = timedelta(minutes=1)


def move_to_provider(
    conference_id: UUID, provider: str, *, by: Principal, expected: int | None = None
) -> ConferenceView:
    """Hold the conference at another provider. Everyone gets the new link as an update of the invitation they hold.

    Invalid for a provider that is not set up, RuleBroken for the one that it is at, NoHostFree when that one's host
    accounts are busy then.
    """
    _must_be_set_up(provider)
    with transaction() as tx:
        moving = conferences.get(conference_id, visible_to=by, lock=True)
        moving.must_match(expected)
        if moving.provider == provider:
            raise RuleBroken(f"The conference is held at {provider} already; to try again there is /retry.")
        if not moving.is_wanted or moving.ends_at <= tx.now or moving.state == State.HELD:
            raise RuleBroken("The conference is over or cancelled.", state=moving.state)
        if (left := _left_behind(moving)) is not None:
            tx.after(left)
        host_pool.release(moving.id)
        moving.start_over(provider)
        if not hosting.reserve_host(moving):
            raise hosting.no_host_free(moving)
        circuits.reopen(provider)
        tx.after(ensure_later(moving.id))
    return conferencing.conference(conference_id, by=by)


def clear_away(payload: dict[str, Any]) -> None:
    """The work after a move: delete what stands, or may stand, at the provider that was left; again until done."""
    name = str(payload["provider"])
    with transaction() as tx:
        until = circuits.closed_until(tx, name)
        if until is not None:
            tx.after(_clear_away(payload, due_at=until))
    if until is not None:
        return
    error = None
    try:
        _delete(name, payload)
    except ProviderError as failure:
        error = failure
        log.warning("meeting left behind not deleted", meeting=payload["meeting"], error=str(failure))
    with transaction() as tx:
        circuits.noted(tx, name, error)
        if error is not None and tx.now < datetime.fromisoformat(payload["until"]):
            _come_back(tx, payload, error)


def _delete(name: str, payload: dict[str, Any]) -> None:
    provider, host = provider_named()(name), payload["host"]
    refs = {MeetingRef(name, payload["meeting"], host)} if payload["meeting"] else set()
    if payload["key"] and provider.capabilities().find_by_key:
        window = (datetime.fromisoformat(payload["from"]), datetime.fromisoformat(payload["until"]))
        refs |= {meeting.ref for meeting in provider.find(payload["key"], host, *window)}
    for ref in sorted(refs, key=lambda ref: ref.id):
        provider.cancel(ref)


def _come_back(tx: Transaction, payload: dict[str, Any], error: ProviderError) -> None:
    wait = max(WAIT, timedelta(seconds=error.retry_after or 0))
    tx.after(_clear_away(payload, due_at=tx.now + wait))


def _left_behind(moving: Conference) -> Task | None:
    """What has to be cleared away at the provider that the conference leaves, if anything can be there."""
    if moving.meeting_id is None and moving.attempted_at is None and moving.worker is None:
        return None
    payload = {
        "provider": moving.provider,
        "key": moving.key,
        "meeting": moving.meeting_id,
        "host": moving.present_host if moving.meeting_id else moving.attempted_host,
        "from": rfc3339(moving.attempted_start or moving.present_start or moving.starts_at),
        "until": rfc3339(moving.attempted_end or moving.present_end or moving.ends_at),
    }
    return _clear_away(payload)


def _clear_away(payload: dict[str, Any], *, due_at: datetime | None = None) -> Task:
    return Task(kind="clear-away", payload=payload, rank=Rank.BULK, due_at=due_at)


def _must_be_set_up(provider: str) -> None:
    try:
        provider_named()(provider)
    except SettingsError as error:
        raise Invalid({"provider": str(error)}) from error
