"""Registrations for webinars: who has one of the limited places, who waits for one, who asked to be invited."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, UniqueConstraint, and_, func, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import ColumnElement

from conference_orchestrator.kernel.database import Identified, Model, db, insert_new, one_of
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.clinicians import State as ClinicianState


class State(StrEnum):
    """Whether the person has a place. WITHDRAWN: neither has one nor waits for one, and is invited all the same."""

    REGISTERED = "registered"
    WAITING = "waiting"
    WITHDRAWN = "withdrawn"


class WebinarRegistration(Identified, Model):
    """A clinician wants to attend the webinar. `created_at` is when it was said last: the order of those who wait."""

    __tablename__ = "webinar_registration"
    __table_args__ = (
        one_of("state", State),
        UniqueConstraint("webinar_request_id", "clinician_id"),
        Index(None, "webinar_request_id", "state", "created_at", "id"),
    )

    webinar_request_id: Mapped[UUID] = mapped_column(ForeignKey("webinar_request.id"))
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    state: Mapped[str]


def enter(request_id: UUID, clinician_id: UUID, state: State, *, at: datetime) -> bool:
    """Note the person in that state; False, and nothing is changed, for somebody who is known already."""
    row = {
        "id": uuid4(),
        "created_at": at,
        "webinar_request_id": request_id,
        "clinician_id": clinician_id,
        "state": state,
    }
    new = insert_new(WebinarRegistration).values(row).returning(WebinarRegistration.id)
    return db.session.scalar(new) is not None


def of_person(request_id: UUID, clinician_id: UUID) -> WebinarRegistration | None:
    """How the person stands, if anything was said."""
    one = select(WebinarRegistration).where(
        WebinarRegistration.webinar_request_id == request_id, WebinarRegistration.clinician_id == clinician_id
    )
    return db.session.scalar(one.execution_options(populate_existing=True))


def states_of(request_id: UUID) -> dict[UUID, str]:
    """The state of everybody who said something."""
    mine = select(WebinarRegistration).where(WebinarRegistration.webinar_request_id == request_id)
    known = db.session.scalars(mine.execution_options(populate_existing=True))
    return {one.clinician_id: one.state for one in known}


def counts(request_ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """For each request how many are in each state."""
    statement = (
        select(WebinarRegistration.webinar_request_id, WebinarRegistration.state, func.count())
        .where(WebinarRegistration.webinar_request_id.in_(request_ids))
        .group_by(WebinarRegistration.webinar_request_id, WebinarRegistration.state)
    )
    found = {request_id: dict.fromkeys(map(str, State), 0) for request_id in request_ids}
    for request_id, state, number in db.session.execute(statement):
        found[request_id][state] = number
    return found


def position(of: WebinarRegistration) -> int:
    """The place in line of somebody who waits, counted from 1."""
    earlier = or_(
        WebinarRegistration.created_at < of.created_at,
        and_(WebinarRegistration.created_at == of.created_at, WebinarRegistration.id <= of.id),
    )
    statement = select(func.count()).where(*_in_state(of.webinar_request_id, State.WAITING), earlier)
    return db.session.scalar(statement) or 0


def withdraw_the_inactive(request_id: UUID) -> int:
    """Take back the places, and places in line, of clinicians who take part no more; how many that were."""
    gone = select(Clinician.id).where(Clinician.state != ClinicianState.ACTIVE)
    theirs = update(WebinarRegistration).where(
        WebinarRegistration.webinar_request_id == request_id,
        WebinarRegistration.state != State.WITHDRAWN,
        WebinarRegistration.clinician_id.in_(gone),
    )
    done = theirs.values(state=State.WITHDRAWN).returning(WebinarRegistration.id)
    return len(db.session.execute(done).all())


def promote(request_id: UUID, *, capacity: int | None) -> int:
    """Give the places that are free to the first in line, without a limit to all; how many got one.

    The caller has locked the request: two who count at the same time would both see the last place free.
    """
    line = select(WebinarRegistration).where(*_in_state(request_id, State.WAITING))
    line = line.order_by(WebinarRegistration.created_at, WebinarRegistration.id)
    if capacity is not None:
        line = line.limit(max(0, capacity - counts([request_id])[request_id][State.REGISTERED]))
    first = db.session.scalars(line).all()
    for one in first:
        one.state = State.REGISTERED
    db.session.flush()
    return len(first)


def _in_state(request_id: UUID, state: State) -> tuple[ColumnElement[bool], ...]:
    return WebinarRegistration.webinar_request_id == request_id, WebinarRegistration.state == state
