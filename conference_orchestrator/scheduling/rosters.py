"""Who is expected at a session beyond the members of its group, and who is away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, UniqueConstraint, exists, select, union
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, personal
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.network.expert_groups import MemberRole, Membership
from conference_orchestrator.scheduling.allocations import FIRM, Allocation
from conference_orchestrator.scheduling.sessions import Session, Slot, State


class Absence(Identified, Model):
    """That a clinician is away from one date to another, both included."""

    __tablename__ = "absence"
    __table_args__ = (
        CheckConstraint("until_on >= from_on", name="range"),
        Index(None, "clinician_id", "until_on"),
    )

    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"))
    from_on: Mapped[date] = mapped_column(info=personal("preference"))
    until_on: Mapped[date] = mapped_column(info=personal("preference"))


class Substitute(Identified, Model):
    """A clinician who is expected at one session in addition to the group's members."""

    __tablename__ = "substitute"
    __table_args__ = (UniqueConstraint("session_id", "clinician_id"),)

    session_id: Mapped[UUID] = mapped_column(ForeignKey("session.id"))
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    discipline: Mapped[str | None]


def absences_of(clinician_ids: Iterable[UUID], *, from_on: date) -> dict[UUID, list[tuple[date, date]]]:
    """When each of these clinicians is away, from the date on: (first, last) day, both included."""
    statement = select(Absence).where(Absence.clinician_id.in_(list(clinician_ids)), Absence.until_on >= from_on)
    found: dict[UUID, list[tuple[date, date]]] = {}
    for absence in db.session.scalars(statement.order_by(Absence.from_on, Absence.id)):
        found.setdefault(absence.clinician_id, []).append((absence.from_on, absence.until_on))
    return found


def listed_absences(paging: Paging, *, of: Select[UUID], from_on: date) -> Page[Absence]:
    """The absences of those clinicians that are not over on the date, by their first day."""
    statement = select(Absence).where(Absence.clinician_id.in_(of), Absence.until_on >= from_on)
    return page(statement, paging, by=[Absence.from_on, Absence.id])


def absence(absence_id: UUID, *, of: Select[UUID]) -> Absence:
    """The absence with that id, or NotFound when it is not one of those clinicians'."""
    found = db.session.scalar(select(Absence).where(Absence.id == absence_id, Absence.clinician_id.in_(of)))
    if found is None:
        raise NotFound("There is no such absence.")
    return found


def substitutes_of(session_ids: Iterable[UUID]) -> dict[UUID, Sequence[Substitute]]:
    """The substitutes of each session, in the order in which they were asked."""
    statement = select(Substitute).where(Substitute.session_id.in_(list(session_ids)))
    found: dict[UUID, list[Substitute]] = {}
    for substitute in db.session.scalars(statement.order_by(Substitute.created_at, Substitute.id)):
        found.setdefault(substitute.session_id, []).append(substitute)
    return dict(found)


def substitute(session_id: UUID, clinician_id: UUID) -> Substitute:
    """The clinician as a substitute of the session, or NotFound."""
    statement = select(Substitute).where(Substitute.session_id == session_id, Substitute.clinician_id == clinician_id)
    found = db.session.scalar(statement)
    if found is None:
        raise NotFound("This clinician is not a substitute at this session.")
    return found


def expected_elsewhere(clinician_ids: Collection[UUID], session: Session) -> set[UUID]:
    """Those of the clinicians who are expected at another planned session at the same time, as experts or substitutes.

    `clashes` tells the same of who is on a roster already; this tells it of who might be put on one.
    """
    asked = list(clinician_ids)
    at_once = (
        select(Session.id, Session.group_id)
        .where(
            Session.id != session.id,
            Session.state == State.PLANNED,
            Session.starts_at < session.ends_at,
            Session.ends_at > session.starts_at,
        )
        .subquery()
    )
    experts = (
        select(Membership.clinician_id)
        .join(at_once, at_once.c.group_id == Membership.group_id)
        .where(
            Membership.clinician_id.in_(asked),
            Membership.until_on.is_(None),
            Membership.role.in_([MemberRole.LEAD, MemberRole.EXPERT]),
        )
    )
    substitutes = (
        select(Substitute.clinician_id)
        .join(at_once, at_once.c.id == Substitute.session_id)
        .where(Substitute.clinician_id.in_(asked))
    )
    return set(db.session.scalars(union(experts, substitutes)))


def with_cases(*, until: datetime) -> Sequence[Session]:
    """Planned sessions that begin by the instant and have a case, and of which nobody was told yet that it is at risk.

    Those that have begun are among them, as long as they are not closed.
    """
    case = exists().where(Slot.session_id == Session.id, Allocation.slot_id == Slot.id, FIRM)
    statement = select(Session).where(
        Session.state == State.PLANNED, Session.starts_at <= until, Session.at_risk_since.is_(None), case
    )
    return db.session.scalars(statement.order_by(Session.starts_at, Session.id)).all()
