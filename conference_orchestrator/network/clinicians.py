"""Clinicians: healthcare professionals, their addresses, the networks they are active in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection, ForeignKey, Select, UniqueConstraint, func, literal_column, or_, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship, selectinload

from conference_orchestrator.kernel.database import Identified, Model, Versioned, among, db, one_of, personal
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network.hospitals import Hospital, hospital_network
from conference_orchestrator.network.references import as_id


class State(StrEnum):
    """Whether a clinician takes part, or asked to be forgotten."""

    ACTIVE = "active"
    ERASED = "erased"


class Share(StrEnum):
    """What a clinician may choose to show on the participant list besides name, hospital and country."""

    EMAIL = "email"
    PHONE = "phone"


class Clinician(Versioned, Model):
    """A healthcare professional in one network or several."""

    __tablename__ = "clinician"
    __table_args__ = (one_of("state", State),)

    given_name: Mapped[str] = mapped_column(info=personal("identity"))
    family_name: Mapped[str] = mapped_column(info=personal("identity"), index=True)
    email: Mapped[str] = mapped_column(unique=True, info=personal("contact"))
    phone: Mapped[str | None] = mapped_column(info=personal("contact"))
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospital.id"), index=True)
    hospital_name: Mapped[str] = mapped_column(info=personal("profession"))
    country: Mapped[str] = mapped_column(info=personal("profession"))
    profession: Mapped[str] = mapped_column(info=personal("profession"))
    specialties: Mapped[list[str]] = mapped_column(info=personal("profession"))
    language: Mapped[str] = mapped_column(info=personal("preference"))
    time_zone: Mapped[str] = mapped_column(info=personal("preference"))
    share: Mapped[list[str]] = mapped_column(info=personal("preference"))
    state: Mapped[str] = mapped_column(default=State.ACTIVE)

    hospital: Mapped[Hospital | None] = relationship(lazy="raise")
    networks: Mapped[list[ClinicianNetwork]] = relationship(lazy="raise", back_populates="clinician")

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given_name} {self.family_name}"


class ClinicianAddress(Identified, Model):
    """A further address known to be a clinician's; answers from it count."""

    __tablename__ = "clinician_address"

    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    email: Mapped[str] = mapped_column(unique=True, info=personal("contact"))


class ClinicianNetwork(Identified, Model):
    """That a clinician is active in a network since `activated_at`."""

    __tablename__ = "clinician_network"
    __table_args__ = (UniqueConstraint("clinician_id", "network_id"),)

    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"))
    network_id: Mapped[UUID] = mapped_column(ForeignKey("network.id"), index=True)
    activated_at: Mapped[datetime]

    clinician: Mapped[Clinician] = relationship(lazy="raise", back_populates="networks")


def canonical(email: str, *, field: str = "email") -> str:
    """The address in the one form under which a person is known: syntax checked, NFC, lower case.

    Invalid, naming `field`, when it is no address. Deliverability is not asked of the network: the address is
    confirmed by a mail.
    """
    try:
        checked = validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise Invalid({field: f"This is not an e-mail address: {error}"}) from error
    return checked.normalized.lower()


def by_email(email: str) -> Clinician | None:
    """The clinician known under that canonical address, a further one included."""
    also = select(ClinicianAddress.clinician_id).where(ClinicianAddress.email == email)
    return db.session.scalar(_complete().where(or_(Clinician.email == email, Clinician.id.in_(also))))


def find(reference: str | UUID, *, field: str = "clinician", visible_to: Principal) -> Clinician:
    """The active clinician with that id or address within the asker's scope; Invalid, naming `field`, without one.

    Somebody outside the scope is told apart from nobody by nothing.
    """
    identifier = as_id(reference)
    if identifier is None:
        known = by_email(str(reference).lower())
        identifier = known.id if known else None
    found = db.session.scalar(_scoped(visible_to).where(Clinician.id == identifier)) if identifier else None
    if found is None or found.state != State.ACTIVE:
        raise Invalid({field: f"There is no clinician {str(reference)!r}."})
    return found


def hold(person: Clinician, *, field: str = "clinician") -> None:
    """Keep the clinician from being erased until the transaction ends; Invalid, naming `field`, if that came first.

    An erasure locks the groups before the person: who needs a group, of which the database keeps the row when another
    one refers to it, locks or holds it before this.
    """
    held = select(Clinician.state).where(Clinician.id == person.id).with_for_update(read=True, key_share=True)
    if db.session.scalar(held) != State.ACTIVE:
        raise Invalid({field: "This clinician was erased a moment ago."})


def get(clinician_id: UUID, *, visible_to: Principal) -> Clinician:
    """The clinician with that id, or NotFound outside the asker's scope."""
    found = db.session.scalar(_scoped(visible_to).where(Clinician.id == clinician_id))
    if found is None:
        raise NotFound("There is no such clinician.")
    return found


def lock(clinician_id: UUID) -> None:
    """Have the clinician to oneself until the transaction ends: nothing new refers to it meanwhile."""
    db.session.execute(select(Clinician.id).where(Clinician.id == clinician_id).with_for_update())


def listed(
    paging: Paging,
    *,
    visible_to: Principal,
    network_id: UUID | None = None,
    among: Collection[UUID] | None = None,
    q: str | None = None,
) -> Page[Clinician]:
    """Active clinicians within the asker's scope, by family name; `among` are the only ones that may be listed.

    `q` looks into names, for the helpdesk also into addresses.
    """
    statement = _scoped(visible_to).where(Clinician.state == State.ACTIVE)
    if network_id is not None:
        statement = statement.where(Clinician.networks.any(ClinicianNetwork.network_id == network_id))
    if among is not None:
        statement = statement.where(Clinician.id.in_(among))
    if q:
        # Only who may see every address may search by it: otherwise the answer would tell what is not shared.
        places = [Clinician.given_name, Clinician.family_name]
        if visible_to.role == Role.HELPDESK:
            places.append(Clinician.email)
        statement = statement.where(or_(*[func.lower(place).contains(q.lower(), autoescape=True) for place in places]))
    return page(statement, paging, by=[Clinician.family_name, Clinician.given_name, Clinician.id])


def by_ids(identifiers: Iterable[UUID]) -> dict[UUID, Clinician]:
    """The active ones of these clinicians, by id."""
    statement = _complete().where(Clinician.id.in_(list(identifiers)), Clinician.state == State.ACTIVE)
    return {person.id: person for person in db.session.scalars(statement)}


def erased(connection: Connection, clinician_ids: Collection[UUID]) -> set[UUID]:
    """Those of the clinicians who were erased."""
    gone = connection.execute(_erased(connection.dialect.name), {"wanted": list(clinician_ids)})
    return set(gone.scalars())


@cache
def _erased(dialect: str) -> Select[UUID]:
    return select(Clinician.id).where(
        among(Clinician.id, "wanted", dialect=dialect), Clinician.state == literal_column(f"'{State.ERASED}'")
    )


def audience(network_ids: Iterable[UUID], *, countries: Sequence[str], specialties: Sequence[str]) -> list[UUID]:
    """The active clinicians of any of the networks, narrowed to countries and specialties where some are named."""
    member = select(ClinicianNetwork.clinician_id).where(ClinicianNetwork.network_id.in_(list(network_ids)))
    statement = select(Clinician.id, Clinician.specialties).where(
        Clinician.id.in_(member), Clinician.state == State.ACTIVE
    )
    if countries:
        statement = statement.where(Clinician.country.in_(countries))
    wanted = {specialty.casefold() for specialty in specialties}
    return [
        person
        for person, own in db.session.execute(statement)
        if not wanted or wanted & {specialty.casefold() for specialty in own}
    ]


def active_in(network_id: UUID) -> Select[Clinician]:
    """A statement over the clinicians who are active in the network."""
    member = select(ClinicianNetwork.clinician_id).where(ClinicianNetwork.network_id == network_id)
    return _complete().where(Clinician.id.in_(member), Clinician.state == State.ACTIVE)


def _complete() -> Select[Clinician]:
    return select(Clinician).options(joinedload(Clinician.hospital), selectinload(Clinician.networks))


def _scoped(by: Principal) -> Select[Clinician]:
    statement = _complete()
    if by.network_id is not None:
        statement = statement.where(Clinician.networks.any(ClinicianNetwork.network_id == by.network_id))
    if by.role == Role.REFERENCE_CENTRE:
        # A centre sees the clinicians of its own networks, and its own whichever network they are in.
        own = select(hospital_network.c.network_id).where(hospital_network.c.hospital_id == by.hospital_id)
        statement = statement.where(
            or_(
                Clinician.hospital_id == by.hospital_id,
                Clinician.networks.any(ClinicianNetwork.network_id.in_(own)),
            )
        )
    if by.role == Role.CLINICIAN and by.clinician_id is not None:
        # A clinician sees the colleagues of the networks that both are active in.
        own = select(ClinicianNetwork.network_id).where(ClinicianNetwork.clinician_id == by.clinician_id)
        statement = statement.where(
            or_(
                Clinician.id == by.clinician_id,
                Clinician.networks.any(ClinicianNetwork.network_id.in_(own)),
            )
        )
    return statement
