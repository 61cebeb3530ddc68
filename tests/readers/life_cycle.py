"""Everything that can happen to invitations, lived through once by the flows: each mail of it, and what it has to say.

The round meets on Tuesdays at 11.00 in Berlin; its sessions lie on both sides of both clock changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from uuid import UUID

from flask import Flask
from sqlalchemy import select, update

from conference_orchestrator.flows import answering, arranging, delivering, directory, feeding, inviting, panels, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.database import connect, db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.reader import Reader
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.settings import Settings
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House, RememberingQueue, StandingClock
from tests.mails import WORK
from tests.readers.reading import calendar_of
from tests.scene import Scene, settle

SENDER = "Panel Helpdesk ĄŻ <helpdesk@network.example>"
ANSWERS_TO = "Antworten <calendar@network.example>"
NAMES = ("anna", "emil", "carla", "ines", "olga", "rita")
BEGINNING = datetime(2026, 10, 12, 9, 0, tzinfo=UTC)
# The numbers of the sessions, by their dates.
OCTOBER_20, OCTOBER_27, MARCH_23, MARCH_30 = 1, 2, 23, 24
WEBINAR_AT = datetime(2027, 3, 27, 23, 30, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A mail as it leaves, whom it is for, and the facts that it has to say. `step` says what brought it about."""

    step: str
    reader: Reader
    data: bytes
    facts: kinds.Facts

    @property
    def to(self) -> str:
        """The reader's first name as the tests write it."""
        return self.reader.name.split()[0].lower()

    @property
    def calendar(self) -> bytes:
        return calendar_of(self.data)


@dataclass
class LifeCycle:
    """What was lived through: `sent` in the order of the steps, `feeds` by person at the end."""

    house: House
    scene: Scene
    people: dict[str, Clinician]
    group: ExpertGroup
    sent: list[Sent] = field(default_factory=list)
    feeds: dict[str, bytes] = field(default_factory=dict)
    seen: set[UUID] = field(default_factory=set)

    def end(self, step: str) -> None:
        """Let the tasks run and gather the mails of the step."""
        settle(self.house, *WORK, moving_the_clock=False)
        db.session.rollback()
        for message in self.house.messages():
            if message.id not in self.seen:
                self.seen.add(message.id)
                self.sent.append(_sent(step, message))

    def case(self, name: str, session: int, slot: int = 0) -> UUID:
        return self.scene.allocated(self.people[name], self.group, session=session, slot=slot)

    def session(self, number: int) -> UUID:
        return self.scene.session(self.group, number).id


def lived(address: str) -> LifeCycle:
    """Live through it all on the empty database at the address."""
    with house_at(address) as house:
        life = beginning(house)
        cases = _invited(life)
        _changed(life)
        _taken_back(life, cases)
        _webinar(life)
        for name, person in life.people.items():
            word = feeding.open_feed(clinician=person.id, by=HELPDESK)[1].rpartition("/")[2].removesuffix(".ics")
            life.feeds[name] = feeding.read(word).data()
    return life


@contextmanager
def house_at(address: str) -> Iterator[House]:
    """A house on the empty database at the address, on the Monday before the first session."""
    app = Flask("life-cycle")
    connect(app, address)
    house = House(app=app, clock=StandingClock(BEGINNING), queue=RememberingQueue())
    ports.settings.fill(app, Settings(secret_key="only-for-tests", mail_from=SENDER, mail_reply_to=ANSWERS_TO))
    ports.clock.fill(app, house.clock)
    ports.queue.fill(app, house.queue)
    provider = FaultyProvider()
    provider_named.fill(app, lambda _: provider)
    with app.app_context():
        yield house
        db.session.remove()
        db.engine.dispose()


def beginning(house: House) -> LifeCycle:
    """The group and its round; nobody is invited to anything."""
    scene = Scene(house)
    people = {name: scene.clinician(name, family_name="Großmann-Ławicka") for name in NAMES}
    entered = {"network": "paedcan", "code": "brain", "name": "Brain Tumour", "time_zone": "Europe/Berlin"}
    group = directory.add_group(entered | {"intake": "pre-selection"}, by=HELPDESK)
    for name, role in (("anna", "lead"), ("emil", "expert")):
        directory.add_member(group.id, people[name].id, role=role, by=HELPDESK)
    weekly = {
        "rule": "FREQ=WEEKLY;BYDAY=TU",
        "starts_on": date(2026, 10, 13),
        "start_time": time(11),
        "time_zone": "Europe/Berlin",
        "slots": 2,
        "slot_minutes": 20,
    }
    arranging.define_series(group.id, weekly, by=HELPDESK)
    return LifeCycle(house, scene, people, group)


def _invited(life: LifeCycle) -> dict[str, UUID]:
    cases = {
        "ines": life.case("ines", OCTOBER_20),
        "olga": life.case("olga", OCTOBER_27, slot=1),
        "rita": life.case("rita", MARCH_23),
    }
    life.case("rita", MARCH_30)
    life.end("invited")
    return cases


def _changed(life: LifeCycle) -> None:
    rounds.move(life.session(OCTOBER_20), datetime(2026, 10, 26, 10, 0, tzinfo=UTC), by=HELPDESK)
    life.end("moved")
    conference_id = life.scene.conference(life.group, OCTOBER_27).id
    with transaction():
        renewed = update(Conference).where(Conference.id == conference_id)
        db.session.execute(renewed.values(join_url="https://meet.example/another?a=1,2;b=3"))
    inviting.issue(conference_id)
    life.end("link changed")
    directory.add_member(life.group.id, life.people["carla"].id, role="expert", by=HELPDESK)
    life.end("late joiner")


def _taken_back(life: LifeCycle, cases: dict[str, UUID]) -> None:
    directory.remove_member(life.group.id, life.people["emil"].id, by=HELPDESK)
    life.end("removed")
    panels.release(cases["rita"], by=HELPDESK)
    life.scene.allocate(cases["rita"], life.group, session=MARCH_30, slot=1)
    life.end("other slot")
    panels.withdraw(cases["olga"], by=HELPDESK)
    life.end("withdrawn")
    rounds.cancel(life.session(OCTOBER_20), "The group meets at a congress; all are there.", by=HELPDESK)
    life.end("cancelled")


def _webinar(life: LifeCycle) -> None:
    """With one place: who accepts first gets the link."""
    speaker = life.people["olga"]
    life.scene.approved(at=WEBINAR_AT, speakers=(speaker,), capacity=1, topic="Sarcoma & beyond: “new” drugs; a, b")
    life.end("webinar")
    mine = select(Invitation.id).where(
        Invitation.clinician_id == life.people["ines"].id, Invitation.uid.startswith("webinar")
    )
    answering.answer(links.token("answer", db.session.scalars(mine).one()), Answer.ACCEPTED)
    life.end("a place")


def _sent(step: str, message: Message) -> Sent:
    reader = Reader(name=message.name, address=message.address, language=message.language, time_zone=message.time_zone)
    return Sent(step=step, reader=reader, data=delivering.mail(message), facts=delivering.facts_of(message))
