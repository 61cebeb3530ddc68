"""The registration page of a webinar: the same answer for every address, and a mail for the clinician it belongs to."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import conferencing, joining, registering, webinars
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.webinar_registrations import WebinarRegistration
from tests.house import HELPDESK
from tests.web.pages.visiting import ANNA, BRUNO, HOSTILE, Reading, Site, rows

START = datetime(2026, 12, 3, 15, 0, tzinfo=UTC)
SENT = "If this address belongs to an active clinician of Paediatric Tumours Network, an invitation is on its way."
VERA = "vera@clinica.example"


def approve(site: Site, **changes: object) -> str:
    """A webinar for radiologists; the path of its registration page."""
    entered = {
        "hospital": "porto",
        "kind": "webinar",
        "topic": "Late effects",
        "language": "en",
        "duration_minutes": 60,
        "expected_audience": 50,
        "audience": {"specialties": ["radiology"]},
    }
    with site.app.app_context():
        made = webinars.approve(webinars.submit(entered | changes, by=HELPDESK).id, START, by=HELPDESK)
        address = registering.url(made)
    site.work()
    assert address is not None
    return address.removeprefix("http://127.0.0.1:8000")


@pytest.fixture
def page(site: Site) -> str:
    return approve(site)


def invitations(site: Site) -> list[str]:
    """Who was sent one."""
    site.work()
    with site.app.app_context():
        return sorted(db.session.scalars(select(Message.address).where(Message.kind == "invitation")))


def text(page: str) -> str:
    return " ".join(Reading(page).text.split())


def test_it_says_what_is_held_when_by_the_clock_of_the_hospital(site, page):
    shown = text(site.get(page).text)
    assert "Late effects Webinar of Hospital do Mar, English." in shown
    assert "Thursday 3 December 2026, 15:00-16:00 Europe/Lisbon 15:00-16:00 UTC" in shown
    assert "Places" not in shown


def test_where_places_are_limited_it_says_so(site):
    assert "limited; who comes too late waits in line" in text(site.get(approve(site, capacity=3)).text)


def test_looking_changes_nothing(site, page):
    before = rows(site.app)
    site.get(page)
    assert rows(site.app) == before


def test_the_owner_of_the_address_gets_the_invitation(site, page):
    answer = site.post(page, {"email": ANNA})
    assert (answer.status_code, answer.location) == (303, f"{page}?sent=yes")
    assert SENT in text(site.get(answer.location).text)
    assert invitations(site) == [ANNA]


def test_an_address_that_nobody_knows_gets_the_same_answer_and_nobody_a_mail(site, page):
    known, unknown = site.post(page, {"email": ANNA}), site.post(page, {"email": "nobody@clinica.example"})
    assert (known.status_code, known.location, known.text) == (unknown.status_code, unknown.location, unknown.text)
    assert invitations(site) == [ANNA]


def test_asked_for_twice_the_invitation_comes_once(site, page):
    for _ in range(2):
        site.post(page, {"email": BRUNO})
    assert invitations(site) == [BRUNO]


@pytest.mark.parametrize("entered", ["", "anna at clinica", "anna@clinica.example\nBcc: bruno@ospedale.example"])
def test_what_is_no_address_comes_back_with_what_is_wrong(site, page, entered):
    answer = site.post(page, {"email": entered})
    assert answer.status_code == 422
    assert "Not sent yet." in answer.text
    assert Reading(answer.text).field("email")["aria-invalid"] == "true"


def test_what_was_typed_is_shown_as_text(site, page):
    answer = site.post(page, {"email": HOSTILE})
    assert answer.status_code == 422
    assert Reading(answer.text).field("email")["value"] == HOSTILE
    assert not [tag for tag, _ in Reading(answer.text).elements if tag == "img"]


def test_a_topic_is_shown_as_text(site):
    shown = site.get(approve(site, topic=HOSTILE)).text
    assert HOSTILE in Reading(shown).text
    assert not [tag for tag, _ in Reading(shown).elements if tag == "img"]


def test_without_the_token_of_the_form_nothing_is_sent(site, page):
    answer = site.browser.post(page, data={"email": ANNA}, headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert invitations(site) == []


def test_after_the_end_it_says_so_and_has_no_form(site, page):
    site.clock.at = START + timedelta(hours=1)
    shown = site.get(page).text
    assert "This is over." in shown
    assert "<form" not in shown


def test_after_a_cancellation_it_says_so_and_takes_nobody(site, page):
    form = site.get(page).text
    with site.app.app_context():
        conference_id = db.session.scalars(select(Conference.id)).one()
        conferencing.cancel(conference_id, "The speaker is ill.", by=HELPDESK)
    shown = site.get(page).text
    assert "This is cancelled." in shown
    assert "<form" not in shown
    token = form.split('name="csrf_token" value="')[1].split('"')[0]
    late = site.browser.post(page, data={"csrf_token": token, "email": ANNA}, headers={"Accept": "text/html"})
    assert late.status_code == 409
    with site.app.app_context():
        assert db.session.scalars(select(WebinarRegistration)).all() == []


def test_an_altered_link_is_a_page_that_says_so(site):
    answer = site.get("/w/nothing")
    assert answer.status_code == 404
    assert "This link is not valid." in answer.text


class TestTheInvitation:
    """The page behind the invitation's link, where places are limited."""

    @pytest.fixture
    def limited(self, site: Site) -> Site:
        """One place; Anna and Bruno are invited."""
        page = approve(site, capacity=1, materials_url="https://slides.example/1")
        for address in (ANNA, BRUNO):
            site.post(page, {"email": address})
        site.work()
        return site

    def accept(self, site: Site, address: str) -> str:
        link = site.answer_link(address)
        site.post(link, {"answer": "accepted"})
        site.work()
        return text(site.get(link).text)

    def test_it_says_that_accepting_registers_and_shows_no_link(self, limited):
        shown = text(limited.get(limited.answer_link(ANNA)).text)
        assert "Places are limited. Accepting registers you for one." in shown
        assert "Join the meeting" not in shown
        assert "slides.example" not in shown

    def test_with_a_place_it_shows_the_link_and_the_materials(self, limited):
        shown = self.accept(limited, ANNA)
        assert "You have a place." in shown
        assert "Join the meeting" in shown
        assert "https://slides.example/1" in shown

    def test_when_all_are_taken_it_tells_the_place_in_line(self, limited):
        self.accept(limited, ANNA)
        shown = self.accept(limited, BRUNO)
        assert "All places are taken. You are number 1 on the waiting list." in shown
        assert "Join the meeting" not in shown


class TestGuarded:
    """Where strangers can reach the form."""

    @pytest.fixture
    def settings(self, settings):
        return replace(settings, captcha="on")

    def test_the_form_has_the_challenge_and_without_its_solution_nothing_is_sent(self, site, page):
        assert "altcha-widget" in site.get(page).text
        answer = site.post(page, {"email": ANNA})
        assert answer.status_code == 422
        assert invitations(site) == []

    def test_a_forged_solution_is_refused(self, site, page):
        forged = base64.b64encode(json.dumps({"challenge": {}, "solution": {}}).encode()).decode()
        assert site.post(page, {"email": ANNA, "altcha": forged}).status_code == 422

    def test_one_address_on_the_network_may_not_ask_without_end(self, site, page):
        statuses = [site.post(page, {"email": ANNA}).status_code for _ in range(31)]
        assert statuses == [422] * 30 + [429]


def test_a_clinician_who_joins_later_may_ask(site, page):
    with site.app.app_context():
        joining.enter(
            {
                "network": "paed",
                "hospital": "porto",
                "profession": "oncologist",
                "language": "en",
                "given_name": "Vera",
                "family_name": "Nunes",
                "email": VERA,
            },
            by=HELPDESK,
        )
    site.post(page, {"email": VERA})
    assert invitations(site) == [VERA]
