"""Arranging rounds: a group's series, defined, extended as time goes on, and ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from conference_orchestrator.flows.rounds import cancel_session, group_of
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import series, sessions
from conference_orchestrator.scheduling.series import Series


def define_series(group_id: UUID, entered: Mapping[str, Any], *, by: Principal) -> Series:
    """Give the group a round. Its sessions of the 26-week horizon exist when this returns."""
    with transaction() as tx:
        group = expert_groups.get(group_id, visible_to=by, lock=True)
        return store_series(tx, group, entered)


def store_series(tx: Transaction, group: ExpertGroup, entered: Mapping[str, Any]) -> Series:
    """The same inside a transaction that is open already. Invalid, naming the field, when it cannot be held."""
    defined = Series(group_id=group.id, closed_at=None, created_at=tx.now, **{"ends_on": None, **entered})
    defined.check(now=tx.now)
    db.session.add(defined)
    db.session.flush()
    sessions.extend(defined, now=tx.now)
    return defined


def series_of(group_id: UUID, *, by: Principal) -> Sequence[Series]:
    """The open series of a group within the asker's scope."""
    return series.of_group(expert_groups.get(group_id, visible_to=by).id)


def one_series(series_id: UUID, *, by: Principal) -> Series:
    """One series within the asker's scope."""
    found = series.get(series_id)
    group_of(found.group_id, by=by, thing="series")
    return found


def close_series(series_id: UUID, *, by: Principal, expected: int | None = None) -> None:
    """End the round: its coming sessions are cancelled, their requests go first on the waiting list."""
    with transaction() as tx:
        group = group_of(series.get(series_id).group_id, by=by, thing="series", lock=True)
        closing = series.get(series_id, lock=True)
        closing.must_match(expected)
        closing.closed_at = closing.closed_at or tx.now
        for session in sessions.of_series(closing.id, after=tx.now):
            cancel_session(tx, session, group, "The round has ended.")


def extend() -> None:
    """The timer's work: every open series gets the sessions that its horizon has grown by."""
    for series_id in series.open_series():
        with transaction() as tx:
            extending = series.get(series_id, lock=True)
            if extending.closed_at is None:
                sessions.extend(extending, now=tx.now)
