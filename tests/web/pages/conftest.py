"""A whole application with one network, a round, a panel that is ready, and a browser that looks at its pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from conference_orchestrator import migrations
from conference_orchestrator.app import create_app, engine_of
from conference_orchestrator.flows import directory, joining, panels, rounds
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.settings import Settings
from tests.house import HELPDESK, StandingClock

# What a page must show as text; each would do something if one of them did not.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"
ANNA, BRUNO = "anna@clinica.example", "bruno@ospedale.example"


@dataclass
class Site:
    """The application, its clock, and a browser that keeps cookies and asks for HTML."""

    app: Flask
    clock: StandingClock
    browser: FlaskClient

    def get(self, path: str, **options: object) -> TestResponse:
        return self.browser.get(path, headers={"Accept": "text/html", **options.pop("headers", {})}, **options)

    def post(self, path: str, fields: dict[str, object], *, seen_at: str | None = None) -> TestResponse:
        """Send the form that stands on the page `seen_at`, by default on the page of the same address."""
        fields = {"csrf_token": token_in(self.get(seen_at or path).text), **fields}
        return self.browser.post(path, data=fields, headers={"Accept": "text/html"})

    def work(self) -> None:
        """Do what the commits so far brought about."""
        engine_of(self.app).run_due()

    def answer_link(self, email: str) -> str:
        """The path of the person's invitation."""
        person = select(Clinician.id).where(Clinician.email == email)
        with self.app.app_context():
            found = db.session.scalars(select(Invitation).where(Invitation.clinician_id.in_(person))).one()
            return f"/i/{links.token('answer', found.id)}"


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, "the page has a form with a token"
    return found[1]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        secret_key="only-for-tests",
        database_url=f"sqlite:///{tmp_path / 'site.db'}",
        mail_from="Helpdesk <helpdesk@network.example>",
        captcha="off",
    )


@pytest.fixture
def empty_site(settings: Settings, tmp_path: Path) -> Iterator[Site]:
    """Nothing is loaded yet."""
    clock = StandingClock()
    app = create_app(settings, clock=clock, var=tmp_path)
    with app.app_context():
        migrations.metadata()
        Model.metadata.create_all(db.engine)
    yield Site(app, clock, app.test_client())
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def site(empty_site: Site) -> Site:
    """A network with notices, a hospital, and a group with a weekly round and two members."""
    with empty_site.app.app_context():
        furnish()
    empty_site.work()
    return empty_site


@pytest.fixture
def invited(site: Site) -> Site:
    """Anna is invited as an expert, Bruno as the requester of a case."""
    with site.app.app_context():
        ask_for_a_panel()
    site.work()
    return site


def furnish() -> UUID:
    """The network `paed`; the id of its group."""
    network = {
        "code": "paed",
        "name": "Paediatric Tumours Network",
        "helpdesk_address": "helpdesk@paed.example",
        "helpdesk_hours": "7/7, 08.00-21.00",
    }
    directory.add_network(network, by=HELPDESK)
    for kind in ("privacy", "factsheet", "instructions"):
        directory.publish_notice(notice(kind), by=HELPDESK)
    directory.add_hospital(
        {
            "code": "porto",
            "name": "Hospital do Mar",
            "city": "Porto",
            "country": "PT",
            "time_zone": "Europe/Lisbon",
            "is_reference_centre": True,
            "networks": ["paed"],
        },
        by=HELPDESK,
    )
    for person in (
        {"given_name": "Anna", "family_name": "Ferrer", "email": ANNA, "time_zone": "Europe/Lisbon"},
        {"given_name": "Bruno", "family_name": "Costa", "email": BRUNO, "time_zone": "Europe/Paris"},
    ):
        joining.enter(
            {"network": "paed", "hospital": "porto", "profession": "oncologist", "language": "en", **person},
            by=HELPDESK,
        )
    group = directory.add_group(
        {
            "network": "paed",
            "code": "brain",
            "name": "Brain Tumour",
            "time_zone": "Europe/Paris",
            "intake": "pre-selection",
        },
        by=HELPDESK,
    )
    directory.add_member(group.id, ANNA, role="expert", discipline="neurosurgery", by=HELPDESK)
    weekly = {
        "rule": "FREQ=WEEKLY;BYDAY=TU",
        "starts_on": date(2026, 11, 24),
        "start_time": time(11, 0),
        "time_zone": "Europe/Paris",
        "slots": 2,
        "slot_minutes": 20,
    }
    rounds.define_series(group.id, weekly, by=HELPDESK)
    return group.id


def notice(kind: str, **changes: object) -> dict[str, object]:
    return {
        "network": "paed",
        "kind": kind,
        "language": "en",
        "version": "2026-01",
        "valid_from": "2026-01-01T00:00:00Z",
        "title": f"The {kind} of the network",
        "body": f"What the {kind} says.\n\nAnd a second paragraph,\nwith a second line.",
    } | changes


def ask_for_a_panel() -> None:
    """Bruno's case gets the first slot of tomorrow's session."""
    asked = panels.submit(
        {
            "group": "brain",
            "requester": BRUNO,
            "case_reference": "CPMS-4711",
            "question": "Is surgery an option?",
            "urgency": "routine",
            "consent_confirmed": True,
        },
        by=HELPDESK,
    )
    panels.triage(asked.request.id, "accept", by=HELPDESK)
    panels.allocate(asked.request.id, by=HELPDESK)


def applicant(**changes: object) -> dict[str, object]:
    """What somebody types into the form."""
    return {
        "given_name": "Łucja",
        "family_name": "Großmann-Réné",
        "email": "lucja@szpital.example",
        "phone": "+48 22 555 0101",
        "hospital": "porto",
        "profession": "physician",
        "specialties": "intensive care, neurology",
        "language": "en",
        "time_zone": "Europe/Warsaw",
        "share": ["email"],
        "privacy_version": "2026-01",
        "privacy_accepted": "yes",
    } | changes
