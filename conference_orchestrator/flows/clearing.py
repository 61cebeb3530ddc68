"""What was left at a provider and no conference wants any more: deleted as soon as the provider answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from conference_orchestrator.flows import circuits, delivering
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.flows.provider_steps import SETTLING
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.errors import AuthError, ProviderError

log = structlog.get_logger()

WAIT = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """What stands at the provider: the meeting known, if any, and all that carry the key in the window.

    `in_doubt`: a create may still show there, so that one look that finds nothing is not the last.
    """

    provider: str
    key: str
    meeting_id: str | None
    host: str | None
    starts_at: datetime
    ends_at: datetime
    in_doubt: bool


def clear_away_later(left: Leftover) -> Task:
    """The wake-up for `clear_away`."""
    return _task(
        {
            "provider": left.provider,
            "key": left.key,
            "meeting": left.meeting_id,
            "host": left.host,
            "from": rfc3339(left.starts_at),
            "until": rfc3339(left.ends_at),
            "looks_left": len(SETTLING) if left.in_doubt else 0,
        }
    )


def clear_away(payload: dict[str, Any]) -> None:
    """Delete it; again until the provider has done so, the meeting is over, or the provider refuses for good."""
    name, ends_at = str(payload["provider"]), datetime.fromisoformat(payload["until"])
    with transaction() as tx:
        if tx.now >= ends_at:
            return
        if (until := circuits.closed_until(tx, name)) is not None:
            tx.after(_task(payload, due_at=until))
            return
    error, is_found = None, False
    try:
        is_found = _delete(name, payload)
    except ProviderError as failure:
        error = failure
        log.warning("meeting left behind not deleted", meeting=payload["meeting"], error=str(failure))
    with transaction() as tx:
        circuits.noted(tx, name, error)
        if error is not None:
            _come_back(tx, payload, error)
        elif payload["looks_left"] and not is_found:
            wait = SETTLING[-payload["looks_left"]]
            tx.after(_task(payload | {"looks_left": payload["looks_left"] - 1}, due_at=tx.now + wait))


def _delete(name: str, payload: dict[str, Any]) -> bool:
    """Whether a meeting with the key was found."""
    provider, host = provider_named()(name), payload["host"]
    found: set[MeetingRef] = set()
    if provider.capabilities().find_by_key:
        window = (datetime.fromisoformat(payload["from"]), datetime.fromisoformat(payload["until"]))
        found = {meeting.ref for meeting in provider.find(payload["key"], host, *window)}
    known = {MeetingRef(name, payload["meeting"], host)} if payload["meeting"] else set()
    for ref in sorted(found | known, key=lambda ref: ref.id):
        provider.cancel(ref)
    return bool(found)


def _come_back(tx: Transaction, payload: dict[str, Any], error: ProviderError) -> None:
    if error.repeatable or isinstance(error, AuthError):
        wait = max(WAIT, timedelta(seconds=error.retry_after or 0))
        tx.after(_task(payload, due_at=tx.now + wait))
        return
    what = payload["meeting"] or payload["key"]
    delivering.tell_helpdesk(
        tx,
        "A meeting that was left could not be deleted",
        f"{payload['provider']} refuses to delete {what}: {error.message}. Delete it there.",
        path="/",
        cause=f"left-behind:{payload['provider']}:{what}",
    )


def _task(payload: dict[str, Any], *, due_at: datetime | None = None) -> Task:
    return Task(kind="clear-away", payload=payload, rank=Rank.BULK, due_at=due_at)
