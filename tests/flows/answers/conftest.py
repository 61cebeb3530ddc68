"""A panel whose people are invited, and the mailbox to which they answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import reading_post
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.flows.reading_post import open_mailbox
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.inbound import InboundMail
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.network.clinicians import Clinician, ClinicianAddress
from conference_orchestrator.network.expert_groups import ExpertGroup
from tests.faulty_provider import FaultyProvider
from tests.flows.answers import letters
from tests.house import House
from tests.mails import WORK
from tests.notify.post.memory import MailboxInMemory
from tests.scene import Scene, settle


@dataclass
class Mailroom:
    """Anna is invited as an expert of the group, Ines as the requester of a case; both answer to the box."""

    house: House
    scene: Scene
    group: ExpertGroup
    anna: Clinician
    ines: Clinician
    box: MailboxInMemory

    @property
    def now(self) -> datetime:
        return self.house.clock.at

    def invitation(self, person: Clinician) -> Invitation:
        """What the person holds, as it is in the database now."""
        db.session.close()
        mine = select(Invitation).where(Invitation.clinician_id == person.id)
        return db.session.scalars(mine.execution_options(populate_existing=True)).one()

    def said(self, person: Clinician) -> str | None:
        """What the person's answer is."""
        return self.invitation(person).answer

    def link(self, person: Clinician) -> str:
        """The word of the link in the person's invitation."""
        return links.token("answer", self.invitation(person).id)

    def reply(self, person: Clinician, said: str, **more: Any) -> bytes:
        """An answer of the person to the own invitation, given now."""
        usual = {"uid": self.invitation(person).uid, "attendee": person.email, "stamp": self.now}
        return letters.reply(said=said, **usual | more)

    def takes_in(self, *mails: bytes) -> list[InboundMail]:
        """What becomes of these mails."""
        keys = [self.box.put(mail) for mail in mails]
        reading_post.read_post()
        rows = self.rows()
        return [row for key in keys for row in rows if row.number == key.number]

    def takes(self, mail: bytes) -> InboundMail:
        """What becomes of this mail."""
        (row,) = self.takes_in(mail)
        return row

    def rows(self) -> list[InboundMail]:
        """Everything that came in, in order."""
        db.session.close()
        found = select(InboundMail).order_by(InboundMail.validity, InboundMail.number)
        return list(db.session.scalars(found.execution_options(populate_existing=True)))

    def alias(self, person: Clinician, address: str) -> None:
        """The address is known to be the person's too."""
        with transaction():
            db.session.add(ClinicianAddress(clinician_id=person.id, email=address))

    def later(self, **by: float) -> None:
        """Time passes."""
        self.house.clock.move_on(timedelta(**by))


@pytest.fixture
def box(house: House) -> MailboxInMemory:
    """The mailbox that the house reads."""
    made = MailboxInMemory()
    ports.settings.fill(house.app, replace(ports.settings(), imap_url="imap://reader:hush@mail.example/INBOX"))
    open_mailbox.fill(house.app, lambda: made)
    return made


@pytest.fixture
def scene(house: House) -> Scene:
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    return Scene(house)


@pytest.fixture
def mailroom(house: House, scene: Scene, box: MailboxInMemory) -> Mailroom:
    anna, ines = scene.clinician("anna"), scene.clinician("ines")
    group = scene.group("brain", anna)
    scene.allocated(ines, group)
    settle(house, *WORK)
    house.queue.tasks.clear()
    return Mailroom(house, scene, group, anna, ines, box)
