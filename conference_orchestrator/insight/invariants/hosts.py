"""Whether each host account is booked once at a time, and each subject has one conference."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.orm import aliased

from conference_orchestrator.insight.invariants.violation import Violation, span
from conference_orchestrator.kernel.database import db
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostBooking


def seat_booked_twice(_now: datetime) -> Iterator[Violation]:
    """A seat of a host account has at most one booking at a time."""
    one, other = aliased(HostBooking), aliased(HostBooking)
    clash = and_(
        other.account_id == one.account_id,
        other.seat == one.seat,
        other.id > one.id,
        other.starts_at < one.ends_at,
        other.ends_at > one.starts_at,
    )
    statement = select(one.account_id, one.seat, one.conference_id, other.conference_id.label("other")).join(
        other, clash
    )
    for row in db.session.execute(statement.order_by(one.account_id, one.seat, one.starts_at, one.id)):
        said = f"seat {row.seat} of host account {row.account_id} is booked by conferences"
        yield Violation("host-seat-booked-twice", f"{said} {row.conference_id} and {row.other} at a time")


def booked_for_another_time(now: datetime) -> Iterator[Violation]:
    """A coming conference that has a host account has it for its own time, and the margin before it."""
    statement = (
        select(HostBooking, Conference)
        .join(Conference, Conference.id == HostBooking.conference_id)
        .where(Conference.is_wanted, Conference.ends_at > now)
    )
    for booking, conference in db.session.execute(statement.order_by(Conference.id)):
        margin = timedelta(minutes=conference.host_margin_minutes)
        if (booking.starts_at, booking.ends_at) != (conference.starts_at - margin, conference.ends_at):
            booked = span(booking.starts_at, booking.ends_at)
            said = f"conference {conference.id} has host account {booking.account_id} for {booked}"
            yield Violation("booking-at-another-time", said)


def conference_twice(_now: datetime) -> Iterator[Violation]:
    """A session, and a webinar request, has one conference at most."""
    for subject, column in (("session", Conference.session_id), ("webinar request", Conference.webinar_request_id)):
        statement = select(column, func.count()).where(column.is_not(None)).group_by(column)
        for subject_id, number in db.session.execute(statement.having(func.count() > 1).order_by(column)):
            yield Violation("conference-twice", f"{subject} {subject_id} has {number} conferences")
