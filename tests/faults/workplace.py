"""The processes that work for a test, and die as it wants."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.faults import working

ROOT = Path(__file__).parents[2]


class Program:
    """The program that forks them. What processes complain of stands in `log`."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "working.log"
        own = {name: value for name, value in os.environ.items() if not name.startswith("CO_")}
        with self.log.open("ab") as log:
            self._program = subprocess.Popen(
                [sys.executable, working.__file__],
                cwd=folder,
                env={**own, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ordered(self, order: dict[str, Any]) -> int:
        """The answer to the order."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        answer = self._program.stdout.readline()
        assert answer, f"the program ended: {self.log.read_text()[-3000:]}"
        assert int(answer) != 1, self.log.read_text()[-3000:]
        return int(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.communicate(timeout=60)


class Workplace:
    """Has a new process do each order on one database; see working.py."""

    def __init__(self, program: Program, database: str, mail_server: str) -> None:
        self._program = program
        self._where = {"database": database, "mail_server": mail_server}
        self._serving: list[int] = []

    def do(self, what: str, *, at: datetime | None = None, **more: Any) -> int:
        """How the process ended: 0, DIED at its point, or a signal as a negative number."""
        instant = {"at": at.isoformat()} if at else {}
        return self._program.ordered({"do": what, **self._where, **instant, **more})

    def serve(self, *, threads: int, **more: Any) -> int:
        """A process whose engine works until it is killed; its number."""
        pid = self._program.ordered({"do": "serve", "threads": threads, **self._where, **more})
        self._serving.append(pid)
        return pid

    def kill(self, pid: int) -> None:
        """End the process as a power failure would."""
        self._serving.remove(pid)
        os.kill(pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._serving:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
