"""Limited places of a webinar: accepting takes one, the others wait in line, what is given back goes to the next."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, inviting
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.ledger.invitations import Answer
from tests.faulty_provider import FaultyProvider
from tests.flows.registrants import Webinar, open_webinar
from tests.house import HELPDESK, House
from tests.scene import Scene

AUDIENCE = ("anna", "emil", "ines", "rita")


@pytest.fixture
def scene(house: House) -> Scene:
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    return Scene(house)


@pytest.fixture
def two_places(house: House, scene: Scene) -> Webinar:
    return open_webinar(house, scene, capacity=2)


@pytest.fixture
def full(two_places: Webinar) -> Webinar:
    """Anna and Emil have the places, Ines and Rita wait."""
    for name in AUDIENCE:
        two_places.house.clock.move_on(timedelta(minutes=1))
        two_places.answer(name)
    two_places.mails()
    return two_places


class TestInviting:
    def test_the_audience_is_invited_without_the_link_and_the_speaker_with_it(self, two_places: Webinar) -> None:
        sent = {m.name.split()[0].lower(): m.facts for m in two_places.mails.new()}
        assert {name: facts["needs_registration"] for name, facts in sent.items()} == {
            **dict.fromkeys(AUDIENCE, True),
            "olga": False,
        }
        assert {facts["join_url"] for name, facts in sent.items() if name != "olga"} == {None}
        assert sent["olga"]["join_url"] == "https://meet.example/001"
        assert {facts["role"] for name, facts in sent.items() if name != "olga"} == {"audience"}

    def test_without_a_limit_everybody_has_the_link_and_nobody_registers(self, house: House, scene: Scene) -> None:
        open_to_all = open_webinar(house, scene, capacity=None)
        sent = open_to_all.mails.new()
        assert {(m.facts["join_url"], m.facts["needs_registration"]) for m in sent} == {
            ("https://meet.example/001", False)
        }
        open_to_all.answer("anna")
        assert (open_to_all.mails(), open_to_all.view("anna").place) == ([], None)
        assert open_to_all.view("anna").join_url == "https://meet.example/001"
        assert (open_to_all.standing.registered, open_to_all.standing.capacity) == (0, None)


class TestTakingAPlace:
    def test_who_accepts_gets_a_place_and_one_update_with_the_link(self, two_places: Webinar) -> None:
        two_places.mails()
        two_places.answer("anna")
        (sent,) = two_places.mails.new()
        assert (sent.name, sent.kind, sent.facts["sequence"]) == ("Anna Ávila", "invitation-update", 1)
        assert (sent.facts["join_url"], sent.facts["what_changed"]) == ("https://meet.example/001", ["link"])
        assert (sent.facts["attendee_status"], sent.facts["needs_registration"]) == ("ACCEPTED", False)
        view = two_places.view("anna")
        assert view.place is not None
        assert (view.place.is_held, view.join_url) == (True, "https://meet.example/001")

    def test_accepting_twice_takes_one_place(self, two_places: Webinar) -> None:
        two_places.mails()
        two_places.answer("anna")
        two_places.answer("anna")
        assert (two_places.standing.registered, len(two_places.mails())) == (1, 1)

    def test_when_all_are_taken_the_others_wait_in_line_and_get_no_link(self, full: Webinar) -> None:
        assert (full.standing.registered, full.standing.waiting, full.standing.capacity) == (2, 2, 2)
        assert (full.position("ines"), full.position("rita")) == (1, 2)
        assert full.view("ines").join_url is None

    def test_who_accepts_again_while_waiting_keeps_the_place_in_line(self, full: Webinar) -> None:
        full.house.clock.move_on(timedelta(minutes=5))
        full.answer("ines")
        assert (full.position("ines"), full.position("rita")) == (1, 2)

    def test_a_tentative_answer_takes_no_place_and_gives_none_back(self, two_places: Webinar) -> None:
        two_places.answer("anna", Answer.TENTATIVE)
        assert two_places.standing.registered == 0
        two_places.answer("anna")
        two_places.answer("anna", Answer.TENTATIVE)
        assert two_places.standing.registered == 1

    def test_a_speaker_takes_no_place(self, two_places: Webinar) -> None:
        two_places.mails()
        two_places.answer("olga")
        assert (two_places.standing.registered, two_places.mails()) == (0, [])
        assert two_places.view("olga").place is None
        assert two_places.view("olga").join_url == "https://meet.example/001"

    def test_after_a_cancellation_and_after_the_end_nobody_takes_a_place(self, two_places: Webinar) -> None:
        link = two_places.link("anna")
        conferencing.cancel(two_places.conference_id, "The speaker is ill.", by=HELPDESK)
        with pytest.raises(RuleBroken, match="is cancelled"):
            two_places.answer("anna")
        assert two_places.standing.registered == 0
        assert two_places.link("anna") == link


class TestGivingAPlaceBack:
    def test_it_goes_to_the_first_in_line_with_one_update_and_nobody_else_is_told(self, full: Webinar) -> None:
        full.answer("anna", Answer.DECLINED)
        assert full.mails() == [("ines", "invitation-update", 3)]
        assert (full.standing.registered, full.standing.waiting) == (2, 1)
        assert (full.position("rita"), full.view("anna").join_url) == (1, None)

    def test_a_place_in_line_that_is_given_up_moves_the_others_up(self, full: Webinar) -> None:
        full.answer("ines", Answer.DECLINED)
        assert (full.mails(), full.position("rita"), full.standing.waiting) == ([], 1, 1)

    def test_who_comes_back_stands_at_the_end_of_the_line(self, full: Webinar) -> None:
        full.answer("anna", Answer.DECLINED)
        full.house.clock.move_on(timedelta(minutes=1))
        full.answer("anna")
        assert (full.position("rita"), full.position("anna")) == (1, 2)

    def test_the_place_of_somebody_erased_goes_to_the_first_in_line(self, full: Webinar) -> None:
        full.erase("emil")
        inviting.issue(full.conference_id)
        assert full.mails() == [("ines", "invitation-update", 3)]
        assert (full.standing.registered, full.standing.waiting) == (2, 1)

    def test_somebody_erased_in_line_is_passed_over(self, full: Webinar) -> None:
        full.erase("ines")
        inviting.issue(full.conference_id)
        full.answer("anna", Answer.DECLINED)
        assert full.mails() == [("rita", "invitation-update", 4)]


class TestChangingTheNumber:
    def test_more_places_go_to_the_first_in_line(self, full: Webinar) -> None:
        full.change(capacity=3)
        assert full.mails() == [("ines", "invitation-update", 3)]
        assert (full.standing.registered, full.standing.waiting, full.standing.capacity) == (3, 1, 3)

    def test_without_a_limit_everybody_gets_the_link(self, full: Webinar) -> None:
        full.answer("anna", Answer.DECLINED)
        full.mails()
        full.change(capacity=None)
        assert full.mails() == [("anna", "invitation-update", 4), ("rita", "invitation-update", 4)]
        assert full.standing.waiting == 0

    def test_fewer_places_than_are_taken_are_refused_by_name(self, full: Webinar) -> None:
        with pytest.raises(Invalid, match="2 people have a place") as refused:
            full.change(capacity=1)
        assert list(refused.value.errors) == ["capacity"]
        assert full.standing.capacity == 2

    def test_as_few_as_are_taken_are_possible(self, full: Webinar) -> None:
        full.change(capacity=4)
        full.answer("ines", Answer.DECLINED)
        assert full.change(capacity=3).capacity == 3

    def test_a_limit_after_everybody_got_the_link_is_refused(self, house: House, scene: Scene) -> None:
        open_to_all = open_webinar(house, scene, capacity=None)
        with pytest.raises(Invalid, match="approved without a limit"):
            open_to_all.change(capacity=10)

    def test_nothing_is_changed_after_the_end(self, full: Webinar) -> None:
        full.house.clock.at = full.scene.fresh(full.conference_id).ends_at
        with pytest.raises(RuleBroken, match="is over"):
            full.change(capacity=3)

    def test_nothing_is_changed_after_a_cancellation(self, full: Webinar) -> None:
        conferencing.cancel(full.conference_id, "The speaker is ill.", by=HELPDESK)
        with pytest.raises(RuleBroken, match="is cancelled"):
            full.change(capacity=3)


class TestMaterials:
    URL = "https://slides.example/sarcoma"

    def told(self, webinar: Webinar) -> dict[str, str | None]:
        return {m.name.split()[0].lower(): m.facts["materials_url"] for m in webinar.mails.new()}

    def test_who_has_the_link_gets_one_update_with_them(self, full: Webinar) -> None:
        full.change(materials_url=self.URL)
        sent = full.mails.new()
        assert {m.name.split()[0].lower(): m.facts["materials_url"] for m in sent} == dict.fromkeys(
            ("anna", "emil", "olga"), self.URL
        )
        assert {(m.kind, tuple(m.facts["what_changed"])) for m in sent} == {("invitation-update", ("materials",))}
        full.settle()
        assert full.mails() == []

    def test_the_sequence_stays_because_neither_time_nor_link_changed(self, full: Webinar) -> None:
        before = full.scene.invitations()
        full.change(materials_url=self.URL)
        after = {m.clinician_id: m.facts["sequence"] for m in full.scene.invitations()[len(before) :]}
        assert after == {full.people["anna"]: 1, full.people["emil"]: 2, full.people["olga"]: 0}

    def test_each_change_is_told_once_more(self, full: Webinar) -> None:
        full.change(materials_url=self.URL)
        full.change(materials_url="https://slides.example/second")
        full.change(materials_url="https://slides.example/second")
        assert len(full.mails.new()) == 6

    def test_that_there_are_none_any_more_is_told_nobody(self, full: Webinar) -> None:
        full.change(materials_url=self.URL)
        full.mails()
        full.change(materials_url=None)
        assert (full.mails(), full.view("anna").materials_url) == ([], None)

    def test_who_gets_a_place_later_gets_them_with_the_link(self, full: Webinar) -> None:
        full.change(materials_url=self.URL)
        full.mails()
        full.answer("anna", Answer.DECLINED)
        assert self.told(full) == {"ines": self.URL}

    def test_before_the_meeting_is_there_nobody_is_told_and_then_everybody_with_the_invitation(
        self, house: House, scene: Scene
    ) -> None:
        wanted = open_webinar(house, scene, capacity=None, materials_url=self.URL)
        assert set(self.told(wanted).values()) == {self.URL}

    def test_the_page_of_the_invitation_shows_them_to_who_has_a_place(self, full: Webinar) -> None:
        full.change(materials_url=self.URL)
        assert (full.view("anna").materials_url, full.view("ines").materials_url) == (self.URL, None)


def test_places_are_those_of_one_webinar(full: Webinar, scene: Scene) -> None:
    other = scene.approved(
        topic="Another", capacity=1, at=scene.fresh(full.conference_id).starts_at + timedelta(days=1)
    )
    full.settle()
    assert isinstance(other, UUID)
    assert {one.answer for one in inviting.people(other, by=HELPDESK)} == {None}
    assert {one.role for one in inviting.people(other, by=HELPDESK)} == {"invited"}
