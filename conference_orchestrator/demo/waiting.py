"""Waiting for what another process does, never for longer than told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_EVERY_SECONDS = 0.1


class GaveUp(Exception):
    """The demonstration cannot go on. The first line of the text says why; what follows it may help to mend it."""


def until(look: Callable[[], T | None], what: str, *, seconds: float = 30) -> T:
    """The first answer of `look` that is not None. GaveUp, naming what was waited for, when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise GaveUp(f"Waited {seconds:.0f} seconds in vain for {what}.")
        time.sleep(LOOK_EVERY_SECONDS)
