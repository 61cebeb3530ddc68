"""A program that forks a process for each order, because a new one takes seconds to import everything.

Orders come as JSON, one a line, on standard input; each names the `database` and the `mail_server`:

    {"do": "tell", "names": [...]}    messages to these people are written
    {"do": "tick", "name": ...}       the timer ticks for that name
    {"do": "work"}                    what is due is done until nothing is
    {"do": "serve", "threads": ...}   an engine works until its process is killed

The answer is a line: the number of the process that serves, else the exit status of the one that did it, negative for a
signal. "at" is the instant that the process takes for now (without it the clock goes), "point" where it dies, "without"
a protection that it has not, "lease" how many seconds a lease lasts.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn

from flask import Flask
from sqlalchemy.orm import configure_mappers

from conference_orchestrator.app import create_app, engine_of
from conference_orchestrator.flows import delivering
from conference_orchestrator.jobs import embedded, timetable
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.notify import composing
from conference_orchestrator.settings import Settings
from tests.faults.points import POINTS, WITHOUT, abort
from tests.house import StandingClock
from tests.notify.examples import EXAMPLES
from tests.post import alert


def tell(names: list[str]) -> None:
    with transaction() as tx:
        delivering.tell(tx, *[alert(name) for name in names])


def carry_out(app: Flask, order: dict[str, Any]) -> None:
    if "at" in order:
        ports.clock.fill(app, StandingClock(datetime.fromisoformat(order["at"])))
    if "lease" in order:
        embedded.LEASE = messages.LEASE = timedelta(seconds=order["lease"])
    WORK["abort"] = abort
    if point := order.get("point"):
        POINTS[point][1]()
    if protection := order.get("without"):
        WITHOUT[protection]()
    with app.app_context():
        match order["do"]:
            case "tell":
                tell(order["names"])
            case "tick":
                timetable.tick(order["name"])
            case "work":
                engine_of(app).run_due()
            case "serve":
                embedded.THREADS = order["threads"]
                engine_of(app).start()
                signal.pause()


def in_a_child(app: Flask, order: dict[str, Any]) -> NoReturn:
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the answers are the parent's alone
    try:
        carry_out(app, order)
    except BaseException:  # noqa: BLE001  - a child never comes back into the loop of its parent
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


@lru_cache(maxsize=1)
def application(database: str, mail_server: str) -> Flask:
    """The product on that database. No connection is open and no thread runs before the fork."""
    settings = Settings(
        secret_key="k" * 32,
        database_url=database,
        smtp_url=mail_server,
        mail_from="Helpdesk <helpdesk@network.example>",
    )
    return create_app(settings)


def warm_up() -> None:
    """Do once what each child would do anew: it may live for less than a second."""
    configure_mappers()
    for kind in ("desk-alert", "invitation"):
        composing.compose(*EXAMPLES[kind])


def main() -> None:
    warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        app = application(order["database"], order["mail_server"])
        child = os.fork()
        if child == 0:
            in_a_child(app, order)
        answer = child if order["do"] == "serve" else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(answer, flush=True)  # noqa: T201  - the test waits for it


if __name__ == "__main__":
    main()
