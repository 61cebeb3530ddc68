"""An answer and a move of the same meeting at the same moment: no answer to the old time is left for the new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from conference_orchestrator.flows import answering, reading_post, registering
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import CalendarObject
from tests.flows.answers.conftest import Mailroom
from tests.mails import WORK, move_session
from tests.scene import settle


@pytest.fixture
def house_database(postgres_schema: str) -> str:
    """SQLite lets nobody write beside another."""
    return postgres_schema


@pytest.fixture
def move_in_the_middle(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Moves the session; while the ledger knows of no answer and has not written yet, Anna's mail is read.

    What came of reading it then. Who waits for a lock gives up at once.
    """
    mailroom.box.put(mailroom.reply(mailroom.anna, "ACCEPTED"))
    changed, hold, outcomes = invitations._changed, registering.hold, []

    def read_meanwhile(state: Any, content: Any) -> Any:
        if state.uid.startswith("session-") and not outcomes:
            outcomes.extend(mailroom.house.at_once(1, lambda _: reading_post.read_post()))
        return changed(state, content)

    def impatient(conference: Any) -> Any:
        db.session.execute(text("SET LOCAL lock_timeout = '300ms'"))
        return hold(conference)

    def move() -> Any:
        move_session(mailroom.scene, mailroom.group, days=1)
        with monkeypatch.context() as patched:
            patched.setattr(invitations, "_changed", read_meanwhile)
            patched.setattr(registering, "hold", impatient)
            settle(mailroom.house, *WORK)
        (outcome,) = outcomes
        return outcome

    return move


def test_the_answer_waits_for_the_move_and_is_to_an_old_version_then(
    mailroom: Mailroom, move_in_the_middle: Callable[[], Any]
) -> None:
    assert isinstance(move_in_the_middle(), OperationalError)
    reading_post.read_post()
    assert (mailroom.rows()[0].state, mailroom.said(mailroom.anna)) == ("ignored", None)


def test_without_the_lock_on_the_object_the_answer_to_the_old_time_stands_for_the_new_one(
    mailroom: Mailroom, move_in_the_middle: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    def unlocked(uid: str) -> CalendarObject:
        return db.session.scalars(select(CalendarObject).where(CalendarObject.uid == uid)).one()

    monkeypatch.setattr(answering, "_steady_object", unlocked)
    assert move_in_the_middle() is None
    assert (mailroom.rows()[0].state, mailroom.said(mailroom.anna)) == ("counted", "accepted")
