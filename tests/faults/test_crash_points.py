"""R05: a process that ends at any point between a commit and its effect loses nothing; what it had begun goes on."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from conference_orchestrator.jobs.embedded import LEASE, TaskRow
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from tests.faults.points import DIED, POINTS, TELLING, TICKING, WORKING
from tests.faults.workplace import Workplace
from tests.house import House
from tests.smtp_faults import SmtpFaults

NAMES = ["ana", "bela", "carla"]
TOOK_IT = "after the mail server took it, before the mark"
LATER = LEASE + timedelta(seconds=1)


def address(name: str) -> str:
    return f"{name}@hospital.example"


def dying_at(point: str, phase: str) -> dict[str, str]:
    return {"point": point} if POINTS[point][0] == phase else {}


def told_and_crashed(house: House, workplace: Workplace, point: str) -> None:
    """Three people are told, and a process dies at the point: who writes, the timer, or who sends."""
    now = house.clock.at
    ended = [workplace.do("tell", names=NAMES, at=now, **dying_at(point, TELLING))]
    if POINTS[point][0] == TICKING:
        forget_tasks()
        ended.append(workplace.do("tick", name="deliver-overdue", at=later(house), **dying_at(point, TICKING)))
    ended.append(workplace.do("work", at=house.clock.at, **dying_at(point, WORKING)))
    assert max(ended) == DIED, f"nothing died {point}"


def later(house: House) -> datetime:
    house.clock.move_on(LATER)
    return house.clock.at


def forget_tasks() -> None:
    """The tasks of the messages are lost: the timer's look is what has to find them."""
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(TaskRow.__table__.delete())


def restarted(house: House, workplace: Workplace) -> None:
    """A new process works, and again after each lease."""
    for _ in range(4):
        assert workplace.do("work", at=house.clock.at) == 0
        later(house)


def messages() -> list[Message]:
    db.session.rollback()
    return list(db.session.scalars(select(Message).execution_options(populate_existing=True)))


def open_tasks() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(TaskRow.kind)))


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_each_mail_goes_out_and_the_one_in_hand_at_most_twice(
    house: House, workplace: Workplace, server: SmtpFaults, point: str
) -> None:
    if point == "after the batch, before its rest is handed on":
        server.to(address("bela"), "450 4.7.1 greylisted")
    told_and_crashed(house, workplace, point)
    restarted(house, workplace)
    repeated = {"ana": 2} if point == TOOK_IT else {}
    assert Counter(mail.to for mail in server.taken) == {address(name): repeated.get(name, 1) for name in NAMES}
    assert len({mail.message_id for mail in server.taken}) == len(NAMES), "a repeat has the same Message-ID"
    assert len({mail.data for mail in server.taken}) == len(NAMES), "and is the same mail, byte by byte"
    assert Counter(message.state for message in messages()) == {"sent": len(NAMES)}
    assert open_tasks() == [], "no task is left over"


def test_work_that_is_handed_over_after_the_commit_is_lost_in_between(
    house: House, workplace: Workplace, server: SmtpFaults
) -> None:
    """The negative control."""
    assert workplace.do("tell", names=NAMES, at=house.clock.at, without="the outbox") == DIED
    restarted(house, workplace)
    assert server.taken == [], "the harness can no longer see the loss that it guards against"
    assert Counter(message.state for message in messages()) == {"queued": len(NAMES)}


def test_a_mail_that_is_marked_before_it_is_sent_is_lost_in_between(
    house: House, workplace: Workplace, server: SmtpFaults
) -> None:
    """The negative control."""
    workplace.do("tell", names=NAMES, at=house.clock.at)
    point = "after the messages are claimed, before one is sent"
    assert workplace.do("work", at=house.clock.at, point=point, without="the mark after sending") == DIED
    restarted(house, workplace)
    assert server.copies(address("ana")) == 0, "the harness can no longer see the loss that it guards against"
    assert Counter(message.state for message in messages()) == {"sent": len(NAMES)}
