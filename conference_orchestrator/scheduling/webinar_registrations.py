"""Registrations for a webinar whose places are limited: who has a place, and who waits for one."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, one_of


class State(StrEnum):
    """Whether the person has a place."""

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
