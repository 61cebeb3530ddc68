"""The page behind a reminder's List-Unsubscribe: looking changes nothing, a button or a mail program does."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import joining, suppressing
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.suppressions import Suppression
from conference_orchestrator.network import clinicians
from tests.house import HELPDESK
from tests.web.pages.visiting import ANNA, HOSTILE, Reading, rows, says, speaking, token_in

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def link(site) -> str:
    """The path of the address in Anna's reminders."""
    with site.app.app_context():
        anna = clinicians.by_email(ANNA)
        return f"/u/{suppressing.unsubscribe_url(anna.id).rpartition('/')[2]}"


def silent(site) -> list[tuple[str, str, str]]:
    """Which address gets no reminders, and why."""
    with site.app.app_context():
        return [(one.address, one.scope, one.reason) for one in db.session.scalars(select(Suppression))]


def test_looking_changes_nothing(site, link):
    before = rows(site.app)
    page = site.get(link)
    assert site.browser.head(link).status_code == 200
    assert "Send me no reminders" in page.text
    assert ANNA in page.text
    assert rows(site.app) == before
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_button_stops_the_reminders_and_another_one_undoes_it(site, link):
    stopped = site.post(link, {"action": "stop"})
    assert (stopped.status_code, stopped.location) == (303, link)
    assert silent(site) == [(ANNA, "reminders", "unsubscribed")]
    page = site.get(link).text
    assert "No reminders are sent to" in page
    assert "Send me no reminders" not in page
    site.post(link, {"action": "again"})
    assert silent(site) == []
    assert "Send me no reminders" in site.get(link).text


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_mail_program_stops_them_with_one_post_and_is_not_sent_elsewhere(site, link, kind):
    """RFC 8058: without cookies, without a token of a form, without a redirect."""
    program = site.app.test_client(use_cookies=False)
    answer = program.post(link, data=ONE_CLICK, content_type=kind)
    assert answer.status_code == 200
    assert silent(site) == [(ANNA, "reminders", "unsubscribed")]
    assert program.post(link, data=ONE_CLICK).status_code == 200


def test_a_browser_needs_the_token_of_the_form(site, link):
    site.get(link)
    for token in ({}, {"csrf_token": "invented"}):
        for fields in ({"action": "stop"}, ONE_CLICK):
            answer = site.browser.post(link, data=fields | token, headers={"Accept": "text/html"})
            assert answer.status_code == 400
    assert silent(site) == []


@pytest.mark.parametrize("fields", [{}, {"action": ""}, {"action": "burn"}, {"List-Unsubscribe": "Two-Clicks"}])
def test_another_word_does_nothing(site, link, fields):
    assert site.post(link, fields).status_code == 422
    assert silent(site) == []


def test_a_link_that_was_not_made_here_is_a_page_that_says_so(site, link):
    altered = link[:-1] + ("A" if link[-1] != "A" else "B")
    for path in ("/u/nothing", altered[:-4]):
        page = site.get(path)
        assert (page.status_code, "This link is not valid." in page.text) == (404, True)
        assert site.app.test_client(use_cookies=False).post(path, data=ONE_CLICK).status_code == 404
    assert silent(site) == []


def test_a_hostile_name_is_shown_as_text(site, link):
    with site.app.app_context():
        joining.change(clinicians.by_email(ANNA).id, {"given_name": HOSTILE[:100]}, by=HELPDESK)
    page = site.get(link).text
    assert "<script>alert" not in page
    assert HOSTILE[:100] in Reading(page).text
    assert token_in(page)


def test_the_choice_is_shown_in_the_readers_language(site, link):
    speaking(site, "nl")
    assert says(site.get(link).text, "nl", "Reminders by mail", "Send me no reminders")
