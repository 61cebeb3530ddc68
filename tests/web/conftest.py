"""A small world behind the real application: a network with people, a group with a round, and a token per role."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from conference_orchestrator import migrations
from conference_orchestrator.app import create_app
from conference_orchestrator.flows import access
from conference_orchestrator.kernel.database import db
from conference_orchestrator.settings import Settings
from tests.house import StandingClock, applicant, notice

ROLES = ("anonymous", "clinician", "coordinator", "reference-centre", "helpdesk", "auditor")


@dataclass
class Service:
    """The service as a client sees it."""

    app: Flask
    clock: StandingClock
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def ask(self, method: str, path: str, *, by: str = "helpdesk", **more: Any) -> TestResponse:
        """Send one request below /api/v1 with the token of the role."""
        headers = dict(more.pop("headers", {}))
        if by != "anonymous":
            headers.setdefault("Authorization", f"Bearer {self.tokens[by]}")
        path = path if path.startswith(("/api/", "/health")) else f"/api/v1{path}"
        return self.client().open(path.format(**self.ids), method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.ask("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.ask("POST", path, json={} if json is None else json, **more)

    def patch(self, path: str, json: Any, **more: Any) -> TestResponse:
        return self.ask("PATCH", path, json=json, **more)

    def made(self, path: str, json: Any, **more: Any) -> dict[str, Any]:
        """The thing that a POST made."""
        answer = self.post(path, json, **more)
        assert answer.status_code in {200, 201}, answer.get_data(as_text=True)
        return dict(answer.json or {})

    def token(self, role: str, **scope: Any) -> str:
        with self.app.app_context():
            _, secret = access.create(role=role, **scope)
        return secret


def person(name: str, **changes: Any) -> dict[str, Any]:
    """A clinician to be entered."""
    entered = applicant(email=f"{name}@szpital.example", given_name=name.capitalize(), privacy_version=None)
    return entered | changes


def request_for(service: Service, **changes: Any) -> dict[str, Any]:
    """A complete consultation request."""
    return {
        "group": "brain",
        "case_reference": "CPMS-1",
        "question": "Which therapy?\nThank you.",
        "urgency": "routine",
        "consent_confirmed": True,
        "checklist": {"report": True},
        "imaging": [{"modality": "MR", "acquired_on": "2026-11-01", "image_count": 120}],
        "requester": service.ids["requester"],
    } | changes


HOSPITAL = {
    "name": "Szpital",
    "city": "Warszawa",
    "country": "PL",
    "time_zone": "Europe/Warsaw",
    "is_reference_centre": True,
    "networks": ["covid"],
}
GROUP = {
    "network": "covid",
    "code": "brain",
    "name": "Brain Tumour",
    "time_zone": "Europe/Berlin",
    "intake": "pre-selection",
    "quorum": {"minimum": 1, "disciplines": ["pathology"]},
    "checklist": [{"code": "report", "label": "Pathology report", "kind": "flag"}],
}
ROUND = {
    "rule": "FREQ=WEEKLY;BYDAY=TU",
    "starts_on": "2026-09-01",
    "start_time": "11:00",
    "time_zone": "Europe/Berlin",
    "slots": 2,
    "slot_minutes": 20,
}
WEBINAR = {
    "hospital": "warsaw",
    "kind": "webinar",
    "topic": "Lessons",
    "language": "en",
    "duration_minutes": 60,
    "expected_audience": 30,
}


def served(url: str, folder: Path, **settings: Any) -> Service:
    """The service on the database, with a clock that stands and nobody who works on tasks."""
    migrations.upgrade(url)
    clock = StandingClock()
    secrets = {"secret_key": "only-for-tests", "mail_from": "Helpdesk <helpdesk@network.example>"}
    app = create_app(Settings(database_url=url, **secrets | {"captcha": "off"} | settings), clock=clock, var=folder)
    service = Service(app, clock)
    service.tokens["helpdesk"] = service.token("helpdesk")
    return service


def fill(service: Service) -> None:
    """Through the API, so that the world is one that a user can make."""
    ids = service.ids
    ids["network"] = service.made("/networks", {"code": "covid", "name": "COVID19 Clinicians Network"})["id"]
    ids["other_network"] = service.made("/networks", {"code": "other", "name": "Another network"})["id"]
    for kind in ("privacy", "factsheet", "instructions"):
        ids[kind] = service.made("/notices", notice(kind))["id"]
    ids["hospital"] = service.made("/hospitals", HOSPITAL | {"code": "warsaw"})["id"]
    ids["other_hospital"] = service.made("/hospitals", HOSPITAL | {"code": "lublin"})["id"]
    ids["requester"] = service.made("/clinicians", person("requester", share=[]))["id"]
    ids["expert"] = service.made("/clinicians", person("expert", hospital="lublin", share=[]))["id"]
    ids["colleague"] = service.made("/clinicians", person("colleague", hospital="lublin", share=["email"]))["id"]
    ids["stranger"] = service.made("/clinicians", person("stranger", network="other", share=["email"]))["id"]
    ids["group"] = service.made("/expert-groups", GROUP)["id"]
    ids["other_group"] = service.made("/expert-groups", GROUP | {"code": "ewing", "network": "other"})["id"]
    member = {"clinician": ids["expert"], "role": "expert", "discipline": "pathology"}
    service.made("/expert-groups/{group}/members", member)
    ids["series"] = service.made("/expert-groups/{group}/series", ROUND)["id"]
    session = service.get("/sessions").json["items"][0]
    ids["session"], ids["slot"] = session["id"], session["slots"][0]["id"]
    ids["request"] = service.made("/consultation-requests", request_for(service))["id"]
    ids["webinar"] = service.made("/webinar-requests", WEBINAR)["id"]
    service.made("/consultation-requests/{request}/triage", {"decision": "accept"})
    service.made("/consultation-requests/{request}/allocation", {"slot": ids["slot"]})
    ids["conference"] = service.get("/sessions/{session}").json["conference"]
    ids["replan"] = service.made("/replans", {"group": "brain"})["id"]
    ids["host"] = service.made("/host-accounts", {"provider": "mock", "email": "host@network.example"})["id"]
    ids["delivery"] = service.get("/deliveries?clinician={requester}").json["items"][0]["id"]
    service.post("/registrations", applicant(email="new@szpital.example"), by="anonymous")
    ids["registration"] = service.get("/registrations").json["items"][0]["id"]
    service.tokens |= {
        "clinician": service.token("clinician", clinician=UUID(ids["requester"])),
        "coordinator": service.token("coordinator", group="brain"),
        "reference-centre": service.token("reference-centre", hospital="warsaw"),
        "auditor": service.token("auditor"),
    }
    ids["token"] = next(t["id"] for t in service.get("/tokens").json["items"] if t["role"] == "helpdesk")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Service]:
    """The file of a filled database, and the service that filled it: made once, copied for each test."""
    file = tmp_path_factory.mktemp("world") / "web.db"
    service = served(f"sqlite:///{file}", file.parent)
    fill(service)
    close(service)
    return file, service


def _copied(world: tuple[Path, Service], folder: Path) -> Service:
    file, filled = world
    shutil.copy(file, folder / "web.db")
    copy = served(f"sqlite:///{folder / 'web.db'}", folder)
    copy.tokens, copy.ids = dict(filled.tokens), dict(filled.ids)
    return copy


@pytest.fixture(scope="session")
def shared(world: tuple[Path, Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A world for tests that change nothing in it that another one asks for."""
    service = _copied(world, tmp_path_factory.mktemp("shared"))
    yield service
    close(service)


@pytest.fixture
def service(world: tuple[Path, Service], tmp_path: Path) -> Iterator[Service]:
    """A world of the test's own."""
    service = _copied(world, tmp_path)
    yield service
    close(service)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own whose anonymous forms are guarded by the captcha."""
    built = served(f"sqlite:///{tmp_path / 'web.db'}", tmp_path, captcha="on")
    built.made("/networks", {"code": "covid", "name": "COVID19 Clinicians Network"})
    built.made("/hospitals", HOSPITAL | {"code": "warsaw"})
    for kind in ("privacy", "factsheet", "instructions"):
        built.made("/notices", notice(kind))
    yield built
    close(built)


def close(service: Service) -> None:
    with service.app.app_context():
        db.session.remove()
        db.engine.dispose()
