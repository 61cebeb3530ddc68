"""What the helpdesk has to know besides what it is alerted to at once: each morning one mail, with counts and links."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, or_, select

from conference_orchestrator import migrations
from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.times import instant, rfc3339, wall
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import inbound, messages, suppressions
from conference_orchestrator.ledger.inbound import InboundMail
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.suppressions import Suppression
from conference_orchestrator.network import registrations
from conference_orchestrator.network.registrations import Registration
from conference_orchestrator.scheduling import conferences, requests, sessions
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.provider_findings import ProviderFinding
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.sessions import Session

TITLE = "What waits for you this morning"
DEAD_TITLE = "A task was put aside"
HOUR = 7
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
NO_LINK = [conferences.State.DEGRADED, conferences.State.MISSING, conferences.State.FAILED]


def morning(now: datetime) -> datetime:
    """The latest instant at which a clock on the helpdesk's wall showed seven."""
    zone = delivering.to_helpdesk().time_zone
    today = wall(now, zone).replace(hour=HOUR, minute=0, second=0, microsecond=0)
    at = instant(today, zone)
    return at if at <= now else instant(today - DAY, zone)


def send() -> None:
    """The timer's work: the mail of the latest morning, unless it is written or there is nothing to tell."""
    with transaction() as tx:
        at = morning(tx.now)
        since = _told_last(before=at) or at - DAY
        told = [f"{said}: {number}\n{where}" for said, number, where in _counted(now=tx.now, since=since) if number]
        if told:
            delivering.tell_helpdesk(tx, TITLE, "\n\n".join(told), path="/", cause=f"digest:{rfc3339(at)}")


def report_dead_task(task_id: UUID, *, at: str) -> None:
    """Tell the helpdesk of a task that was put aside; `at` is when, for one that is run again may be put aside again.

    Of its cause only the fixed words are told: what an error quotes may name people.
    """
    task = migrations.metadata().tables["task"]
    with transaction() as tx:
        row = db.session.execute(select(task).where(task.c.id == task_id, task.c.state == "dead")).one_or_none()
        if row is None:
            return
        cause, _, _ = row.last_error.partition(":")
        delivering.tell_helpdesk(
            tx,
            DEAD_TITLE,
            f"The task {row.id} ({row.kind}) is not tried again after {row.attempts} attempts: {cause}. "
            "Mend the cause, which the log tells, then run `conference-orchestrator verify --repair`.",
            path="/",
            cause=f"dead-task:{row.id}:{at}",
        )


def _told_last(*, before: datetime) -> datetime | None:
    """When the helpdesk was last told: what came about since then is new to it."""
    earlier = select(func.max(Message.created_at)).where(
        Message.kind == "desk-alert", Message.cause.startswith("digest:"), Message.created_at < before
    )
    return db.session.scalar(earlier)


def _counted(*, now: datetime, since: datetime) -> Iterator[tuple[str, int, str]]:
    """What there is, how much of it, and where to look."""
    yield from _people_and_requests(now)
    yield from _meetings(now)
    yield from _mail(since)
    task = migrations.metadata().tables["task"]
    yield "Tasks put aside", _count(task, task.c.state == "dead"), "Run `conference-orchestrator verify`."


def _people_and_requests(now: datetime) -> Iterator[tuple[str, int, str]]:
    late = _count(Registration, Registration.state == registrations.State.PENDING, Registration.due_at <= now)
    yield "Registrations waiting longer than a day", late, _address("registrations?state=pending")
    for state, said in {
        requests.State.DRAFT: "Requests that are incomplete",
        requests.State.RETURNED: "Requests returned to their requesters",
        requests.State.WAITING: "Requests waiting for a slot",
    }.items():
        found = _count(ConsultationRequest, ConsultationRequest.state == state)
        yield said, found, _address(f"consultation-requests?state={state}")


def _meetings(now: datetime) -> Iterator[tuple[str, int, str]]:
    until = now + WEEK
    week = f"from={rfc3339(now)}&to={rfc3339(until)}"
    undecided = (Session.at_risk_since.is_not(None), Session.kept_at.is_(None))
    near = (Session.state == sessions.State.PLANNED, Session.starts_at.between(now, until))
    yield "Sessions of the coming week at risk", _count(Session, *undecided, *near), _address(f"sessions?{week}")
    without = or_(Conference.join_url.is_(None), Conference.state.in_(NO_LINK))
    found = _count(Conference, Conference.is_wanted.is_(True), without, Conference.starts_at.between(now, until))
    yield "Conferences of the coming week without a link", found, _address(f"conferences?{week}")
    undone = (ProviderFinding.resolved_at.is_(None), ProviderFinding.action.is_(None))
    yield "Findings at the providers", _count(ProviderFinding, *undone), _address("provider-findings")


def _mail(since: datetime) -> Iterator[tuple[str, int, str]]:
    # A message has no time at which it failed: shortly before that it was due for the last time.
    failed = _count(Message, Message.state == messages.State.FAILED, Message.due_at >= since)
    yield "Mails that failed since the last time", failed, _address("deliveries?state=failed")
    given_up = (Message.state == messages.State.AMBIGUOUS, Message.lost_answers > messages.AMBIGUOUS_BUDGET)
    yield "Mails that may not have arrived", _count(Message, *given_up), _address("deliveries?state=ambiguous")
    bounced = _count(Suppression, Suppression.reason == suppressions.Reason.BOUNCED, Suppression.created_at >= since)
    yield "Addresses that bounced since the last time", bounced, _address("suppressions")
    waiting = _count(InboundMail, InboundMail.state == inbound.State.OPEN)
    yield "Mails that came in and wait for you", waiting, _address("inbound-mails?state=open")


def _address(path: str) -> str:
    return links.url(f"/api/v1/{path}")


def _count(of: type[Model] | Table, *conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(of).where(*conditions)) or 0
