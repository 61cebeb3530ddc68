"""Rosters: who is expected at one session, the substitutes who are put on it, and a session that is held anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm.attributes import flag_modified

from conference_orchestrator.flows import expecting
from conference_orchestrator.flows.expecting import Risk, RosterEntry
from conference_orchestrator.flows.hosting import issue_later
from conference_orchestrator.flows.rounds import group_of, locked
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, RuleBroken
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup, MemberRole
from conference_orchestrator.scheduling import clashes, conferences, rosters, sessions
from conference_orchestrator.scheduling.clashes import Clash
from conference_orchestrator.scheduling.quorum import Quorum
from conference_orchestrator.scheduling.rosters import Substitute
from conference_orchestrator.scheduling.sessions import Session


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a roster as people see it; the clash is another session at the same time, None without one."""

    entry: RosterEntry
    clinician: Clinician
    clash: Clash | None


@dataclass(frozen=True, kw_only=True)
class Roster:
    """Everybody who is expected at the session, leads first and substitutes last, and whether that is enough."""

    session: Session
    lines: list[Line]
    quorum: Quorum
    risk: Risk | None


def roster(session_id: UUID, *, by: Principal) -> Roster:
    """The roster of a session within the asker's scope."""
    session = sessions.get(session_id)
    group_of(session.group_id, by=by, thing="session")
    forecast = expecting.forecasts([session])[session.id]
    return Roster(session=session, lines=_lines(session), quorum=forecast, risk=expecting.risk(session, forecast))


def add_substitute(
    session_id: UUID,
    clinician: str | UUID,
    *,
    discipline: str | None = None,
    by: Principal,
    expected: int | None = None,
) -> Line:
    """Expect a clinician of the network, named by id or address, at this one session; the invitation follows.

    The discipline is the one that is given, else that of a membership of the group. A session of another group at the
    same time is told, not refused. Conflict for somebody who is expected already, RuleBroken for a session that is not
    planned or has begun.
    """
    with transaction() as tx:
        session, group = locked(session_id, by=by, expected=expected)
        session.must_be_planned(at=tx.now)
        person = _clinician_of(group, clinician)
        if any(entry.clinician_id == person.id for entry in expecting.expected_at([session])[session.id]):
            raise Conflict(f"{person.name} is expected at this session already.")
        put_on(tx, session, {person.id: discipline or _own_discipline(group, person)})
        db.session.flush()
        tx.record("roster.add", session, by=by)
    return next(line for line in _lines(session) if line.clinician.id == person.id)


def put_on(tx: Transaction, session: Session, disciplines: Mapping[UUID, str | None]) -> None:
    """Put clinicians on the roster as substitutes, each with the discipline, and have them invited."""
    for person, discipline in disciplines.items():
        db.session.add(Substitute(session_id=session.id, clinician_id=person, discipline=discipline, created_at=tx.now))
    _is_changed(tx, session)


def take_back(session_id: UUID, clinician_id: UUID, *, by: Principal, expected: int | None = None) -> None:
    """Expect a substitute no more; who was invited gets the cancellation.

    NotFound for somebody who is no substitute there, RuleBroken for a session that is not planned or has begun.
    """
    with transaction() as tx:
        session, _ = locked(session_id, by=by, expected=expected)
        leaving = rosters.substitute(session.id, clinician_id)
        session.must_be_planned(at=tx.now)
        db.session.delete(leaving)
        _is_changed(tx, session)
        tx.record("roster.remove", session, by=by)


def keep(session_id: UUID, reason: str | None = None, *, by: Principal, expected: int | None = None) -> Roster:
    """Hold a session that is at risk as it is. RuleBroken for one that is not at risk, or has begun."""
    with transaction() as tx:
        session, _ = locked(session_id, by=by, expected=expected)
        session.must_be_planned(at=tx.now)
        if expecting.risk(session, expecting.forecasts([session])[session.id]) != Risk.AT_RISK:
            raise RuleBroken("The session is not at risk: there is nothing to decide.")
        session.kept_at, session.reason = tx.now, reason
        tx.record("session.keep", session, by=by, reason=reason)
    return roster(session_id, by=by)


def _lines(session: Session) -> list[Line]:
    """The lines in order; who was erased is not shown."""
    entries = expecting.expected_at([session])[session.id]
    people = clinicians.by_ids(entry.clinician_id for entry in entries)
    elsewhere = clashes.of_sessions([session.id]).get(session.id, {})
    lines = [
        Line(entry=entry, clinician=people[entry.clinician_id], clash=elsewhere.get(entry.clinician_id))
        for entry in entries
        if entry.clinician_id in people
    ]
    return sorted(lines, key=_order)


def _order(line: Line) -> tuple[int, str, str, UUID]:
    person = line.clinician
    return list(MemberRole).index(MemberRole(line.entry.role)), person.family_name, person.given_name, person.id


def _clinician_of(group: ExpertGroup, reference: str | UUID) -> Clinician:
    """The clinician, active in the group's network, held; who is active in others only is not told from nobody."""
    person = clinicians.find(reference, visible_to=SYSTEM)
    if group.network_id not in {place.network_id for place in person.networks}:
        raise Invalid({"clinician": f"There is no clinician {str(reference)!r}."})
    clinicians.hold(person)
    return person


def _own_discipline(group: ExpertGroup, person: Clinician) -> str | None:
    own = (m.discipline for m in expert_groups.members_of([group.id]).get(group.id, ()) if m.clinician_id == person.id)
    return next(own, None)


def _is_changed(tx: Transaction, session: Session) -> None:
    """Have the session's version rise, of which the roster is a part, and people be told."""
    flag_modified(session, "created_at")
    conference = conferences.of_session(session.id)
    if conference is not None and conference.is_wanted:
        tx.after(issue_later(conference.id))
