"""Feeds: the addresses under which people read their own calendar. Only the SHA-256 of an address's word is kept."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Select, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, personal
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.network.clinicians import Clinician, State


class Feed(Identified, Model):
    """An address of a clinician's calendar; revoked, it answers no more."""

    __tablename__ = "feed"

    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None] = mapped_column(info=personal("preference"))
    revoked_at: Mapped[datetime | None]


# Whose calendar the address shows whose word has that SHA-256, and the language of its words; no row when it is unknown
# or revoked, or its owner was erased. Programs ask day and night: built once.
OWNER = (
    select(Feed.clinician_id, Clinician.language)
    .join(Clinician, Clinician.id == Feed.clinician_id)
    .where(Feed.sha256 == bindparam("sha256"), Feed.revoked_at.is_(None), Clinician.state == State.ACTIVE)
)


def get(feed_id: UUID, *, of: Select[UUID]) -> Feed:
    """The feed with that id of one of these clinicians, or NotFound."""
    found = db.session.scalar(select(Feed).where(Feed.id == feed_id, Feed.clinician_id.in_(of)))
    if found is None:
        raise NotFound("There is no such feed.")
    return found


def listed(paging: Paging, *, of: Select[UUID]) -> Page[Feed]:
    """The feeds of these clinicians that answer, oldest first; nobody can tell an address from them."""
    statement = select(Feed).where(Feed.clinician_id.in_(of), Feed.revoked_at.is_(None))
    return page(statement, paging, by=[Feed.created_at, Feed.id])
