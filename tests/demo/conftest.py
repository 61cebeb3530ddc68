"""The demonstration as somebody starts it: a child process in a folder of its own, its lines read as they come."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from conference_orchestrator.demo.processes import COMMAND

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 120
LAST_LINE = "It runs until Ctrl-C"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    """One start of the demonstration."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str]) -> None:
        self.folder, self.port = folder, port
        self.lines: list[str] = []
        self._told = threading.Condition()
        self._is_over = False
        own = {name: value for name, value in os.environ.items() if not name.startswith("CO_")}
        self._process = subprocess.Popen(
            [*COMMAND, "demo", "--port", str(port)],
            cwd=folder,
            env=own | {"PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.interrupt()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()

    @property
    def text(self) -> str:
        """What it has printed."""
        return "\n".join(self.lines)

    def until(self, line: str) -> str:
        """What it has printed once a line begins so; an assertion when it ends before that, or takes too long."""
        with self._told:
            found = self._told.wait_for(lambda: self._is_over or self._has(line), WAIT_SECONDS)
            assert found, f"{line!r} did not come within {WAIT_SECONDS} s:\n{self.text}"
            assert self._has(line), f"it ended before {line!r}:\n{self.text}"
        return self.text

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Send it Ctrl-C (or another signal); its exit status."""
        self._process.send_signal(number)
        return self.status()

    def status(self) -> int:
        """Its exit status once it has ended."""
        try:
            return self._process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def _has(self, line: str) -> bool:
        return any(told.startswith(line) for told in self.lines)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._told:
                self.lines.append(line.rstrip("\n"))
                self._told.notify_all()
        with self._told:
            self._is_over = True
            self._told.notify_all()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Starts the demonstration in the test's folder, on a free port unless one is named."""
    started: list[Demo] = []

    def start_one(port: int | None = None, **environment: str) -> Demo:
        demo = Demo(tmp_path, port or free_port(), environment)
        started.append(demo.__enter__())
        return demo

    yield start_one
    for demo in started:
        demo.__exit__()
