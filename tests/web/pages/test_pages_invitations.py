"""The page behind an invitation's link: when it is for whom, and that only a button decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import rounds
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.scheduling.sessions import Session
from tests.house import HELPDESK
from tests.web.pages.visiting import ANNA, BRUNO


def answers(site):
    with site.app.app_context():
        return sorted(filter(None, db.session.scalars(select(Invitation.answer))))


def cancel(site):
    with site.app.app_context():
        session_id = db.session.scalars(select(Session.id).order_by(Session.starts_at)).first()
        rounds.cancel(session_id, "The lead is ill.", by=HELPDESK)
    site.work()


def test_an_expert_in_lisbon_reads_the_own_time_that_of_the_meeting_and_utc(invited):
    page = invited.get(invited.answer_link(ANNA)).text
    assert "Tuesday 24 November 2026, 10:00-10:40</strong> Europe/Lisbon" in page
    assert "10:00-10:40 UTC" in page
    assert "Tuesday 24 November 2026, 11:00-11:40 Europe/Paris" in page


def test_a_requester_reads_the_own_twenty_minutes_and_the_own_case(invited):
    page = invited.get(invited.answer_link(BRUNO)).text
    assert "Tuesday 24 November 2026, 11:00-11:20</strong> Europe/Paris" in page
    assert "where the meeting is set" not in page, "it is the reader's own clock"
    assert "CPMS-4711" in page
    assert "lobby" in page


def test_an_expert_does_not_read_the_case(invited):
    assert "CPMS-4711" not in invited.get(invited.answer_link(ANNA)).text


def test_the_link_to_join_is_there_once_the_meeting_is(invited):
    assert "Join the meeting" in invited.get(invited.answer_link(ANNA)).text


@pytest.mark.parametrize(
    ("said", "shown"), [("accepted", "Accepted"), ("tentative", "Tentative"), ("declined", "Declined")]
)
def test_the_button_decides_and_the_page_says_so(invited, said, shown):
    link = invited.answer_link(ANNA)
    assert "none yet" in invited.get(link).text
    answer = invited.post(link, {"answer": said})
    assert (answer.status_code, answer.location) == (303, link)
    assert answers(invited) == [said]
    assert f'<span class="state {said}">{shown}</span>' in invited.get(link).text


def test_the_latest_answer_counts(invited):
    link = invited.answer_link(ANNA)
    invited.post(link, {"answer": "accepted"})
    invited.post(link, {"answer": "declined"})
    assert answers(invited) == ["declined"]


@pytest.mark.parametrize("said", ["", "maybe", "ACCEPTED"])
def test_another_word_is_no_answer(invited, said):
    assert invited.post(invited.answer_link(ANNA), {"answer": said}).status_code == 422
    assert answers(invited) == []


def test_a_cancelled_invitation_says_so_and_takes_no_answer(invited):
    link = invited.answer_link(ANNA)
    open_page = invited.get(link).text
    cancel(invited)
    page = invited.get(link).text
    assert "cancelled for you" in page
    assert "Join the meeting" not in page
    assert '<button type="submit" name="answer"' not in page
    token = open_page.split('name="csrf_token" value="')[1].split('"')[0]
    late = invited.browser.post(link, data={"csrf_token": token, "answer": "accepted"}, headers={"Accept": "text/html"})
    assert late.status_code == 409
    assert "nothing to answer any more" in late.text
    assert answers(invited) == []


def test_a_past_invitation_says_so(invited):
    link = invited.answer_link(ANNA)
    invited.clock.move_on(timedelta(days=3))
    page = invited.get(link).text
    assert "This is over." in page
    assert '<button type="submit" name="answer"' not in page


def test_the_link_of_one_purpose_is_no_link_of_another(invited):
    with invited.app.app_context():
        found = db.session.scalars(select(Invitation)).first()
        foreign = links.token("confirm", found.id)
    assert invited.get(f"/i/{foreign}").status_code == 404


def test_an_altered_link_is_a_page_that_says_so(invited):
    page = invited.get("/i/nothing")
    assert page.status_code == 404
    assert "This link is not valid." in page.text
