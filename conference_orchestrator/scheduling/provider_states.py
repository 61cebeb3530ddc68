"""What we know of each provider as a whole: its renewed credentials, whether it may be called, how often it was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model


class ProviderState(Model):
    """One row for each provider by its entry-point name.

    `tokens` are sealed; who renews them holds `locked_until`. After failures in a row nobody calls before
    `closed_until`; a `problem` that only a person can mend (refused credentials) closes it until that person says so.
    """

    __tablename__ = "provider_state"

    provider: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[str | None]
    locked_until: Mapped[datetime | None]
    locked_by: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    closed_until: Mapped[datetime | None]
    problem: Mapped[str | None]


class CreateAttempt(Identified, Model):
    """A meeting that was asked for at a provider, with or without success: its quota of a day counts both."""

    __tablename__ = "create_attempt"
    __table_args__ = (Index(None, "provider", "host", "created_at"),)

    provider: Mapped[str]
    host: Mapped[str | None]


class SeenEvent(Identified, Model):
    """An event that a provider sent, so that the same one sent again does nothing."""

    __tablename__ = "seen_event"
    __table_args__ = (Index("uq_seen_event_provider_event_id", "provider", "event_id", unique=True),)

    provider: Mapped[str]
    event_id: Mapped[str]
