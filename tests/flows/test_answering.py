"""What a person says through the link in the mail, and what the link shows."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from conference_orchestrator.flows import answering, conferencing, delivering, directory, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.network.clinicians import Clinician
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.scene import Scene, settle

WORK = ("ensure-conference", "issue-invitations", "refresh-group")


@pytest.fixture
def scene(house: House) -> Scene:
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    return Scene(house)


@pytest.fixture
def panel(house: House, scene: Scene) -> SimpleNamespace:
    """One session with its lead and one case, everybody invited."""
    anna, ines = scene.clinician("anna"), scene.clinician("ines")
    group = scene.group("brain", anna)
    scene.allocated(ines, group)
    settle(house, *WORK)
    session = scene.session(group)
    times = {"starts_at": session.starts_at, "ends_at": session.ends_at}
    slot = SimpleNamespace(starts_at=session.slots[0].starts_at, ends_at=session.slots[0].ends_at)
    return SimpleNamespace(anna=anna, ines=ines, group=group, session_id=session.id, slot=slot, **times)


def invitation_of(person: Clinician) -> UUID:
    db.session.rollback()
    return db.session.scalars(select(Invitation.id).where(Invitation.clinician_id == person.id)).one()


def link_of(person: Clinician) -> str:
    return links.token("answer", invitation_of(person))


def test_the_link_in_the_mail_shows_the_own_invitation(house: House, panel: SimpleNamespace) -> None:
    (message,) = [m for m in house.messages("invitation") if m.clinician_id == panel.ines.id]
    mail = email.message_from_bytes(delivering.mail(message), policy=email.policy.default)
    said = mail.get_body(("html",)).get_content()
    (token,) = set(re.findall(r"/i/([\w-]+)", said))
    view = answering.invitation(token)
    assert view.clinician.id == panel.ines.id
    assert (view.role, view.case_reference, view.title) == ("requester", "CPMS-1", "Brain")
    assert (view.starts_at, view.ends_at) == (panel.slot.starts_at, panel.slot.ends_at)
    assert (view.state, view.join_url) == ("open", "https://meet.example/001")


def test_an_expert_sees_the_session_and_no_case(panel: SimpleNamespace) -> None:
    view = answering.invitation(link_of(panel.anna))
    assert (view.role, view.case_reference) == ("expert", None)
    assert (view.starts_at, view.ends_at) == (panel.starts_at, panel.ends_at)


def test_looking_answers_nothing(panel: SimpleNamespace) -> None:
    """Mail scanners fetch links."""
    for _ in range(2):
        assert answering.invitation(link_of(panel.anna)).invitation.answer is None


@pytest.mark.parametrize("said", list(Answer))
def test_an_answer_is_kept(house: House, scene: Scene, panel: SimpleNamespace, said: Answer) -> None:
    view = answering.answer(link_of(panel.anna), said)
    assert (view.invitation.answer, view.invitation.answered_at) == (said, house.clock.at)
    answers = conferencing.conference(scene.conference(panel.group).id, by=HELPDESK).answers
    assert answers == {"sent": 2, "accepted": 0, "declined": 0, "tentative": 0, "none": 1} | {said.value: 1}


def test_the_latest_answer_counts(scene: Scene, panel: SimpleNamespace) -> None:
    for said in (Answer.ACCEPTED, Answer.DECLINED):
        answering.answer(link_of(panel.anna), said)
    answers = conferencing.conference(scene.conference(panel.group).id, by=HELPDESK).answers
    assert (answers["accepted"], answers["declined"]) == (0, 1)


def test_the_link_still_serves_after_a_move_and_shows_the_new_time(house: House, panel: SimpleNamespace) -> None:
    link = link_of(panel.anna)
    answering.answer(link, Answer.ACCEPTED)
    rounds.move(panel.session_id, panel.starts_at + timedelta(hours=1), by=HELPDESK)
    settle(house, *WORK)
    view = answering.invitation(link)
    assert view.starts_at == panel.starts_at + timedelta(hours=1)
    assert view.invitation.answer is None


def test_a_cancelled_session_can_be_answered_no_more_even_before_anybody_was_told(
    house: House, panel: SimpleNamespace
) -> None:
    rounds.cancel(panel.session_id, "ill", by=HELPDESK)
    for _ in range(2):
        view = answering.invitation(link_of(panel.anna))
        assert (view.state, view.join_url) == ("cancelled", None)
        with pytest.raises(RuleBroken, match="is cancelled"):
            answering.answer(link_of(panel.anna), Answer.ACCEPTED)
        settle(house, *WORK)


def test_who_was_taken_off_sees_no_link(house: House, scene: Scene, panel: SimpleNamespace) -> None:
    directory.remove_member(panel.group.id, panel.anna.id, by=HELPDESK)
    settle(house, *WORK)
    view = answering.invitation(link_of(panel.anna))
    assert (view.state, view.join_url) == ("cancelled", None)
    assert answering.invitation(link_of(panel.ines)).state == "open"


def test_what_is_over_can_be_answered_no_more(house: House, panel: SimpleNamespace) -> None:
    house.clock.at = panel.ends_at
    view = answering.invitation(link_of(panel.anna))
    assert (view.state, view.join_url) == ("over", None)
    with pytest.raises(RuleBroken, match="is over"):
        answering.answer(link_of(panel.anna), Answer.ACCEPTED)


def test_the_requester_is_through_when_the_own_slot_is(house: House, panel: SimpleNamespace) -> None:
    house.clock.at = panel.slot.ends_at
    assert answering.invitation(link_of(panel.ines)).state == "over"
    assert answering.invitation(link_of(panel.anna)).state == "open"


def test_a_link_made_elsewhere_or_for_something_else_is_none(panel: SimpleNamespace) -> None:
    real = link_of(panel.anna)
    changed = ("A" if real[0] != "A" else "B") + real[1:]
    forged = [changed, "", "x", links.token("confirm", invitation_of(panel.anna)), links.token("answer", uuid4())]
    for token in forged:
        with pytest.raises(NotFound):
            answering.invitation(token)
        with pytest.raises(NotFound):
            answering.answer(token, Answer.ACCEPTED)


def test_the_link_of_somebody_erased_is_none(panel: SimpleNamespace) -> None:
    with transaction():
        db.session.execute(update(Clinician).where(Clinician.id == panel.anna.id).values(state="erased"))
    with pytest.raises(NotFound):
        answering.invitation(link_of(panel.anna))
