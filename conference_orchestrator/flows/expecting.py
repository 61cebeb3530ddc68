"""Who is expected at a session, what they answered, and whether enough will be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from conference_orchestrator.flows.inviting import session_uid
from conference_orchestrator.ledger import invitations, series_calendars
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import MemberRole, Membership
from conference_orchestrator.scheduling import quorum, rosters
from conference_orchestrator.scheduling.quorum import Expected, Quorum
from conference_orchestrator.scheduling.sessions import Session, State

# A coordinator is invited too, and does not count as an expert.
EXPERTS = {MemberRole.LEAD, MemberRole.EXPERT, MemberRole.SUBSTITUTE}


@dataclass(frozen=True, kw_only=True)
class RosterEntry:
    """One person who is expected at a session: as what, with what answer, and if an absence covers its date."""

    clinician_id: UUID
    role: str
    discipline: str | None
    answer: str | None
    is_absent: bool


class Risk(StrEnum):
    """How a session stands whose quorum is in doubt: people were warned, it is at risk, or it is held anyway."""

    WARNED = "warned"
    AT_RISK = "at-risk"
    KEPT = "kept"


def expected_at(found: Sequence[Session]) -> dict[UUID, list[RosterEntry]]:
    """The roster of each session: the group's members, and those substitutes who were asked for it."""
    if not found:
        return {}
    on = {of.id: local_date(of) for of in found}
    members = expert_groups.members_of({of.group_id for of in found})
    places = _places(found, members)
    answers = _answers(found, members)
    everybody = {person for roster in places.values() for person in roster}
    away = rosters.absences_of(everybody, from_on=min(on.values()))
    return {
        session_id: [
            RosterEntry(
                clinician_id=person,
                role=role,
                discipline=discipline,
                answer=answers.get((session_id, person)),
                is_absent=covers(away.get(person, ()), on[session_id]),
            )
            for person, (role, discipline) in roster.items()
        ]
        for session_id, roster in places.items()
    }


def forecasts(found: Sequence[Session]) -> dict[UUID, Quorum]:
    """The quorum of each session as the answers so far promise it."""
    groups = {group.id: group for group in expert_groups.by_ids({of.group_id for of in found})}
    expected = expected_at(found)
    return {
        of.id: quorum.forecast(
            [Expected(e.discipline, e.answer, e.is_absent) for e in expected[of.id] if e.role in EXPERTS],
            minimum=groups[of.group_id].quorum_minimum,
            disciplines=groups[of.group_id].quorum_disciplines,
        )
        for of in found
    }


def risk(of: Session, forecast: Quorum) -> Risk | None:
    """How the session stands by its present forecast; None once that is met, and for one that is not planned."""
    if forecast.is_met or of.state != State.PLANNED:
        return None
    if of.kept_at is not None:
        return Risk.KEPT
    if of.at_risk_since is not None:
        return Risk.AT_RISK
    return Risk.WARNED if of.quorum_warned_at is not None else None


def local_date(of: Session) -> date:
    """The date of the session on the wall of its own zone."""
    return of.local_start.date()


def covers(absences: Sequence[tuple[date, date]], on: date) -> bool:
    """Whether one of the absences, given by their first and last days, covers the date."""
    return any(first <= on <= last for first, last in absences)


def _answers(
    found: Sequence[Session], members: Mapping[UUID, Sequence[Membership]]
) -> dict[tuple[UUID, UUID], str | None]:
    """What each person answered to each session, by both ids: to the session itself, else to the series."""
    by_uid = {session_uid(of.id): of.id for of in found}
    answers = {
        (by_uid[uid], person): said for (uid, person), said in invitations.answers_by_person(list(by_uid)).items()
    }
    if not any(expert_groups.series_holders(places) for places in members.values()):
        return answers
    to_series = series_calendars.answers_to([(of.series_id, of.occurrence_on) for of in found])
    for of in found:
        for person, said in to_series.get((of.series_id, of.occurrence_on), {}).items():
            if (of.id, person) not in answers:
                answers[of.id, person] = said
    return answers


def _places(
    found: Sequence[Session], members: Mapping[UUID, Sequence[Membership]]
) -> dict[UUID, Mapping[UUID, tuple[str, str | None]]]:
    """The role and the discipline of everybody who is expected at each session; a member's own come first."""
    substitutes = rosters.substitutes_of([of.id for of in found])
    return {
        of.id: {s.clinician_id: (MemberRole.SUBSTITUTE, s.discipline) for s in substitutes.get(of.id, ())}
        | {
            m.clinician_id: (m.role, m.discipline)
            for m in members.get(of.group_id, ())
            if m.role != MemberRole.SUBSTITUTE
        }
        for of in found
    }
