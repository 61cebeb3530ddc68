"""The sandbox as a server on the loopback interface, for the command line and for tests."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from conference_orchestrator.providers.sandbox.application import Sandbox, create_sandbox
from conference_orchestrator.providers.sandbox.faults import Faults

LOOPBACK = "127.0.0.1"


def serve_sandbox(*, port: int, faults: Path | None = None, state: Path | None = None) -> None:
    """Serve until interrupted. ValueError when the faults file is not of the form told.

    With `state` the meetings are kept in that file, and a sandbox started again goes on with them.
    """
    app = create_sandbox(state=state)
    if faults:
        _sandbox_of(app).faults.read(faults)
    make_server(LOOPBACK, port, app, threaded=True).serve_forever()


class RunningSandbox:
    """A sandbox that runs in a thread while the context lasts; port 0 takes a free one.

    The keyword arguments are those of `create_sandbox`.
    """

    def __init__(self, *, port: int = 0, **options: Any) -> None:
        self.app = create_sandbox(**options)
        self._sandbox = _sandbox_of(self.app)
        self._server = make_server(LOOPBACK, port, self.app, threaded=True, request_handler=_Quiet)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sandbox.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base address for clients; ends with `/v1/`."""
        return f"http://{LOOPBACK}:{self._server.port}/v1/"

    @property
    def faults(self) -> Faults:
        """The rules in force; `faults.add(method="POST", status=503)` adds one."""
        return self._sandbox.faults

    @property
    def requests(self) -> list[tuple[str, str, int | None]]:
        """Method, path and status of each request, in the order in which they ended; no status where it was dropped."""
        return self._sandbox.requests

    @property
    def bodies(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Method, path and JSON of each request that brought an object."""
        return self._sandbox.bodies

    @property
    def mails(self) -> list[tuple[str, str]]:
        """Method and meeting id of each request after which Webex would have mailed people."""
        return self._sandbox.mails

    def meetings(self) -> list[dict[str, Any]]:
        """Every meeting, the earliest first: id, title, host, start, end, password, tags by client, settings."""
        return [vars(meeting) for meeting in self._sandbox.store.all()]

    def count(self, method: str) -> int:
        """How many requests of that method have ended."""
        return sum(1 for seen, _, _ in self.requests if seen == method)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write no line per request among the output of the tests."""


def _sandbox_of(app: Flask) -> Sandbox:
    found: Sandbox = app.extensions["sandbox"]
    return found
