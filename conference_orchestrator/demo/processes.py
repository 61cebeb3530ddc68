"""The processes of the demonstration: each is a command of this package, run by the same interpreter."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from conference_orchestrator.demo.waiting import GaveUp

LOOPBACK = "127.0.0.1"
COMMAND = (sys.executable, "-c", "from conference_orchestrator.cli import main; main()")
# One start of the interpreter for several commands: it takes longer than most of them.
COMMANDS = (
    sys.executable,
    "-c",
    """
import json, sys
from conference_orchestrator.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        if end.code:
            raise
""",
)
RUN_SECONDS = 120
STOP_SECONDS = 20
LOG_LINES = 12

Environment = Mapping[str, str]


class Child:
    """A command that runs while the context lasts; what it prints goes to a log file.

    It has a session of its own: Ctrl-C reaches only the demonstration, which then ends its children in order.
    """

    def __init__(self, name: str, *arguments: str, environment: Environment, log: Path) -> None:
        self.name = name
        self._log = log
        self._begin = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  - our own command, by our own interpreter
                [*COMMAND, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def must_live(self) -> None:
        """GaveUp, with the end of its log, when it has ended."""
        status = self._process.poll()
        if status is None:
            return
        with self._log.open("rb") as log:
            log.seek(self._begin)
            said = log.read().decode(errors="replace").splitlines()[-LOG_LINES:]
        raise GaveUp("\n".join([f"{self.name} has ended ({status}). The last lines of {self._log}:", *said]))


def run(*commands: Sequence[str], environment: Environment) -> str:
    """The last line that the commands print, one after the other. GaveUp with the error of the first that fails."""
    try:
        done = subprocess.run(  # noqa: S603  - our own commands, by our own interpreter
            [*COMMANDS, json.dumps(commands)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GaveUp(f"Preparing the demonstration took more than {RUN_SECONDS} seconds.") from error
    if done.returncode:
        raise GaveUp(done.stderr.strip() or f"Preparing the demonstration ended with {done.returncode}.")
    return done.stdout.strip().rpartition("\n")[2]


def is_free(port: int) -> bool:
    """Whether this machine's port can be listened on."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int) -> int:
    """The preferred port, or another one when it is in use."""
    if is_free(preferred):
        return preferred
    with socket.socket() as attempt:
        attempt.bind((LOOPBACK, 0))
        port: int = attempt.getsockname()[1]
        return port
