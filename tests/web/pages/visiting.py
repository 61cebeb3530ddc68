"""What the pages are shown with: one network, a round and a panel that is ready; and the browser that looks at them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from html.parser import HTMLParser
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from conference_orchestrator.app import engine_of
from conference_orchestrator.flows import arranging, directory, joining, panels
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.notify.languages import translations
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

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.browser.get(path, headers={"Accept": "text/html", **headers})

    def post(self, path: str, fields: dict[str, object], **headers: str) -> TestResponse:
        """Send the form that stands on the page of the same address."""
        fields = {"csrf_token": token_in(self.get(path).text), **fields}
        return self.browser.post(path, data=fields, headers={"Accept": "text/html", **headers})

    def work(self) -> None:
        """Do what the commits so far brought about."""
        engine_of(self.app).run_due()

    def answer_link(self, email: str) -> str:
        """The path of the person's invitation."""
        person = select(Clinician.id).where(Clinician.email == email)
        with self.app.app_context():
            found = db.session.scalars(select(Invitation).where(Invitation.clinician_id.in_(person))).one()
            return f"/i/{links.token('answer', found.id)}"


class Reading(HTMLParser):
    """A page taken apart: its elements with their attributes, and its text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str, tag: str | None = None) -> list[str]:
        """The values of an attribute, wherever it stands or in elements of one kind."""
        return [found[attribute] or "" for name, found in self.elements if attribute in found and tag in {None, name}]

    def field(self, name: str) -> dict[str, str | None]:
        """The attributes of the field of that name."""
        return next(found for tag, found in self.elements if tag in FIELDS and found.get("name") == name)

    def chosen(self) -> list[str]:
        """The values of the options that are selected and the boxes that are ticked."""
        return [found.get("value") or "" for _, found in self.elements if {"selected", "checked"} & found.keys()]


FIELDS = {"input", "select", "textarea"}


def speaking(site: Site, language: str, **more: str) -> None:
    """Have every clinician read that language, by its BCP 47 tag."""
    with site.app.app_context(), transaction():
        db.session.execute(update(Clinician).values(language=language, **more))


def says(page: str, language: str, *texts: str) -> bool:
    """Whether each of the texts stands there in that language, and the page says which it is."""
    return f'<html lang="{language}">' in page and all(
        escape(translations(language).gettext(one)) in page for one in texts
    )


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, "the page has a form with a token"
    return found[1]


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
    group = add_round("paed", code="brain", name="Brain Tumour")
    directory.add_member(group, ANNA, role="expert", discipline="neurosurgery", by=HELPDESK)
    return group


def add_round(network: str, *, code: str, name: str) -> UUID:
    """A group that meets every Tuesday at 11:00 in Paris, with two slots; its id."""
    group = directory.add_group(
        {"network": network, "code": code, "name": name, "time_zone": "Europe/Paris", "intake": "pre-selection"},
        by=HELPDESK,
    )
    weekly = {
        "rule": "FREQ=WEEKLY;BYDAY=TU",
        "starts_on": date(2026, 11, 24),
        "start_time": time(11, 0),
        "time_zone": "Europe/Paris",
        "slots": 2,
        "slot_minutes": 20,
    }
    arranging.define_series(group.id, weekly, by=HELPDESK)
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


def rows(app: Flask) -> dict[str, list[tuple[object, ...]]]:
    """Everything that the database holds, table by table."""
    with app.app_context():
        found = {
            table.name: sorted(map(tuple, db.session.execute(select(table))), key=str)
            for table in Model.metadata.sorted_tables
        }
        db.session.rollback()
        return found


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
