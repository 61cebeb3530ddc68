"""Who was in a conference, as its provider noted it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, personal


class Attendance(Identified, Model):
    """One stay of one person; who is none of the invited has no `clinician_id`."""

    __tablename__ = "attendance"
    __table_args__ = (
        CheckConstraint("left_at IS NULL OR left_at >= joined_at", name="interval"),
        Index(None, "conference_id", "joined_at", "id"),
    )

    conference_id: Mapped[UUID] = mapped_column(ForeignKey("conference.id"))
    clinician_id: Mapped[UUID | None] = mapped_column(ForeignKey("clinician.id"), index=True)
    name: Mapped[str] = mapped_column(info=personal("identity"))
    email: Mapped[str | None] = mapped_column(info=personal("contact"))
    is_host: Mapped[bool] = mapped_column(default=False)
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
