"""Networks: an ERN or the COVID19 Clinicians Network."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select, true
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import ColumnElement

from conference_orchestrator.kernel.database import Model, Versioned, db, one_of
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.network.references import by_id_or_code


class ListStyle(StrEnum):
    """How the instructions mail carries the participant list."""

    ATTACHMENT = "attachment"
    LINK = "link"


class Network(Versioned, Model):
    """An ERN or the COVID19 Clinicians Network.

    `web_conference` holds what its web conferences and webinars have unless the request says otherwise:
    `duration_minutes`, `language`, `expected_audience`, each of them optional.
    """

    __tablename__ = "network"
    __table_args__ = (one_of("participant_list", ListStyle),)

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    helpdesk_address: Mapped[str | None]
    helpdesk_hours: Mapped[str | None]
    funding_line: Mapped[str | None]
    participant_list: Mapped[str] = mapped_column(default=ListStyle.ATTACHMENT)
    web_conference: Mapped[dict[str, Any]] = mapped_column(default=dict)


def find(reference: str | UUID, *, field: str = "network") -> Network:
    """The network with that code or id; Invalid, naming `field`, when there is none."""
    found = db.session.scalar(select(Network).where(by_id_or_code(Network, reference)))
    if found is None:
        raise Invalid({field: f"There is no network {str(reference)!r}."})
    return found


def by_code(code: str) -> Network | None:
    """The network with that code."""
    return db.session.scalar(select(Network).where(Network.code == code))


def get(network_id: UUID) -> Network:
    """The network with that id, or NotFound."""
    found = db.session.get(Network, network_id)
    if found is None:
        raise NotFound("There is no such network.")
    return found


def listed(paging: Paging, *, visible_to: Principal) -> Page[Network]:
    """The networks within the asker's scope, by code."""
    return page(select(Network).where(in_scope(visible_to)), paging, by=[Network.code])


def in_scope(by: Principal) -> ColumnElement[bool]:
    """A condition on Network: all, or the one that the asker's token is narrowed to."""
    return Network.id == by.network_id if by.network_id else true()
