"""Two threads that wait for each other: what makes a race happen every time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

IN_VAIN = 1  # second
FOR_SURE = 60  # seconds: a slow machine does not lose the order that a negative control is about


class Meeting:
    """Each of two threads waits once until the other is there too.

    `may_be_in_vain` says that one of them may wait for the other's commit, as it should: then they part after a second.
    """

    def __init__(self, *, may_be_in_vain: bool = False) -> None:
        self._both = threading.Barrier(2, timeout=IN_VAIN if may_be_in_vain else FOR_SURE)

    def before(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """The same act, done once both are there."""

        def met(*of: Any, **named: Any) -> Any:
            self._meet()
            return act(*of, **named)

        return met

    def after(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """The same act, which returns once both are there."""

        def met(*of: Any, **named: Any) -> Any:
            found = act(*of, **named)
            self._meet()
            return found

        return met

    def _meet(self) -> None:
        with suppress(threading.BrokenBarrierError):
            self._both.wait()
            self._both.abort()
