"""Never more registered than there are places, however many accept at the same time."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import answering, registering, webinars
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.scheduling import webinar_registrations, webinar_requests
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest
from tests.faulty_provider import FaultyProvider
from tests.flows.registrants import Webinar, open_webinar
from tests.house import HELPDESK, House
from tests.scene import Scene

CROWD = 8


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def crowd(house: House) -> tuple[Webinar, list[str]]:
    """A webinar with three places, and the links of eight who want one."""
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    scene = Scene(house)
    people = {f"guest-{number}": scene.clinician(f"guest-{number}").id for number in range(CROWD)}
    made = open_webinar(house, scene, capacity=3)
    made.people.update(people)
    links = [made.link(name) for name in people]
    db.session.remove()
    return made, links


def accept_at_once(house: House, links: list[str]) -> list[Any]:
    return house.at_once(len(links), lambda number: answering.answer(links[number], Answer.ACCEPTED))


def test_of_eight_who_accept_at_once_three_get_a_place_and_the_others_different_places_in_line(
    house: House, crowd: tuple[Webinar, list[str]]
) -> None:
    webinar, links = crowd
    assert [answer for answer in accept_at_once(house, links) if isinstance(answer, Exception)] == []
    assert (webinar.standing.registered, webinar.standing.waiting) == (3, 5)
    places = [webinar.position(f"guest-{number}") for number in range(CROWD)]
    assert sorted(place for place in places if place) == [1, 2, 3, 4, 5]


def test_places_given_back_while_others_are_asked_for_are_given_once(
    house: House, crowd: tuple[Webinar, list[str]]
) -> None:
    webinar, links = crowd
    for link in links[:3]:
        answering.answer(link, Answer.ACCEPTED)
    db.session.remove()
    said = [Answer.DECLINED] * 3 + [Answer.ACCEPTED] * 5
    answers = house.at_once(CROWD, lambda number: answering.answer(links[number], said[number]))
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert (webinar.standing.registered, webinar.standing.waiting) == (3, 2)


def test_a_number_that_is_lowered_while_the_last_places_are_taken_stays_above_those_who_have_one(
    house: House, crowd: tuple[Webinar, list[str]]
) -> None:
    webinar, links = crowd
    request_id = webinar.request.id
    db.session.remove()

    def act(number: int) -> Any:
        if number < 3:
            return answering.answer(links[number], Answer.ACCEPTED)
        return webinars.change(request_id, {"capacity": 1}, by=HELPDESK)

    lowered = house.at_once(4, act)[3]
    standing = webinar.standing
    assert standing.capacity is not None
    assert standing.registered <= standing.capacity
    assert isinstance(lowered, Invalid) == (standing.capacity == 3)


class TestWithoutTheLock:
    """The negative control, on PostgreSQL: in SQLite one transaction writes at a time, whatever is locked."""

    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    def test_more_get_a_place_than_there_are_places(
        self, house: House, crowd: tuple[Webinar, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        webinar, links = crowd
        # Everybody has counted before anybody commits.
        counted = threading.Barrier(CROWD, timeout=30)
        counts = webinar_registrations.counts

        def count_together(requests: list[UUID]) -> dict[UUID, dict[str, int]]:
            found = counts(requests)
            counted.wait()
            return found

        def hold_without_lock(conference: Conference) -> WebinarRequest:
            assert conference.webinar_request_id is not None
            return webinar_requests.get(conference.webinar_request_id, visible_to=HELPDESK)

        monkeypatch.setattr(registering, "hold", hold_without_lock)
        with monkeypatch.context() as patch:
            patch.setattr(webinar_registrations, "counts", count_together)
            accept_at_once(house, links)
        assert webinar.standing.registered > 3, "the harness can no longer see the bug it guards against"
