"""The page on which anybody writes to the helpdesk."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from conference_orchestrator.app import create_app
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.contact_messages import ContactMessage

FILLED = {"network": "paed", "name": "Zofia Lis", "email": "zofia@szpital.example", "message": "How do I join?"}


def stored(site):
    with site.app.app_context():
        return db.session.scalars(select(ContactMessage)).all()


def test_every_page_leads_to_it_and_that_of_a_network_with_the_network_chosen(site):
    assert 'href="/contact">Contact</a>' in site.get("/").text
    assert 'href="/contact?network=paed">Contact</a>' in site.get("/register/paed").text
    assert '<option value="paed" selected>' in site.get("/contact?network=paed").text
    assert " selected>" not in site.get("/contact").text


def test_what_was_written_arrives_and_the_page_says_so(site):
    answer = site.post("/contact", FILLED)
    assert (answer.status_code, answer.location) == (303, "/contact?sent=yes")
    (message,) = stored(site)
    assert (message.name, message.email, message.message) == ("Zofia Lis", "zofia@szpital.example", "How do I join?")
    page = site.get(answer.location).text
    assert "Your message has arrived." in page
    assert "<form" not in page
    with site.app.app_context():
        told = db.session.scalars(select(Message).where(Message.kind == "desk-alert")).all()
        assert [one.address for one in told if "Zofia Lis" in one.facts["detail"]] == ["helpdesk@network.example"]


def test_an_empty_form_says_what_to_do_at_each_field_and_keeps_nothing(site):
    answer = site.post("/contact", {})
    assert answer.status_code == 422
    assert "<title>Please correct: Write to the helpdesk" in answer.text
    for said in (
        '<a href="#network">Network</a>: Please choose one.',
        '<a href="#name">Your name</a>: Please fill this in.',
        '<a href="#email">E-mail address</a>: Please fill this in.',
        '<a href="#message">Message</a>: Please fill this in.',
    ):
        assert said in answer.text
    assert stored(site) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"network": "nobody"}, "network"),
        ({"email": "no address"}, "email"),
        ({"name": "a\u202eb"}, "name"),
        ({"message": "x" * 5001}, "message"),
    ],
)
def test_a_wrong_form_comes_back_as_it_was_entered(site, changes, field):
    answer = site.post("/contact", FILLED | changes)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert answer.text.count('class="error"') == 1
    kept = {"name": 'value="Zofia Lis"', "message": ">How do I join?</textarea>"}
    assert [shown for name, shown in kept.items() if name not in changes and shown not in answer.text] == []
    assert stored(site) == []


def test_what_was_entered_is_shown_as_text(site):
    answer = site.post("/contact", FILLED | {"email": "", "message": "</textarea><script>alert(1)</script>"})
    assert "<script>alert(1)" not in answer.text
    assert "&lt;/textarea&gt;&lt;script&gt;alert(1)" in answer.text


def test_a_form_of_another_site_is_refused(site):
    assert site.browser.post("/contact", data=FILLED).status_code == 400
    assert stored(site) == []


def test_where_the_captcha_is_on_the_form_needs_it(site, settings, tmp_path):
    app = create_app(replace(settings, captcha="on"), clock=site.clock, var=tmp_path)
    guarded = replace(site, app=app, browser=app.test_client())
    assert "<altcha-widget" in guarded.get("/contact").text
    answer = guarded.post("/contact", FILLED)
    assert answer.status_code == 422
    assert "Tick the box and wait until it is verified." in answer.text


def test_after_three_messages_within_the_hour_the_page_says_to_wait(site):
    answers = [site.post("/contact", FILLED | {"message": f"Question {n}"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert len(stored(site)) == 3
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "Question 3</textarea>" in answers[-1].text, "what was written is not lost"
