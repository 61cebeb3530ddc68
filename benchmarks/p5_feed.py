"""P5: a calendar of 575 events, as a program reads it again and again: the first time, and when nothing has changed.

The limit answers from a Flask application that does nothing else: the first time with the same bytes, ready-made; to
the look it says 304 once SQLAlchemy has read the row that tells whether the address is still good. Both are called as a
WSGI server calls them, without a network.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import Flask, Response, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, select
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from benchmarks.p3_year_of_rounds import application, define_round, new_groups
from benchmarks.report import ROUNDS, Goal, Measured, WrongOutcome, end_in_order, table
from conference_orchestrator import logs
from conference_orchestrator.flows import feeding, joining
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import CalendarObject, Invitation, Method
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.feeds import Feed
from conference_orchestrator.network.networks import Network
from conference_orchestrator.scheduling.conferences import Conference, Kind
from conference_orchestrator.scheduling.sessions import Session
from conference_orchestrator.settings import Settings
from tests import postgres

EVENTS = 575
READS, LOOKS = 20, 1000
FIRST, UNCHANGED = Goal(ours_at_least=20), Goal(ours_at_least=1000)
HELPDESK = Principal(role=Role.HELPDESK)
PUBLIC_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Reader:
    """A program that asks an application for one address."""

    app: Callable[..., Any]
    path: str

    def get(self, etag: str | None = None) -> tuple[int, Mapping[str, str], bytes]:
        """The answer: status, headers and body."""
        said: list[Any] = []
        environ = {**_asking(self.path, etag), "wsgi.input": BytesIO()}
        # As in a thread of the server: nothing of this program's application, nor of its connection, is at hand.
        answer = Context().run(self.app, environ, lambda *begun: said.extend(begun))
        body = b"".join(answer)
        answer.close()
        return int(said[0].partition(" ")[0]), dict(said[1]), body

    def each_second(self, times: int, etag: str | None = None) -> float:
        """How many such answers it gets each second, one after the other."""
        expected = HTTPStatus.NOT_MODIFIED if etag else HTTPStatus.OK
        began = time.perf_counter()
        statuses = {self.get(etag)[0] for _ in range(times)}
        seconds = time.perf_counter() - began
        if statuses != {expected}:
            raise WrongOutcome(f"The calendar is to be answered with {expected}, not {statuses}.")
        return times / seconds


@cache
def _asking(path: str, etag: str | None) -> Mapping[str, Any]:
    """What a server makes of such a request: its work, not an application's."""
    return EnvironBuilder(path, PUBLIC_URL, headers=Headers({"If-None-Match": etag} if etag else {})).get_environ()


def measure(server_url: str, *, events: int = EVENTS, reads: int = READS, looks: int = LOOKS) -> list[Measured]:
    """On SQLite and on PostgreSQL, the first reading and the look that finds nothing new; answers each second."""
    # Each request is logged, as in the service; nobody reads it here.
    logs.configure(Settings(log_format="json"))
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        return [
            one
            for name in ("SQLite", "PostgreSQL")
            for one in _measure(name, server_url, events=events, reads=reads, looks=looks)
        ]


def _measure(name: str, server_url: str, *, events: int, reads: int, looks: int) -> Iterator[Measured]:
    with stage(name, server_url, events=events) as (ours, limit, etag):
        for how, times, tag, goal in (("first", reads, None, FIRST), ("unchanged", looks, etag, UNCHANGED)):
            pairs = [(ours.each_second(times, tag), limit.each_second(times, tag)) for _ in range(ROUNDS)]
            taken, ready = zip(*pairs, strict=True)
            work = f"a calendar of {events} events, {how}, {name}"
            yield Measured(row="P5", work=work, unit="answers/s", ours=taken, limit=ready, goal=goal)


@contextmanager
def stage(name: str, server_url: str, *, events: int) -> Iterator[tuple[Reader, Reader, str]]:
    """Who reads ours, who reads the limit, and the tag of the calendar, on a new database of that kind."""
    with application(name, server_url) as app:
        path = address_of(app, events=events)
        ours = Reader(app.wsgi_app, path)
        status, headers, data = ours.get()
        if status != HTTPStatus.OK or data.count(b"BEGIN:VEVENT") != events:
            raise WrongOutcome(f"The calendar is to have {events} events: {status}, {data.count(b'BEGIN:VEVENT')}")
        yield ours, Reader(bare(data, db.engine.url).wsgi_app, "/ready.ics"), headers["ETag"]


def address_of(app: Flask, *, events: int) -> str:
    """The path of the calendar of somebody who holds so many events."""
    round_of_group = define_round(app, *next(new_groups(1)))
    person = joining.enter(_person(), by=HELPDESK)
    with transaction():
        session = db.session.scalars(select(Session).where(Session.series_id == round_of_group).limit(1)).one()
        conference = _conference(session, network=db.session.scalars(select(Network)).one())
        db.session.add(conference)
        db.session.flush()
        owner = db.session.scalars(select(Clinician).where(Clinician.email == _person()["email"])).one()
        _hold(conference, owner, events)
    assert person is not None
    _, url = feeding.open_feed(clinician=owner.id, by=HELPDESK)
    return url.removeprefix(PUBLIC_URL)


def bare(data: bytes, database: URL) -> Flask:
    """An application that has the calendar ready. It takes every tag for the right one, and every address for good."""
    app = Flask("benchmarks.ready")
    app.config["SQLALCHEMY_DATABASE_URI"] = database
    read = SQLAlchemy(app)

    @app.get("/ready.ics")
    def ready() -> Response:
        if request.if_none_match:
            read.session.execute(select(Feed.revoked_at)).one()
            return Response(status=HTTPStatus.NOT_MODIFIED)
        return Response(data, content_type="text/calendar; charset=utf-8")

    return app


def _hold(conference: Conference, owner: Clinician, events: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for place in range(events):
        uid, starts_at = f"session-{uuid4()}", now + timedelta(hours=20 * place)
        link = f"https://meet.example/join/{place}?pwd=aBc"
        db.session.add(
            CalendarObject(
                uid=uid,
                conference_id=conference.id,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=40),
                join_url=link,
                group_name="Brain Tumour",
            )
        )
        db.session.flush()
        held = {"role": "expert", "method": Method.REQUEST, "sequence": 0, "number": 1, "sent_at": now}
        db.session.add(Invitation(uid=uid, clinician_id=owner.id, conference_id=conference.id, **held))


def _conference(session: Session, *, network: Network) -> Conference:
    return Conference(
        kind=Kind.SESSION,
        network_id=network.id,
        session_id=session.id,
        title="Brain Tumour",
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        time_zone="Europe/Berlin",
        provider="mock",
        key=uuid4().hex,
    )


def _person() -> dict[str, Any]:
    return {
        "network": "n",
        "given_name": "Ada",
        "family_name": "Weiß",
        "email": "ada@klinik.example",
        "hospital_name": "Klinik",
        "country": "DE",
        "profession": "physician",
        "specialties": [],
        "language": "en",
        "time_zone": "Europe/Berlin",
        "share": [],
    }


if __name__ == "__main__":
    end_in_order()
    with postgres.server() as server_address:
        print(table(measure(server_address)))  # noqa: T201  - it is what the program is for
