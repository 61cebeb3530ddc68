"""Meetings of a provider that lets in by personal links: our page leads in, each person alone and at the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import jwt
import pytest

from conference_orchestrator.flows import conferencing, delivering, entering, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.providers.jitsi import JitsiProvider
from tests.house import HELPDESK, House
from tests.scene import Scene, settle

SECRET = "a secret of at least thirty-two bytes, for tests"
ROOMS = "https://meet.example"


@pytest.fixture
def scene(house: House) -> Scene:
    """A conference of one case at Jitsi: Anna leads the group, Ines brings the case."""
    provider_named.fill(house.app, lambda _: JitsiProvider(ROOMS, "conference", SECRET))
    scene = Scene(house)
    ines = scene.clinician("ines")
    scene.allocated(ines, scene.group("brain", scene.clinician("anna")))
    settle(house, "ensure-conference", "issue-invitations")
    return scene


@pytest.fixture
def conference_id(scene: Scene) -> UUID:
    (conference_id,) = {message.conference_id for message in scene.invitations()}
    return conference_id


def mail_to(scene: Scene, name: str) -> Message:
    return [message for message in scene.invitations() if message.address.startswith(name)][-1]


def token_for(scene: Scene, name: str) -> str:
    """The word of the link into the meeting in the mail as it leaves."""
    said = message_from_bytes(delivering.mail(mail_to(scene, name)), policy=policy.default)
    text = said.get_body(("plain",)).get_content()
    return text.split("/j/")[1].split()[0]


def claims(link: str, *, at: datetime) -> dict:
    """What the room is told by a word that holds at that instant; the library looks at the machine's clock alone."""
    (word,) = parse_qs(urlsplit(link).query)["jwt"]
    by_the_machine = {"verify_nbf": False, "verify_exp": False}
    said = jwt.decode(word, SECRET, algorithms=["HS256"], audience="jitsi", options=by_the_machine)
    assert said["nbf"] <= at.timestamp() < said["exp"]
    return said


def at(house: House, scene: Scene, conference_id: UUID, before: timedelta) -> None:
    house.clock.at = scene.fresh(conference_id).starts_at - before


def test_the_mail_holds_a_link_to_our_page_and_none_to_the_room(scene: Scene, conference_id: UUID) -> None:
    said = delivering.mail(mail_to(scene, "anna")).decode()
    assert token_for(scene, "anna") != token_for(scene, "ines")
    assert ROOMS not in said
    assert "/j/" not in str(mail_to(scene, "anna").facts), "nothing usable is kept"


def test_an_expert_comes_in_as_moderator_an_hour_before(house: House, scene: Scene, conference_id: UUID) -> None:
    at(house, scene, conference_id, timedelta(hours=1))
    user = claims(entering.enter(token_for(scene, "anna")), at=house.clock.at)["context"]["user"]
    assert (user["name"], user["moderator"], user["affiliation"]) == ("Anna Ávila", True, "owner")


def test_a_requester_comes_to_the_lobby_a_quarter_of_an_hour_before_the_own_case(
    house: House, scene: Scene, conference_id: UUID
) -> None:
    at(house, scene, conference_id, timedelta(minutes=16))
    assert entering.entry(token_for(scene, "ines")).is_open is False
    with pytest.raises(RuleBroken, match="not open"):
        entering.enter(token_for(scene, "ines"))
    at(house, scene, conference_id, timedelta(minutes=15))
    user = claims(entering.enter(token_for(scene, "ines")), at=house.clock.at)["context"]["user"]
    assert (user["email"], user["moderator"], user["affiliation"]) == ("ines@hospital.example", False, "member")


def test_after_the_end_nobody_comes_in(house: House, scene: Scene, conference_id: UUID) -> None:
    word = token_for(scene, "ines")
    at(house, scene, conference_id, -timedelta(minutes=20))
    with pytest.raises(RuleBroken):
        entering.enter(word)


def test_the_link_to_answer_opens_no_meeting_and_a_made_up_one_neither(scene: Scene, conference_id: UUID) -> None:
    said = message_from_bytes(delivering.mail(mail_to(scene, "anna")), policy=policy.default)
    answering = said.get_body(("plain",)).get_content().split("/i/")[1].split()[0]
    for word in (answering, "made-up"):
        with pytest.raises(NotFound):
            entering.entry(word)


def test_who_is_not_invited_any_more_is_not_let_in(house: House, scene: Scene, conference_id: UUID) -> None:
    word = token_for(scene, "ines")
    rounds.cancel(scene.fresh(conference_id).session_id, "The lead is ill.", by=HELPDESK)
    settle(house, "ensure-conference", "issue-invitations")
    at(house, scene, conference_id, timedelta(minutes=5))
    assert entering.entry(word).is_cancelled is True
    with pytest.raises(RuleBroken):
        entering.enter(word)


def test_a_session_that_moves_keeps_each_persons_link(house: House, scene: Scene, conference_id: UUID) -> None:
    before = token_for(scene, "anna")
    conference = scene.fresh(conference_id)
    rounds.move(conference.session_id, conference.starts_at + timedelta(days=1), by=HELPDESK)
    settle(house, "ensure-conference", "issue-invitations")
    assert mail_to(scene, "anna").facts["what_changed"] == ["time"]
    assert token_for(scene, "anna") == before
    at(house, scene, conference_id, timedelta(minutes=5))
    moved = scene.fresh(conference_id)
    assert claims(entering.enter(before), at=house.clock.at)["exp"] >= moved.ends_at.timestamp()


def test_a_create_that_was_interrupted_is_simply_done_again(house: House, scene: Scene) -> None:
    group = scene.group("ewing", scene.clinician("emil"))
    scene.allocated(scene.clinician("olga"), group)
    waiting = scene.conference(group)
    # As a worker leaves it that is killed at the provider: attempted, and nothing known of the outcome.
    assert conferencing._begin(waiting.id) is not None
    house.clock.move_on(conferencing.LEASE)
    began = house.clock.at
    conferencing.ensure(waiting.id)
    assert scene.fresh(waiting.id).state == "ready"
    assert house.clock.at == began, "there is no list that could lag behind"
