"""The command line, which looks into the mailbox every second: a test does not wait a minute for an answer to count."""

from __future__ import annotations

from datetime import timedelta

from conference_orchestrator.cli import main
from conference_orchestrator.jobs import timetable

if __name__ == "__main__":
    timetable.EVERY["read-post"] = timedelta(seconds=1)
    main()
