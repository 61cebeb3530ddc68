"""Serving: gunicorn with our application, and for `run` the timer and the engine in the same worker process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from conference_orchestrator.app import engine_of, timer_of

THREADS = 8
# Longer than a proxy keeps an idle connection (nginx: 60 s), so that it is never we who close one that a request is
# just being sent on: nobody may repeat a POST by himself after that (RFC 9112, 9.3.1).
KEEP_ALIVE_SECONDS = 75


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn on host and port. Each process makes its own application: database connections are not shared."""

    def __init__(
        self, make_app: Callable[[], Flask], *, host: str, port: int, processes: int = 1, with_work: bool = False
    ) -> None:
        self.make_app = make_app
        self.with_work = with_work
        self.options = {
            "bind": f"{host}:{port}",
            "workers": processes,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 60,
            "graceful_timeout": 10,
            "keepalive": KEEP_ALIVE_SECONDS,
            "loglevel": "warning",
            "post_worker_init": self._begin_work,
            "worker_exit": self._end_work,
        }
        self.working: list[Any] = []
        super().__init__()

    def load_config(self) -> None:
        """Hand our options to gunicorn; it reads no file and no command line of its own."""
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application of this process."""
        self.app_here = self.make_app()
        return self.app_here

    def _begin_work(self, _worker: object) -> None:
        if self.with_work:
            self.working = [engine_of(self.app_here), timer_of(self.app_here)]
            for part in self.working:
                part.start()

    def _end_work(self, _server: object, _worker: object) -> None:
        for part in reversed(self.working):
            part.stop()
