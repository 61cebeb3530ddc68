"""The sandbox as a server on the loopback interface, for the command line and for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from conference_orchestrator.providers.sandbox import rooms
from conference_orchestrator.providers.sandbox.application import create_sandbox
from conference_orchestrator.providers.sandbox.at_hand import Sandbox
from conference_orchestrator.providers.sandbox.events import Message
from conference_orchestrator.providers.sandbox.faults import Faults
from conference_orchestrator.providers.sandbox.tokens import Tokens

LOOPBACK = "127.0.0.1"
LONGEST_WAIT_SECONDS = 10


def serve_sandbox(*, port: int, faults: Path | None = None, state: Path | None = None) -> None:
    """Serve until interrupted. ValueError when the faults file is not of the form told.

    With `state` the meetings are kept in that file, and a sandbox started again goes on with them.
    """
    app = create_sandbox(state=state)
    if faults:
        _sandbox_of(app).faults.read(faults)
    make_server(LOOPBACK, port, app, threaded=True, request_handler=_Quiet).serve_forever()


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
        self._sandbox.events.close()
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
    def tokens(self) -> Tokens:
        """What was issued to the clients: `tokens.issue(client)` gives a first refresh token; `expire`, `revoke`."""
        return self._sandbox.tokens

    @property
    def events(self) -> list[Message]:
        """The events that were sent, with the status of the answer, once all that are due were sent.

        TimeoutError when that takes longer than 10 seconds. One that a fault holds back is not due.
        """
        if not self._sandbox.events.wait(LONGEST_WAIT_SECONDS):
            raise TimeoutError("not all events were sent; see whether the listener answers")
        return list(self._sandbox.events.sent)

    def hold(self, meeting_id: str, *visits: tuple[str, str, datetime, datetime | None]) -> None:
        """Let people be in the meeting together: the name, the e-mail, when each came, and left unless still in."""
        came = [
            rooms.enter(self._sandbox, meeting_id, name=name, email=email, at=_kept(joined_at))
            for name, email, joined_at, _ in visits
        ]
        for visit_id, (_, _, _, left_at) in zip(came, visits, strict=True):
            if left_at:
                rooms.go(self._sandbox, meeting_id, visit_id, at=_kept(left_at))

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


def _kept(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat()


def _sandbox_of(app: Flask) -> Sandbox:
    found: Sandbox = app.extensions["sandbox"]
    return found
