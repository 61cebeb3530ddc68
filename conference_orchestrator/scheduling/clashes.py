"""Who is expected at two sessions of different groups at a time: told, never refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Select, bindparam, select, union
from sqlalchemy.orm import aliased

from conference_orchestrator.kernel.database import rows_of
from conference_orchestrator.network.expert_groups import ExpertGroup, MemberRole, Membership
from conference_orchestrator.scheduling.rosters import Substitute
from conference_orchestrator.scheduling.sessions import Session, State

EXPERTS = (MemberRole.LEAD, MemberRole.EXPERT)


@dataclass(frozen=True)
class Clash:
    """The session of another group at which somebody is expected at the same time."""

    group_name: str
    starts_at: datetime


def of_sessions(session_ids: Collection[UUID]) -> dict[UUID, dict[UUID, Clash]]:
    """The clashes of these sessions, by session, then by clinician; of several that one has, the earliest."""
    return _by_session(_of_sessions(), {"session_ids": list(session_ids)}) if session_ids else {}


def of_series(series_id: UUID, *, after: datetime) -> dict[UUID, dict[UUID, Clash]]:
    """The clashes of the planned sessions of a series that begin after the instant; those of each in order of time."""
    return _by_session(_of_series(), {"series_id": series_id, "after": after})


def _by_session(statement: Select[Any], values: Mapping[str, Any]) -> dict[UUID, dict[UUID, Clash]]:
    found: dict[UUID, dict[UUID, Clash]] = {}
    for session_id, clinician_id, group_name, starts_at in rows_of(statement, values):
        found.setdefault(session_id, {}).setdefault(clinician_id, Clash(group_name, starts_at))
    return found


# Built once: to put such a statement together costs more than to run it.
@cache
def _of_sessions() -> Select[Any]:
    return _clashes(Session.id.in_(bindparam("session_ids", expanding=True)))


@cache
def _of_series() -> Select[Any]:
    return _clashes(
        Session.series_id == bindparam("series_id"),
        Session.starts_at > bindparam("after"),
        Session.state == State.PLANNED,
    )


def _clashes(*of_ours: ColumnElement[bool]) -> Select[Any]:
    """Leads and experts of the groups, and substitutes, on both sides."""
    ours = select(Session.id, Session.group_id, Session.starts_at, Session.ends_at).where(*of_ours).cte("ours")
    people = _expected_at(ours)
    theirs, member, substitute = aliased(Session), aliased(Membership), aliased(Substitute)
    either = (
        select(ours.c.id, ours.c.starts_at.label("at"), people.c.clinician_id, theirs.group_id, theirs.starts_at)
        .join_from(ours, people, people.c.session_id == ours.c.id)
        .where(theirs.group_id != ours.c.group_id, theirs.state == State.PLANNED)
        .where(theirs.starts_at < ours.c.ends_at, theirs.ends_at > ours.c.starts_at)
    )
    # Two joins and not one with an OR: each goes by the indexes on the clinician and on the group's sessions.
    as_member = (
        either.join(member, member.clinician_id == people.c.clinician_id)
        .join(theirs, theirs.group_id == member.group_id)
        .where(member.until_on.is_(None), member.role.in_(EXPERTS))
    )
    as_substitute = either.join(substitute, substitute.clinician_id == people.c.clinician_id).join(
        theirs, theirs.id == substitute.session_id
    )
    found = union(as_member, as_substitute).subquery()
    return (
        select(found.c.id, found.c.clinician_id, ExpertGroup.name, found.c.starts_at)
        .join(ExpertGroup, ExpertGroup.id == found.c.group_id)
        .order_by(found.c.at, found.c.starts_at, ExpertGroup.name)
    )


def _expected_at(ours: CTE) -> CTE:
    members = (
        select(ours.c.id.label("session_id"), Membership.clinician_id)
        .join(Membership, Membership.group_id == ours.c.group_id)
        .where(Membership.until_on.is_(None), Membership.role.in_(EXPERTS))
    )
    substitutes = select(Substitute.session_id, Substitute.clinician_id).join(ours, ours.c.id == Substitute.session_id)
    return union(members, substitutes).cte("people")
