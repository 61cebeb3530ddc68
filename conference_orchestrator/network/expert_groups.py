"""Expert groups: named experts who meet in a round, their disciplines and check lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Select, UniqueConstraint, bindparam, case, false, select, text
from sqlalchemy.orm import (
    Mapped,
    column_property,
    joinedload,
    lazyload,
    mapped_column,
    relationship,
    selectinload,
    undefer,
)
from sqlalchemy.sql import ColumnElement

from conference_orchestrator.kernel.database import Identified, Model, Versioned, db, one_of, rows_of
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork
from conference_orchestrator.network.references import by_id_or_code


class Intake(StrEnum):
    """How requests enter: pre-selected by the group, evaluated first, or directly into the next free slot."""

    PRE_SELECTION = "pre-selection"
    EVALUATION = "evaluation"
    DIRECT = "direct"


class MemberRole(StrEnum):
    """What a clinician does in a group."""

    LEAD = "lead"
    EXPERT = "expert"
    COORDINATOR = "coordinator"
    SUBSTITUTE = "substitute"  # steps in where an expert lacks; invited to single sessions only


class CalendarStyle(StrEnum):
    """How a member holds the group's sessions in the calendar.

    One object for each session; or one for the whole series, changed date by date; or the same, sent anew as a whole
    with each change, for programs that take a change of one date for one of all.
    """

    SESSIONS = "sessions"
    SERIES = "series"
    WHOLE_SERIES = "whole-series"


class ItemKind(StrEnum):
    """What value a check-list item takes."""

    FLAG = "flag"
    TEXT = "text"
    DATE = "date"
    COUNT = "count"
    CHOICE = "choice"
    FILE_REFERENCE = "file-reference"


class ExpertGroup(Versioned, Model):
    """A standing group of experts. `time_zone` is the zone in which its rounds are announced."""

    __tablename__ = "expert_group"
    __table_args__ = (one_of("intake", Intake),)

    network_id: Mapped[UUID] = mapped_column(ForeignKey("network.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    contact_email: Mapped[str | None]
    time_zone: Mapped[str]
    intake: Mapped[str]
    quorum_minimum: Mapped[int] = mapped_column(default=0)
    quorum_disciplines: Mapped[list[str]] = mapped_column(default=list)
    # Substitutes are invited without a person's word when the quorum is in doubt.
    quorum_substitutes: Mapped[bool] = mapped_column(default=False)
    rules: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # So many hours before the start people are reminded, the longest first; empty: never.
    reminder_hours: Mapped[list[Any]] = mapped_column(default=lambda: [24, 1])

    checklist: Mapped[list[ChecklistItem]] = relationship(
        lazy="raise", order_by="ChecklistItem.position", cascade="all, delete-orphan"
    )


class ChecklistItem(Identified, Model):
    """One thing that a request to the group must say."""

    __tablename__ = "checklist_item"
    __table_args__ = (one_of("kind", ItemKind), UniqueConstraint("group_id", "code"))

    group_id: Mapped[UUID] = mapped_column(ForeignKey("expert_group.id"))
    position: Mapped[int]
    code: Mapped[str]
    label: Mapped[str]
    kind: Mapped[str]
    required: Mapped[bool] = mapped_column(default=True)
    options: Mapped[list[str]] = mapped_column(default=list)
    # The label in further languages, by their two letters.
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict)


CURRENT = text("until_on IS NULL")


class Membership(Identified, Model):
    """A clinician's place in a group from a date on, until `until_on` (None: still)."""

    __tablename__ = "membership"
    __table_args__ = (
        one_of("role", MemberRole),
        one_of("calendar", CalendarStyle),
        Index(
            "uq_membership_current",
            "group_id",
            "clinician_id",
            unique=True,
            sqlite_where=CURRENT,
            postgresql_where=CURRENT,
        ),
    )

    group_id: Mapped[UUID] = mapped_column(ForeignKey("expert_group.id"))
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    role: Mapped[str] = mapped_column()
    discipline: Mapped[str | None]
    from_on: Mapped[date]
    until_on: Mapped[date | None]
    calendar: Mapped[str] = mapped_column(default=CalendarStyle.SESSIONS, server_default=CalendarStyle.SESSIONS)

    clinician: Mapped[Clinician] = relationship(lazy="raise")
    # Leads stand first in a list.
    place: Mapped[int] = column_property(case((role == MemberRole.LEAD, 0), else_=1), deferred=True)


def find(reference: str | UUID, *, field: str = "group", visible_to: Principal) -> ExpertGroup:
    """The group with that code or id in the asker's scope; Invalid, naming `field`, when there is none."""
    found = db.session.scalar(_scoped(visible_to).where(by_id_or_code(ExpertGroup, reference)))
    if found is None:
        raise Invalid({field: f"There is no expert group {str(reference)!r}."})
    return found


def by_code(code: str) -> ExpertGroup | None:
    """The group with that code, whoever asks."""
    return db.session.scalar(
        select(ExpertGroup).options(selectinload(ExpertGroup.checklist)).where(ExpertGroup.code == code)
    )


def get(group_id: UUID, *, visible_to: Principal, lock: bool = False) -> ExpertGroup:
    """The group with that id, or NotFound outside the asker's scope. Its check list is read when it is looked at."""
    scope = _scope(visible_to)
    statement = _one(lock=lock).where(*scope) if scope else _one(lock=lock)
    found = db.session.scalar(statement, {"id": group_id})
    if found is None:
        raise NotFound("There is no such expert group.")
    return found


# Built once: to put it together costs as much as to run it.
@cache
def _one(*, lock: bool) -> Select[ExpertGroup]:
    one = select(ExpertGroup).options(lazyload(ExpertGroup.checklist)).where(ExpertGroup.id == bindparam("id"))
    return one.with_for_update(of=ExpertGroup) if lock else one


LOCK = select(ExpertGroup.id).where(ExpertGroup.id == bindparam("id")).with_for_update()


def lock(group_id: UUID) -> None:
    """Have the group to oneself until the transaction ends, without reading it."""
    db.session.connection().execute(LOCK, {"id": group_id})


def hold(group_id: UUID) -> None:
    """Wait for who has the group to itself; others may hold it at the same time."""
    held = select(ExpertGroup.id).where(ExpertGroup.id == group_id)
    db.session.execute(held.with_for_update(read=True, key_share=True))


def listed(paging: Paging, *, visible_to: Principal) -> Page[ExpertGroup]:
    """Groups within the asker's scope, by code."""
    return page(_scoped(visible_to), paging, by=[ExpertGroup.code])


def by_ids(identifiers: Iterable[UUID]) -> Sequence[ExpertGroup]:
    """These groups, for whom their sessions are shown."""
    return db.session.scalars(select(ExpertGroup).where(ExpertGroup.id.in_(list(identifiers)))).all()


def ids(*, visible_to: Principal) -> Select[UUID]:
    """A statement for the ids of the groups within the asker's scope."""
    return select(ExpertGroup.id).where(*_scope(visible_to))


def members_of(group_ids: Iterable[UUID]) -> dict[UUID, list[Membership]]:
    """The present members of each group, without their personal data."""
    statement = select(Membership).where(Membership.group_id.in_(list(group_ids)), Membership.until_on.is_(None))
    found: dict[UUID, list[Membership]] = {}
    for member in db.session.scalars(statement):
        found.setdefault(member.group_id, []).append(member)
    return found


def listed_members(paging: Paging, *, group_id: UUID) -> Page[Membership]:
    """The present members, leads first, then in the order in which they came. A cursor tells no names."""
    statement = (
        select(Membership)
        .where(Membership.group_id == group_id, Membership.until_on.is_(None))
        .options(undefer(Membership.place), joinedload(Membership.clinician).joinedload(Clinician.hospital))
    )
    return page(statement, paging, by=[Membership.place, Membership.from_on, Membership.id])


def members(group_id: UUID) -> Sequence[Membership]:
    """The present members, leads first, then by name."""
    statement = (
        select(Membership)
        .join(Membership.clinician)
        .where(Membership.group_id == group_id, Membership.until_on.is_(None))
        .order_by(Membership.role != MemberRole.LEAD, Clinician.family_name, Clinician.given_name, Clinician.id)
        .options(joinedload(Membership.clinician).joinedload(Clinician.hospital))
    )
    return db.session.scalars(statement).all()


def series_holders(members: Iterable[Membership]) -> dict[UUID, bool]:
    """Who of the members chose to hold the series as one object; whether each change comes to them as a whole."""
    return {
        member.clinician_id: member.calendar == CalendarStyle.WHOLE_SERIES
        for member in members
        if member.calendar != CalendarStyle.SESSIONS and member.role != MemberRole.SUBSTITUTE
    }


def has_series_holders(group_id: UUID) -> bool:
    """Whether a member of the group holds its series as one object."""
    return rows_of(_any_holder(), {"group": group_id}).first() is not None


@cache
def _any_holder() -> Select[Any]:
    present = (Membership.group_id == bindparam("group"), Membership.until_on.is_(None))
    return select(Membership.id).where(*present, Membership.calendar != CalendarStyle.SESSIONS).limit(1)


def membership(group_id: UUID, clinician_id: UUID) -> Membership:
    """The clinician's present membership of the group, or NotFound."""
    found = db.session.scalar(
        select(Membership).where(
            Membership.group_id == group_id, Membership.clinician_id == clinician_id, Membership.until_on.is_(None)
        )
    )
    if found is None:
        raise NotFound("This clinician is not a member of the group.")
    return found


def _scoped(by: Principal) -> Select[ExpertGroup]:
    return select(ExpertGroup).options(selectinload(ExpertGroup.checklist)).where(*_scope(by))


def _scope(by: Principal) -> list[ColumnElement[bool]]:
    """Rounds are seen by everybody in the network (policy table); a coordinator only has the own group."""
    conditions: list[ColumnElement[bool]] = []
    if by.network_id is not None:
        conditions.append(ExpertGroup.network_id == by.network_id)
    if by.role == Role.ANONYMOUS:
        conditions.append(false())
    if by.role == Role.COORDINATOR:
        conditions.append(ExpertGroup.id == by.group_id)
    if by.role == Role.CLINICIAN:
        own = select(ClinicianNetwork.network_id).where(ClinicianNetwork.clinician_id == by.clinician_id)
        conditions.append(ExpertGroup.network_id.in_(own))
    return conditions
