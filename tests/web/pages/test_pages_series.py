"""The page behind the invitation to a whole series, and the button that sends everything once more."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import arranging, calendars, rounds
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.series_calendars import SeriesInvitation
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup
from conference_orchestrator.scheduling import sessions
from conference_orchestrator.scheduling.sessions import Session
from tests.house import HELPDESK
from tests.web.pages.visiting import ANNA, BRUNO, says, speaking, token_in


@pytest.fixture
def by_series(invited):
    """Anna holds the round as one entry."""
    with invited.app.app_context():
        anna = db.session.scalars(select(Clinician.id).where(Clinician.email == ANNA)).one()
        group = db.session.scalars(select(ExpertGroup.id)).one()
        calendars.choose(group, anna, CalendarStyle.SERIES, by=HELPDESK)
    invited.work()
    return invited


def link(site):
    with site.app.app_context():
        return f"/i/{links.token('answer', db.session.scalars(select(SeriesInvitation.id)).one())}"


def messages(site):
    with site.app.app_context():
        return db.session.scalars(select(Message.id)).all()


def repair(site, path):
    return site.browser.post(f"{path}/repair", data={"csrf_token": token_in(site.get(path).text)})


def test_the_next_sessions_stand_there_by_the_reader_s_clock(by_series):
    page = by_series.get(link(by_series)).text
    assert "Tuesday 24 November 2026, 10:00-10:40" in page
    assert page.count("none yet") == 6


def test_the_button_answers_to_all_sessions(by_series):
    path = link(by_series)
    answer = by_series.post(path, {"answer": "accepted"})
    assert (answer.status_code, answer.location) == (303, path)
    assert by_series.get(path).text.count('<span class="state accepted">Accepted</span>') == 6


def test_another_word_is_no_answer_to_a_series(by_series):
    assert by_series.post(link(by_series), {"answer": "maybe"}).status_code == 422
    assert "none yet" in by_series.get(link(by_series)).text


def test_a_session_that_was_moved_is_answered_by_itself(by_series):
    with by_series.app.app_context():
        far = db.session.scalars(select(Session.id).order_by(Session.starts_at).offset(8)).first()
        rounds.move(far, sessions.get(far).starts_at + timedelta(hours=2), by=HELPDESK)
    by_series.work()
    path = link(by_series)
    by_series.post(path, {"answer": "accepted"})
    assert re.search(r"Tuesday 19 January 2027, 12:00-12:40 \(moved\) ·\s+none yet", by_series.get(path).text)
    answer = by_series.post(path, {"answer": "declined", "on": "2027-01-19"})
    assert (answer.status_code, answer.location) == (303, path)
    page = by_series.get(path).text
    assert (page.count('state declined">'), page.count('state accepted">')) == (1, 6)


@pytest.mark.parametrize("on", ["2026-11-25", "soon"])
def test_a_date_that_the_series_does_not_have_takes_no_answer(by_series, on):
    path = link(by_series)
    assert by_series.post(path, {"answer": "declined", "on": on}).status_code == 422
    assert "state declined" not in by_series.get(path).text


def test_a_round_that_has_ended_takes_no_answer(by_series):
    path = link(by_series)
    with by_series.app.app_context():
        group = db.session.scalars(select(ExpertGroup.id)).one()
        (series,) = arranging.series_of(group, by=HELPDESK).items
        arranging.close_series(series.id, by=HELPDESK)
    csrf = token_in(by_series.get(path).text)
    by_series.work()
    assert "cancelled for you" in by_series.get(path).text
    assert by_series.browser.post(path, data={"answer": "accepted", "csrf_token": csrf}).status_code == 409


def test_everything_is_sent_once_more_and_not_again_at_once(invited):
    path, before = invited.answer_link(BRUNO), len(messages(invited))
    assert "There is nothing to send" in repair(invited, path).text, "it was sent a moment ago"
    invited.clock.at += timedelta(minutes=6)
    assert "1 mail is on the way" in repair(invited, path).text
    assert "There is nothing to send" in repair(invited, path).text
    assert len(messages(invited)) == before + 1


def test_a_series_is_sent_once_more_by_its_link(by_series):
    by_series.clock.at += timedelta(minutes=6)
    assert "1 mail is on the way" in repair(by_series, link(by_series)).text


def test_looking_at_the_page_sends_nothing(invited):
    before = len(messages(invited))
    invited.clock.at += timedelta(minutes=6)
    assert invited.get(f"{invited.answer_link(BRUNO)}/repair").status_code == 405
    assert len(messages(invited)) == before


def test_a_word_that_was_not_made_here_repairs_nothing(invited):
    assert invited.browser.post("/i/foreign/repair").status_code in {400, 404}


def test_the_series_and_the_repair_speak_the_readers_language(by_series):
    speaking(by_series, "fr")
    page = by_series.get(link(by_series)).text
    assert says(page, "fr", "Will you come to the sessions?", "Accept all", "The next sessions")
    assert "mardi 24 novembre 2026" in page
    by_series.clock.at += timedelta(minutes=6)
    assert says(repair(by_series, link(by_series)).text, "fr", "Your calendar entries", "Back to the invitation")
