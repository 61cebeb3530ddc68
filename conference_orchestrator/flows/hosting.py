"""Which meeting is wanted and which host account holds it: decided with the change, made afterwards by `ensure`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel import ports, times
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.errors import Conflict, NoHostFree, RuleBroken
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers.base import ConferenceProvider
from conference_orchestrator.scheduling import conferences, host_pool, series
from conference_orchestrator.scheduling.conferences import Conference, State
from conference_orchestrator.scheduling.host_pool import HostAccount
from conference_orchestrator.scheduling.sessions import Session
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest

provider_named: ports.Port[Callable[[str], ConferenceProvider]] = ports.Port("provider_named")

NO_HOST = "no-host-free"


def ensure_later(conference_id: UUID, *, due_at: datetime | None = None) -> Task:
    """The wake-up for `conferencing.ensure`."""
    return Task(
        kind="ensure-conference",
        payload={"conference": str(conference_id)},
        lock=f"conference:{conference_id}",
        rank=Rank.URGENT,
        due_at=due_at,
    )


def issue_later(conference_id: UUID) -> Task:
    """The wake-up for `inviting.issue`."""
    return Task(
        kind="issue-invitations",
        payload={"conference": str(conference_id)},
        lock=f"invitations:{conference_id}",
        rank=Rank.URGENT,
    )


def panel_title(group: ExpertGroup, session: Session) -> str:
    """The meeting's title: fixed words, the group's name and the date, nothing that a requester typed."""
    on = session.local_start
    return f"{group.name} panel, {on.day} {on:%B %Y}"


def want_for_session(tx: Transaction, session: Session, group: ExpertGroup) -> Conference:
    """The session needs its one meeting: have it made, once, in the session's present window.

    When every host account is busy the conference waits, and the helpdesk is told; the booking of the slot stands.
    """
    title = panel_title(group, session)
    provider = ports.settings().provider
    conference = conferences.for_session(
        session,
        network_id=group.network_id,
        title=title,
        provider=provider,
        host_margin_minutes=series.get(session.series_id).host_margin_minutes,
        at=tx.now,
    )
    conference.want(title=title, starts_at=session.starts_at, ends_at=session.ends_at)
    db.session.flush()
    if not reserve_host(conference):
        conference.problem = NO_HOST
        tell_no_host(tx, conference)
    tx.after(ensure_later(conference.id), issue_later(conference.id))
    return conference


def want_for_webinar(tx: Transaction, request: WebinarRequest, starts_at: datetime) -> Conference:
    """The approved webinar needs a meeting; NoHostFree, with the next possible times, when no account is free then."""
    provider = ports.settings().provider
    if not request.hospital.networks:
        raise RuleBroken(f"{request.hospital.name} belongs to no network any more.")
    network = request.hospital.networks[0]
    conference = Conference(
        kind=request.kind,
        network_id=network.id,
        webinar_request_id=request.id,
        title=request.topic,
        starts_at=starts_at,
        ends_at=starts_at + request.length,
        time_zone=request.hospital.time_zone,
        provider=provider,
        key=conferences.new_key(),
        state=State.WANTED,
        created_at=tx.now,
    )
    db.session.add(conference)
    db.session.flush()
    if not reserve_host(conference):
        raise no_host_free(conference)
    tx.after(ensure_later(conference.id))
    return conference


def reserve_host(conference: Conference) -> bool:
    """Take a host account for the conference's window; False when all are busy.

    An installation without any account for the provider lets the owner of the credentials host.
    """
    if not provider_named()(conference.provider).capabilities().needs_host:
        return True
    if not host_pool.is_pooled(conference.provider):
        return True
    account = host_pool.book(
        conference.id,
        conference.provider,
        conference.kind,
        conference.starts_at - timedelta(minutes=conference.host_margin_minutes),
        conference.ends_at,
    )
    if account is not None:
        conference.host = account.email
    return account is not None


def no_host_free(conference: Conference) -> NoHostFree:
    """The error that says so and names the next starts at which an account is free."""
    margin = timedelta(minutes=conference.host_margin_minutes)
    length = conference.ends_at - conference.starts_at + margin
    provider, kind = conference.provider, conference.kind
    held_from = host_pool.next_free(provider, kind, conference.starts_at - margin, length, but_for=conference.id)
    free = [at + margin for at in held_from]
    said = ", ".join(f"{times.local(at, conference.time_zone):%d.%m.%Y %H:%M}" for at in free)
    detail = f"Every host account is busy then; next free ({conference.time_zone}): {said or 'none within a week'}."
    return NoHostFree(detail, next_free=[rfc3339(at) for at in free])


def tell_no_host(tx: Transaction, conference: Conference) -> None:
    """Alert the helpdesk that a conference has no host yet."""
    delivering.tell_helpdesk(
        tx,
        "No host account is free",
        f"{conference.title} has no host account for {rfc3339(conference.starts_at)}. Add an account or move it.",
        path="/",
        cause=f"no-host:{conference.id}:{rfc3339(conference.starts_at)}",
    )


def add_host(entered: Mapping[str, Any]) -> HostAccount:
    """Enter a host account; Conflict when the provider's account is known already."""
    with _known_once(), transaction() as tx:
        account = HostAccount(**entered, created_at=tx.now)
        db.session.add(account)
    _retry_those_without_host()
    return account


def change_host(account_id: UUID, changes: Mapping[str, Any], *, expected: int | None = None) -> HostAccount:
    """Change an account's capacity, kinds or activity. Bookings that it has stay.

    Conflict when another account has the provider and e-mail already.
    """
    with _known_once(), transaction():
        account = host_pool.get(account_id, lock=True)
        account.must_match(expected)
        for name, value in changes.items():
            setattr(account, name, value)
    _retry_those_without_host()
    return account


def adopt_hosts_of_settings() -> None:
    """Enter the accounts of CO_WEBEX_HOSTS that are not known yet; a known one keeps what the helpdesk gave it."""
    with transaction() as tx:
        for host in ports.settings().webex_hosts:
            row = {"provider": "webex", "email": host.email, "capacity": host.capacity, "created_at": tx.now}
            db.session.execute(insert_new(HostAccount).values(row))


@contextmanager
def _known_once() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict("The provider's host account of that e-mail is known already.") from error


def _retry_those_without_host() -> None:
    with transaction() as tx:
        for conference_id in conferences.with_problem(NO_HOST, now=tx.now):
            tx.after(ensure_later(conference_id))
