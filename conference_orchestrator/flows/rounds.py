"""Rounds: the sessions of groups, and what happens when one moves, falls out or is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from conference_orchestrator.flows import clashing, expecting, hosting, offering, series_inviting, waiting
from conference_orchestrator.flows.hosting import ensure_later, issue_later
from conference_orchestrator.flows.inviting import request_uid, session_uid
from conference_orchestrator.flows.waiting import offer_freed
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import (
    allocations,
    conferences,
    requests,
    series,
    sessions,
    waiting_list,
    wording,
)
from conference_orchestrator.scheduling.quorum import Quorum
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.sessions import Session, State

SESSION_CANCELLED = "The session in which it had a slot was cancelled; it comes first when a slot is free."
OFFER_FELL_OUT = "The session in which it was offered a slot was cancelled."
OFFER_MOVED = "The session in which it was offered a slot has moved."
NOBODY_CAME = "No case was on its list."


@dataclass(frozen=True)
class SessionView:
    """A session as people see it: with the forecast of its quorum, moved also with who is expected elsewhere then."""

    session: Session
    quorum: Quorum
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Touched:
    """Whom a change touches: the sessions, the requests that have slots of them or are offered one, who gets a mail.

    The people told are named once for each mail; `warnings` say who is expected elsewhere at the same time.
    """

    sessions: tuple[UUID, ...] = ()
    requests: tuple[UUID, ...] = ()
    told: tuple[UUID, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def people(self) -> int:
        """How many people get mails."""
        return len(set(self.told))

    @property
    def mails(self) -> int:
        """How many mails they get."""
        return len(self.told)

    def __add__(self, other: Touched) -> Touched:
        return Touched(
            sessions=self.sessions + other.sessions,
            requests=self.requests + other.requests,
            told=self.told + other.told,
            warnings=self.warnings + other.warnings,
        )


def close_past() -> None:
    """The timer's work: a planned session whose time has passed was held, and its cases were discussed.

    One without a case had no meeting either: it was not held.
    """
    with transaction() as tx:
        for session in sessions.over(now=tx.now):
            had_cases = sessions.had_cases(session)
            session.state = State.HELD if had_cases else State.CANCELLED
            session.reason = None if had_cases else NOBODY_CAME
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
    group_of(found.group_id, by=by, thing="session")
    return _views([found])[0]


def move(
    session_id: UUID, starts_at: datetime, *, by: Principal, expected: int | None = None, preview: bool = False
) -> SessionView | Touched:
    """Hold the session at another time, with its cases: the meeting moves, everyone invited gets the update.

    At the time that it has already nothing changes. With `preview` only whom it would touch. NoHostFree when no host
    account is free then.
    """
    touched = Touched()
    with transaction() as tx:
        moving, group = locked(session_id, by=by, expected=expected)
        moving.must_be_planned(at=tx.now)
        if starts_at != moving.starts_at:
            touched = move_session(tx, moving, group, starts_at)
            hosting.tell_of_series(tx, moving.series_id, group_id=group.id)
            tx.record("session.move", moving, by=by)
        touched = replace(touched, warnings=tuple(clashing.of_sessions([moving])))
        if preview:
            touched = with_consequences(tx, group, touched)
            tx.undo()
    return touched if preview else replace(session(session_id, by=by), warnings=touched.warnings)


def cancel(
    session_id: UUID, reason: str, *, by: Principal, expected: int | None = None, preview: bool = False
) -> SessionView | Touched:
    """Do not hold the session: its meeting goes, everyone invited is told, its requests come first in the waiting list.

    With `preview` only whom it would touch.
    """
    touched = None
    with transaction() as tx:
        cancelling, group = locked(session_id, by=by, expected=expected)
        touched = cancel_session(tx, cancelling, group, reason)
        hosting.tell_of_series(tx, cancelling.series_id, group_id=group.id)
        tx.record("session.cancel", cancelling, by=by, reason=reason)
        if preview:
            touched = with_consequences(tx, group, touched)
            tx.undo()
    return touched if preview else session(session_id, by=by)


def with_consequences(tx: Transaction, group: ExpertGroup, touched: Touched) -> Touched:
    """For a preview, just before it is undone: whom the change touches, and who gets mails by what follows from it.

    These are who is then offered a free slot, and who holds the round as one object.
    """
    offered = offering.foreseen(tx, group) if waiting.will_be_offered(tx) else []
    new = tuple(request.id for request in offered if request.id not in touched.requests)
    holders = [person for one in hosting.series_to_tell_of(tx) for person in series_inviting.foreseen(tx, one, group)]
    told = (*touched.told, *(request.requester_id for request in offered), *holders)
    return replace(touched, requests=touched.requests + new, told=told)


def move_session(tx: Transaction, moving: Session, group: ExpertGroup, starts_at: datetime) -> Touched:
    """The same inside a transaction that holds the locks of group and session."""
    of = series.on_date(moving.series_id, moving.occurrence_on)
    moving.move(starts_at, at=tx.now)
    moving.holidays = sessions.holidays_at(starts_at, of)
    explain_move(requests.holding_slots_of(moving.id), moving)
    # A free slot of it may suit at the new hour whom it did not suit, or who did not take it, at the old one.
    offer_freed(tx, group)
    return rearranged(tx, moving, group, end_offers(tx, moving, group, because=OFFER_MOVED))


def explain_move(cases: Sequence[ConsultationRequest], moved: Session) -> None:
    """Why a case has its slot was said with the hour of then: say the one of now beside it."""
    for request in cases:
        assert request.allocation is not None, "it holds a slot"
        request.allocation.moved(wording.moment(request.allocation.slot.starts_at, moved.time_zone))


def end_offers(
    tx: Transaction, changed: Session, group: ExpertGroup, *, because: str, numbers: Collection[int] | None = None
) -> list[ConsultationRequest]:
    """Who was offered a slot of the session, or the slots of these numbers, was told what does not hold any more.

    The offer ends, the requester is told why, and it may be made anew; who they were.
    """
    offered = waiting.take_back_offers(tx, changed.id, group, because=because, numbers=numbers)
    if offered:
        db.session.flush()
        cause = f"session:{changed.id}:moved:{changed.version}"
        waiting.tell_waiting(tx, offered, group, positions=waiting_list.positions(group.id), cause=cause)
    return offered


def rearranged(
    tx: Transaction, changed: Session, group: ExpertGroup, offered: Sequence[ConsultationRequest]
) -> Touched:
    """The times of the session or of its slots changed: the meeting follows, and people are told the new hour.

    `offered` are those who lost an offer by it, see `end_offers`.
    """
    touched = _touched(changed, offered, also_told=[request.requester_id for request in offered])
    conference = conferences.of_session(changed.id, lock=True)
    if conference is not None and conference.is_wanted:
        title = hosting.panel_title(group, changed)
        conference.want(title=title, starts_at=changed.starts_at, ends_at=changed.ends_at)
        conference.time_zone = changed.time_zone
        if not hosting.reserve_host(conference):
            raise hosting.no_host_free(conference)
        tx.after(ensure_later(conference.id), issue_later(conference.id))
    return touched


def cancel_session(tx: Transaction, cancelling: Session, group: ExpertGroup, reason: str) -> Touched:
    """Cancel it inside a transaction that holds the locks of group and session."""
    cancelling.cancel(reason, at=tx.now)
    offered = waiting.take_back_offers(tx, cancelling.id, group, because=OFFER_FELL_OUT)
    displaced = requests.holding_slots_of(cancelling.id, lock=True)
    back = [*displaced, *offered]
    touched = _touched(cancelling, offered, also_told=[request.requester_id for request in back])
    displace(tx, displaced, group, because=SESSION_CANCELLED)
    if back:
        cause = f"session:{cancelling.id}:cancelled:{cancelling.version}"
        waiting.tell_waiting(tx, back, group, positions=waiting_list.positions(group.id), cause=cause)
    conference = conferences.of_session(cancelling.id, lock=True)
    if conference is not None and conference.is_wanted:
        conference.cancel(reason)
        hosting.release_host(tx, conference)
        tx.after(ensure_later(conference.id), issue_later(conference.id))
    return touched


def displace(tx: Transaction, displaced: Sequence[ConsultationRequest], group: ExpertGroup, *, because: str) -> None:
    """Put the requests first on the waiting list, in the order of their slots, without their slots."""
    if not displaced:
        return
    since = waiting_list.next_waiting_since(group.id, now=tx.now)
    for place, request in enumerate(displaced):
        allocations.release(request.id, at=tx.now)
        request.wait(since=since + timedelta(microseconds=place), because=[because], displaced=True)
    db.session.flush()
    offer_freed(tx, group)


def locked(session_id: UUID, *, by: Principal, expected: int | None) -> tuple[Session, ExpertGroup]:
    """Lock the group, then the session: the one order in which all flows lock."""
    group = group_of(sessions.get(session_id).group_id, by=by, thing="session", lock=True)
    found = sessions.get(session_id, lock=True)
    found.must_match(expected)
    return found, group


def group_of(group_id: UUID, *, by: Principal, thing: str, lock: bool = False) -> ExpertGroup:
    """The group that the thing belongs to; NotFound names the thing, because that is what was asked for."""
    try:
        return expert_groups.get(group_id, visible_to=by, lock=lock)
    except NotFound as error:
        raise NotFound(f"There is no such {thing}.") from error


def _touched(touching: Session, offered: Sequence[ConsultationRequest], *, also_told: Sequence[UUID] = ()) -> Touched:
    """Everyone who holds a calendar object of it gets one mail, who loses a slot or an offer another.

    Who holds the round as one object gets the mails that `with_consequences` foresees.
    """
    holders = requests.holding_slots_of(touching.id)
    uids = [session_uid(touching.id), *(request_uid(request.id) for request in holders)]
    told = invitations.told_by_themselves(uids)
    return Touched(
        sessions=(touching.id,),
        requests=tuple(request.id for request in (*holders, *offered)),
        told=(*told, *also_told),
    )


def _views(found: Sequence[Session]) -> list[SessionView]:
    forecasts = expecting.forecasts(found)
    return [SessionView(session, forecasts[session.id]) for session in found]
