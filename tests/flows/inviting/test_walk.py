"""Random walks over everything that can happen to a session."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import update

from conference_orchestrator.flows import directory, inviting, panels, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.scheduling.conferences import Conference
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.mails import WORK, instants, move_session
from tests.scene import Scene, settle

# All walks are in one house, each with people of its own.
WALKS = itertools.count()


@dataclass(frozen=True)
class Held:
    """The last object that a person was sent of a UID; `content` None: it was a CANCEL."""

    sequence: int
    content: tuple[datetime, datetime, str] | None


class Walk(RuleBasedStateMachine):
    """Everything that can happen to a session, in any order; what each person holds is always what is wanted."""

    house: House
    new_scene: Callable[[], Scene]

    @initialize()
    def open_a_round(self) -> None:
        self.scene = type(self).new_scene()
        names = ("anna", "emil", "carla", "ines", "olga")
        number = next(WALKS)
        self.people = [self.scene.clinician(f"{name}{number}") for name in names]
        self.group = self.scene.group(f"g{number}", self.people[0])
        self.request = self.scene.allocated(self.people[3], self.group)
        self.holds_slot, self.is_cancelled, self.links = True, False, 0
        self.members = {self.people[0].id}
        self.read: set[UUID] = set()
        self.held: dict[tuple[str, UUID], Held] = {}
        self.contents: dict[tuple[str, int], Any] = {}

    @rule(number=st.integers(1, 4))
    def come_or_go(self, number: int) -> None:
        person = self.people[number]
        if person.id in self.members:
            directory.remove_member(self.group.id, person.id, by=HELPDESK)
            self.members.remove(person.id)
        else:
            directory.add_member(self.group.id, person.id, role="expert", by=HELPDESK)
            self.members.add(person.id)

    @precondition(lambda self: not self.is_cancelled)
    @rule(minutes=st.sampled_from([-30, 15, 60]))
    def move_it(self, minutes: int) -> None:
        move_session(self.scene, self.group, minutes=minutes)

    @precondition(lambda self: not self.is_cancelled)
    @rule()
    def release_or_allocate(self) -> None:
        if self.holds_slot:
            panels.release(self.request, by=HELPDESK)
        else:
            self.scene.allocate(self.request, self.group)
        self.holds_slot = not self.holds_slot

    @rule()
    def lose_the_meeting(self) -> None:
        conference = self.scene.conference(self.group)
        self.links += 1
        with transaction():
            db.session.execute(
                update(Conference)
                .where(Conference.id == conference.id, Conference.join_url.is_not(None))
                .values(join_url=f"https://meet.example/{conference.id}/{self.links}")
            )
        inviting.issue(conference.id)

    @precondition(lambda self: not self.is_cancelled)
    @rule(unlikely=st.integers(0, 3))
    def cancel(self, unlikely: int) -> None:
        if unlikely == 0:
            rounds.cancel(self.scene.session(self.group).id, "ill", by=HELPDESK)
            self.is_cancelled, self.holds_slot = True, False

    @rule()
    def issue(self) -> None:
        inviting.issue(self.scene.conference(self.group).id)

    @rule()
    def work(self) -> None:
        settle(type(self).house, *WORK, moving_the_clock=False)

    @invariant()
    def every_object_follows_from_the_one_before(self) -> None:
        for message in self._new():
            key, now = (message.facts["uid"], message.clinician_id), message.facts["sequence"]
            is_cancel = message.kind == "invitation-cancel"
            before = self.held.get(key)
            assert before is None or now > before.sequence, "each object of a person has a higher SEQUENCE"
            assert not is_cancel or (before and before.content), "a CANCEL goes only to who holds a REQUEST"
            content = None if is_cancel else (*instants(message.facts), message.facts["join_url"])
            if content is not None:
                known = self.contents.setdefault((message.facts["uid"], now), content)
                assert content == known, "one SEQUENCE of a UID says one thing, to whomever"
            self.held[key] = Held(now, content)

    def _new(self) -> list[Message]:
        mine = {person.id for person in self.people}
        found = [m for m in self.scene.invitations() if m.clinician_id in mine and m.id not in self.read]
        self.read |= {message.id for message in found}
        return sorted(found, key=lambda message: (message.chain, message.number))

    def teardown(self) -> None:
        settle(type(self).house, *WORK, moving_the_clock=False)
        self.every_object_follows_from_the_one_before()
        conference = self.scene.conference(self.group)
        wanted = {
            (event.uid, person): (event.starts_at, event.ends_at, conference.join_url)
            for event in inviting.events_of(conference)
            for person in event.people
        }
        assert {key: held.content for key, held in self.held.items() if held.content} == wanted


def test_what_each_person_holds_is_what_is_wanted_whatever_happens(house: House, provider: FaultyProvider) -> None:
    scenes: list[Scene] = []

    def one_scene() -> Scene:
        if not scenes:
            scenes.append(Scene(house))
        return scenes[0]

    class InTheHouse(Walk):
        new_scene = staticmethod(one_scene)

    InTheHouse.house = house
    run_state_machine_as_test(
        InTheHouse,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # a smaller example is not worth minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
