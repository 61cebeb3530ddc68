"""Ports: what flows need from outside. `app.py` fills them once per application; flows ask by calling them."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from flask import Flask, current_app

from conference_orchestrator.kernel.outbox import Queue
from conference_orchestrator.kernel.times import Clock
from conference_orchestrator.settings import Settings

T = TypeVar("T")


class Port(Generic[T]):
    """A named place in the application, filled with one thing."""

    def __init__(self, name: str) -> None:
        self.name = f"conference_orchestrator.{name}"

    def fill(self, app: Flask, thing: T) -> None:
        """Put the thing in place for this application."""
        app.extensions[self.name] = thing

    def __call__(self) -> T:
        """The thing that the current application was given; KeyError when its composition root forgot it."""
        # Through the proxy itself each attribute costs some microseconds, and a mail asks several times.
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  - as Flask tells to
        return cast("T", app.extensions[self.name])


settings: Port[Settings] = Port("settings")
clock: Port[Clock] = Port("clock")
queue: Port[Queue] = Port("queue")
