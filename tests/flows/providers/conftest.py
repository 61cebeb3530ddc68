"""A provider that fails as it is told, conferences that want a meeting there, and time that passes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import hosting
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers.base import Meeting
from conference_orchestrator.scheduling import sessions
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.provider_findings import ProviderFinding
from conference_orchestrator.scheduling.sessions import Session
from tests.faulty_provider import FaultyProvider
from tests.flows.conferencing.conftest import conference_id, group, provider, scene
from tests.house import House
from tests.scene import settle

__all__ = ["conference_id", "group", "provider", "scene"]

ENSURE = "ensure-conference"
MEETINGS = (ENSURE, "issue-invitations", "check-meeting", "clear-away", "delete-orphan")


def wanted(group: ExpertGroup, number: int, *, first: int = 0) -> list[UUID]:
    """The conferences of so many sessions of the group, with nothing made yet."""
    coming = select(Session.id).where(Session.group_id == group.id).order_by(Session.starts_at)
    ids = db.session.scalars(coming.offset(first).limit(number)).all()
    assert len(ids) == number, f"the round has only {len(ids)} sessions from there on"
    with transaction() as tx:
        return [hosting.want_for_session(tx, sessions.get(one), group).id for one in ids]


def work(house: House, *kinds: str, until: datetime) -> int:
    """Run the tasks of those kinds that are due by then, each at its time; how many. The clock ends there."""
    ran = 0
    while True:
        waiting = [task for task in house.queue.tasks if task.kind in kinds and (task.due_at or until) <= until]
        if not waiting:
            house.clock.at = until
            return ran
        house.clock.at = max(house.clock.at, min(task.due_at or house.clock.at for task in waiting))
        due = [task for task in waiting if task.due_at is None or task.due_at <= house.clock.at]
        taken = {id(task) for task in due}
        house.queue.tasks = [task for task in house.queue.tasks if id(task) not in taken]
        for task in due:
            WORK[task.kind](task.payload)
            ran += 1


def pass_time(house: House, by: timedelta, *kinds: str) -> None:
    """Let the time pass, doing the work about meetings that is due in it."""
    work(house, *(kinds or MEETINGS), until=house.clock.at + by)


def made(house: House) -> None:
    """Have every meeting made and everyone invited."""
    settle(house, ENSURE, "issue-invitations")
    house.queue.tasks.clear()


def states(ids: Sequence[UUID]) -> set[str]:
    """The states of those conferences."""
    db.session.rollback()
    return set(db.session.scalars(select(Conference.state).where(Conference.id.in_(ids)).distinct()))


def findings() -> list[ProviderFinding]:
    """Every finding as it is in the database now, the oldest first."""
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(ProviderFinding).order_by(ProviderFinding.created_at, ProviderFinding.id)))


def found() -> list[tuple[str, str]]:
    """Kind and state of every finding, the oldest first."""
    return [(one.kind, one.state) for one in findings()]


def the_finding() -> ProviderFinding:
    """The finding, of which there is exactly one."""
    (one,) = findings()
    return one


def updates(house: House) -> list[Message]:
    """The updates of invitations."""
    return house.messages("invitation-update")


def late_list(provider: FaultyProvider, *, then: Callable[[], Any]) -> None:
    """Have the provider's next list show what stood before `then` happened."""
    listing = provider.ours

    def listed(host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        before = listing(host, starts_at, ends_at)
        provider.ours = listing  # type: ignore[method-assign]
        then()
        return before

    provider.ours = listed  # type: ignore[method-assign]
