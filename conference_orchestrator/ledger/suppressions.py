"""Addresses that get no mail, or no reminders: one that bounced for good, one whose owner asked for it.

A row is taken away when the helpdesk has mended the address, or the owner asks for reminders again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from functools import cache
from uuid import UUID, uuid4

from sqlalchemy import Connection, Index, Select, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, among, db, insert_new, one_of, personal
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page


class Scope(StrEnum):
    """What the address does not get."""

    ALL = "all"
    REMINDERS = "reminders"


class Reason(StrEnum):
    """Why."""

    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    HELPDESK = "helpdesk"


class Suppression(Identified, Model):
    """An address, in its canonical form, that gets no mail of that scope. `message_id`: the mail that bounced."""

    __tablename__ = "suppression"
    __table_args__ = (
        one_of("scope", Scope),
        one_of("reason", Reason),
        UniqueConstraint("address", "scope"),
        Index(None, "created_at", "id"),
    )

    address: Mapped[str] = mapped_column(info=personal("contact"))
    scope: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str | None]
    message_id: Mapped[UUID | None]


def add(
    address: str,
    scope: Scope,
    reason: Reason,
    *,
    detail: str | None = None,
    message_id: UUID | None = None,
    at: datetime,
) -> bool:
    """Have the address get no mail of the scope from now on; False when that was so already."""
    row = {
        "id": uuid4(),
        "created_at": at,
        "address": address.lower(),
        "scope": scope,
        "reason": reason,
        "detail": detail,
        "message_id": message_id,
    }
    return db.session.scalar(insert_new(Suppression).values(row).returning(Suppression.id)) is not None


def lift(address: str, scope: Scope) -> bool:
    """Have the address get mail of the scope again; False when it did anyway."""
    gone = delete(Suppression).where(Suppression.address == address.lower(), Suppression.scope == scope)
    return db.session.scalar(gone.returning(Suppression.id)) is not None


def of_addresses(connection: Connection, addresses: Collection[str]) -> dict[tuple[str, str], str]:
    """Why each of the addresses gets no mail, by address and scope; those that do are left out."""
    found = connection.execute(_of(connection.dialect.name), {"addresses": list({one.lower() for one in addresses})})
    return {(address, scope): reason for address, scope, reason in found}


@cache
def _of(dialect: str) -> Select[str, str, str]:
    wanted = among(Suppression.address, "addresses", dialect=dialect)
    return select(Suppression.address, Suppression.scope, Suppression.reason).where(wanted)


def get(suppression_id: UUID) -> Suppression:
    """The suppression with that id, or NotFound."""
    found = db.session.scalar(select(Suppression).where(Suppression.id == suppression_id))
    if found is None:
        raise NotFound("There is no such suppression.")
    return found


def listed(paging: Paging, *, address: str | None = None) -> Page[Suppression]:
    """Every address that gets no mail or no reminders, the oldest first; or what stands of one."""
    statement = select(Suppression)
    if address is not None:
        statement = statement.where(Suppression.address == address.lower())
    return page(statement, paging, by=[Suppression.created_at, Suppression.id])
