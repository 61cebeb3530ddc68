"""What changes reaches everybody concerned with the same UID and a higher SEQUENCE, and nobody else."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

from sqlalchemy import update

from conference_orchestrator.flows import conferencing, directory, inviting, panels, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.conferences import Conference
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails, erase, instants, move_session
from tests.scene import Scene, settle


def test_a_moved_session_updates_everybody_with_the_same_uid(
    house: House, scene: Scene, group: ExpertGroup, request_id: UUID, mails: Mails
) -> None:
    before = {(m.clinician_id, m.facts["uid"], m.chain) for m in mails.new()}
    was = scene.session(group).starts_at
    move_session(scene, group, hours=2)
    settle(house, *WORK)
    sent = mails.new()
    assert {(m.clinician_id, m.facts["uid"], m.chain) for m in sent} == before
    assert {(m.kind, m.facts["sequence"], tuple(m.facts["what_changed"])) for m in sent} == {
        ("invitation-update", 1, ("time",))
    }
    assert {datetime.fromisoformat(m.facts["previous_starts_at"]) for m in sent} == {was}
    assert {instants(m.facts)[0] for m in sent} == {was + timedelta(hours=2)}


def test_people_learn_the_new_time_while_the_provider_is_down(
    house: House, scene: Scene, group: ExpertGroup, invited: Mails
) -> None:
    move_session(scene, group, hours=2)
    settle(house, "issue-invitations")
    assert len(invited()) == 3
    settle(house, *WORK)
    assert invited() == [], "the link is the same, so nobody is told again"


def test_a_new_link_updates_everybody(house: House, scene: Scene, group: ExpertGroup, invited: Mails) -> None:
    with transaction():
        db.session.execute(update(Conference).values(join_url="https://meet.example/another"))
    inviting.issue(scene.conference(group).id)
    sent = invited.new()
    assert {(m.kind, m.facts["sequence"], tuple(m.facts["what_changed"])) for m in sent} == {
        ("invitation-update", 1, ("link",))
    }
    assert {m.facts["join_url"] for m in sent} == {"https://meet.example/another"}
    assert len(sent) == 3


def test_each_object_of_a_person_names_the_first_and_stands_in_one_chain(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, request_id: UUID
) -> None:
    move_session(scene, group, hours=2)
    settle(house, *WORK)
    rounds.cancel(scene.session(group).id, "ill", by=HELPDESK)
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


def test_who_leaves_the_group_is_told_and_nobody_else(
    house: House, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("emil", "invitation-cancel", 1)]


def test_who_joins_late_gets_the_present_state_with_the_present_sequence(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    move_session(scene, group, hours=2)
    settle(house, *WORK)
    invited()
    directory.add_member(group.id, people.olga.id, role="expert", by=HELPDESK)
    settle(house, *WORK)
    (message,) = invited.new()
    assert (message.clinician_id, message.kind, message.facts["sequence"]) == (people.olga.id, "invitation", 1)
    assert message.facts["what_changed"] == []
    assert instants(message.facts)[0] == scene.session(group).starts_at


def test_who_comes_back_gets_a_higher_sequence_than_the_cancellation(
    house: House, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    directory.add_member(group.id, people.emil.id, role="expert", by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("emil", "invitation-cancel", 1), ("emil", "invitation", 2)]


def test_after_somebody_left_a_move_goes_to_those_who_are_still_there(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    invited()
    move_session(scene, group, hours=1)
    settle(house, *WORK)
    assert invited() == [("anna", "invitation-update", 2), ("ines", "invitation-update", 1)]


def test_who_was_erased_gets_nothing_and_counts_for_nothing(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    erase(people.emil)
    scene.allocated(people.ines, group)
    settle(house, *WORK)
    assert [name for name, _, _ in mails()] == ["anna", "ines"]
    assert conferencing.conference(scene.conference(group).id, by=HELPDESK).audience_size == 2


def test_who_is_erased_later_is_told_nothing_more(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    erase(people.emil)
    move_session(scene, group, hours=1)
    settle(house, *WORK)
    assert [name for name, _, _ in invited()] == ["anna", "ines"]
    assert conferencing.conference(scene.conference(group).id, by=HELPDESK).audience_size == 2


def test_a_released_slot_is_cancelled_for_its_requester_alone(house: House, request_id: UUID, invited: Mails) -> None:
    panels.release(request_id, by=HELPDESK)
    settle(house, *WORK)
    assert invited() == [("ines", "invitation-cancel", 1)]


def test_another_slot_of_the_session_is_an_update(
    house: House, scene: Scene, group: ExpertGroup, request_id: UUID, invited: Mails
) -> None:
    panels.release(request_id, by=HELPDESK)
    scene.allocate(request_id, group, slot=1)
    settle(house, *WORK)
    (message,) = invited.new()
    assert (message.kind, message.facts["sequence"]) == ("invitation-update", 1)
    assert instants(message.facts)[0] == scene.session(group).slots[1].starts_at


def test_a_slot_of_another_session_keeps_the_uid_and_raises_the_sequence(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, request_id: UUID, invited: Mails
) -> None:
    panels.release(request_id, by=HELPDESK)
    settle(house, *WORK)
    scene.allocate(request_id, group, session=1)
    settle(house, *WORK)
    mine = [m for m in invited.new() if m.clinician_id == people.ines.id]
    assert [(m.facts["uid"], m.facts["sequence"], m.kind) for m in sorted(mine, key=lambda m: m.number)] == [
        (f"request-{request_id}", 1, "invitation-cancel"),
        (f"request-{request_id}", 2, "invitation"),
    ]


def test_a_request_that_moves_to_a_session_with_a_meeting_gets_one_update_and_no_cancellation(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, request_id: UUID, mails: Mails
) -> None:
    scene.allocated(people.olga, group, session=1)
    settle(house, *WORK)
    mails()
    panels.release(request_id, by=HELPDESK)
    scene.allocate(request_id, group, session=1, slot=1)
    settle(house, *WORK)
    assert mails() == [("ines", "invitation-update", 1)]
    rounds.cancel(scene.session(group, 0).id, "ill", by=HELPDESK)
    settle(house, *WORK)
    assert ("ines", "invitation-cancel", 2) not in mails(), "the first session is not the requester's any more"


def test_a_cancelled_session_is_cancelled_for_all_who_hold_it_and_nobody_else(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, invited: Mails
) -> None:
    directory.remove_member(group.id, people.emil.id, by=HELPDESK)
    settle(house, *WORK)
    invited()
    rounds.cancel(scene.session(group).id, "The group meets at a congress.", by=HELPDESK)
    settle(house, *WORK)
    sent = invited.new()
    assert [(m.name.split()[0], m.kind, m.facts["sequence"]) for m in sent] == [
        ("Anna", "invitation-cancel", 2),
        ("Ines", "invitation-cancel", 1),
    ]
    assert {m.facts["reason"] for m in sent} == {"The group meets at a congress."}
    assert {m.facts["join_url"] for m in sent} == {None}, "who is taken off does not keep the link"


def test_a_session_cancelled_before_anybody_was_invited_tells_nobody(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    scene.allocated(people.ines, group)
    rounds.cancel(scene.session(group).id, "ill", by=HELPDESK)
    settle(house, *WORK)
    assert mails() == []
