"""A webinar with one place, over HTTP: asked for, approved, registered for, attended, and accounted for.

The service, the sandbox and a mail server talk over loopback; the service and the sandbox go by one clock, which the
test moves on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from conference_orchestrator.app import create_app, engine_of
from conference_orchestrator.flows import access
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.jobs import timetable
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from conference_orchestrator.settings import Settings
from tests.house import StandingClock
from tests.journeys.mailbox import Mailbox
from tests.journeys.service import Api, free_port, link_in
from tests.journeys.stage import csrf_in

START = datetime(2026, 12, 3, 15, 0, tzinfo=UTC)
SPEAKER, INES, RUI, VERA = (f"{name}@hospital.example" for name in ("speaker", "ines", "rui", "vera"))
HOST = "host.one@conference.example"


@dataclass
class World:
    app: Flask
    clock: StandingClock
    sandbox: RunningSandbox
    mailbox: Mailbox
    desk: Api
    centre: Api
    anonymous: Api

    def work(self) -> None:
        engine_of(self.app).run_due()

    def tick(self, name: str) -> None:
        with self.app.app_context():
            timetable.tick(name)
        self.work()

    def open_and_send(self, link: str, **fields: str) -> str:
        """Open the page and send its form as a browser would; what it shows then."""
        token = csrf_in(self.anonymous.raw("GET", link).text)
        return self.anonymous.raw("POST", link, data={"csrf_token": token, **fields}).text


@pytest.fixture
def world(both_schemas: str, mailbox: Mailbox, tmp_path: Path) -> Iterator[World]:
    clock, port = StandingClock(), free_port()
    settings = Settings(
        database_url=both_schemas,
        secret_key="k" * 32,
        public_url=f"http://127.0.0.1:{port}",
        smtp_url=mailbox.url,
        mail_from="Helpdesk <helpdesk@conference.example>",
        captcha="off",
        provider="webex",
        webex_token="token-of-the-house",
    )
    app = create_app(settings, clock=clock, var=tmp_path)
    server = make_server("127.0.0.1", port, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    with RunningSandbox(now=clock.now) as sandbox:
        webex = WebexProvider(sandbox.url, "token-of-the-house", is_admin=True, now=clock.now)
        provider_named.fill(app, lambda _: webex)
        serving.start()
        try:
            yield furnished(app, clock, sandbox, mailbox, settings.public_url)
        finally:
            server.shutdown()
            serving.join()
            server.server_close()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def furnished(app: Flask, clock: StandingClock, sandbox: RunningSandbox, mailbox: Mailbox, url: str) -> World:
    """A network with a reference centre and four clinicians, all but Vera radiologists."""

    def caller(role: str, **scope: Any) -> Api:
        with app.app_context():
            return Api(url, access.create(role=role, **scope)[1])

    desk = caller("helpdesk")
    desk.post("/networks", {"code": "paed", "name": "Paediatric Tumours Network"})
    place = {"name": "Hospital do Mar", "city": "Porto", "country": "PT", "time_zone": "Europe/Lisbon"}
    desk.post("/hospitals", {"code": "porto", "is_reference_centre": True, "networks": ["paed"], **place})
    desk.post("/host-accounts", {"provider": "webex", "email": HOST})
    for address in (SPEAKER, INES, RUI, VERA):
        person = {
            "network": "paed",
            "hospital": "porto",
            "given_name": address.partition("@")[0].capitalize(),
            "family_name": "Ávila",
            "email": address,
            "profession": "physician",
            "specialties": [] if address == VERA else ["radiology"],
            "language": "en",
            "time_zone": "Europe/Lisbon",
        }
        desk.post("/clinicians", person)
    centre = caller("reference-centre", hospital="porto")
    return World(app, clock, sandbox, mailbox, desk, centre, Api(url, None))


def test_a_webinar_from_the_request_to_the_list_of_who_came(world: World) -> None:
    asked = world.centre.post(
        "/webinar-requests",
        {
            "hospital": "porto",
            "kind": "webinar",
            "topic": "Late effects",
            "language": "en",
            "duration_minutes": 60,
            "expected_audience": 20,
            "speakers": [SPEAKER],
            "audience": {"specialties": ["radiology"]},
            "capacity": 1,
        },
    )
    path = f"/webinar-requests/{asked['id']}"
    world.desk.post(f"{path}/approval", {"starts_at": START.isoformat()})
    world.work()
    (meeting,) = world.sandbox.meetings()
    assert [(one["email"], one["panelist"]) for one in meeting["invitees"]] == [(SPEAKER, True)]
    assert world.sandbox.mails == [], "the provider mails nobody"

    invited = {mail.to: mail for mail in world.mailbox.await_kind("invitation", 3)}
    assert invited.keys() == {SPEAKER, INES, RUI}
    join = link_in(invited[SPEAKER].text, "/join/")
    for address in (INES, RUI):
        assert "Places are limited." in invited[address].text
        assert join not in str(invited[address].message)
        assert "url" not in invited[address].event.contents

    assert "You have a place." in world.open_and_send(link_in(invited[INES].text, "/i/"), answer="accepted")
    page = world.open_and_send(link_in(invited[RUI].text, "/i/"), answer="accepted")
    assert "You are number 1 on the waiting list." in page
    world.work()
    (update,) = world.mailbox.await_kind("invitation-update", 1)
    assert (update.to, update.sequence, update.uid) == (INES, 1, invited[INES].uid)
    assert (link_in(update.text, "/join/"), update.event.url.value) == (join, join)

    answer = world.centre.get(path)
    assert answer["registrations"] == {"registered": 1, "waiting": 1, "capacity": 1}
    for address in (VERA, "nobody@hospital.example"):
        assert "an invitation is on its way" in world.open_and_send(answer["registration_url"], email=address)
    world.work()
    assert [mail.to for mail in world.mailbox.await_kind("invitation", 4)[3:]] == [VERA]

    attend(world, join, "Inês (Porto)", INES)
    attendance = f"/conferences/{answer['conference']}/attendance"
    assert world.centre.get(attendance) == {"state": "not-over", "items": [], "total": 0}
    world.clock.at = START + timedelta(minutes=65)
    world.tick("gather-attendance")
    assert world.centre.get(attendance)["state"] == "gathering"
    world.clock.at = START + timedelta(minutes=80)
    world.tick("gather-attendance")
    found = world.centre.get(attendance)
    assert (found["state"], found["total"]) == ("complete", 1)
    (one,) = found["items"]
    assert (one["name"], one["email"], one["minutes"]) == ("Ines Ávila", INES, 40)
    assert (one["joined_at"], one["left_at"]) == ("2026-12-03T15:00:00Z", "2026-12-03T15:40:00Z")


def attend(world: World, join: str, name: str, email: str) -> None:
    """Come in by the link as it stands in the mail, and leave forty minutes later."""
    world.clock.at = START
    room = requests.post(join, data={"name": name, "email": email}, timeout=30)
    assert room.status_code == 200
    world.clock.move_on(timedelta(minutes=40))
    assert requests.post(room.url, data={"leave": "me"}, timeout=30).status_code == 200
