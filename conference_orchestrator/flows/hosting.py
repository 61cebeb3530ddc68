"""Which meeting is wanted and which host account holds it: decided with the change, made afterwards by `ensure`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel import ports, times
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.errors import Conflict, NoHostFree, RuleBroken
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers.base import ConferenceProvider
from conference_orchestrator.scheduling import conferences, host_pool, series
from conference_orchestrator.scheduling.conferences import Conference, State
from conference_orchestrator.scheduling.host_pool import Holding, HostAccount, HostBooking, Wanted
from conference_orchestrator.scheduling.sessions import Session
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest

provider_named: ports.Port[Callable[[str], ConferenceProvider]] = ports.Port("provider_named")

NO_HOST = "no-host-free"
# So many conferences an alert names.
MOST_TOLD = 20


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


def tell_of_series(tx: Transaction, *series_ids: UUID, group_id: UUID) -> None:
    """After the commit, tell those members who hold a series as one object what of these has changed."""
    if series_ids and expert_groups.has_series_holders(group_id):
        tx.after(*map(issue_series_later, series_ids))


def series_to_tell_of(tx: Transaction) -> list[UUID]:
    """The series of which somebody is told after the commit."""
    return list(dict.fromkeys(UUID(task.payload["series"]) for task in tx.tasks if task.kind == "issue-series"))


def issue_series_later(series_id: UUID) -> Task:
    """The wake-up for `series_inviting.issue`."""
    return Task(kind="issue-series", payload={"series": str(series_id)}, lock=f"series:{series_id}", rank=Rank.URGENT)


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
        host_margin_minutes=series.on_date(session.series_id, session.occurrence_on).host_margin_minutes,
        at=tx.now,
    )
    conference.want(title=title, starts_at=session.starts_at, ends_at=session.ends_at)
    db.session.flush()
    if not reserve_host(conference):
        conference.problem = NO_HOST
        tell_no_host(tx, conference)
    tx.after(ensure_later(conference.id), issue_later(conference.id))
    return conference


def want_for_webinar(
    tx: Transaction, request: WebinarRequest, starts_at: datetime, *, urgent: bool = False
) -> Conference:
    """The approved webinar needs a meeting; NoHostFree, with the next possible times, when no account is free then.

    An urgent one may take an account of the reserve.
    """
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
        is_urgent=urgent,
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

    Of the reserve only when it is urgent: see `host_pool.urgent_among`. An installation without any account for the
    provider lets the owner of the credentials host.
    """
    if not provider_named()(conference.provider).capabilities().needs_host:
        return True
    if not host_pool.is_pooled(conference.provider):
        return True
    account = host_pool.book(_wanted(conference))
    if account is not None:
        conference.host = account.email
    return account is not None


def release_host(tx: Transaction, conference: Conference) -> None:
    """Give the conference's host account back, and let those try that wait for one."""
    host_pool.release(conference.id)
    try_those_without_host(tx)


def no_host_free(conference: Conference) -> NoHostFree:
    """The error that says so, names the next starts at which an account is free, and knows who holds the accounts."""
    wanted = _wanted(conference)
    margin = timedelta(minutes=conference.host_margin_minutes)
    free = [at + margin for at in host_pool.next_free(wanted)]
    said = ", ".join(f"{times.local(at, conference.time_zone):%d.%m.%Y %H:%M}" for at in free)
    detail = f"Every host account is busy then; next free ({conference.time_zone}): {said or 'none within a week'}."
    return NoHostFree(detail, held_by=host_pool.held_by(wanted), next_free=[rfc3339(at) for at in free])


def _wanted(conference: Conference) -> Wanted:
    """The seat for the conference: the host comes before it begins, by the margin."""
    return Wanted(
        conference_id=conference.id,
        provider=conference.provider,
        kind=conference.kind,
        starts_at=conference.starts_at - timedelta(minutes=conference.host_margin_minutes),
        ends_at=conference.ends_at,
        urgent=bool(host_pool.urgent_among([conference])),
    )


def tell_no_host(tx: Transaction, conference: Conference) -> None:
    """Alert the helpdesk that a conference has no host yet."""
    delivering.tell_helpdesk(
        tx,
        "No host account is free",
        f"{conference.title} has no host account for {rfc3339(conference.starts_at)}. Add an account or move it.",
        path="/",
        cause=f"no-host:{conference.id}:{rfc3339(conference.starts_at)}",
    )


@dataclass(frozen=True)
class Reassignment:
    """What a change of a host account does to the conferences that it holds, by start.

    The `moved` hold another account for the same time; those `without_host` wait for one.
    """

    moved: tuple[Holding, ...]
    without_host: tuple[Holding, ...]


def add_host(entered: Mapping[str, Any], *, by: Principal = SYSTEM) -> HostAccount:
    """Enter a host account; Conflict when the provider's account is known already."""
    with _known_once(), transaction() as tx:
        account = HostAccount(**entered, created_at=tx.now)
        db.session.add(account)
        tx.record("host.add", account, by=by)
        try_those_without_host(tx)
    return account


def change_host(
    account_id: UUID,
    changes: Mapping[str, Any],
    *,
    by: Principal = SYSTEM,
    expected: int | None = None,
    preview: bool = False,
) -> HostAccount | Reassignment:
    """Change an account's capacity, kinds, activity or place in the reserve.

    Coming conferences that it cannot host any more are given to other accounts, as far as there are free ones; the
    helpdesk is told which stand without. One that has begun stays where it is. With `preview` only what would become
    of them. Conflict when another account has the provider and e-mail already.
    """
    reassigned = None
    with _known_once(), transaction() as tx:
        account = host_pool.locked(account_id, now=tx.now)
        account.must_match(expected)
        for name, value in changes.items():
            setattr(account, name, value)
        db.session.flush()
        reassigned = reassign(tx, account)
        tx.record("host.change", account, by=by)
        if preview:
            tx.undo()
        try_those_without_host(tx)
    return reassigned if preview else account


def try_those_without_host(tx: Transaction) -> None:
    """A host account may be free now: wake the coming conferences that wait for one, the nearest first."""
    for conference_id in conferences.with_problem(NO_HOST, now=tx.now):
        tx.after(ensure_later(conference_id))


def reassign(tx: Transaction, account: HostAccount) -> Reassignment:
    """Other seats for what the account cannot host any more; under another host `ensure` makes the meeting anew.

    The account is one of `host_pool.locked`, its changes are written.
    """
    lost = host_pool.displaced(account, now=tx.now)
    known = {held.conference_id: held for held in host_pool.holdings(HostBooking.id.in_([one.id for one in lost]))}
    given = host_pool.rebook(lost)
    moved: list[Holding] = []
    without_host: list[Holding] = []
    for conference in [booking.conference for booking in lost]:
        other = given.get(conference.id)
        if other is account:
            continue
        conference.host = other.email if other else None
        (moved if other else without_host).append(replace(known[conference.id], host=conference.host))
        if other is None:
            _wait_for_host(conference)
        else:
            tx.after(ensure_later(conference.id))
    db.session.flush()
    if without_host:
        _tell_without_host(tx, account, without_host)
    return Reassignment(tuple(moved), tuple(without_host))


def _wait_for_host(conference: Conference) -> None:
    """Its meeting does not work any more; it is made anew as soon as there is a host, also one that had failed."""
    conference.problem = NO_HOST
    if conference.attempted_at is None:
        conference.state, conference.attempts = State.WANTED, 0


def _tell_without_host(tx: Transaction, account: HostAccount, lost: Sequence[Holding]) -> None:
    named = [f"{one.title} ({rfc3339(one.starts_at)})" for one in lost[:MOST_TOLD]]
    if rest := len(lost) - len(named):
        named.append(f"and {rest} more")
    delivering.tell_helpdesk(
        tx,
        "Conferences have lost their host account",
        f"{account.email} was changed, and no other account is free for {len(lost)}: {', '.join(named)}. "
        "Add an account or move them; they are taken up by themselves when one is free.",
        path="/",
        cause=f"host-lost:{account.id}:{account.version}",
    )


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
