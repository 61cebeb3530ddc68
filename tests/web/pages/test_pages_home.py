"""The front page and the notices: public facts for everybody, rounds only for who may see them."""

from __future__ import annotations

from contextlib import contextmanager

from sqlalchemy import event, select

from conference_orchestrator.flows import access, directory
from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.notices import Notice
from tests.house import HELPDESK
from tests.web.pages.visiting import ANNA, add_round, notice


@contextmanager
def queries_of(app):
    """Collects the statements that the block sends to the database."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, _parameters, _context, _many):
        sent.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def with_token(site, **scope):
    """The header of somebody with that role and scope."""
    with site.app.app_context():
        _, secret = access.create(by=HELPDESK, **scope)
    return {"Authorization": f"Bearer {secret}"}


def notice_of(site, kind):
    with site.app.app_context():
        found = db.session.scalars(select(Notice).where(Notice.kind == kind).order_by(Notice.created_at.desc())).first()
        return f"/notices/{found.id}"


def test_an_empty_installation_says_how_to_load_a_network(empty_site):
    page = empty_site.get("/")
    assert page.status_code == 200
    assert "conference-orchestrator load config/paedcan.toml" in page.text
    assert "Register as a clinician" not in page.text


def test_a_network_stands_there_with_its_documents_and_the_way_to_register(site):
    page = site.get("/").text
    assert "Paediatric Tumours Network" in page
    assert f'href="{notice_of(site, "factsheet")}"' in page
    assert 'href="/register/paed"' in page
    assert "conference-orchestrator load" not in page


def test_a_notice_without_a_network_stands_apart(site):
    with site.app.app_context():
        directory.publish_notice(notice("guide", network=None, title="How to prepare a case"), by=HELPDESK)
    page = site.get("/").text
    assert page.index("Documents for everybody") < page.index("How to prepare a case")


def test_a_stranger_sees_neither_rounds_nor_people(invited):
    page = invited.get("/").text
    assert "Brain Tumour" not in page
    assert "Free slots" not in page
    assert "Ferrer" not in page
    assert ANNA not in page


def test_who_may_see_rounds_sees_the_next_session_by_the_clock_of_its_zone(site):
    page = site.get("/", **with_token(site, role="helpdesk")).text
    assert "Brain Tumour" in page
    assert "Tuesday 24 November 2026, 11:00-11:40" in page
    assert "Europe/Paris" in page
    assert "2 of 2" in page


def test_a_slot_that_is_taken_is_not_free(invited):
    assert "1 of 2" in invited.get("/", **with_token(invited, role="helpdesk")).text


def test_somebody_of_another_network_does_not_see_the_round(site):
    with site.app.app_context():
        directory.add_network({"code": "other", "name": "Another Network"}, by=HELPDESK)
    page = site.get("/", **with_token(site, role="auditor", network="other")).text
    assert "Another Network" in page
    assert "Brain Tumour" not in page


def test_twenty_networks_with_rounds_take_no_more_queries_than_one(site):
    helpdesk = with_token(site, role="helpdesk")
    site.get("/", **helpdesk)
    with queries_of(site.app) as for_one:
        site.get("/", **helpdesk)
    with site.app.app_context():
        for number in range(20):
            directory.add_network({"code": f"n{number}", "name": f"Network {number}"}, by=HELPDESK)
            directory.publish_notice(notice("factsheet", network=f"n{number}"), by=HELPDESK)
            add_round(f"n{number}", code=f"g{number}", name=f"Group {number}")
    with queries_of(site.app) as for_many:
        page = site.get("/", **helpdesk).text
    assert page.count("2 of 2") == 21
    assert len([one for one in for_many if one.lstrip().startswith("SELECT")]) <= 12
    assert len(for_many) == len(for_one)


def test_a_notice_is_public_with_its_version_and_its_paragraphs(site):
    page = site.get(notice_of(site, "privacy")).text
    assert "The privacy of the network" in page
    assert "2026-01" in page
    assert "Thursday 1 January 2026" in page
    assert "<p>What the privacy says.</p>" in page
    assert "<p>And a second paragraph,\nwith a second line.</p>" in page


def test_a_notice_in_another_language_says_so_to_a_screen_reader(site):
    with site.app.app_context():
        directory.publish_notice(notice("guide", language="de", title="Leitfaden"), by=HELPDESK)
    page = site.get(notice_of(site, "guide")).text
    assert '<div class="prose" lang="de"' in page
    assert "Deutsch" in page


def test_a_notice_that_lies_elsewhere_is_linked_without_telling_where_one_comes_from(site):
    with site.app.app_context():
        elsewhere = notice("consent-form", body=None, link="https://documents.example/form.pdf")
        directory.publish_notice(elsewhere, by=HELPDESK)
    page = site.get(notice_of(site, "consent-form")).text
    assert '<a href="https://documents.example/form.pdf" rel="noopener noreferrer">' in page


def test_an_unknown_notice_is_a_page_that_says_so(site):
    page = site.get("/notices/00000000-0000-4000-8000-000000000000")
    assert page.status_code == 404
    assert "There is no such notice." in page.text
