"""Who gets which calendar object, with which window, and what each answered."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

from sqlalchemy import select, update

from conference_orchestrator.flows import answering, directory, inviting
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.conferences import Conference
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails, instants, move_session
from tests.scene import Scene, settle


def test_experts_and_the_requester_are_invited_with_sequence_0(request_id: UUID, mails: Mails) -> None:
    assert mails() == [("anna", "invitation", 0), ("emil", "invitation", 0), ("ines", "invitation", 0)]


def test_a_requester_gets_the_own_slot_only_and_experts_the_session(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    second = scene.allocated(people.ines, group, slot=1)
    settle(house, *WORK)
    session = scene.session(group)
    facts = {message.name.split()[0]: message.facts for message in mails.new()}
    assert instants(facts["Ines"]) == (session.slots[1].starts_at, session.slots[1].ends_at)
    assert facts["Ines"]["uid"] == f"request-{second}"
    assert (facts["Ines"]["role"], facts["Ines"]["case_reference"]) == ("requester", "CPMS-1")
    assert instants(facts["Anna"]) == (session.starts_at, session.ends_at)
    assert facts["Anna"]["uid"] == f"session-{session.id}"
    assert (facts["Anna"]["role"], facts["Anna"]["case_reference"]) == ("expert", None)
    assert session.slots[1].ends_at - session.slots[1].starts_at == timedelta(minutes=20)


def test_attendees_get_the_slot_of_their_case(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    scene.allocated(people.ines, group, attendees=(people.olga,))
    settle(house, *WORK)
    facts = {message.name.split()[0]: message.facts for message in mails.new()}
    assert facts["Olga"]["uid"] == facts["Ines"]["uid"]
    assert instants(facts["Olga"]) == instants(facts["Ines"])
    assert facts["Olga"]["role"] == "requester"


def test_an_expert_who_also_asks_holds_both_objects(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    scene.allocated(people.emil, group)
    settle(house, *WORK)
    roles = [(m.name.split()[0], m.facts["role"]) for m in mails.new()]
    assert sorted(roles) == [("Anna", "expert"), ("Emil", "expert"), ("Emil", "requester")]


def test_two_requesters_never_see_each_others_case(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    scene.allocated(people.ines, group)
    scene.allocated(people.olga, group, slot=1)
    settle(house, *WORK)
    told = {(m.name.split()[0], m.facts["case_reference"]) for m in mails.new()}
    assert told == {("Anna", None), ("Emil", None), ("Ines", "CPMS-1"), ("Olga", "CPMS-2")}


def test_the_coordinator_is_invited_with_the_group(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.add_member(group.id, people.carla.id, role="coordinator", by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("carla", "invitation", 0)]


def test_nobody_is_invited_before_the_meeting_has_a_link(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    scene.allocated(people.ines, group)
    settle(house, "issue-invitations")
    assert mails() == []
    assert house.count(Invitation) == 0


def test_issuing_again_sends_nothing(house: House, scene: Scene, group: ExpertGroup, invited: Mails) -> None:
    for _ in range(2):
        inviting.issue(scene.conference(group).id)
    inviting.refresh_group(group.id)
    settle(house, *WORK)
    assert invited() == []


def test_nothing_is_sent_about_the_past(house: House, scene: Scene, group: ExpertGroup, invited: Mails) -> None:
    conference = scene.conference(group)
    directory.add_member(group.id, scene.clinician("late").id, role="expert", by=HELPDESK)
    house.clock.at = conference.ends_at
    inviting.issue(conference.id)
    assert invited() == []


def say(person: Clinician, answer: Answer) -> None:
    found = db.session.scalars(select(Invitation).where(Invitation.clinician_id == person.id)).one()
    answering.answer(links.token("answer", found.id), answer)


def said(person: Clinician) -> str | None:
    db.session.rollback()
    return db.session.scalars(select(Invitation.answer).where(Invitation.clinician_id == person.id)).one()


def test_an_answer_is_kept_and_carried_when_only_the_link_changes(
    scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    say(people.anna, Answer.ACCEPTED)
    with transaction():
        db.session.execute(update(Conference).values(join_url="https://meet.example/another"))
    inviting.issue(scene.conference(group).id)
    assert said(people.anna) == "accepted"
    status = {m.name.split()[0]: m.facts["attendee_status"] for m in invited.new()}
    assert status == {"Anna": "ACCEPTED", "Emil": "NEEDS-ACTION", "Ines": "NEEDS-ACTION"}


def test_an_answer_to_another_time_does_not_count_any_more(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    say(people.anna, Answer.ACCEPTED)
    move_session(scene, group, hours=1)
    settle(house, *WORK)
    assert said(people.anna) is None
    assert {m.facts["attendee_status"] for m in invited.new()} == {"NEEDS-ACTION"}


def test_who_should_be_there_is_listed_with_role_and_answer(
    scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    say(people.emil, Answer.DECLINED)
    listed = inviting.people(scene.conference(group).id, by=HELPDESK)
    assert sorted((one.clinician.given_name, one.role, one.answer) for one in listed) == [
        ("Anna", "expert", None),
        ("Emil", "expert", "declined"),
        ("Ines", "requester", None),
    ]
    (case,) = [one for one in listed if one.slot_id]
    assert case.ends_at - case.starts_at == timedelta(minutes=20)
