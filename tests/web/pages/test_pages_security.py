"""What the pages let nobody do: run foreign text, load foreign files, act by looking, act from a foreign page."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from conference_orchestrator.app import create_app
from conference_orchestrator.flows import access, directory, joining
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.notices import Notice
from conference_orchestrator.network.registrations import Registration
from tests.house import HELPDESK
from tests.web.pages.visiting import (
    ANNA,
    HOSTILE,
    Reading,
    add_round,
    applicant,
    ask_for_a_panel,
    notice,
    rows,
    token_in,
)

EVENT = re.compile("^on[a-z]+$")


@pytest.fixture
def every_page(invited):
    """The paths of all kinds of pages, on an installation where each has something to show."""
    with invited.app.app_context():
        joining.register({**form_to_entry(applicant()), "network": "paed"})
        registration = db.session.query(Registration).one()
        paths = [f"/notices/{found.id}" for found in db.session.query(Notice)]
        paths.append(f"/confirm/{links.token('confirm', registration.id)}")
    return [
        "/",
        "/register",
        "/register/paed",
        "/registered/paed",
        invited.answer_link(ANNA),
        *paths,
        "/i/nothing",
        "/nowhere",
    ]


def form_to_entry(fields):
    kept = {name: value for name, value in fields.items() if name not in {"privacy_accepted", "specialties"}}
    return {**kept, "specialties": []}


def test_every_page_carries_the_policy_and_stays_in_no_cache(invited, every_page):
    for path in every_page:
        headers = invited.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"], path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["Cache-Control"] == "no-store", path
        assert headers["Referrer-Policy"] == "no-referrer", path


def test_no_page_has_a_script_or_a_style_inside(invited, every_page):
    for path in every_page:
        for tag, attributes in Reading(invited.get(path).text).elements:
            assert tag != "style", path
            assert "style" not in attributes, path
            assert not [name for name in attributes if EVENT.match(name)], path
            assert tag != "script" or attributes.get("src"), path


def test_no_page_loads_anything_from_elsewhere(invited, every_page):
    for path in every_page:
        page = Reading(invited.get(path).text)
        loaded = [*page.values("src"), *page.values("href", "link"), *page.values("action"), *page.values("srcset")]
        assert loaded, path
        assert [address for address in loaded if not re.match("/[^/]", address)] == [], path


def test_every_page_loads_files_that_are_there(invited, every_page):
    for path in every_page:
        page = Reading(invited.get(path).text)
        for file in [*page.values("src"), *page.values("href", "link")]:
            assert invited.browser.get(file, buffered=True).status_code == 200, file


def test_looking_changes_nothing(invited, every_page):
    before = rows(invited.app)
    for path in every_page:
        invited.get(path)
        invited.browser.head(path)
    assert rows(invited.app) == before
    invited.post(invited.answer_link(ANNA), {"answer": "accepted"})
    assert rows(invited.app) != before, "the comparison sees a change"


def test_a_form_without_its_token_is_refused_and_does_nothing(invited, every_page):
    before = rows(invited.app)
    forms = [path for path in every_page if 'name="csrf_token"' in invited.get(path).text]
    assert len(forms) == 3, "registration, confirmation, invitation"
    for path in forms:
        for token in ({}, {"csrf_token": "invented"}):
            fields = applicant(answer="accepted") | token
            answer = invited.browser.post(path, data=fields, headers={"Accept": "text/html"})
            assert answer.status_code == 400, path
            assert "load the page again" in answer.text
    assert rows(invited.app) == before


def test_a_token_of_another_browser_is_refused(invited):
    stolen = token_in(invited.app.test_client().get(invited.answer_link(ANNA)).text)
    invited.get("/register/paed")
    fields = {"csrf_token": stolen, "answer": "accepted"}
    assert invited.browser.post(invited.answer_link(ANNA), data=fields).status_code == 400


def test_a_program_that_was_given_a_link_needs_no_token_of_a_form(invited):
    program = invited.app.test_client(use_cookies=False)
    before = rows(invited.app)
    assert program.post("/register/paed", data=applicant()).status_code == 400, "a form without a secret address"
    assert rows(invited.app) == before
    assert program.post(invited.answer_link(ANNA), data={"answer": "accepted"}).status_code == 303
    assert rows(invited.app) != before


def test_the_api_asks_for_no_token_of_a_form(site):
    entered = {**form_to_entry(applicant()), "network": "paed"}
    assert site.browser.post("/api/v1/registrations", json=entered).status_code == 202


@pytest.mark.parametrize(("public_url", "secure"), [("http://127.0.0.1:8000", False), ("https://net.example", True)])
def test_the_cookie_is_out_of_reach_of_scripts_and_foreign_forms(site, settings, tmp_path, public_url, secure):
    app = create_app(replace(settings, public_url=public_url), clock=site.clock, var=tmp_path)
    cookie = app.test_client().get("/register/paed", base_url=public_url).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) == secure
    with app.app_context():
        db.engine.dispose()


def test_a_page_without_a_form_sets_no_cookie(site):
    assert "Set-Cookie" not in site.get("/").headers


def harmless(page):
    """The hostile text is shown, as text; and no element came of it."""
    reading = Reading(page)
    assert HOSTILE in reading.text or HOSTILE in reading.values("value"), "it is shown"
    assert "<script>alert" not in page
    assert not [tag for tag, found in reading.elements if tag == "img" or "onerror" in found]


@pytest.mark.parametrize(
    "field",
    [
        *("given_name", "family_name", "email", "phone", "profession", "specialties", "hospital_name"),
    ],
)
def test_hostile_text_in_a_field_comes_back_as_text(site, field):
    fields = applicant(hospital="", country="", **{field: HOSTILE})
    if field == "specialties":
        fields["specialties"] = HOSTILE
    answer = site.post("/register/paed", fields)
    assert answer.status_code == 422
    harmless(answer.text)


@pytest.mark.parametrize(
    "field", ["hospital", "country", "language", "time_zone", "share", "privacy_version", "altcha", "answer", "unknown"]
)
def test_hostile_text_in_a_choice_does_nothing(site, field):
    page = site.post("/register/paed", applicant(email="", **{field: HOSTILE})).text
    assert "<script>alert" not in page
    assert "49" not in Reading(page).values("value")


def test_hostile_names_of_people_and_things_are_text_wherever_they_are_shown(empty_site):
    named = HOSTILE[:100]
    with empty_site.app.app_context():
        directory.add_network(
            {"code": "paed", "name": HOSTILE, "helpdesk_hours": HOSTILE, "funding_line": HOSTILE}, by=HELPDESK
        )
        for kind in ("privacy", "guide"):
            directory.publish_notice(notice(kind, title=HOSTILE, body=HOSTILE), by=HELPDESK)
        hospital = {"code": "h", "name": HOSTILE, "city": HOSTILE, "country": "PT", "time_zone": "Europe/Lisbon"}
        directory.add_hospital({**hospital, "networks": ["paed"]}, by=HELPDESK)
        add_round("paed", code="brain", name=HOSTILE)
        _, secret = access.create(role="helpdesk", by=HELPDESK)
        person = form_to_entry(applicant(given_name=named, family_name=named, hospital="h"))
        joining.register({**person, "network": "paed"})
        registration = db.session.query(Registration).one()
        paths = [f"/notices/{found.id}" for found in db.session.query(Notice)]
        paths.append(f"/confirm/{links.token('confirm', registration.id)}")
    for path in ["/", "/register", "/register/paed", "/registered/paed", *paths]:
        harmless(empty_site.get(path, Authorization=f"Bearer {secret}").text)


def test_a_hostile_group_and_person_are_text_on_the_invitation(site):
    with site.app.app_context():
        group = expert_groups.by_code("brain")
        directory.change_group(group.id, {"name": HOSTILE}, by=HELPDESK)
        anna = clinicians.by_email(ANNA)
        joining.change(anna.id, {"given_name": HOSTILE[:100]}, by=HELPDESK)
        ask_for_a_panel()
    site.work()
    harmless(site.get(site.answer_link(ANNA)).text)


def test_the_search_for_harm_finds_it():
    shown = html.escape(HOSTILE)
    for harm in (HOSTILE, f"{shown}<img src=x>", f"{shown}<b onerror=1>", "nothing of it"):
        with pytest.raises(AssertionError):
            harmless(f"<p>{harm}</p>")
    harmless(f"<p>{shown}</p>")


def test_a_problem_shows_what_was_asked_for_as_text(site):
    page = site.get("/register/<script>alert(1)</script>")
    assert page.status_code == 404
    assert "<script>alert" not in page.text


def test_a_path_that_nobody_knows_is_a_page_for_a_browser(site):
    page = site.get("/nowhere")
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert "To the front page" in page.text
