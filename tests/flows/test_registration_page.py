"""The registration page's flow: the owner of an address is invited once, and nobody learns who is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conference_orchestrator.flows import conferencing, directory, registering
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.errors import Invalid, NotFound, RuleBroken
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.scheduling.webinar_registrations import WebinarRegistration
from tests.faulty_provider import FaultyProvider
from tests.flows.registrants import Webinar, open_webinar
from tests.house import HELPDESK, House
from tests.mails import erase
from tests.scene import Scene

VERA = "vera@hospital.example"


@pytest.fixture
def scene(house: House) -> Scene:
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    return Scene(house)


@pytest.fixture
def webinar(house: House, scene: Scene) -> Webinar:
    """For radiologists only; Vera is none."""
    made = open_webinar(house, scene, capacity=None, audience={"specialties": ["radiology"]})
    made.people["vera"] = scene.clinician("vera").id
    made.mails()
    return made


@pytest.fixture
def limited(house: House, scene: Scene) -> Webinar:
    made = open_webinar(house, scene, capacity=1, audience={"specialties": ["radiology"]})
    made.people["vera"] = scene.clinician("vera").id
    made.mails()
    return made


def ask(webinar: Webinar, email: str = VERA) -> list[tuple[str, str, int]]:
    registering.ask(webinar.page, email)
    webinar.settle()
    return webinar.mails()


def test_a_clinician_of_the_network_outside_of_the_audience_gets_the_invitation(webinar: Webinar) -> None:
    assert ask(webinar) == [("vera", "invitation", 0)]
    assert webinar.view("vera").join_url == "https://meet.example/001"
    assert webinar.standing.registered == 1


def test_however_the_address_is_typed(webinar: Webinar) -> None:
    assert ask(webinar, "Vera@Hospital.EXAMPLE") == [("vera", "invitation", 0)]


def test_once(webinar: Webinar) -> None:
    ask(webinar)
    assert ask(webinar) == []
    webinar.house.clock.move_on(timedelta(hours=2))
    assert ask(webinar) == []


def test_where_places_are_limited_asking_takes_none_and_accepting_does(limited: Webinar) -> None:
    assert ask(limited) == [("vera", "invitation", 0)]
    assert (limited.standing.registered, limited.view("vera").join_url) == (0, None)
    limited.answer("vera")
    assert (limited.standing.registered, limited.mails()) == (1, [("vera", "invitation-update", 1)])


def test_who_gives_the_place_back_stays_invited(limited: Webinar) -> None:
    ask(limited)
    limited.answer("vera")
    limited.mails()
    limited.answer("vera", Answer.DECLINED)
    assert (limited.mails(), limited.view("vera").state) == ([], "open")


def test_nobody_else_is_invited_and_nothing_is_told(webinar: Webinar, scene: Scene) -> None:
    directory.add_network({"code": "other", "name": "Another network"}, by=HELPDESK)
    scene.clinician("foreign", network="other")
    erase(scene.clinician("gone"))
    for email in ("nobody@hospital.example", "foreign@hospital.example", "gone@hospital.example"):
        assert ask(webinar, email) == []
    assert webinar.house.count(WebinarRegistration) == 0


def test_a_speaker_is_invited_as_such_only(webinar: Webinar) -> None:
    assert ask(webinar, "olga@hospital.example") == []
    assert webinar.view("olga").role == "speaker"


def test_what_is_no_address_is_named(webinar: Webinar) -> None:
    with pytest.raises(Invalid) as refused:
        registering.ask(webinar.page, "vera at hospital")
    assert list(refused.value.errors) == ["email"]


def test_an_address_that_is_typed_again_and_again_gets_no_further_mails_within_the_hour(
    webinar: Webinar, scene: Scene
) -> None:
    for number in range(3):
        registering.ask(webinar.page, VERA if number else "vera@HOSPITAL.example")
    other = scene.approved(topic="Another", audience={"specialties": ["radiology"]}, at=in_a_week(webinar))
    webinar.settle()
    webinar.mails()
    second = Webinar(webinar.house, scene, webinar.mails, webinar.people, other)
    assert ask(second) == []
    webinar.house.clock.move_on(timedelta(hours=1))
    assert ask(second) == [("vera", "invitation", 0)]


def in_a_week(webinar: Webinar) -> object:
    return webinar.scene.fresh(webinar.conference_id).starts_at + timedelta(days=7)


def test_after_the_end_the_page_says_so_and_nobody_is_invited(webinar: Webinar) -> None:
    webinar.house.clock.at = webinar.scene.fresh(webinar.conference_id).ends_at
    assert registering.page(webinar.page).state == "over"
    with pytest.raises(RuleBroken, match="is over"):
        registering.ask(webinar.page, VERA)


def test_after_a_cancellation_the_page_says_so_and_nobody_is_invited(webinar: Webinar) -> None:
    page = webinar.page
    conferencing.cancel(webinar.conference_id, "The speaker is ill.", by=HELPDESK)
    assert registering.page(page).state == "cancelled"
    with pytest.raises(RuleBroken, match="is cancelled"):
        registering.ask(page, VERA)


def test_what_is_not_approved_has_no_page(webinar: Webinar, scene: Scene) -> None:
    submitted = scene.webinar()
    with pytest.raises(NotFound):
        registering.page(links.token("webinar", submitted))


def test_a_link_made_elsewhere_or_for_something_else_is_none(webinar: Webinar) -> None:
    for token in ("", "x", links.token("answer", webinar.request.id)):
        with pytest.raises(NotFound):
            registering.page(token)
