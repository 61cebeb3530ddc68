"""Threads of one process that work one after another for as long as each is quick.

They share one processor core under Python's global lock, and each that waits for an answer hands it on: several that
work and wait for very short times, again and again, get less done than one. Where the waiting is long they get more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Turns:
    """The next one begins when the one before has ended, or has taken so many `seconds`: then it waits for others."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._changed = Condition()
        # Whose turn it is, and until when on the monotonic clock.
        self._turn: tuple[object, float] | None = None

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for the turn, and have it for the block."""
        mine = object()
        with self._changed:
            while self._turn is not None and (left := self._turn[1] - time.monotonic()) > 0:
                self._changed.wait(left)
            self._turn = mine, time.monotonic() + self._seconds
        try:
            yield
        finally:
            with self._changed:
                if self._turn is not None and self._turn[0] is mine:
                    self._turn = None
                    self._changed.notify()
