"""How the service stands, in numbers for Prometheus. They say nothing about persons or groups.

All are read from the database when they are asked for, so every web process tells the same. No question looks through a
table that only grows; that for double bookings goes once through the index that forbids them. `docs/metrics.md` tells
what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import Executable, and_, case, func, select

from conference_orchestrator import migrations
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import OPEN, Message
from conference_orchestrator.ledger.messages import State as Fate
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.allocations import Allocation, Offer
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.conferences import State as Meeting
from conference_orchestrator.scheduling.provider_findings import Kind as Finding
from conference_orchestrator.scheduling.provider_findings import ProviderFinding
from conference_orchestrator.scheduling.provider_states import CreateAttempt, ProviderState
from conference_orchestrator.scheduling.requests import ConsultationRequest, State

PREFIX = "conference_orchestrator_"
DAY = timedelta(days=1)
WAITING_MAIL = (Fate.QUEUED, Fate.SENDING, Fate.DEFERRED, Fate.AMBIGUOUS)
OPEN_REQUESTS = (State.SUBMITTED, State.ACCEPTED, State.WAITING, State.OFFERED, State.ALLOCATED)


def exposed(accepted: str) -> tuple[bytes, str]:
    """The numbers in the text format of Prometheus, or in OpenMetrics where that is accepted, and its media type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers())
    encode, media_type = choose_encoder(accepted)
    return encode(registry), media_type


class _Numbers(Collector):
    def collect(self) -> Iterator[Metric]:
        now = ports.clock().now()
        for family in FAMILIES:
            yield from family(now)


def _messages(now: datetime) -> Iterator[Metric]:
    open_ones = dict(_rows(select(Message.state, func.count()).where(OPEN).group_by(Message.state)))
    yield _by(
        "messages_open", "Mails that are still to go.", "state", {one: open_ones.get(one, 0) for one in WAITING_MAIL}
    )
    due_at = _one(select(func.min(Message.due_at)).where(OPEN, Message.due_at <= now))
    yield _gauge(
        "message_oldest_due_seconds", "How long the mail that waits longest has been due.", _since(due_at, now)
    )
    of_a_day = select(Message.state, func.count(), func.sum(Message.lost_answers)).where(Message.created_at > now - DAY)
    written = {state: (number, lost) for state, number, lost in _rows(of_a_day.group_by(Message.state))}
    fates = {one: written.get(one, (0, 0))[0] for one in Fate}
    yield _by("messages_last_day", "Mails that were written within the last 24 hours.", "state", fates)
    yield _gauge(
        "message_answers_lost_last_day",
        "Answers that were lost after a mail of the last 24 hours was handed over: each may have made a second copy.",
        sum(lost or 0 for _, lost in written.values()),
    )


def _tasks(now: datetime) -> Iterator[Metric]:
    task = migrations.metadata().tables["task"]
    found = _rows(select(task.c.kind, task.c.state, func.count()).group_by(task.c.kind, task.c.state))
    tasks = GaugeMetricFamily(
        f"{PREFIX}tasks", "Work in the outbox; dead is what was put aside.", labels=["kind", "state"]
    )
    for kind, state, number in sorted(found):
        tasks.add_metric([kind, state], number)
    yield tasks
    dead = sum(number for _, state, number in found if state == "dead")
    yield _gauge("tasks_dead", "Work that was put aside after its last attempt.", dead)
    due_at = _one(select(func.min(task.c.due_at)).where(task.c.state == "open", task.c.due_at <= now))
    yield _gauge("task_oldest_due_seconds", "How long the work that waits longest has been due.", _since(due_at, now))


def _timer(now: datetime) -> Iterator[Metric]:
    tick = migrations.metadata().tables["tick"]
    latest = _one(select(func.max(tick.c.due_at)))
    yield _gauge("timer_last_tick_seconds", "How long ago the latest tick of the timer was due.", _since(latest, now))


def _conferences(now: datetime) -> Iterator[Metric]:
    coming = select(Conference.state, func.count()).where(Conference.ends_at > now, Conference.state.in_(list(Meeting)))
    found = dict(_rows(coming.group_by(Conference.state)))
    states = {one: found.get(one, 0) for one in Meeting}
    yield _by("conferences_coming", "Conferences that are not over.", "state", states)


def _providers(now: datetime) -> Iterator[Metric]:
    is_closed = and_(ProviderState.closed_until.is_not(None), ProviderState.closed_until > now)
    known = _rows(select(ProviderState.provider, case((is_closed, 1), else_=0), ProviderState.failures))
    closed = {provider: flag for provider, flag, _ in known}
    yield _by("provider_closed", "1 while the provider is left alone after failures.", "provider", closed)
    failures = {provider: number for provider, _, number in known}
    yield _by("provider_failures", "Calls of the provider that failed in a row.", "provider", failures)
    asked = select(CreateAttempt.provider, func.count()).where(CreateAttempt.created_at > now - DAY)
    attempts = dict(_rows(asked.group_by(CreateAttempt.provider)))
    yield _by("provider_creates_last_day", "Meetings asked for within the last 24 hours.", "provider", attempts)
    kinds = select(ProviderFinding.kind, func.count()).where(ProviderFinding.resolved_at.is_(None))
    found = dict(_rows(kinds.group_by(ProviderFinding.kind)))
    findings = {one: found.get(one, 0) for one in Finding}
    yield _by("findings_open", "What is not as it should be at the providers.", "kind", findings)


def _slots(now: datetime) -> Iterator[Metric]:
    held = select(Allocation.slot_id).where(Allocation.released_at.is_(None)).group_by(Allocation.slot_id)
    doubled = _one(select(func.count()).select_from(held.having(func.count() > 1).subquery()))
    yield _gauge("double_bookings", "Slots that more than one request holds: always 0.", doubled)
    overdue = select(func.count()).where(Allocation.offer == Offer.OPEN, Allocation.expires_at <= now)
    yield _gauge("offers_overdue", "Offers whose time has run out and that did not end yet.", _one(overdue))
    # Group by group, as the index goes: the requests of all years are not looked through.
    of_groups = ConsultationRequest.group_id.in_(select(ExpertGroup.id))
    open_ones = select(ConsultationRequest.state, func.count()).where(of_groups)
    listed = open_ones.where(ConsultationRequest.state.in_(OPEN_REQUESTS)).group_by(ConsultationRequest.state)
    found = dict(_rows(listed))
    states = {one: found.get(one, 0) for one in OPEN_REQUESTS}
    yield _by("requests_open", "Consultation requests that go on, by state.", "state", states)


FAMILIES: tuple[Callable[[datetime], Iterator[Metric]], ...] = (
    _messages,
    _tasks,
    _timer,
    _conferences,
    _providers,
    _slots,
)


def _rows(statement: Executable) -> list[Any]:
    return list(db.session.execute(statement).all())


def _one(statement: Executable) -> Any:
    return db.session.scalar(statement)


def _since(at: datetime | None, now: datetime) -> float:
    """Seconds from then until now; 0 when there is nothing."""
    return max(0.0, (now - at).total_seconds()) if at else 0.0


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", said, value=value)


def _by(name: str, said: str, label: str, values: dict[Any, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}", said, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([str(value)], number)
    return family
