"""Who holds a slot, firmly or as an offer.

The insert of an allocation is the taking of a slot: partial unique indexes on the active allocation of a slot and of a
request let the database refuse the second taker under any concurrency, and the history stays. An offer is an
allocation that its holder has not accepted yet, so one index keeps slots given and slots offered apart from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, and_, case, or_, select, text, update
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from conference_orchestrator.kernel.database import Identified, Model, db, insert_new, one_of
from conference_orchestrator.kernel.errors import NotFound, SlotTaken

if TYPE_CHECKING:
    from conference_orchestrator.scheduling.sessions import Slot


class Offer(StrEnum):
    """What became of an offer. Withdrawn: its slot moved or fell out, or the request needed it no more."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


HELD = "The slot is held by another request, or the request holds another slot."
MOVED = "The slot moved to"
ACTIVE = text("released_at IS NULL")
OPEN = text("offer = 'open'")


class Allocation(Identified, Model):
    """That a request has a slot, since `taken_at`, until `released_at`; with the reasons to show people.

    `offer` is None where the slot was given by a person or a rule; an offer is held until `expires_at` and has to be
    accepted before it counts.
    """

    __tablename__ = "allocation"
    __table_args__ = (
        Index("uq_allocation_slot", "slot_id", unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE),
        Index("uq_allocation_request", "request_id", unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE),
        Index("ix_allocation_offer", "expires_at", sqlite_where=OPEN, postgresql_where=OPEN),
        one_of("offer", Offer),
        CheckConstraint("(offer IS NULL) = (expires_at IS NULL)", name="expiry"),
        # What ended holds no slot, and what is open holds one.
        CheckConstraint(
            "offer IS NULL OR offer = 'accepted' OR (offer = 'open') = (released_at IS NULL)", name="offer_held"
        ),
    )

    slot_id: Mapped[UUID] = mapped_column(ForeignKey("slot.id"), index=True)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("consultation_request.id"), index=True)
    taken_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    reasons: Mapped[list[str]]
    offer: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    # The start of the slot when it was offered: at another hour it is another offer.
    offered_starts_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]

    slot: Mapped[Slot] = relationship(lazy="raise")

    @property
    def is_firm(self) -> bool:
        """Whether the request has the slot, rather than being offered it."""
        return self.released_at is None and self.offer != Offer.OPEN

    def moved(self, moment: str) -> None:
        """Its slot is at another hour than the reasons say: they end with that hour, the latest one alone."""
        self.reasons = [*(said for said in self.reasons if not said.startswith(MOVED)), f"{MOVED} {moment}."]


# The same as a condition of a query.
FIRM = and_(Allocation.released_at.is_(None), or_(Allocation.offer.is_(None), Allocation.offer == Offer.ACCEPTED))


def take(
    slot_id: UUID,
    request_id: UUID,
    *,
    because: Sequence[str],
    at: datetime,
    offered_until: datetime | None = None,
    offered_starts_at: datetime | None = None,
) -> UUID:
    """Give the slot to the request, or offer it until an instant, at the start told; SlotTaken if someone was faster.

    The insert decides, under any concurrency. The id of the allocation, by which an offer is answered.
    """
    row = {
        "id": uuid4(),
        "created_at": at,
        "slot_id": slot_id,
        "request_id": request_id,
        "taken_at": at,
        "reasons": list(because),
        "offer": Offer.OPEN if offered_until else None,
        "expires_at": offered_until,
        "offered_starts_at": offered_starts_at,
    }
    taken: UUID | None = db.session.scalar(insert_new(Allocation).values(row).returning(Allocation.id))
    if taken is None:
        raise SlotTaken(HELD)
    return taken


def release(request_id: UUID, *, at: datetime) -> None:
    """End what the request holds, a slot or an offer of one."""
    held = update(Allocation).where(Allocation.request_id == request_id, Allocation.released_at.is_(None))
    ended = case((Allocation.offer == Offer.OPEN, Offer.WITHDRAWN), else_=Allocation.offer)
    db.session.execute(held.values(released_at=at, offer=ended))


def answer(offer_id: UUID, said: Offer, *, at: datetime) -> bool:
    """Accept or refuse an offer that is open and has not run out; False when it is not (any more).

    One statement decides, so that of an answer and the clock exactly one wins.
    """
    values = {"offer": said, "answered_at": at, "released_at": None if said == Offer.ACCEPTED else at}
    open_still = (Allocation.id == offer_id, Allocation.offer == Offer.OPEN, Allocation.expires_at > at)
    answered = update(Allocation).where(*open_still).values(**values).returning(Allocation.id)
    return db.session.scalar(answered) is not None


def expire(offer_id: UUID, *, at: datetime) -> bool:
    """End an open offer whose time has run out; False when somebody answered it, or it has time left."""
    run_out = (Allocation.id == offer_id, Allocation.offer == Offer.OPEN, Allocation.expires_at <= at)
    ended = update(Allocation).where(*run_out).values(offer=Offer.EXPIRED, released_at=at).returning(Allocation.id)
    return db.session.scalar(ended) is not None


def run_out(*, at: datetime) -> Sequence[Allocation]:
    """The open offers whose time has run out, the oldest first."""
    statement = select(Allocation).where(Allocation.offer == Offer.OPEN, Allocation.expires_at <= at)
    return db.session.scalars(statement.order_by(Allocation.expires_at, Allocation.id)).all()


def get(offer_id: UUID) -> Allocation:
    """The offer with that id and its slot, or NotFound; whose it is, the caller checks by its request."""
    statement = select(Allocation).where(Allocation.id == offer_id, Allocation.offer.is_not(None))
    found = db.session.scalar(statement.options(joinedload(Allocation.slot)).execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such offer.")
    return found
