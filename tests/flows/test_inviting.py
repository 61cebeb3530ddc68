"""Who gets which calendar object when something changes, and that nobody else gets anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
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
from sqlalchemy import select, update

from conference_orchestrator.flows import answering, conferencing, directory, inviting, panels, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.conferences import Conference
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.stage import Stage, settle

WORK = ("ensure-conference", "issue-invitations", "refresh-group")


@pytest.fixture
def stage(house: House) -> Stage:
    return Stage(house)


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    made = FaultyProvider()
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def people(stage: Stage, provider: FaultyProvider) -> SimpleNamespace:
    """Two experts, a coordinator, and two who ask."""
    return SimpleNamespace(**{name: stage.clinician(name) for name in ("anna", "emil", "carla", "ines", "olga")})


@pytest.fixture
def group(stage: Stage, people: SimpleNamespace) -> ExpertGroup:
    return stage.group("brain", people.anna, people.emil)


@pytest.fixture
def request_id(house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup) -> UUID:
    """A request that holds the first slot of the first session; everybody is invited."""
    made = stage.allocated(people.ines, group)
    settle(house, *WORK)
    return made


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


@pytest.fixture
def mails(house: House) -> Mails:
    return Mails(house)


@pytest.fixture
def invited(request_id: UUID, mails: Mails) -> Mails:
    """The same, after the first invitations."""
    mails()
    return mails


def move(stage: Stage, group: ExpertGroup, *, session: int = 0, **by: float) -> None:
    moving = stage.session(group, session)
    rounds.move(moving.id, moving.starts_at + timedelta(**by), by=HELPDESK)


# ---- invited ---------------------------------------------------------------------------------------------------------


def test_experts_and_the_requester_are_invited_with_sequence_0(request_id: UUID, mails: Mails) -> None:
    assert mails() == [("anna", "invitation", 0), ("emil", "invitation", 0), ("ines", "invitation", 0)]


def test_a_requester_gets_the_own_slot_only_and_experts_the_session(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    second = stage.allocated(people.ines, group, slot=1)
    settle(house, *WORK)
    session = stage.session(group)
    facts = {message.name.split()[0]: message.facts for message in mails.new()}
    assert instants(facts["Ines"]) == (session.slots[1].starts_at, session.slots[1].ends_at)
    assert facts["Ines"]["uid"] == f"request-{second}"
    assert (facts["Ines"]["role"], facts["Ines"]["case_reference"]) == ("requester", "CPMS-1")
    assert instants(facts["Anna"]) == (session.starts_at, session.ends_at)
    assert facts["Anna"]["uid"] == f"session-{session.id}"
    assert (facts["Anna"]["role"], facts["Anna"]["case_reference"]) == ("expert", None)
    assert session.slots[1].ends_at - session.slots[1].starts_at == timedelta(minutes=20)


def instants(facts: dict[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(facts["starts_at"]), datetime.fromisoformat(facts["ends_at"])


def test_attendees_get_the_slot_of_their_case(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    stage.allocated(people.ines, group, attendees=(people.olga,))
    settle(house, *WORK)
    facts = {message.name.split()[0]: message.facts for message in mails.new()}
    assert facts["Olga"]["uid"] == facts["Ines"]["uid"]
    assert instants(facts["Olga"]) == instants(facts["Ines"])
    assert facts["Olga"]["role"] == "requester"


def test_an_expert_who_also_asks_holds_both_objects(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    stage.allocated(people.emil, group)
    settle(house, *WORK)
    roles = [(m.name.split()[0], m.facts["role"]) for m in mails.new()]
    assert sorted(roles) == [("Anna", "expert"), ("Emil", "expert"), ("Emil", "requester")]


def test_two_requesters_never_see_each_others_case(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    stage.allocated(people.ines, group)
    stage.allocated(people.olga, group, slot=1)
    settle(house, *WORK)
    told = {(m.name.split()[0], m.facts["case_reference"]) for m in mails.new()}
    assert told == {("Anna", None), ("Emil", None), ("Ines", "CPMS-1"), ("Olga", "CPMS-2")}


def test_the_coordinator_is_invited_with_the_group(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.add_member(group.id, people.carla.id, role="coordinator", by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("carla", "invitation", 0)]


def test_nobody_is_invited_before_the_meeting_has_a_link(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    stage.allocated(people.ines, group)
    settle(house, "issue-invitations")
    assert mails() == []
    assert house.count(Invitation) == 0


def test_issuing_again_sends_nothing(house: House, stage: Stage, group: ExpertGroup, invited: Mails) -> None:
    for _ in range(2):
        inviting.issue(stage.conference(group).id)
    inviting.refresh_group(group.id)
    settle(house, *WORK)
    assert invited() == []


def test_nothing_is_sent_about_the_past(house: House, stage: Stage, group: ExpertGroup, invited: Mails) -> None:
    conference = stage.conference(group)
    directory.add_member(group.id, stage.clinician("late").id, role="expert", by=HELPDESK)
    house.clock.at = conference.ends_at
    inviting.issue(conference.id)
    assert invited() == []


# ---- changed ---------------------------------------------------------------------------------------------------------


def test_a_moved_session_updates_everybody_with_the_same_uid(
    house: House, stage: Stage, group: ExpertGroup, request_id: UUID, mails: Mails
) -> None:
    before = {(m.clinician_id, m.facts["uid"], m.chain) for m in mails.new()}
    was = stage.session(group).starts_at
    move(stage, group, hours=2)
    settle(house, *WORK)
    sent = mails.new()
    assert {(m.clinician_id, m.facts["uid"], m.chain) for m in sent} == before
    assert {(m.kind, m.facts["sequence"], tuple(m.facts["what_changed"])) for m in sent} == {
        ("invitation-update", 1, ("time",))
    }
    assert {datetime.fromisoformat(m.facts["previous_starts_at"]) for m in sent} == {was}
    assert {instants(m.facts)[0] for m in sent} == {was + timedelta(hours=2)}


def test_people_learn_the_new_time_while_the_provider_is_down(
    house: House, stage: Stage, group: ExpertGroup, invited: Mails
) -> None:
    move(stage, group, hours=2)
    settle(house, "issue-invitations")
    assert len(invited()) == 3
    settle(house, *WORK)
    assert invited() == [], "the link is the same, so nobody is told again"


def test_a_new_link_updates_everybody(house: House, stage: Stage, group: ExpertGroup, invited: Mails) -> None:
    with transaction():
        db.session.execute(update(Conference).values(join_url="https://meet.example/another"))
    inviting.issue(stage.conference(group).id)
    sent = invited.new()
    assert {(m.kind, m.facts["sequence"], tuple(m.facts["what_changed"])) for m in sent} == {
        ("invitation-update", 1, ("link",))
    }
    assert {m.facts["join_url"] for m in sent} == {"https://meet.example/another"}
    assert len(sent) == 3


def test_each_object_of_a_person_names_the_first_and_stands_in_one_chain(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, request_id: UUID
) -> None:
    move(stage, group, hours=2)
    settle(house, *WORK)
    rounds.cancel(stage.session(group).id, "ill", by=HELPDESK)
    settle(house, *WORK)
    mine = sorted((m for m in house.messages() if m.clinician_id == people.anna.id), key=lambda m: m.number)
    assert [(m.kind, m.number) for m in mine] == [
        ("invitation", 1),
        ("invitation-update", 2),
        ("invitation-cancel", 3),
    ]
    assert len({m.chain for m in mine}) == 1
    assert mine[0].references is None
    assert mine[1].references == mine[2].references == f"<{mine[0].id.hex}@network.example>"


# ---- people come and go ----------------------------------------------------------------------------------------------


def test_who_leaves_the_group_is_told_and_nobody_else(
    house: House, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("emil", "invitation-cancel", 1)]


def test_who_joins_late_gets_the_present_state_with_the_present_sequence(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    move(stage, group, hours=2)
    settle(house, *WORK)
    invited()
    directory.add_member(group.id, people.olga.id, role="expert", by=HELPDESK)
    settle(house, *WORK)
    (message,) = invited.new()
    assert (message.clinician_id, message.kind, message.facts["sequence"]) == (people.olga.id, "invitation", 1)
    assert message.facts["what_changed"] == []
    assert instants(message.facts)[0] == stage.session(group).starts_at


def test_who_comes_back_gets_a_higher_sequence_than_the_cancellation(
    house: House, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    directory.add_member(group.id, people.emil.id, role="expert", by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("emil", "invitation-cancel", 1), ("emil", "invitation", 2)]


def test_after_somebody_left_a_move_goes_to_those_who_are_still_there(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    invited()
    move(stage, group, hours=1)
    settle(house, *WORK)
    assert invited() == [("anna", "invitation-update", 2), ("ines", "invitation-update", 1)]


def test_who_was_erased_gets_nothing_and_counts_for_nothing(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    erase(people.emil)
    stage.allocated(people.ines, group)
    settle(house, *WORK)
    assert [name for name, _, _ in mails()] == ["anna", "ines"]
    assert conferencing.conference(stage.conference(group).id, by=HELPDESK).audience_size == 2


def test_who_is_erased_later_is_told_nothing_more(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    erase(people.emil)
    move(stage, group, hours=1)
    settle(house, *WORK)
    assert [name for name, _, _ in invited()] == ["anna", "ines"]
    assert conferencing.conference(stage.conference(group).id, by=HELPDESK).audience_size == 2


def erase(person: Clinician) -> None:
    with transaction():
        db.session.execute(update(Clinician).where(Clinician.id == person.id).values(state="erased"))


# ---- slots -----------------------------------------------------------------------------------------------------------


def test_a_released_slot_is_cancelled_for_its_requester_alone(house: House, request_id: UUID, invited: Mails) -> None:
    panels.release(request_id, by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("ines", "invitation-cancel", 1)]


def test_another_slot_of_the_session_is_an_update(
    house: House, stage: Stage, group: ExpertGroup, request_id: UUID, invited: Mails
) -> None:
    panels.release(request_id, by=HELPDESK)
    stage.allocate(request_id, group, slot=1)
    settle(house, *WORK)
    (message,) = invited.new()
    assert (message.kind, message.facts["sequence"]) == ("invitation-update", 1)
    assert instants(message.facts)[0] == stage.session(group).slots[1].starts_at


def test_a_slot_of_another_session_keeps_the_uid_and_raises_the_sequence(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, request_id: UUID, invited: Mails
) -> None:
    panels.release(request_id, by=HELPDESK)
    settle(house, *WORK)
    stage.allocate(request_id, group, session=1)
    settle(house, *WORK)
    mine = [m for m in invited.new() if m.clinician_id == people.ines.id]
    assert [(m.facts["uid"], m.facts["sequence"], m.kind) for m in sorted(mine, key=lambda m: m.number)] == [
        (f"request-{request_id}", 1, "invitation-cancel"),
        (f"request-{request_id}", 2, "invitation"),
    ]


def test_a_request_that_moves_to_a_session_with_a_meeting_gets_one_update_and_no_cancellation(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, request_id: UUID, mails: Mails
) -> None:
    stage.allocated(people.olga, group, session=1)
    settle(house, *WORK)
    mails()
    panels.release(request_id, by=HELPDESK)
    stage.allocate(request_id, group, session=1, slot=1)
    settle(house, *WORK)
    assert mails() == [("ines", "invitation-update", 1)]
    rounds.cancel(stage.session(group, 0).id, "ill", by=HELPDESK)
    settle(house, *WORK)
    assert ("ines", "invitation-cancel", 2) not in mails(), "the first session is not the requester's any more"


def test_a_cancelled_session_is_cancelled_for_all_who_hold_it_and_nobody_else(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    invited()
    rounds.cancel(stage.session(group).id, "The group meets at a congress.", by=HELPDESK)
    settle(house, *WORK)
    sent = invited.new()
    assert [(m.name.split()[0], m.kind, m.facts["sequence"]) for m in sent] == [
        ("Anna", "invitation-cancel", 2),
        ("Ines", "invitation-cancel", 1),
    ]
    assert {m.facts["reason"] for m in sent} == {"The group meets at a congress."}
    assert {m.facts["join_url"] for m in sent} == {None}, "who is taken off does not keep the link"


def test_a_session_cancelled_before_anybody_was_invited_tells_nobody(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    stage.allocated(people.ines, group)
    rounds.cancel(stage.session(group).id, "ill", by=HELPDESK)
    settle(house, *WORK)
    assert mails() == []


# ---- answers ---------------------------------------------------------------------------------------------------------


def say(person: Clinician, answer: Answer) -> None:
    found = db.session.scalars(select(Invitation).where(Invitation.clinician_id == person.id)).one()
    answering.answer(links.token("answer", found.id), answer)


def said(person: Clinician) -> str | None:
    db.session.rollback()
    return db.session.scalars(select(Invitation.answer).where(Invitation.clinician_id == person.id)).one()


def test_an_answer_is_kept_and_carried_when_only_the_link_changes(
    stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    say(people.anna, Answer.ACCEPTED)
    with transaction():
        db.session.execute(update(Conference).values(join_url="https://meet.example/another"))
    inviting.issue(stage.conference(group).id)
    assert said(people.anna) == "accepted"
    status = {m.name.split()[0]: m.facts["attendee_status"] for m in invited.new()}
    assert status == {"Anna": "ACCEPTED", "Emil": "NEEDS-ACTION", "Ines": "NEEDS-ACTION"}


def test_an_answer_to_another_time_does_not_count_any_more(
    house: House, stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    say(people.anna, Answer.ACCEPTED)
    move(stage, group, hours=1)
    settle(house, *WORK)
    assert said(people.anna) is None
    assert {m.facts["attendee_status"] for m in invited.new()} == {"NEEDS-ACTION"}


def test_who_should_be_there_is_listed_with_role_and_answer(
    stage: Stage, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    say(people.emil, Answer.DECLINED)
    listed = inviting.people(stage.conference(group).id, by=HELPDESK)
    assert sorted((one.clinician.given_name, one.role, one.answer) for one in listed) == [
        ("Anna", "expert", None),
        ("Emil", "expert", "declined"),
        ("Ines", "requester", None),
    ]
    (case,) = [one for one in listed if one.slot_id]
    assert case.ends_at - case.starts_at == timedelta(minutes=20)


# ---- webinars --------------------------------------------------------------------------------------------------------


@pytest.fixture
def audience(stage: Stage, provider: FaultyProvider) -> SimpleNamespace:
    """Clinicians of two countries and specialties, and one of another network."""
    stage.hospital("wien", country="AT", time_zone="Europe/Vienna")
    directory.add_network({"code": "other", "name": "Another network"}, by=HELPDESK)
    wien = {"hospital": "wien", "time_zone": "Europe/Vienna"}
    return SimpleNamespace(
        ines=stage.clinician("ines"),
        rita=stage.clinician("rita", specialties=["Radiology"]),
        eva=stage.clinician("eva", **wien),
        max=stage.clinician("max", **wien, specialties=["radiology", "surgery"]),
        foreign=stage.clinician("foreign", network="other"),
    )


@pytest.mark.parametrize(
    ("narrowed", "invited"),
    [
        ({}, {"ines", "rita", "eva", "max"}),
        ({"networks": ["paedcan"]}, {"ines", "rita", "eva", "max"}),
        ({"countries": ["AT"]}, {"eva", "max"}),
        ({"specialties": ["radiology"]}, {"rita", "max"}),
        ({"countries": ["PT"], "specialties": ["RADIOLOGY"]}, {"rita"}),
        ({"countries": ["FR"]}, set()),
    ],
)
def test_a_webinar_invites_the_audience_that_was_chosen(
    house: House, stage: Stage, audience: SimpleNamespace, mails: Mails, narrowed: dict[str, Any], invited: set[str]
) -> None:
    stage.approved(audience=narrowed)
    settle(house, *WORK)
    sent = mails.new()
    assert {m.name.split()[0].lower() for m in sent} == invited
    assert {(m.kind, m.facts["role"], m.facts["topic"]) for m in sent} <= {
        ("invitation", "audience", "New drugs in sarcoma")
    }


def test_speakers_are_invited_as_such_also_from_outside_the_audience(
    house: House, stage: Stage, audience: SimpleNamespace, mails: Mails
) -> None:
    stage.approved(speakers=(audience.eva, audience.ines), audience={"countries": ["AT"]})
    settle(house, *WORK)
    roles = {m.name.split()[0].lower(): m.facts["role"] for m in mails.new()}
    assert roles == {"eva": "speaker", "ines": "speaker", "max": "audience"}


def test_a_webinar_given_up_is_cancelled_for_all_who_hold_it(
    house: House, stage: Stage, audience: SimpleNamespace, mails: Mails
) -> None:
    conference_id = stage.approved()
    settle(house, *WORK)
    mails()
    conferencing.cancel(conference_id, "no speaker", by=HELPDESK)
    settle(house, *WORK)
    assert mails() == [(name, "invitation-cancel", 1) for name in ("eva", "ines", "max", "rita")]


# ---- random walks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """The last object that a person was sent of a UID; `content` None: it was a CANCEL."""

    sequence: int
    content: tuple[datetime, datetime, str] | None


class Walk(RuleBasedStateMachine):
    """Everything that can happen to a session, in any order; what each person holds is always what is wanted."""

    house: House
    new_stage: Callable[[], Stage]

    @initialize()
    def open_a_round(self) -> None:
        self.stage = type(self).new_stage()
        names = ("anna", "emil", "carla", "ines", "olga")
        self.people = [self.stage.clinician(f"{name}{id(self)}") for name in names]
        self.group = self.stage.group(f"g{id(self)}", self.people[0])
        self.request = self.stage.allocated(self.people[3], self.group)
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
    def move(self, minutes: int) -> None:
        move(self.stage, self.group, minutes=minutes)

    @precondition(lambda self: not self.is_cancelled)
    @rule()
    def release_or_allocate(self) -> None:
        if self.holds_slot:
            panels.release(self.request, by=HELPDESK)
        else:
            self.stage.allocate(self.request, self.group)
        self.holds_slot = not self.holds_slot

    @rule()
    def lose_the_meeting(self) -> None:
        conference = self.stage.conference(self.group)
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
            rounds.cancel(self.stage.session(self.group).id, "ill", by=HELPDESK)
            self.is_cancelled, self.holds_slot = True, False

    @rule()
    def issue(self) -> None:
        inviting.issue(self.stage.conference(self.group).id)

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
        found = [m for m in self.stage.invitations() if m.clinician_id in mine and m.id not in self.read]
        self.read |= {message.id for message in found}
        return sorted(found, key=lambda message: (message.chain, message.number))

    def teardown(self) -> None:
        settle(type(self).house, *WORK, moving_the_clock=False)
        self.every_object_follows_from_the_one_before()
        conference = self.stage.conference(self.group)
        wanted = {
            (event.uid, person): (event.starts_at, event.ends_at, conference.join_url)
            for event in inviting.events_of(conference)
            for person in event.people
        }
        assert {key: held.content for key, held in self.held.items() if held.content} == wanted


def test_what_each_person_holds_is_what_is_wanted_whatever_happens(house: House, provider: FaultyProvider) -> None:
    stages: list[Stage] = []

    def one_stage() -> Stage:
        if not stages:
            stages.append(Stage(house))
        return stages[0]

    class InTheHouse(Walk):
        new_stage = staticmethod(one_stage)

    InTheHouse.house = house
    run_state_machine_as_test(
        InTheHouse,
        settings=settings(
            max_examples=10,
            stateful_step_count=12,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # a smaller example is not worth minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
