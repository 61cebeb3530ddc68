"""A worker process of its own: `ensure` for the conferences named, all threads at once, or killed after each create.

Run with the address of the database, that of the sandbox and the instant that the clock shows; then what to do: "race"
lets eight threads ensure the one conference when a line comes on standard input, "kill" has one process die for each
conference between the provider's answer and our commit. CO_TEST_WITHOUT=protection takes lease and look away.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from flask import Flask

from conference_orchestrator.flows import conferencing
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import connect, db
from conference_orchestrator.providers.base import Meeting, MeetingSpec
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.webex import WebexProvider
from conference_orchestrator.settings import Settings
from tests.house import RememberingQueue, StandingClock

THREADS = 8


def application(database: str, sandbox: str, at: datetime) -> Flask:
    app = Flask("worker")
    connect(app, database)
    ports.settings.fill(app, Settings(secret_key="only-for-tests", mail_from="Helpdesk <helpdesk@network.example>"))
    ports.clock.fill(app, StandingClock(at))
    ports.queue.fill(app, RememberingQueue())
    webex = WebexProvider(sandbox, "token-of-the-test", timeouts=Timeouts(connect=5, read=30))
    provider_named.fill(app, lambda _: webex)
    return app


def race(app: Flask, conference_id: UUID) -> None:
    together = threading.Barrier(THREADS, timeout=30)

    def ensure(_: int) -> None:
        with app.app_context():
            together.wait()
            conferencing.ensure(conference_id)

    print("ready", flush=True)  # noqa: T201  - the test waits for it
    sys.stdin.readline()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(ensure, range(THREADS)))


def kill_after_each_create(app: Flask, conference_ids: Sequence[UUID]) -> None:
    """One process for each, forked from this warm one, which has no threads and no connection open."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    for conference_id in conference_ids:
        child = os.fork()
        if child == 0:
            die_after_create(app, conference_id)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"the process of {conference_id} was to be killed, and ended with {status}"
        assert os.WTERMSIG(status) == signal.SIGKILL


def die_after_create(app: Flask, conference_id: UUID) -> NoReturn:
    create = WebexProvider.create

    def dying(webex: WebexProvider, spec: MeetingSpec) -> Meeting:
        create(webex, spec)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    WebexProvider.create = dying  # type: ignore[method-assign]
    try:
        with app.app_context():
            conferencing.ensure(conference_id)
    finally:
        os._exit(1)  # it should have been killed


def main() -> None:
    database, sandbox, instant, what, *ids = sys.argv[1:]
    if os.environ.get("CO_TEST_WITHOUT") == "protection":
        conferencing.LEASE = timedelta(0)
        conferencing._next = lambda *_, **__: "create"
    app = application(database, sandbox, datetime.fromisoformat(instant))
    conference_ids = [UUID(one) for one in ids]
    if what == "race":
        race(app, conference_ids[0])
    else:
        kill_after_each_create(app, conference_ids)


if __name__ == "__main__":
    main()
