"""What goes out about the meetings of a scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from conference_orchestrator.flows import rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from tests.house import HELPDESK, House
from tests.scene import Scene

WORK = ("ensure-conference", "issue-invitations", "issue-series", "refresh-group")


@dataclass
class Mails:
    """What went out since the last look, as (who, kind, SEQUENCE)."""

    house: House
    seen: set[UUID] = field(default_factory=set)

    def new(self) -> list[Message]:
        found = [m for m in self.house.messages() if m.kind.startswith("invitation") and m.id not in self.seen]
        self.seen |= {message.id for message in found}
        return sorted(found, key=lambda message: (message.name, message.facts["uid"], message.number))

    def __call__(self) -> list[tuple[str, str, int]]:
        return [(m.name.split()[0].lower(), m.kind, m.facts["sequence"]) for m in self.new()]


def move_session(scene: Scene, group: ExpertGroup, **by: float) -> None:
    moving = scene.session(group)
    rounds.move(moving.id, moving.starts_at + timedelta(**by), by=HELPDESK)


def instants(facts: dict[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(facts["starts_at"]), datetime.fromisoformat(facts["ends_at"])


def erase(person: Clinician) -> None:
    with transaction():
        db.session.execute(update(Clinician).where(Clinician.id == person.id).values(state="erased"))
