"""Reminders: which person was reminded of which start, how long before. The database keeps each one single."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model


class Reminder(Identified, Model):
    """A person was reminded of the object's start; moved to another start, it is worth another reminder."""

    __tablename__ = "reminder"
    __table_args__ = (UniqueConstraint("uid", "clinician_id", "starts_at", "hours_before"),)

    uid: Mapped[str]
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    starts_at: Mapped[datetime]
    hours_before: Mapped[int]
