"""Series as one calendar object: what it says, who holds it, and what each answered to the whole and to single dates.

Only people who chose it hold a series; all others hold its sessions one by one (`invitations`). A series has one
SEQUENCE counter, its masters and its single dates share it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, one_of
from conference_orchestrator.ledger.invitations import Answer, Method


class SeriesCalendar(Model):
    """What the object of that UID says now. `ended_at`: the series has a new UID, or none, since then."""

    __tablename__ = "series_calendar"

    uid: Mapped[str] = mapped_column(primary_key=True)
    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id"), index=True)
    sequence: Mapped[int]
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SeriesInvitation(Identified, Model):
    """That a person holds the series, and what the person answered to it as a whole."""

    __tablename__ = "series_invitation"
    __table_args__ = (
        one_of("method", Method),
        one_of("answer", Answer),
        UniqueConstraint("uid", "clinician_id"),
    )

    uid: Mapped[str] = mapped_column(ForeignKey("series_calendar.uid"))
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    method: Mapped[str]
    sequence: Mapped[int]
    number: Mapped[int]
    first_message: Mapped[str | None]
    sent_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    answered_sequence: Mapped[int | None]
    answered_stamp: Mapped[datetime | None]


class OccurrenceAnswer(Identified, Model):
    """What a person answered to one date of a series; it goes before the answer to the whole."""

    __tablename__ = "occurrence_answer"
    __table_args__ = (one_of("answer", Answer), UniqueConstraint("uid", "clinician_id", "occurrence_on"))

    uid: Mapped[str]
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    occurrence_on: Mapped[date]
    answer: Mapped[str]
    answered_at: Mapped[datetime]
    answered_sequence: Mapped[int | None]
    answered_stamp: Mapped[datetime | None]
