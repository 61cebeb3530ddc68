"""What people write to the helpdesk by the form, until it has answered."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, personal
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal


class State(StrEnum):
    """Whether the helpdesk has seen to it."""

    OPEN = "open"
    RESOLVED = "resolved"


class ContactMessage(Identified, Model):
    """One question to the helpdesk of a network, with the address to answer to: anybody may have typed it."""

    __tablename__ = "contact_message"
    __table_args__ = (Index(None, "created_at", "id"),)

    network_id: Mapped[UUID] = mapped_column(ForeignKey("network.id"), index=True)
    name: Mapped[str] = mapped_column(info=personal("identity"))
    email: Mapped[str] = mapped_column(info=personal("contact"))
    message: Mapped[str] = mapped_column(info=personal("content"))
    resolved_at: Mapped[datetime | None]

    @property
    def state(self) -> State:
        """In a word."""
        return State.OPEN if self.resolved_at is None else State.RESOLVED


def listed(paging: Paging, *, visible_to: Principal, state: str | None = None) -> Page[ContactMessage]:
    """The messages to the networks within the asker's scope, in the order in which they were written."""
    statement = select(ContactMessage)
    if visible_to.network_id is not None:
        statement = statement.where(ContactMessage.network_id == visible_to.network_id)
    if state is not None:
        is_open = ContactMessage.resolved_at.is_(None)
        statement = statement.where(is_open if state == State.OPEN else ~is_open)
    return page(statement, paging, by=[ContactMessage.created_at, ContactMessage.id])


def get(message_id: UUID, *, visible_to: Principal) -> ContactMessage:
    """The message with that id, or NotFound outside the asker's scope."""
    found = db.session.get(ContactMessage, message_id)
    if found is None or visible_to.network_id not in {None, found.network_id}:
        raise NotFound("There is no such message.")
    return found
