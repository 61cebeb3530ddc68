"""A group whose slots are all taken, a line of those who wait, and what its offers bring about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import offering, panels
from conference_orchestrator.flows.offering import OfferView
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.allocations import Allocation
from tests.house import HELPDESK
from tests.scene import settle
from tests.scheduling.stage import Stage

HOUR = timedelta(hours=1)
FOUR_HOURS = {"offer_hours": 4}
ONE_TUESDAY = {"ends_on": date(2026, 11, 24)}


@dataclass
class Line:
    """The stage, who holds the slots, and who waits, in order."""

    stage: Stage
    holders: list[UUID]
    waiting: list[UUID]

    def free(self, count: int = 1) -> None:
        """The last holders give their slots back, and what this brings about is done."""
        for _ in range(count):
            panels.withdraw(self.holders.pop(), by=HELPDESK)
        self.work()

    def work(self) -> None:
        """Offer what is to be offered; the clock stands."""
        settle(self.stage.house, "offer-slots", "expire-offers", moving_the_clock=False)

    def pass_the_time(self, by: timedelta = 4 * HOUR) -> None:
        """Let time go by, then do what is due."""
        self.stage.house.clock.move_on(by)
        self.work()

    def offer(self, place: int = 0) -> OfferView:
        """The latest offer to who waited at that place, the first being 0."""
        latest = (Allocation.taken_at.desc(), Allocation.released_at.is_not(None))
        own = select(Allocation.id).where(Allocation.request_id == self.waiting[place])
        offer_id = db.session.scalars(own.order_by(*latest).limit(1)).one()
        return offering.view(offer_id, by=HELPDESK)

    def states(self) -> list[str]:
        """How those stand who waited."""
        return [self.stage.request(request_id).request.state for request_id in self.waiting]

    def positions(self) -> list[int | None]:
        return [self.stage.request(request_id).position for request_id in self.waiting]

    def mails(self) -> list[str]:
        """The cases of the slot-offer mails so far, sorted, because the clock may have stood between them."""
        return sorted(mail["case_reference"] for mail in self.stage.mails("slot-offer"))


def line_up(stage: Stage, waiting: Sequence[dict[str, Any]], *, slots: int = 1, **rules: Any) -> Line:
    """A session of tomorrow whose slots are taken, and a line of requests CASE-1, CASE-2 ... that differ as said."""
    stage.meet(slots=slots, **ONE_TUESDAY)
    holders = [stage.allocated(case_reference=f"HELD-{number}") for number in range(slots)]
    line = [
        panels.allocate(stage.accepted(case_reference=f"CASE-{number}", **changes), by=HELPDESK).request.id
        for number, changes in enumerate(waiting, start=1)
    ]
    set_rules(stage, **FOUR_HOURS | rules)
    stage.house.queue.tasks.clear()
    return Line(stage, holders, line)


def set_rules(stage: Stage, **rules: Any) -> None:
    """What the group asks from now on, None being left out."""
    with transaction():
        group = db.session.get(ExpertGroup, stage.group.id)
        assert group is not None
        group.rules = {name: value for name, value in rules.items() if value is not None}
