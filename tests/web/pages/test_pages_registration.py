"""Registering on the pages: what the form offers, keeps and says, and that nobody learns from it who is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import altcha
import pytest
from sqlalchemy import select

from conference_orchestrator.app import create_app
from conference_orchestrator.flows import directory
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.registrations import Registration
from tests.house import HELPDESK
from tests.web.pages.visiting import ANNA, Reading, Site, applicant, notice, says, token_in

FORM = "/register/paed"


def stored(site):
    with site.app.app_context():
        return db.session.scalars(select(Registration)).all()


def confirm_link(site):
    with site.app.app_context():
        return f"/confirm/{links.token('confirm', stored(site)[0].id)}"


def told(site):
    with site.app.app_context():
        return [(m.kind, m.address) for m in db.session.scalars(select(Message)).all()]


def test_one_chooses_the_network_first(site):
    assert f'href="{FORM}"' in site.get("/register").text


def test_a_network_that_is_not_there_is_a_page_that_says_so(site):
    page = site.get("/register/nowhere")
    assert page.status_code == 404
    assert "There is no network &#39;nowhere&#39;." in page.text


def test_a_network_whose_code_has_a_slash_has_a_form(site):
    with site.app.app_context():
        directory.add_network({"code": "ern/paed", "name": "With a slash"}, by=HELPDESK)
    assert "With a slash" in site.get("/register/ern/paed").text


def test_the_form_offers_the_hospitals_of_the_network_and_no_others(site):
    with site.app.app_context():
        elsewhere = {"code": "oslo", "name": "Sykehus", "city": "Oslo", "country": "NO", "time_zone": "Europe/Oslo"}
        directory.add_hospital(elsewhere, by=HELPDESK)
    page = site.get(FORM).text
    assert '<option value="porto">Hospital do Mar, Porto (PT)</option>' in page
    assert "Sykehus" not in page


def test_what_was_entered_is_stored_and_a_mail_asks_for_the_confirmation(site):
    answer = site.post(FORM, applicant())
    assert (answer.status_code, answer.location) == (303, "/registered/paed")
    (registration,) = stored(site)
    assert registration.name == "Łucja Großmann-Réné"
    assert registration.specialties == ["intensive care", "neurology"]
    assert registration.share == ["email"]
    assert registration.hospital_name == "Hospital do Mar"
    assert registration.time_zone == "Europe/Warsaw"
    assert ("registration-received", "lucja@szpital.example") in told(site)


def test_a_hospital_that_is_not_in_the_list_is_entered_by_name_and_country(site):
    site.post(FORM, applicant(hospital="", hospital_name="Szpital Miejski", country="PL"))
    (registration,) = stored(site)
    assert (registration.hospital_id, registration.hospital_name, registration.country) == (
        None,
        "Szpital Miejski",
        "PL",
    )


def test_without_a_chosen_clock_that_of_the_hospital_counts(site):
    site.post(FORM, applicant(time_zone=""))
    assert stored(site)[0].time_zone == "Europe/Lisbon"


def test_a_known_address_gets_the_answer_that_an_unknown_one_gets(site):
    fields = {"csrf_token": token_in(site.get(FORM).text)}
    unknown = site.browser.post(FORM, data=applicant() | fields)
    known = site.browser.post(FORM, data=applicant(email=ANNA) | fields)
    assert (known.status_code, known.location, known.data) == (unknown.status_code, unknown.location, unknown.data)
    assert list(known.headers.keys()) == list(unknown.headers.keys())
    assert len(stored(site)) == 1


def test_the_page_after_it_names_nobody(site):
    page = site.get("/registered/paed").text
    assert "Check your mail" in page
    assert "lucja" not in page


def test_what_is_missing_is_said_at_each_field_and_what_was_entered_stays(site):
    answer = site.post(FORM, applicant(family_name="", email="not an address"))
    assert answer.status_code == 422
    page = Reading(answer.text)
    assert page.field("given_name")["value"] == "Łucja"
    assert page.field("email")["value"] == "not an address"
    assert {"porto", "en", "Europe/Warsaw", "email"} <= set(page.chosen())
    for name in ("family_name", "email"):
        field = page.field(name)
        assert field["aria-invalid"] == "true"
        assert f"{name}-error" in (field["aria-describedby"] or "").split()
    assert "aria-invalid" not in page.field("given_name")
    assert "Please fill this in." in answer.text
    assert "This is not an e-mail address" in answer.text
    assert stored(site) == []


@pytest.mark.parametrize(
    "missing", ["given_name", "family_name", "email", "profession", "language", "privacy_accepted"]
)
def test_every_reference_on_a_page_with_errors_leads_to_something_on_it(site, missing):
    page = Reading(site.post(FORM, applicant(**{missing: ""})).text)
    referred = {
        one for attribute in ("aria-describedby", "for") for all_ in page.values(attribute) for one in all_.split()
    }
    referred |= {address[1:] for address in page.values("href") if address.startswith("#")}
    assert referred <= set(page.values("id"))
    assert len(page.values("id")) == len(set(page.values("id")))


def test_every_field_has_a_label(site):
    page = Reading(site.get(FORM).text)
    labelled = set(page.values("for"))
    fields = [found for tag, found in page.elements if tag in {"input", "select"} and found.get("type") != "hidden"]
    unlabelled = {field["name"] for field in fields if field.get("id") not in labelled}
    assert unlabelled == {"share"}, "the boxes of this one stand inside of their labels"


def test_nobody_registers_without_accepting_the_privacy_statement(site):
    answer = site.post(FORM, {name: value for name, value in applicant().items() if name != "privacy_accepted"})
    assert answer.status_code == 422
    assert "Please read the privacy statement and accept it." in answer.text
    assert stored(site) == []


def test_the_privacy_statement_is_shown_in_the_language_that_was_chosen(site):
    with site.app.app_context():
        german = notice("privacy", language="de", version="2026-02-de", title="Datenschutz", body="Auf Deutsch.")
        directory.publish_notice(german, by=HELPDESK)
    assert "2026-02-de" not in site.get(FORM).text
    assert "2026-02-de" in site.get(FORM, **{"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}).text
    answer = site.post(FORM, applicant(language="de"))
    assert answer.status_code == 422
    assert "Auf Deutsch." in answer.text
    assert Reading(answer.text).field("privacy_version")["value"] == "2026-02-de"


def test_the_box_is_not_ticked_for_a_statement_that_nobody_has_seen(site):
    answer = site.post(FORM, applicant(privacy_version="2025-01"))
    assert answer.status_code == 422
    assert "checked" not in Reading(answer.text).field("privacy_accepted")


def test_the_tick_stays_for_the_statement_that_was_read(site):
    answer = site.post(FORM, applicant(email="bad"))
    assert answer.status_code == 422
    assert "checked" in Reading(answer.text).field("privacy_accepted")
    unread = site.post(FORM, applicant(email="bad", privacy_accepted=""))
    assert "checked" not in Reading(unread.text).field("privacy_accepted")


def test_without_a_privacy_statement_there_is_no_form(site):
    with site.app.app_context():
        directory.add_network({"code": "new", "name": "New Network"}, by=HELPDESK)
    page = site.get("/register/new").text
    assert "no privacy statement in force" in page
    assert 'name="given_name"' not in page


def test_the_link_shows_what_it_is_about_and_the_button_confirms(site):
    site.post(FORM, applicant())
    link = confirm_link(site)
    page = site.get(link).text
    assert "lucja@szpital.example" in page
    assert stored(site)[0].state == "address-pending"
    answer = site.post(link, {})
    assert (answer.status_code, answer.location) == (303, link)
    assert stored(site)[0].state == "pending"
    assert "Your address is confirmed" in site.get(link).text


def test_the_confirmation_is_shown_in_the_language_that_was_entered(site):
    site.post(FORM, applicant(language="es"))
    assert says(site.get(confirm_link(site)).text, "es", "Confirm your address", "Yes, confirm my address")


def test_a_link_that_was_altered_is_a_page_that_says_so(site):
    site.post(FORM, applicant())
    page = site.get(confirm_link(site)[:-2] + "AA")
    assert page.status_code == 404
    assert "This link is not valid" in page.text


def test_an_old_link_says_that_it_has_expired(site):
    site.post(FORM, applicant())
    site.clock.move_on(timedelta(days=8))
    assert "This link has expired." in site.get(confirm_link(site)).text


class TestTheCaptcha:
    @pytest.fixture
    def guarded(self, site, settings, tmp_path):
        """The same installation with the captcha on. The library looks at the machine's clock: ours shows the same."""
        site.clock.at = datetime.now(UTC).replace(microsecond=0)
        app = create_app(replace(settings, captcha="on"), clock=site.clock, var=tmp_path)
        yield Site(app, site.clock, app.test_client())
        with app.app_context():
            db.engine.dispose()

    def solution(self, site):
        challenge = altcha.Challenge.from_dict(site.browser.get("/api/v1/captcha").json)
        solved = altcha.solve_challenge(challenge)
        return altcha.Payload(challenge, solved).to_base64()

    def test_the_form_shows_it_from_files_of_our_own(self, guarded):
        page = Reading(guarded.get(FORM).text)
        assert page.values("challenge", "altcha-widget") == ["/api/v1/captcha"]
        assert "/static/vendor/altcha/altcha.min.js" in page.values("src", "script")

    def test_a_form_without_a_solution_comes_back(self, guarded):
        answer = guarded.post(FORM, applicant())
        assert answer.status_code == 422
        assert "Tick the box and wait until it is verified." in answer.text
        assert stored(guarded) == []

    def test_a_form_with_a_solution_is_taken_once(self, guarded):
        solution = self.solution(guarded)
        assert guarded.post(FORM, applicant(altcha=solution)).status_code == 303
        again = guarded.post(FORM, applicant(altcha=solution, email="another@szpital.example"))
        assert again.status_code == 422
        assert "The solution was used before" in again.text

    def test_somebody_who_sends_the_form_again_and_again_is_told_to_wait(self, guarded):
        fields = {"csrf_token": token_in(guarded.get(FORM).text)}
        answers = [guarded.browser.post(FORM, data=fields, headers={"Accept": "text/html"}) for _ in range(31)]
        assert [answer.status_code for answer in answers] == [422] * 30 + [429]
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert "Too many requests" in answers[-1].text


def test_without_the_captcha_no_script_of_it_is_loaded(site):
    assert "altcha" not in site.get(FORM).text
