"""Several timers that look at one session at the same time, on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import uuid4

import pytest

from conference_orchestrator.flows import watching
from conference_orchestrator.kernel.database import db
from conference_orchestrator.scheduling.rosters import Substitute
from conference_orchestrator.scheduling.sessions import Session
from tests.answers import ask_substitutes, substitute
from tests.scheduling.stage import Stage

TIMERS = 4


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def lacking(full: Stage) -> Stage:
    """Tomorrow's session, to which nobody answered, in a group with substitutes."""
    for name in ("ana", "bea", "eva"):
        substitute(full, name)
    ask_substitutes(full)
    return full


def all_look(lacking: Stage) -> list[int]:
    """How many alerts each person got after all timers looked."""
    db.session.remove()
    outcomes = lacking.house.at_once(TIMERS, lambda _: watching.watch_quorum())
    assert outcomes == [None] * TIMERS
    return list(Counter(mail["to"] for mail in lacking.mails("desk-alert")).values())


def test_of_several_timers_one_tells_people_and_asks_the_substitutes(lacking: Stage) -> None:
    assert all_look(lacking) == [1, 1]
    assert lacking.house.count(Substitute) == 2


def test_all_tell_them_once_the_protection_is_taken_away(lacking: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(_session: Session, _step: watching.Step, *, at: datetime) -> None:
        pass

    monkeypatch.setattr(watching, "_mark", forget)
    monkeypatch.setattr(watching, "cause_of", lambda *_: str(uuid4()))
    assert all_look(lacking) == [TIMERS, TIMERS]
