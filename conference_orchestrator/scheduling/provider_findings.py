"""What a look at a provider found that is not as it should be, for the helpdesk to see to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Model, Versioned, one_of

OPEN = text("resolved_at IS NULL")


class Kind(StrEnum):
    """What is wrong."""

    ORPHAN = "orphan"  # a meeting with a key of ours that no conference wants
    MISSING = "missing"  # a conference's meeting is gone
    DRIFT = "drift"  # somebody changed the meeting at the provider


class Action(StrEnum):
    """What the helpdesk has done about it."""

    DELETE = "delete"  # the orphan is deleted at the provider
    RECREATE = "recreate"  # the missing meeting is made again, people get the new link
    RESTORE = "restore"  # the meeting gets the time and title that were wanted
    IGNORE = "ignore"


class ProviderFinding(Versioned, Model):
    """One thing found; found again while it is open it stays one. `meeting_id` is the provider's."""

    __tablename__ = "provider_finding"
    __table_args__ = (
        one_of("kind", Kind),
        one_of("action", Action),
        Index(
            "uq_provider_finding_open",
            "provider",
            "kind",
            "meeting_id",
            unique=True,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        ),
        Index(None, "created_at", "id"),
    )

    provider: Mapped[str]
    kind: Mapped[str]
    conference_id: Mapped[UUID | None] = mapped_column(ForeignKey("conference.id"), index=True)
    meeting_id: Mapped[str]
    host: Mapped[str | None]
    detail: Mapped[str]
    starts_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    action: Mapped[str | None]
