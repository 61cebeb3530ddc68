"""R04: all through a large mailing workers are killed; nobody is left out, and a repeat is the same mail."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import func, select

from conference_orchestrator.flows import delivering
from conference_orchestrator.jobs.embedded import EmbeddedQueue, TaskRow
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.times import SystemClock
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Draft, Message, Recipient
from conference_orchestrator.notify import kinds
from tests.faults.workplace import Workplace
from tests.house import House
from tests.notify.examples import event
from tests.smtp_faults import Held, SmtpFaults

RECIPIENTS = int(os.environ.get("CO_TEST_MAILING", "600"))
WORKERS = 2
LEASE_SECONDS = 5
# What the mail server takes for each mail: without it 600 of them would be gone before anybody can be killed.
SERVER_SECONDS = 0.02
MAILS_BETWEEN = 5
WAIT_SECONDS = 120
INVITATION = "invitation"


@dataclass(frozen=True)
class Figures:
    """What a mailing came to. A duplicate is a mail that the server took more than once."""

    recipients: int
    kills: int
    lost: int
    duplicates: int
    changed: int
    states: dict[str, int]
    put_aside: int
    seconds: float

    def __str__(self) -> str:
        said = {
            "recipients": self.recipients,
            "workers killed": self.kills,
            "lost": self.lost,
            "duplicates": self.duplicates,
            "repeats that differ": self.changed,
            "messages": ", ".join(f"{number} {state}" for state, number in self.states.items()),
            "tasks put aside": self.put_aside,
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(f"{name:<22}{value}" for name, value in said.items())


@pytest.fixture
def house_database(postgres_schema: str) -> str:
    return postgres_schema


@pytest.fixture
def mailing(
    house: House, queue: EmbeddedQueue, server: SmtpFaults, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], None]:
    """Writes an invitation to so many people; each batch has two tasks, as after the timer's look for lost ones."""
    ports.clock.fill(house.app, SystemClock())
    monkeypatch.setattr(delivering, "LOST_AFTER", timedelta(0))

    def slowly(step: str, _address: str) -> None:
        if step == "dot":
            server.closing.wait(SERVER_SECONDS)

    server.decide = slowly

    def write(recipients: int) -> None:
        facts = kinds.Invitation(**event(starts_at=datetime.now(UTC) + timedelta(days=7)))
        drafts = [invitation(facts, number) for number in range(recipients)]
        with transaction() as tx:
            delivering.tell(tx, *drafts)
            tx.after(*delivering._tasks([(draft.id, Rank.BULK) for draft in drafts]))

    return write


def invitation(facts: kinds.Invitation, number: int) -> Draft:
    to = Recipient(
        address=f"p{number}@hospital.example", name=f"Person {number}", language="en", time_zone="Europe/Lisbon"
    )
    return delivering.draft(facts, to=to, cause="the webinar", chain=f"{facts.uid}:p{number}")


def came_about(enough: Callable[[], bool], *, seconds: float) -> bool:
    """Whether it did within that time."""
    pause, until = threading.Event(), time.monotonic() + seconds
    while not enough():
        if time.monotonic() > until:
            return False
        pause.wait(0.05)
    return True


def reached(server: SmtpFaults) -> set[str]:
    return {mail.to for mail in list(server.taken) if mail.to.startswith("p")}


def await_reached(server: SmtpFaults, number: int, *, seconds: float) -> bool:
    return came_about(lambda: len(reached(server)) >= number, seconds=seconds)


def await_reached_with_timer(server: SmtpFaults, number: int) -> bool:
    """A batch whose workers are killed too often is put aside: the timer's look, once a minute, finds what it left.

    Here the look comes when a lease had the time to run out, and again nothing was sent.
    """
    for _ in range(WAIT_SECONDS // LEASE_SECONDS):
        if await_reached(server, number, seconds=LEASE_SECONDS):
            return True
        delivering.deliver_overdue()
    return False


def kill_until_all_are_reached(workplace: Workplace, server: SmtpFaults, recipients: int) -> int:
    """Every half to one second, when a few more mails were taken, one worker is killed and another one started.

    How many were.
    """
    draw, kills = Random(4), 0
    working = [workplace.serve(threads=1, lease=LEASE_SECONDS) for _ in range(WORKERS)]
    while (before := len(reached(server))) < recipients:
        await_reached(server, recipients, seconds=draw.uniform(0.5, 1))
        enough = min(before + MAILS_BETWEEN, recipients)
        assert await_reached_with_timer(server, enough), "nothing is sent any more"
        workplace.kill(working.pop(0))
        working.append(workplace.serve(threads=1, lease=LEASE_SECONDS))
        kills += 1
    return kills


def settled() -> bool:
    """Whether every message came to its end; the timer's look gives those a task whose own was put aside."""
    delivering.deliver_overdue()
    db.session.rollback()
    ended = db.session.scalar(select(func.count()).where(Message.kind == INVITATION, Message.state != "sent"))
    return ended == 0


def counted(server: SmtpFaults, *, recipients: int, kills: int, seconds: float) -> Figures:
    db.session.rollback()
    invitations = [mail for mail in server.taken if mail.to.startswith("p")]
    of_state = select(Message.state, func.count()).where(Message.kind == INVITATION).group_by(Message.state)
    dead = select(func.count()).where(TaskRow.state == "dead")
    return Figures(
        recipients=recipients,
        kills=kills,
        lost=recipients - len(reached(server)),
        duplicates=len(invitations) - len({mail.message_id for mail in invitations}),
        changed=len({mail.data for mail in invitations}) - len({mail.message_id for mail in invitations}),
        states={state: number for state, number in db.session.execute(of_state)},  # noqa: C416  - rows, not pairs
        put_aside=db.session.scalar(dead) or 0,
        seconds=seconds,
    )


def test_a_mailing_whose_workers_are_killed_reaches_everybody(
    mailing: Callable[[int], None], workplace: Workplace, server: SmtpFaults
) -> None:
    began = time.monotonic()
    mailing(RECIPIENTS)
    kills = kill_until_all_are_reached(workplace, server, RECIPIENTS)
    assert came_about(settled, seconds=WAIT_SECONDS), "some message does not come to its end"
    figures = counted(server, recipients=RECIPIENTS, kills=kills, seconds=time.monotonic() - began)
    print(figures)  # noqa: T201  - `make mailing` shows them
    assert figures.kills >= 5, "too few were killed to show anything"
    assert figures.lost == 0
    assert figures.duplicates <= figures.kills, "a worker has one mail in hand"
    assert figures.changed == 0, "a repeat has the Message-ID, the UID and the SEQUENCE of the first"
    assert figures.states == {"sent": RECIPIENTS}


def test_two_workers_without_the_claim_send_mails_twice_though_nobody_is_killed(
    mailing: Callable[[int], None], workplace: Workplace, server: SmtpFaults
) -> None:
    """The negative control."""
    mailing(60)
    for _ in range(WORKERS):
        workplace.serve(threads=1, without="the claim")
    assert await_reached(server, 60, seconds=WAIT_SECONDS)
    figures = counted(server, recipients=60, kills=0, seconds=0)
    assert figures.duplicates > figures.kills, "the harness can no longer see what it guards against"


@pytest.mark.parametrize(("without", "copies"), [("", 1), ("the mark after sending", 0)], ids=["as it is", "without"])
def test_only_a_worker_that_marks_before_sending_loses_the_mail_it_has_in_hand(
    mailing: Callable[[int], None], workplace: Workplace, server: SmtpFaults, without: str, copies: int
) -> None:
    in_hand = Held()
    server.to("p3@hospital.example", in_hand, step="data")
    mailing(6)
    first = workplace.serve(threads=1, lease=LEASE_SECONDS, without=without)
    assert in_hand.reached.wait(WAIT_SECONDS)
    workplace.kill(first)
    in_hand.go()
    workplace.serve(threads=1, lease=LEASE_SECONDS, without=without)
    assert came_about(settled, seconds=WAIT_SECONDS)
    assert server.copies("p3@hospital.example") == copies
