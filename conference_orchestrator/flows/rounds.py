"""Rounds: a group's series, the sessions that it yields, and what happens when one moves or falls out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import delivering, hosting
from conference_orchestrator.flows.hosting import ensure_later, issue_later
from conference_orchestrator.flows.inviting import request_uid, session_uid
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup, MemberRole
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import conferences, host_pool, quorum, requests, series, sessions
from conference_orchestrator.scheduling.quorum import Expected, Quorum
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, State

# A coordinator is invited too, and does not count as an expert.
EXPERTS = {MemberRole.LEAD, MemberRole.EXPERT}
SESSION_CANCELLED = "The session in which it had a slot was cancelled; it comes first when a slot is free."


@dataclass(frozen=True)
class SessionView:
    """A session as people see it: with the forecast of its quorum."""

    session: Session
    quorum: Quorum


@dataclass(frozen=True, kw_only=True)
class Touched:
    """Whom a change touches: the sessions, the requests that hold slots of them, how many people get how many mails."""

    sessions: Sequence[UUID]
    requests: Sequence[UUID]
    people: int
    mails: int


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
    _visible(found.group_id, by=by, thing="series")
    return found


def close_series(series_id: UUID, *, by: Principal, expected: int | None = None) -> None:
    """End the round: its coming sessions are cancelled, their requests go first on the waiting list."""
    with transaction() as tx:
        group = _visible(series.get(series_id).group_id, by=by, thing="series", lock=True)
        closing = series.get(series_id, lock=True)
        closing.must_match(expected)
        closing.closed_at = closing.closed_at or tx.now
        for session in sessions.of_series(closing.id, after=tx.now):
            _cancel(tx, session, group, "The round has ended.")


def extend() -> None:
    """The timer's work: every open series gets the sessions that its horizon has grown by."""
    for series_id in series.open_series():
        with transaction() as tx:
            extending = series.get(series_id, lock=True)
            if extending.closed_at is None:
                sessions.extend(extending, now=tx.now)


def close_past() -> None:
    """The timer's work: a planned session whose time has passed was held, and its cases were discussed."""
    with transaction() as tx:
        for session in sessions.over(now=tx.now):
            session.state = State.HELD
            for request in requests.holding_slots_of(session.id):
                request.discussed()


def listed(
    paging: Paging,
    *,
    by: Principal,
    group: str | UUID | None = None,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> Page[SessionView]:
    """Sessions within the asker's scope by start; without a range those that have not ended."""
    groups = expert_groups.ids(visible_to=by)
    if group is not None:
        groups = groups.where(ExpertGroup.id == expert_groups.find(group, visible_to=by).id)
    now = ports.clock().now()
    found = sessions.listed(paging, group_ids=groups, now=now, from_at=from_at, until_at=until_at)
    return Page(_views(found.items), found.next)


def session(session_id: UUID, *, by: Principal) -> SessionView:
    """One session within the asker's scope."""
    found = sessions.get(session_id)
    _visible(found.group_id, by=by, thing="session")
    return _views([found])[0]


def move(
    session_id: UUID, starts_at: datetime, *, by: Principal, expected: int | None = None, preview: bool = False
) -> SessionView | Touched:
    """Hold the session at another time, with its cases: the meeting moves, everyone invited gets the update.

    With `preview` only whom it would touch. NoHostFree when no host account is free then.
    """
    touched = None
    with transaction() as tx:
        moving, group = _changing(session_id, by=by, expected=expected)
        moving.move(starts_at, at=tx.now)
        touched = _touched(moving, displaced=[])
        conference = conferences.of_session(moving.id, lock=True)
        if conference is not None and conference.is_wanted:
            title = hosting.panel_title(group, moving)
            conference.want(title=title, starts_at=moving.starts_at, ends_at=moving.ends_at)
            if not hosting.reserve_host(conference):
                raise hosting.no_host_free(conference)
            tx.after(ensure_later(conference.id), issue_later(conference.id))
        if preview:
            tx.undo()
    return touched if preview else session(session_id, by=by)


def cancel(
    session_id: UUID, reason: str, *, by: Principal, expected: int | None = None, preview: bool = False
) -> SessionView | Touched:
    """Do not hold the session: its meeting goes, everyone invited is told, its requests come first in the waiting list.

    With `preview` only whom it would touch.
    """
    touched = None
    with transaction() as tx:
        cancelling, group = _changing(session_id, by=by, expected=expected)
        touched = _touched(cancelling, displaced=requests.holding_slots_of(cancelling.id))
        _cancel(tx, cancelling, group, reason)
        if preview:
            tx.undo()
    return touched if preview else session(session_id, by=by)


def _changing(session_id: UUID, *, by: Principal, expected: int | None) -> tuple[Session, ExpertGroup]:
    """Lock the group, then the session: the one order in which all flows lock."""
    group = _visible(sessions.get(session_id).group_id, by=by, thing="session", lock=True)
    found = sessions.get(session_id, lock=True)
    found.must_match(expected)
    return found, group


def _cancel(tx: Transaction, cancelling: Session, group: ExpertGroup, reason: str) -> None:
    cancelling.cancel(reason, at=tx.now)
    displaced = requests.holding_slots_of(cancelling.id, lock=True)
    for request in displaced:
        sessions.release(request.id, at=tx.now)
        request.wait(since=requests.next_waiting_since(group.id, now=tx.now), displaced=True)
        db.session.flush()
    tell_waiting(tx, displaced, group, because=SESSION_CANCELLED, cause=f"session:{cancelling.id}:cancelled")
    conference = conferences.of_session(cancelling.id, lock=True)
    if conference is not None and conference.is_wanted:
        conference.cancel(reason)
        host_pool.release(conference.id)
        tx.after(ensure_later(conference.id), issue_later(conference.id))


def tell_waiting(
    tx: Transaction, waiting: Sequence[ConsultationRequest], group: ExpertGroup, *, because: str, cause: str
) -> None:
    """Tell each requester the place on the waiting list and why there is no slot."""
    if not waiting:
        return
    positions = requests.waiting_positions([group.id])
    drafts = [
        delivering.draft(
            kinds.RequestWaiting(
                case_reference=request.case_reference,
                group_name=group.name,
                position=positions[request.id],
                reason=because,
            ),
            to=delivering.to_clinician(request.requester),
            cause=f"{cause}:{request.id}",
        )
        for request in waiting
    ]
    delivering.tell(tx, *drafts)


def _touched(touching: Session, *, displaced: Sequence[ConsultationRequest]) -> Touched:
    """Everyone who holds a calendar object of it gets one mail, and who asked for a displaced case another."""
    holders = requests.holding_slots_of(touching.id)
    uids = [session_uid(touching.id), *(request_uid(request.id) for request in holders)]
    told = [person for _, person in invitations.answers_by_person(uids)]
    told += [request.requester_id for request in displaced]
    return Touched(
        sessions=[touching.id],
        requests=[request.id for request in holders],
        people=len(set(told)),
        mails=len(told),
    )


def _visible(group_id: UUID, *, by: Principal, thing: str, lock: bool = False) -> ExpertGroup:
    """The group that the thing belongs to; NotFound names the thing, because that is what was asked for."""
    try:
        return expert_groups.get(group_id, visible_to=by, lock=lock)
    except NotFound as error:
        raise NotFound(f"There is no such {thing}.") from error


def _views(found: Sequence[Session]) -> list[SessionView]:
    groups = {group.id: group for group in expert_groups.by_ids({s.group_id for s in found})}
    members = expert_groups.members_of(groups)
    answers = invitations.answers_by_person([session_uid(s.id) for s in found])
    return [SessionView(s, _quorum(s, groups[s.group_id], members.get(s.group_id, []), answers)) for s in found]


def _quorum(
    of: Session,
    group: ExpertGroup,
    members: Sequence[expert_groups.Membership],
    answers: Mapping[tuple[str, UUID], str | None],
) -> Quorum:
    uid = session_uid(of.id)
    experts = [Expected(m.discipline, answers.get((uid, m.clinician_id))) for m in members if m.role in EXPERTS]
    return quorum.forecast(experts, minimum=group.quorum_minimum, disciplines=group.quorum_disciplines)
