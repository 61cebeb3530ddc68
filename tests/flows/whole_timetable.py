"""A group in the middle of its life, and a service in which all of the timetable runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import panels
from conference_orchestrator.flows.delivering import open_mail
from conference_orchestrator.jobs.timetable import EVERY
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.registrations import Registration
from tests.flows.waiting_line import set_rules
from tests.house import HELPDESK, applicant
from tests.post import Post
from tests.scene import settle
from tests.scheduling.stage import Stage

HOUR = timedelta(hours=1)
DESK = "helpdesk"


@dataclass
class Service:
    """The stage with a mail server; `held` is the request whose slot can be freed, `waiting` those who wait for it."""

    stage: Stage
    post: Post
    held: UUID
    waiting: tuple[UUID, UUID]

    def at(self, instant: datetime, *, names: list[str] | None = None) -> None:
        """It is that time: all of the timetable, or those names of it in that order, and what it brings about."""
        self.stage.house.clock.at = instant
        self.stage.house.queue.tasks += [Task(kind=name) for name in (list(EVERY) if names is None else names)]
        self.work()

    def work(self) -> None:
        settle(self.stage.house, *WORK, moving_the_clock=False)

    def free(self) -> None:
        """The slot is given back."""
        panels.withdraw(self.held, by=HELPDESK)

    def told(self) -> Counter[tuple[str, str]]:
        """Who was told what since the beginning, by mails that the server took: names of people, titles of alerts."""
        db.session.rollback()
        sent = Counter(self.post.names())
        taken = db.session.scalars(select(Message).where(Message.state == "sent")).all()
        found = Counter((mail.address.partition("@")[0], mail.facts.get("title", mail.kind)) for mail in taken)
        assert sent == Counter(name for name, _ in found.elements()), "no message was sent twice"
        return found


def begin(stage: Stage, starts_at: datetime, **of_round: Any) -> Service:
    """Eighty hours before a session of two slots: both are given, two wait for one, and somebody has registered.

    Nobody has answered, so the quorum is in doubt; freed slots are offered for a day each.
    """
    stage.house.clock.at = starts_at - 80 * HOUR
    post = Post()
    open_mail.fill(stage.house.app, lambda: post)
    stage.meet(**of_round)
    stage.allocated(case_reference="CASE-1")
    held = stage.allocated(case_reference="HELD")
    sessions = len(stage.sessions())
    for number in range(2 * (sessions - 1)):
        stage.allocated(case_reference=f"LATER-{number}")
    first, second = (
        panels.allocate(stage.accepted(case_reference=f"WAITS-{name}", requester=stage.people[name].id), by=HELPDESK)
        for name in ("inês", "jörg")
    )
    set_rules(stage, offer_hours=24)
    _register(stage, due_at=starts_at - 60 * HOUR)
    made = Service(stage, post, held, (first.request.id, second.request.id))
    made.work()
    return made


def _register(stage: Stage, *, due_at: datetime) -> None:
    """Somebody confirmed the address; the helpdesk has to decide by then."""
    unused = {"network", "hospital", "privacy_version"}
    entered = {name: value for name, value in applicant().items() if name not in unused}
    with transaction() as tx:
        waiting = {"state": "pending", "submitted_at": tx.now, "confirmed_at": tx.now, "due_at": due_at}
        place = {"network_id": stage.network.id, "hospital_name": "Szpital", "country": "PL"}
        db.session.add(Registration(**entered, **place, **waiting, created_at=tx.now))
