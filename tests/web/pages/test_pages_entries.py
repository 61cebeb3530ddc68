"""The page behind a personal link into a meeting: closed before the time, then a button that leads to the provider."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.providers.jitsi import JitsiProvider
from conference_orchestrator.scheduling.sessions import Session
from tests.web.pages.visiting import ANNA, ask_for_a_panel, says, speaking

ROOMS = "https://meet.example"


@pytest.fixture
def entry(site):
    """The address of Anna's way into the meeting."""
    rooms = JitsiProvider(ROOMS, "conference", "a secret of at least thirty-two bytes, for tests")
    provider_named.fill(site.app, lambda _: rooms)
    with site.app.app_context():
        ask_for_a_panel()
    site.work()
    with site.app.app_context():
        hers = select(Invitation.id).join(Clinician, Clinician.id == Invitation.clinician_id)
        return f"/j/{links.token('join', db.session.scalars(hers.where(Clinician.email == ANNA)).one())}"


def be_there(site, *, before):
    with site.app.app_context():
        site.clock.at = db.session.scalars(select(Session.starts_at).order_by(Session.starts_at)).first() - before


def test_before_the_time_the_page_says_when_the_door_opens(site, entry):
    page = site.get(entry).text
    assert "The meeting is not open now." in page
    assert "Tuesday 24 November 2026, 09:00" in page, "an hour before, by the clock of Lisbon"
    assert "<button" not in page


def test_at_the_time_the_button_leads_to_the_room(site, entry):
    be_there(site, before=timedelta(minutes=5))
    assert ROOMS not in site.get(entry).text, "looking opens nothing"
    answer = site.post(entry, {})
    assert answer.status_code == 200
    assert f'<meta http-equiv="refresh" content="0; url={ROOMS}/' in answer.text
    assert "go to the meeting</a>" in answer.text


def test_the_page_with_the_link_is_kept_by_no_cache_and_told_to_no_site(site, entry):
    be_there(site, before=timedelta(minutes=5))
    answer = site.post(entry, {})
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_the_invitations_own_page_leads_to_it(site, entry):
    assert f'href="http://127.0.0.1:8000{entry}"' in site.get(site.answer_link(ANNA)).text


def test_a_link_that_was_not_made_here_is_none(site):
    assert site.get("/j/made-up").status_code == 404


def test_the_way_in_is_shown_in_the_readers_language(site, entry):
    speaking(site, "pt-PT")
    page = site.get(entry).text
    assert says(page, "pt", "The meeting is not open now.", "When")
    assert "terça-feira, 24 de novembro de 2026, 09:00" in page
    be_there(site, before=timedelta(minutes=5))
    assert says(site.get(entry).text, "pt", "Join now")
