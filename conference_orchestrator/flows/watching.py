"""The quorum watch: people are warned while there is time to mend it, and asked to decide before it is too late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import structlog

from conference_orchestrator.flows import delivering, expecting, rostering
from conference_orchestrator.flows.rounds import locked
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup, MemberRole
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import quorum, rosters, wording
from conference_orchestrator.scheduling.allocation import Rules
from conference_orchestrator.scheduling.quorum import Quorum, Spare
from conference_orchestrator.scheduling.sessions import Session

log = structlog.get_logger()

WARN_BEFORE = timedelta(hours=72)
DECIDE_BEFORE = timedelta(hours=24)
# An answer that may still become a yes.
OPEN_ANSWERS = {None, "tentative"}
TITLES = {"warning": "The quorum of a session is in doubt", "at-risk": "A session is at risk: keep, move or cancel it"}


class Step(StrEnum):
    """What is due of a session whose quorum is not met: a warning, the decision, or nothing any more."""

    WARNING = "warning"
    AT_RISK = "at-risk"
    TOO_LATE = "too-late"


def watch_quorum() -> None:
    """The timer's work: look at every session with a case that comes near, each in a transaction of its own."""
    now = ports.clock().now()
    near = rosters.with_cases(until=now + WARN_BEFORE)
    forecasts = expecting.forecasts(near)
    groups = {group.id: group for group in expert_groups.by_ids({session.group_id for session in near})}
    due = [s.id for s in near if step_due(s, forecasts[s.id], deadline=deadline(groups[s.group_id]), now=now)]
    for session_id in due:
        _look_at(session_id)


def step_due(session: Session, forecast: Quorum, *, deadline: timedelta, now: datetime) -> Step | None:
    """What is due now, `deadline` being so long before the start; None also for what was done already.

    A quorum that is met, which it always is in a group that asks for none, needs nothing.
    """
    if forecast.is_met or session.at_risk_since is not None:
        return None
    if session.starts_at <= now:
        return Step.TOO_LATE
    if session.starts_at - deadline <= now:
        return Step.AT_RISK
    if session.starts_at - WARN_BEFORE <= now and session.quorum_warned_at is None:
        return Step.WARNING
    return None


def deadline(group: ExpertGroup) -> timedelta:
    """So long before a session its group decides: at the cut-off for requests, when that comes after the warning."""
    cut_off = Rules.of(group.rules).cut_off
    return cut_off if timedelta() < cut_off < WARN_BEFORE else DECIDE_BEFORE


def _look_at(session_id: UUID) -> None:
    """Do what is due. Asked again under the locks: another timer, or an answer, may have been faster."""
    with transaction() as tx:
        session, group = locked(session_id, by=SYSTEM, expected=None)
        forecast = expecting.forecasts([session])[session.id]
        step = step_due(session, forecast, deadline=deadline(group), now=tx.now)
        if step is None or not any(slot.allocation and slot.allocation.is_firm for slot in session.slots):
            return
        is_first = session.quorum_warned_at is None
        _mark(session, step, at=tx.now)
        if step == Step.TOO_LATE:
            log.warning(
                "nobody is told of the missing quorum: the session has begun", session=str(session.id), group=group.code
            )
            return
        asked = _ask_substitutes(tx, session, group, forecast) if is_first and group.quorum_substitutes else []
        _tell(tx, session, group, step, said=_said(session, group, forecast, asked=asked, step=step))


def _mark(session: Session, step: Step, *, at: datetime) -> None:
    """Remember what was done: neither a second timer nor a clock that goes back does it again."""
    session.quorum_warned_at = session.quorum_warned_at or at
    if step != Step.WARNING:
        session.at_risk_since = at


def _ask_substitutes(tx: Transaction, session: Session, group: ExpertGroup, forecast: Quorum) -> list[Clinician]:
    """Put the fitting substitutes of the group on the roster, in the order of their names; who was asked."""
    roster = expecting.expected_at([session])[session.id]
    members = {
        member.clinician_id: member.discipline
        for member in expert_groups.members_of([group.id]).get(group.id, ())
        if member.role == MemberRole.SUBSTITUTE
    }
    on = expecting.local_date(session)
    away = rosters.absences_of(members, from_on=on)
    taken = {entry.clinician_id for entry in roster} | rosters.expected_elsewhere(members.keys(), session)
    people = clinicians.by_ids(
        person for person in members if person not in taken and not expecting.covers(away.get(person, ()), on)
    )
    by_name = sorted(people.values(), key=lambda person: (person.family_name, person.given_name, person.id))
    chosen = quorum.step_in(
        forecast,
        [Spare(person.id, members[person.id]) for person in by_name],
        asked=[
            entry.discipline
            for entry in roster
            if entry.role == MemberRole.SUBSTITUTE and not entry.is_absent and entry.answer in OPEN_ANSWERS
        ],
    )
    if chosen:
        rostering.put_on(tx, session, {one.clinician_id: one.discipline for one in chosen})
    return [people[one.clinician_id] for one in chosen]


def _said(session: Session, group: ExpertGroup, forecast: Quorum, *, asked: Sequence[Clinician], step: Step) -> str:
    when = f"{wording.moment(session.starts_at, session.time_zone)} ({session.time_zone})"
    counted = f"accepted {forecast.accepted} of {forecast.needed} needed"
    parts = [f"{group.name}, {when}: {counted}, declined {forecast.declined}, absent {forecast.absent}."]
    if forecast.missing_disciplines:
        parts.append(f"Nobody has accepted yet for {wording.listing(forecast.missing_disciplines)}.")
    if asked:
        parts.append(f"Asked to step in: {wording.listing([person.name for person in asked])}.")
    if step == Step.WARNING:
        parts.append("Ask the experts for their answers, or put a substitute on the roster.")
    else:
        parts.append("Decide now: keep the session as it is, move it to another time, or cancel it.")
    return " ".join(parts)


def _tell(tx: Transaction, session: Session, group: ExpertGroup, step: Step, *, said: str) -> None:
    """Tell the helpdesk and the group's coordinators."""
    facts = kinds.DeskAlert(title=TITLES[step], detail=said, url=links.url("/"))
    coordinators = clinicians.by_ids(
        member.clinician_id
        for member in expert_groups.members_of([group.id]).get(group.id, ())
        if member.role == MemberRole.COORDINATOR
    )
    to = [delivering.to_helpdesk(), *map(delivering.to_clinician, coordinators.values())]
    cause = cause_of(session, step)
    delivering.tell(tx, *[delivering.draft(facts, to=one, cause=cause, rank=Rank.URGENT) for one in to])


def cause_of(session: Session, step: Step) -> str:
    """What the alert is about: the session at this hour. At another hour it is told anew."""
    return f"quorum:{session.id}:{rfc3339(session.starts_at)}:{step}"
