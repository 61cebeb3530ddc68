from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.providers.sandbox.client import Client


class StandingClock:
    """Tells the time that it was given."""

    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at


class Quiet(WSGIRequestHandler):
    def log_request(self, code="-", size="-"):
        """Write no line per request among the output of the tests."""


class Listener:
    """A server on the loopback that takes events and answers as told; `heard` are (headers, body)."""

    def __init__(self):
        self.heard, self.status = [], 200
        app = Flask(__name__)
        app.add_url_rule("/events", view_func=self._take, methods=["POST"])
        self.server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self.server.port}/events"

    def _take(self):
        self.heard.append((dict(request.headers), request.get_data()))
        return "", self.status, {"Location": "http://elsewhere.example/"}


@pytest.fixture
def client(sandbox):
    return Client(sandbox)


@pytest.fixture
def clock():
    return StandingClock(datetime(2027, 3, 1, 9, 0, tzinfo=UTC))


@pytest.fixture
def standing(clock):
    """A sandbox whose clock stands until a test moves it."""
    with RunningSandbox(now=clock) as running:
        yield running


@pytest.fixture
def listener():
    listening = Listener()
    thread = threading.Thread(target=listening.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield listening
    listening.server.shutdown()
    thread.join()
    listening.server.server_close()
