"""The command line with a crash built in: at the point named by CO_TEST_CRASH_AT the whole process group dies at once.

CO_TEST_WITHOUT takes a protection away, for the negative controls. Leases and settling delays are short here, so that
a restarted service does not make a test wait.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

from conference_orchestrator.cli import main
from conference_orchestrator.flows import conferencing
from conference_orchestrator.jobs import embedded, work
from conference_orchestrator.ledger import messages
from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.providers.webex import WebexProvider

SHORT = timedelta(seconds=2)
# On a busy machine a task may take longer than that, and one that outlasts its lease counts as failed.
LEASE_OF_TASKS = timedelta(seconds=4)


def die(*_: object) -> NoReturn:
    """What a power failure does: no handler runs, nothing is flushed."""
    os.killpg(os.getpgid(0), signal.SIGKILL)
    raise AssertionError("unreachable")


def dying_after(done: Callable[..., Any]) -> Callable[..., Any]:
    def then_die(*args: Any, **more: Any) -> NoReturn:
        done(*args, **more)
        die()

    return then_die


POINTS: dict[str, Callable[[], None]] = {
    "before the meeting is made": lambda: work.WORK.update({"ensure-conference": die}),
    "after the meeting is made": lambda: setattr(WebexProvider, "create", dying_after(WebexProvider.create)),
    "before anybody is invited": lambda: work.WORK.update({"issue-invitations": die}),
    "after the invitations are written": lambda: work.WORK.update(
        {"issue-invitations": dying_after(work.WORK["issue-invitations"])}
    ),
    "before the first mail": lambda: work.WORK.update({"deliver": die}),
    "after the first mail": lambda: setattr(SmtpSender, "send", dying_after(SmtpSender.send)),
}


def work_only_in_memory() -> None:
    """Tasks that live in the process instead of the database: what the outbox protects from."""
    embedded.EmbeddedQueue.enqueue = lambda *_args, **_more: None  # type: ignore[method-assign]


def create_without_looking() -> None:
    """After a create whose outcome is unknown, create again at once.

    Nor does anybody look later, the timer or after an event: the second meeting would be found and taken away.
    """
    decide = conferencing._next

    def never_look(tx: Any, conference: Any) -> str | None:
        conference.attempted_at = None
        return decide(tx, conference)

    conferencing._next = never_look
    work.WORK.update(dict.fromkeys(("look-at-providers", "look-far-ahead", "check-meeting"), lambda _: None))


WITHOUT: dict[str, Callable[[], None]] = {
    "the outbox": work_only_in_memory,
    "the look": create_without_looking,
}

if __name__ == "__main__":
    embedded.LEASE = LEASE_OF_TASKS
    messages.LEASE = conferencing.LEASE = SHORT
    conferencing.SETTLING[:] = [timedelta(milliseconds=200)] * 3
    if point := os.environ.get("CO_TEST_CRASH_AT"):
        POINTS[point]()
    if protection := os.environ.get("CO_TEST_WITHOUT"):
        WITHOUT[protection]()
    main()
