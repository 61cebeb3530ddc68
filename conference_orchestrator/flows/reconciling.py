"""What becomes of a round's coming sessions when its plan changes: kept, laid out anew, left out, revived or made.

A session keeps its id, its cases and its calendar objects wherever the new plan has a place for it. One that a person
moved stays where it is, unless an exception moves that very date; one that a person cancelled never comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from conference_orchestrator.flows import hosting, rounds, waiting
from conference_orchestrator.flows.hosting import ensure_later, issue_later
from conference_orchestrator.flows.inviting import request_uid, session_uid
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import Transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import conferences, exceptions, recurrence, requests, sessions, waiting_list
from conference_orchestrator.scheduling.planning import Plan, Planned
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, Slot, State

FEWER_SLOTS = "The round has fewer slots now; it comes first when a slot is free."
OFFER_GONE = "The round has fewer slots now: the one that it was offered is gone."


@dataclass(frozen=True)
class Present:
    """How the sessions of a series stand before its plan changes, from a date on, and what was planned until when."""

    first: date
    until: date
    rows: Mapping[date, Session]
    plan: Plan


def present(of: Series, *, from_on: date, now: datetime, until_on: date | None = None) -> Present:
    """Lock the series' sessions from that date on; the caller has locked the group and the series.

    It is planned as far as its horizon and `until_on`; of what is further ahead only the dates that have a session.
    """
    rows = {row.occurrence_on: row for row in sessions.from_date(of.id, from_on)}
    until = max(of.horizon(now=now)[1], until_on or from_on)
    return Present(from_on, until, rows, _plan(of, from_on, until, also=rows))


def reconcile(
    tx: Transaction, changed: Series, group: ExpertGroup, before: Present, *, monthly: bool | None = None
) -> Touched:
    """Make the sessions what the series says now; whom it touches. NoHostFree when a new time has no host account.

    With `monthly` a session whose date is gone takes a new date of its month, or, False, of its ISO week. Another dated
    session that stands on a new date already is left alone.
    """
    conferences.hold([row.id for row in before.rows.values()])
    # A session may have its new date in the same week or month, and yet beyond what is made so far.
    near = {None: 0, False: 6, True: 30}[monthly]
    far = [on for on in before.rows if on + timedelta(days=near) > before.until]
    also = {on + timedelta(days=by) for on in far for by in range(-near, near + 1)}
    after = _plan(changed, before.first, before.until, also=also)
    coming = {on: row for on, row in before.rows.items() if row.state == State.PLANNED and row.starts_at > tx.now}
    gone = [on for on in coming if on in before.plan.sessions and on not in after.sessions]
    known = before.rows.keys() | before.plan.sessions.keys()
    new = [on for on, one in after.sessions.items() if on not in known and one.starts_at > tx.now]
    taken = recurrence.pairs(gone, new, monthly=monthly) if monthly is not None else {}
    touched = Touched()
    for on in gone:
        if on not in taken:
            touched += _leave_out(tx, coming[on], group, after.why_not(on))
    for on, row in coming.items():
        planned = after.sessions.get(taken.get(on, on))
        if planned is not None and planned.starts_at > tx.now:
            row.occurrence_on = planned.on
            touched += _settle(tx, row, changed, group, was=before.plan.sessions.get(on), planned=planned)
    for on, row in before.rows.items():
        if row.left_out and on in after.sessions and after.sessions[on].starts_at > tx.now:
            touched += _revive(tx, row, changed, after.sessions[on])
    db.session.flush()
    sessions.extend(changed, now=tx.now, until_on=before.until)
    waiting.offer_freed(tx, group)
    return touched


def _plan(of: Series, first: date, until: date, *, also: Collection[date]) -> Plan:
    return of.plan(exceptions.in_plan(of.id), from_on=first, until_on=until, also=also)


def _leave_out(tx: Transaction, row: Session, group: ExpertGroup, reason: str) -> Touched:
    touched = rounds.cancel_session(tx, row, group, reason)
    row.left_out = True
    return touched


def _revive(tx: Transaction, row: Session, of: Series, planned: Planned) -> Touched:
    """Its meeting is wanted again when a slot of it is taken."""
    row.come_back()
    sessions.lay_out(row, of, planned.starts_at, at=tx.now)
    row.holidays = list(planned.holidays)
    if row.conference is not None:
        row.conference.time_zone, row.conference.host_margin_minutes = of.time_zone, of.host_margin_minutes
    return Touched(sessions=(row.id,))


def _settle(
    tx: Transaction, row: Session, of: Series, group: ExpertGroup, *, was: Planned | None, planned: Planned
) -> Touched:
    """A session that goes on: at the time planned, in the shape that the series has."""
    starts_at = _start(row, was, planned)
    holidays = list(planned.holidays) if starts_at == planned.starts_at else sessions.holidays_at(starts_at, of)
    if row.holidays != holidays:
        row.holidays = holidays
    if [(slot.starts_at, slot.ends_at) for slot in row.slots] != of.slot_times(starts_at):
        return _lay_out(tx, row, of, group, starts_at)
    return _keep(tx, row, of)


def _start(row: Session, was: Planned | None, planned: Planned) -> datetime:
    if was is None:
        return row.starts_at
    moved_by_hand = row.starts_at != was.starts_at
    moved_anew = planned.is_moved and planned.starts_at != was.starts_at
    return row.starts_at if moved_by_hand and not moved_anew else planned.starts_at


def _lay_out(tx: Transaction, row: Session, of: Series, group: ExpertGroup, starts_at: datetime) -> Touched:
    wanted = of.slot_times(starts_at)
    held = requests.holding_slots_of(row.id, lock=True)
    losing = [one for one in held if _slot(one).number > of.slots]
    alike = [request_uid(one.id) for one in held if _is_among(_slot(one), wanted)]
    if (row.starts_at, row.ends_at) == (starts_at, wanted[-1][1]):
        alike.append(session_uid(row.id))
    moved = [one for one in held if one not in losing and not _is_among(_slot(one), wanted)]
    gone = {slot.number for slot in row.slots if slot.number > of.slots}
    shifted = {slot.number for slot in row.slots if slot.number not in gone and not _is_among(slot, wanted)}
    touched = _displace(tx, losing, row, group)
    sessions.lay_out(row, of, starts_at, at=tx.now)
    rounds.explain_move(moved, row)
    if row.conference is not None:
        row.conference.host_margin_minutes = of.host_margin_minutes
    db.session.flush()
    offered = [
        *rounds.end_offers(tx, row, group, because=OFFER_GONE, numbers=gone),
        *rounds.end_offers(tx, row, group, because=rounds.OFFER_MOVED, numbers=shifted),
    ]
    return touched + _without(rounds.rearranged(tx, row, group, offered), _holders(alike))


def _slot(request: ConsultationRequest) -> Slot:
    assert request.allocation is not None, "it holds a slot"
    return request.allocation.slot


def _is_among(slot: Slot, wanted: Sequence[tuple[datetime, datetime]]) -> bool:
    """Whether the slot of that number has the same times."""
    return wanted[slot.number - 1 : slot.number] == [(slot.starts_at, slot.ends_at)]


def _displace(tx: Transaction, losing: Sequence[ConsultationRequest], row: Session, group: ExpertGroup) -> Touched:
    """Whom it touches: who loses a slot gets a mail about that, and everybody of the case one that it is off."""
    if not losing:
        return Touched()
    told = [*_holders(request_uid(one.id) for one in losing), *(one.requester_id for one in losing)]
    rounds.displace(tx, losing, group, because=FEWER_SLOTS)
    cause = f"session:{row.id}:changed:{row.version}"
    waiting.tell_waiting(tx, losing, group, positions=waiting_list.positions(group.id), cause=cause)
    return Touched(requests=tuple(request.id for request in losing), told=tuple(told))


def _without(touched: Touched, spared: Iterable[UUID]) -> Touched:
    """The same without one mail to each of these, whose calendar objects stay as they are."""
    told = list(touched.told)
    for person in spared:
        told.remove(person)
    return replace(touched, told=tuple(told))


def _keep(tx: Transaction, row: Session, of: Series) -> Touched:
    """Its times stay. When its host has to come at another time, another account may have to hold it."""
    row.time_zone, conference = of.time_zone, row.conference
    if conference is None:
        return Touched()
    conference.time_zone = of.time_zone
    host, margin = conference.host, conference.host_margin_minutes
    conference.host_margin_minutes = of.host_margin_minutes
    if margin == of.host_margin_minutes or not conference.is_wanted:
        return Touched()
    if not hosting.reserve_host(conference):
        raise hosting.no_host_free(conference)
    if conference.host == host:
        return Touched()
    tx.after(ensure_later(conference.id), issue_later(conference.id))
    held = requests.holding_slots_of(row.id)
    uids = [session_uid(row.id), *(request_uid(request.id) for request in held)]
    return Touched(sessions=(row.id,), requests=tuple(one.id for one in held), told=tuple(_holders(uids)))


def _holders(uids: Iterable[str]) -> list[UUID]:
    """Who is told of these calendar objects, once for each object."""
    return list(invitations.told_by_themselves(list(uids)))
