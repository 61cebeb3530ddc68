"""Feeds: the addresses under which people read their own calendar. Only the SHA-256 of an address's word is kept."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model


class Feed(Identified, Model):
    """An address of a clinician's calendar; revoked, it answers no more."""

    __tablename__ = "feed"

    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    revoked_at: Mapped[datetime | None]
