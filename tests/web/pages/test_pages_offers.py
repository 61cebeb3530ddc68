"""The page behind a slot offer's link: what is offered until when, and that only a button decides."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from conference_orchestrator.flows import panels, rounds
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.sessions import Session
from tests.house import HELPDESK
from tests.web.pages.visiting import ANNA, HOSTILE, Reading, rows, says, speaking, token_in


def ask(person, reference):
    entered = {
        "group": "brain",
        "requester": person,
        "case_reference": reference,
        "question": "Is surgery an option?",
        "urgency": "routine",
        "consent_confirmed": True,
        "latest_on": date(2026, 11, 24),
    }
    asked = panels.submit(entered, by=HELPDESK).request.id
    panels.triage(asked, "accept", by=HELPDESK)
    return panels.allocate(asked, by=HELPDESK).request.id


@pytest.fixture
def offered(site):
    """Tomorrow's first slot is offered to Anna, in Lisbon, for four hours; Anna's second case is next in line."""
    with site.app.app_context():
        held = [ask(ANNA, f"HELD-{number}") for number in range(2)]
        cases = [ask(ANNA, "CASE-1"), ask(ANNA, "CASE-2")]
        assert {db.session.get(ConsultationRequest, case).state for case in cases} == {"waiting"}
        with transaction():
            db.session.execute(update(ExpertGroup).values(rules={"offer_hours": 4}))
        panels.withdraw(held[0], by=HELPDESK)
    site.work()
    return site


def offers(site):
    with site.app.app_context():
        made = select(Allocation.id).where(Allocation.offer.is_not(None)).order_by(Allocation.taken_at)
        return [f"/o/{links.token('offer', offer_id)}" for offer_id in db.session.scalars(made)]


def states(site):
    with site.app.app_context():
        cases = select(ConsultationRequest.state).where(ConsultationRequest.case_reference.startswith("CASE"))
        return list(db.session.scalars(cases.order_by(ConsultationRequest.case_reference)))


def test_the_page_says_what_is_offered_by_the_readers_clock_and_until_when(offered):
    page = offered.get(offers(offered)[0]).text
    assert "CASE-1" in page
    assert "Tuesday 24 November 2026, 10:00-10:20</strong> Europe/Lisbon" in page
    assert "Tuesday 24 November 2026, 11:00-11:20 Europe/Paris, where the meeting is set" in page
    assert "Monday 23 November 2026, 13:00</strong> Europe/Lisbon" in page
    assert Reading(page).values("value", "button") == ["accept", "refuse"]


def test_looking_changes_nothing(offered):
    before = rows(offered.app)
    assert offered.get(offers(offered)[0]).status_code == 200
    assert rows(offered.app) == before


def test_the_button_accepts_and_the_page_says_so(offered):
    (link,) = offers(offered)
    answer = offered.post(link, {"answer": "accept"})
    assert (answer.status_code, answer.location) == (303, link)
    page = offered.get(link).text
    assert "The slot was accepted on Monday 23 November 2026, 09:00" in page
    assert Reading(page).values("value", "button") == []
    assert states(offered) == ["allocated", "waiting"]


def test_the_button_refuses_and_the_next_in_line_gets_a_link(offered):
    (link,) = offers(offered)
    offered.post(link, {"answer": "refuse"})
    page = offered.get(link).text
    assert "The slot was refused on" in page
    assert "keeps its place on the waiting list" in page
    offered.work()
    assert (len(offers(offered)), states(offered)) == (2, ["waiting", "offered"])


def test_what_ran_out_says_so_and_takes_no_answer(offered):
    (link,) = offers(offered)
    token = token_in(offered.get(link).text)
    offered.clock.move_on(timedelta(hours=4))
    page = offered.get(link).text
    assert "The time to answer is over." in page
    assert Reading(page).values("value", "button") == []
    late = offered.browser.post(link, data={"csrf_token": token, "answer": "accept"}, headers={"Accept": "text/html"})
    assert late.status_code == 409
    assert "The offer ended at Monday 23 November 2026, 14.00 (Europe/Paris)" in late.text
    assert states(offered) == ["offered", "waiting"]


def test_an_offer_that_was_taken_back_says_so(offered):
    (link,) = offers(offered)
    with offered.app.app_context():
        session_id = db.session.scalars(select(Session.id).order_by(Session.starts_at)).first()
        rounds.cancel(session_id, "The lead is ill.", by=HELPDESK)
    assert "This offer was taken back." in offered.get(link).text


@pytest.mark.parametrize("said", ["", "maybe", "ACCEPT", "accepted"])
def test_another_word_is_no_answer(offered, said):
    assert offered.post(offers(offered)[0], {"answer": said}).status_code == 422
    assert states(offered) == ["offered", "waiting"]


def test_a_form_without_its_token_is_refused(offered):
    (link,) = offers(offered)
    offered.get(link)
    answer = offered.browser.post(link, data={"answer": "accept"}, headers={"Accept": "text/html"})
    assert (answer.status_code, states(offered)) == (400, ["offered", "waiting"])


@pytest.mark.parametrize("word", ["nothing", "", "AAAA"])
def test_an_altered_link_is_a_page_that_says_so(offered, word):
    page = offered.get(f"/o/{word}")
    assert page.status_code == 404


def test_hostile_names_are_text_on_the_page(offered):
    with offered.app.app_context(), transaction():
        db.session.execute(update(ExpertGroup).values(name=HOSTILE))
        db.session.execute(update(Clinician).values(given_name=HOSTILE))
    page = offered.get(offers(offered)[0]).text
    assert page.count("&lt;script&gt;alert(1)") >= 3
    assert "<script>alert(1)" not in page
    assert page.count("{{ 7 * 7 }}") >= 3, "nothing was reckoned"


def test_the_offer_is_shown_in_the_readers_language(offered):
    speaking(offered, "pl")
    page = offered.get(offers(offered)[0]).text
    assert says(page, "pl", "Do you take this slot?", "Accept the slot", "Held for you until", "When")
    assert "wtorek, 24 listopada 2026, 10:00-10:20</strong>" in page
