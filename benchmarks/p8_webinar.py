"""P8: the helpdesk approves a webinar; its meeting is made at the provider, and the mail server takes 300 invitations.

Ours is the whole service in one process (`run`) with SQLite, asked over HTTP, its provider the Webex sandbox. The limit
is what cannot be saved: the provider's answer to the creation, and 300 ready-made mails sent one after the other, each
marked by itself (`benchmarks/by_hand.py`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import requests
from sqlalchemy import select, update

from benchmarks import sink
from benchmarks.p1_mailing import hand, heard, tell_hand
from benchmarks.report import ROUNDS, Goal, Measured, WrongOutcome, end_in_order, table
from conference_orchestrator import migrations
from conference_orchestrator.flows import directory, joining
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message, State
from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.journeys.service import Api, Service, database_of

AUDIENCE = 300
WARMING = 1
GOAL = Goal(ours_at_most=1000)
PATIENCE_SECONDS = 60.0
HELPDESK = Principal(role=Role.HELPDESK)
HOST = "host.one@conference.example"
TOKEN = "token-of-the-house"  # noqa: S105  - the sandbox takes any
SPEAKER = "speaker@hospital.example"


@dataclass
class Stage:
    """The service at work, and what it works with."""

    url: str
    folder: Path
    port: int
    audience: int
    desk: Api
    sandbox: RunningSandbox
    days: Iterator[int] = field(default_factory=lambda: count(7))

    def ours(self) -> float:
        """Approve a webinar; how many milliseconds later the last invitation was taken."""
        asked = self.desk.post("/webinar-requests", webinar())
        starts_at = datetime.now(UTC).replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(
            days=next(self.days)
        )
        began, clock = datetime.now(UTC), time.monotonic()
        self.desk.post(f"/webinar-requests/{asked['id']}/approval", {"starts_at": starts_at.isoformat()})
        while len(taken := self.taken(began)) < self.audience:
            if time.monotonic() > clock + PATIENCE_SECONDS:
                raise WrongOutcome(f"{len(taken)} of {self.audience} invitations were taken.")
            time.sleep(0.05)
        if len(taken) > self.audience:
            raise WrongOutcome(f"{len(taken)} invitations were taken instead of {self.audience}.")
        return (max(taken.values()) - began).total_seconds() * 1000

    def by_hand(self) -> float:
        """What the provider needs to make one meeting, and what the mails need that were sent last."""
        newest = select(Message.id).where(Message.kind == "invitation").order_by(Message.sent_at.desc())
        wanted = list(db.session.scalars(newest.limit(self.audience)))
        with transaction():
            db.session.execute(update(Message).where(Message.id.in_(wanted)).values(state=State.QUEUED, sent_at=None))
        with hand(self.url, self.port, self.folder, wanted) as sending:
            answer = self.creation()
            tell_hand(sending, "go")
            return (answer + float(heard(sending))) * 1000

    def creation(self) -> float:
        """How many seconds the provider needs to answer to the creation of a meeting."""
        starts_at = datetime.now(UTC) + timedelta(days=300 + next(self.days))
        meeting = {
            "title": "By hand",
            "start": starts_at.isoformat(timespec="seconds"),
            "end": (starts_at + timedelta(hours=1)).isoformat(timespec="seconds"),
            "hostEmail": HOST,
        }
        began = time.perf_counter()
        answer = requests.post(
            f"{self.sandbox.url.rstrip('/')}/meetings",
            json=meeting,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=20,
        )
        seconds = time.perf_counter() - began
        answer.raise_for_status()
        return seconds

    def taken(self, since: datetime) -> dict[UUID, datetime]:
        """The invitations written since then that were taken, and when."""
        db.session.rollback()
        sent = select(Message.id, Message.sent_at).where(
            Message.kind == "invitation", Message.state == State.SENT, Message.created_at >= since
        )
        return {message_id: at for message_id, at in db.session.execute(sent) if at is not None}


def measure(*, audience: int = AUDIENCE, rounds: int = ROUNDS) -> list[Measured]:
    """From the approval to the last invitation taken, in milliseconds."""
    ours: list[float] = []
    limit: list[float] = []
    with stage(audience=audience) as on:
        for _ in range(WARMING + rounds):
            ours.append(on.ours())
            limit.append(on.by_hand())
    work = f"webinar approved, meeting made, {audience} invitations taken, SQLite"
    return [Measured(row="P8", work=work, unit="ms", ours=ours[WARMING:], limit=limit[WARMING:], goal=GOAL)]


@contextmanager
def stage(*, audience: int) -> Iterator[Stage]:
    """The service, its mail server and its provider, and so many clinicians in the network."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        port = running.enter_context(sink.running())
        sandbox = running.enter_context(RunningSandbox())
        url = f"sqlite:///{folder / 'conference.db'}"
        settings = {
            "CO_DATABASE_URL": url,
            "CO_SECRET_KEY": "k" * 32,
            "CO_SMTP_URL": f"smtp://127.0.0.1:{port}?tls=none",
            "CO_PROVIDER": "webex",
            "CO_WEBEX_URL": sandbox.url,
            "CO_WEBEX_TOKEN": TOKEN,
            "CO_WEBEX_HOSTS": HOST,
        }
        migrations.upgrade(url)
        running.enter_context(database_of(url, var=folder))
        furnish(audience)
        service = Service(folder, settings)
        running.callback(service.stop)
        service.start()
        yield Stage(url, folder, port, audience, service.token("helpdesk"), sandbox)


def furnish(audience: int) -> None:
    """A network with a reference centre and so many clinicians, one of whom speaks."""
    directory.add_network({"code": "n", "name": "A network"}, by=HELPDESK)
    place = {"name": "Hospital do Mar", "city": "Porto", "country": "PT", "time_zone": "Europe/Lisbon"}
    directory.add_hospital({"code": "porto", "is_reference_centre": True, "networks": ["n"], **place}, by=HELPDESK)
    for number in range(audience):
        joining.enter(clinician(number), by=HELPDESK)


def clinician(number: int) -> dict[str, Any]:
    """One of the network; the first is the speaker."""
    return {
        "network": "n",
        "hospital": "porto",
        "given_name": f"Inês {number}",
        "family_name": "Ávila",
        "email": f"clinician.{number}@hospital.example" if number else SPEAKER,
        "profession": "physician",
        "specialties": [],
        "language": "pt" if number % 2 else "en",
        "time_zone": "Europe/Lisbon",
        "share": [],
    }


def webinar() -> dict[str, Any]:
    """What the reference centre asks for."""
    return {
        "hospital": "porto",
        "kind": "webinar",
        "topic": "Late effects",
        "language": "en",
        "duration_minutes": 60,
        "expected_audience": 300,
        "speakers": [SPEAKER],
        "audience": {},
    }


if __name__ == "__main__":
    end_in_order()
    print(table(measure()))  # noqa: T201  - it is what the program is for
