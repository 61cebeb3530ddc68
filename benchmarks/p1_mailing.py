"""P1: a personal calendar invitation to each of 10,000 recipients, each with a state of its own that survives a crash.

Ours are `worker` processes with their queue; the limit sends the same mails, ready-made, in as many processes by hand
(`benchmarks/by_hand.py`), to the same server, with one UPDATE and commit for each. Both are timed from the first mail
to the last. The messages are written before: that is the work of the change that causes them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import func, select, update

from benchmarks import sink
from benchmarks.report import ROUNDS, Goal, Measured, WrongOutcome, end_in_order, table
from conference_orchestrator import migrations
from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Draft, Message, Recipient, State
from conference_orchestrator.notify import kinds
from tests import postgres
from tests.journeys.service import PROGRAM, ROOT, database_of

RECIPIENTS = 10_000
KINDS = (("PostgreSQL", 1), ("PostgreSQL", 2), ("SQLite", 1))
GOAL = Goal(ratio_at_least=0.60)
PATIENCE_SECONDS = 600.0
NAMES = ("Anna Weber", "Łucja Großmann", "Inês Ávila", "Zoé Martin", "Jan de Vries", "Ελένη Παππά", "Mary O'Neil, MD")
# Where the clinicians of a European network live.
HOMES = (
    ("de", "Europe/Berlin"),
    ("de", "Europe/Vienna"),
    ("fr", "Europe/Paris"),
    ("fr", "Europe/Brussels"),
    ("nl", "Europe/Amsterdam"),
    ("nl", "Europe/Brussels"),
    ("it", "Europe/Rome"),
    ("es", "Europe/Madrid"),
    ("es", "Atlantic/Canary"),
    ("pl", "Europe/Warsaw"),
    ("pt", "Europe/Lisbon"),
    ("en", "Europe/Dublin"),
    ("en", "Europe/Helsinki"),
    ("en", "Europe/Stockholm"),
    ("en", "Europe/Athens"),
    ("en", "Europe/Sofia"),
    ("en", "Europe/Bucharest"),
    ("en", "Europe/Prague"),
    ("en", "Europe/Riga"),
    ("en", "Europe/Vilnius"),
)


@dataclass(frozen=True)
class Stage:
    """A database with workers on it, and the mail server that they send to."""

    url: str
    folder: Path
    port: int
    processes: int

    def ours(self, number: int) -> float:
        """Tell so many people of one event; how many mails went out each second."""
        wanted = tell(number)
        until = time.monotonic() + PATIENCE_SECONDS
        while not_sent(wanted):
            if time.monotonic() > until:
                raise WrongOutcome(f"{not_sent(wanted)} of {number} mails were not sent.")
            time.sleep(1.0)
        first, last = times_of(wanted)
        return number / (last - first).total_seconds()

    def by_hand(self, number: int) -> float:
        """Send the same mails once more by hand; how many went out each second."""
        wanted = latest(number)
        with transaction():
            db.session.execute(update(Message).where(Message.id.in_(wanted)).values(state=State.QUEUED, sent_at=None))
        with ExitStack() as running:
            hands = [
                running.enter_context(hand(self.url, self.port, self.folder, wanted[place :: self.processes]))
                for place in range(self.processes)
            ]
            for one in hands:
                tell_hand(one, "go")
            seconds = max(float(heard(one)) for one in hands)
        if not_sent(wanted):
            raise WrongOutcome("The loop by hand left mails behind.")
        return number / seconds


@contextmanager
def hand(url: str, port: int, folder: Path, wanted: Sequence[UUID]) -> Iterator[subprocess.Popen[str]]:
    """A process that sends these messages by hand as soon as it is told to; its mails are ready."""
    command = [sys.executable, "-m", "benchmarks.by_hand", url, str(port), str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # noqa: S603  - a command of ours
        tell_hand(process, json.dumps([str(one) for one in wanted]))
        if heard(process) != "ready":
            raise WrongOutcome("The loop by hand has no mails.")
        yield process


def tell_hand(process: subprocess.Popen[str], line: str) -> None:
    """Give the process a line."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    """The next line of the process."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise WrongOutcome("The loop by hand ended before its mails were sent.")
    return line


def measure(
    server_url: str, *, recipients: int = RECIPIENTS, rounds: int = ROUNDS, on: Sequence[tuple[str, int]] = KINDS
) -> list[Measured]:
    """On each database with so many worker processes; mails each second."""
    return [_measure(name, server_url, processes, recipients=recipients, rounds=rounds) for name, processes in on]


def _measure(name: str, server_url: str, processes: int, *, recipients: int, rounds: int) -> Measured:
    ours: list[float] = []
    limit: list[float] = []
    with stage(name, server_url, processes=processes) as on:
        on.ours(min(recipients, 1000))  # warms the processes
        for _ in range(rounds):
            ours.append(on.ours(recipients))
            limit.append(on.by_hand(recipients))
    work = f"{recipients} personal invitations, {name}, {processes} worker{'s' if processes > 1 else ''}"
    return Measured(row="P1", work=work, unit="mails/s", ours=ours, limit=limit, goal=GOAL)


@contextmanager
def stage(name: str, server_url: str, *, processes: int) -> Iterator[Stage]:
    """Workers at work on a new database of that kind, and the flows in this process."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        port = running.enter_context(sink.running())
        if name == "SQLite":
            url = f"sqlite:///{folder / 'conference.db'}"
        else:
            url = running.enter_context(postgres.database(server_url))
        migrations.upgrade(url)
        running.enter_context(database_of(url, var=folder))
        for _ in range(processes):
            running.enter_context(worker(url, folder, port))
        yield Stage(url, folder, port, processes)


@contextmanager
def worker(url: str, folder: Path, port: int) -> Iterator[None]:
    """One `worker` process for the block."""
    settings = {
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
        "CO_DATABASE_URL": url,
        "CO_SMTP_URL": f"smtp://127.0.0.1:{port}?tls=none",
        "CO_SECRET_KEY": "k" * 32,
    }
    with (folder / "worker.log").open("ab") as log:
        command = [*PROGRAM, "worker"]
        process = subprocess.Popen(command, cwd=folder, env=settings, stdout=log, stderr=log)  # noqa: S603  - ours
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def tell(number: int) -> list[UUID]:
    """Have so many people told of one event, as its approval does."""
    starts_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    facts = kinds.Invitation(
        uid=f"webinar-{uuid4()}",
        sequence=0,
        dtstamp=datetime.now(UTC).replace(microsecond=0),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        time_zone="Europe/Berlin",
        role="audience",
        topic="Sarcoma and beyond",
        join_url="https://meet.example/join/8817?pwd=aBc",
        organizer_name="Helpdesk",
        organizer_address="helpdesk@localhost",
    )
    drafts = [_draft(facts, place) for place in range(number)]
    with transaction() as tx:
        delivering.tell(tx, *drafts)
    return [one.id for one in drafts]


def _draft(facts: kinds.Invitation, place: int) -> Draft:
    language, time_zone = HOMES[place % len(HOMES)]
    to = Recipient(
        address=f"clinician.{place}@hospital-{place % 300}.example",
        name=f"Dr. {NAMES[place % len(NAMES)]} {place}",
        language=language,
        time_zone=time_zone,
        clinician_id=uuid4(),
    )
    return delivering.draft(
        facts, to=to, cause=facts.uid, link_subject=uuid4(), chain=f"{facts.uid}:{place}", rank=Rank.URGENT
    )


def latest(number: int) -> list[UUID]:
    """The messages of the last mailing."""
    newest = select(Message.id).order_by(Message.created_at.desc()).limit(number)
    return list(db.session.scalars(newest))


def not_sent(wanted: Sequence[UUID]) -> int:
    """How many of the last mailing's messages are not sent."""
    db.session.rollback()
    uid = select(Message.cause).where(Message.id == wanted[0]).scalar_subquery()
    left = select(func.count()).select_from(Message).where(Message.cause == uid, Message.state != State.SENT)
    return db.session.scalar(left) or 0


def times_of(wanted: Sequence[UUID]) -> tuple[datetime, datetime]:
    """When the first and the last mail of the mailing were taken."""
    uid = select(Message.cause).where(Message.id == wanted[0]).scalar_subquery()
    first, last = db.session.execute(
        select(func.min(Message.sent_at), func.max(Message.sent_at)).where(Message.cause == uid)
    ).one()
    return first, last


if __name__ == "__main__":
    end_in_order()
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else RECIPIENTS
    with postgres.server() as address:
        print(table(measure(address, recipients=chosen)))  # noqa: T201  - it is what the program is for
