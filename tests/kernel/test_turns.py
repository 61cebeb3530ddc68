"""Threads take turns while each is quick, and nobody waits for one that is not."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from conference_orchestrator.kernel.turns import Turns

PATIENCE_SECONDS = 20
LONG, SHORT = 2 * PATIENCE_SECONDS, 0.05


class Other:
    """Another thread that wants a turn."""

    def __init__(self, turns: Turns, arrived: SimpleQueue[Other] | None = None) -> None:
        self.is_in, self.may_go = threading.Event(), threading.Event()
        self._turns, self._arrived = turns, arrived or SimpleQueue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        with self._turns.one():
            self.is_in.set()
            self._arrived.put(self)
            assert self.may_go.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        self.may_go.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()


def test_the_next_one_begins_when_the_one_before_has_ended() -> None:
    turns, arrived = Turns(seconds=LONG), SimpleQueue[Other]()
    with turns.one():
        others = [Other(turns, arrived) for _ in range(3)]
        assert not any(other.is_in.wait(SHORT) for other in others)
    for _ in others:
        inside = arrived.get(timeout=PATIENCE_SECONDS)
        assert arrived.empty()
        inside.end()


def test_an_error_ends_the_turn_too() -> None:
    turns = Turns(seconds=LONG)
    with pytest.raises(ZeroDivisionError), turns.one():
        _ = 1 / 0
    other = Other(turns)
    assert other.is_in.wait(PATIENCE_SECONDS)
    other.end()


def test_nobody_waits_longer_than_the_turn_for_one_that_takes_its_time() -> None:
    turns = Turns(seconds=SHORT)
    with turns.one():
        others = [Other(turns) for _ in range(3)]
        assert all(other.is_in.wait(PATIENCE_SECONDS) for other in others), "all are at work at the same time"
        for other in others:
            other.end()


def test_one_that_took_too_long_does_not_end_the_turn_of_another() -> None:
    turns = Turns(seconds=SHORT)
    slow = Other(turns)
    assert slow.is_in.wait(PATIENCE_SECONDS)
    turns._seconds = LONG
    quick = Other(turns)
    assert quick.is_in.wait(PATIENCE_SECONDS)
    slow.end()
    third = Other(turns)
    assert not third.is_in.wait(SHORT)
    quick.end()
    assert third.is_in.wait(PATIENCE_SECONDS)
    third.end()
