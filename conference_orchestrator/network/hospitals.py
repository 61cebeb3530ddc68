"""Hospitals; a reference centre is one that may ask for webinars and web conferences."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Column, ForeignKey, Select, Table, select
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

from conference_orchestrator.kernel.database import Model, Versioned, db
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.network.networks import Network
from conference_orchestrator.network.references import by_id_or_code

hospital_network = Table(
    "hospital_network",
    Model.metadata,
    Column("hospital_id", ForeignKey("hospital.id"), primary_key=True),
    Column("network_id", ForeignKey("network.id"), primary_key=True, index=True),
)


class Hospital(Versioned, Model):
    """A hospital. `country` is an ISO 3166-1 alpha-2 code, `time_zone` an IANA name."""

    __tablename__ = "hospital"

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    city: Mapped[str]
    country: Mapped[str]
    time_zone: Mapped[str]
    is_reference_centre: Mapped[bool] = mapped_column(default=False)
    networks: Mapped[list[Network]] = relationship(secondary=hospital_network, lazy="raise", order_by=Network.code)


def _complete() -> Select[Hospital]:
    return select(Hospital).options(selectinload(Hospital.networks))


def find(reference: str | UUID, *, field: str = "hospital") -> Hospital:
    """The hospital with that code or id; Invalid, naming `field`, when there is none."""
    found = db.session.scalar(_complete().where(by_id_or_code(Hospital, reference)))
    if found is None:
        raise Invalid({field: f"There is no hospital {str(reference)!r}."})
    return found


def by_code(code: str) -> Hospital | None:
    """The hospital with that code."""
    return db.session.scalar(_complete().where(Hospital.code == code))


def get(hospital_id: UUID, *, visible_to: Principal) -> Hospital:
    """The hospital with that id, or NotFound outside the asker's scope."""
    found = db.session.scalar(_scoped(visible_to).where(Hospital.id == hospital_id))
    if found is None:
        raise NotFound("There is no such hospital.")
    return found


def listed(paging: Paging, *, visible_to: Principal, network: Network | None = None) -> Page[Hospital]:
    """Hospitals within the asker's scope, by code."""
    statement = _scoped(visible_to)
    if network is not None:
        statement = statement.where(Hospital.networks.any(Network.id == network.id))
    return page(statement, paging, by=[Hospital.code])


def _scoped(by: Principal) -> Select[Hospital]:
    statement = _complete()
    if by.network_id is not None:
        statement = statement.where(Hospital.networks.any(Network.id == by.network_id))
    return statement
