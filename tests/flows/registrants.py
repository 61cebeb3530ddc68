"""A webinar with few places, its audience, and what each of them is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from conference_orchestrator.flows import answering, registering, webinars
from conference_orchestrator.flows.answering import InvitationView
from conference_orchestrator.flows.registering import Registrations
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails
from tests.scene import Scene, settle

NAMES = ("anna", "emil", "ines", "olga", "rita")


@dataclass
class Webinar:
    """The people answer by the links of their invitations; `mails` tells what went out since the last look."""

    house: House
    scene: Scene
    mails: Mails
    people: dict[str, UUID]
    conference_id: UUID

    @property
    def request(self) -> WebinarRequest:
        db.session.rollback()
        request_id = self.scene.fresh(self.conference_id).webinar_request_id
        assert request_id is not None
        return webinars.get(request_id, by=HELPDESK)

    @property
    def standing(self) -> Registrations:
        request = self.request
        return registering.registrations([request])[request.id]

    @property
    def page(self) -> str:
        """The word of the registration page's address."""
        return links.token("webinar", self.request.id)

    def link(self, name: str) -> str:
        db.session.rollback()
        mine = select(Invitation.id).where(Invitation.clinician_id == self.people[name])
        return links.token("answer", db.session.scalars(mine).one())

    def answer(self, name: str, said: Answer = Answer.ACCEPTED) -> None:
        answering.answer(self.link(name), said)
        self.settle()

    def view(self, name: str) -> InvitationView:
        db.session.rollback()
        return answering.invitation(self.link(name))

    def position(self, name: str) -> int | None:
        place = self.view(name).place
        assert place is not None
        return place.position

    def change(self, **changes: Any) -> WebinarRequest:
        changed = webinars.change(self.request.id, changes, by=HELPDESK)
        self.settle()
        return changed

    def erase(self, name: str) -> None:
        with transaction():
            gone = update(Clinician).where(Clinician.id == self.people[name])
            db.session.execute(gone.values(state="erased"))

    def settle(self) -> None:
        settle(self.house, *WORK, moving_the_clock=False)


def open_webinar(house: House, scene: Scene, *, capacity: int | None, speaker: str = "olga", **wanted: Any) -> Webinar:
    """Approved, its meeting made, everybody invited; the speaker is one of the people."""
    people = {name: scene.clinician(name) for name in NAMES}
    ids = {name: person.id for name, person in people.items()}
    conference_id = scene.approved(speakers=(people[speaker],), capacity=capacity, **wanted)
    made = Webinar(house, scene, Mails(house), ids, conference_id)
    made.settle()
    return made
