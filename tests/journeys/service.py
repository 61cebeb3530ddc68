"""The service as its operator runs it: the command line, child processes, HTTP."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import requests
from flask import Flask

from conference_orchestrator.app import create_app
from conference_orchestrator.flows import access
from conference_orchestrator.kernel.database import db
from conference_orchestrator.settings import Settings

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60
# Starts the command line; tests of crashes put another program in its place.
PROGRAM = [sys.executable, "-m", "conference_orchestrator"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(found: Any, what: str, *, seconds: float = WAIT_SECONDS) -> Any:
    """Ask again until the answer is there: for states that only show by asking over HTTP."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if answer := found():
            return answer
        pause.wait(0.05)
    raise AssertionError(f"{what} did not come about within {seconds} s")


class Api:
    """A caller of the HTTP API with one token."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        if token:
            self.http.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, *, status: int | None = None, **more: Any) -> Any:
        """The answer's JSON; an assertion when its status is not the one expected."""
        answer = self.raw(method, path, **more)
        wanted = {status} if status else {200, 201, 202, 204}
        assert answer.status_code in wanted, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def raw(self, method: str, path: str, *, body: Any = None, **more: Any) -> requests.Response:
        address = path if path.startswith("http") else f"{self.url}{path}"
        return self.http.request(method, address, json=body, timeout=60, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.ask("GET", f"/api/v1{path}", **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.ask("POST", f"/api/v1{path}", body=body or {}, **more)


@contextmanager
def database_of(url: str, *, var: Path = Path("var")) -> Iterator[Flask]:
    """The flows at work on the database, for what an operator does on the command line (see tests/test_cli.py)."""
    app = create_app(Settings(database_url=url, secret_key="k" * 32), var=var)
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


class Service:
    """A `run` (or other) process on a free port, in a folder of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {name: value for name, value in os.environ.items() if not name.startswith("CO_")}
        self.env = {**own, "PYTHONPATH": str(ROOT), "CO_PUBLIC_URL": self.url, "CO_CAPTCHA": "off", **settings}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "service.log"

    def command(self, *arguments: str, status: int = 0) -> str:
        """Run one command to its end; what it printed."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if status == 0 else done.stderr

    def token(self, role: str, **scope: str) -> Api:
        """A caller with a new token."""
        with database_of(self.env["CO_DATABASE_URL"]):
            _, secret = access.create(role=role, **scope)
        return Api(self.url, secret)

    def start(self, *arguments: str, program: list[str] | None = None) -> Self:
        """Start the process and wait until it is ready."""
        words = arguments or ("run",)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*(program or PROGRAM), *words, "--port", str(self.port)],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._is_ready, f"the service on {self.port}: {self.log.read_text()[-3000:]}")
        return self

    def kill(self) -> None:
        """End the process and its children at once, as a power failure would."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End the process in order."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                self.process = None
                return
            self.process.wait(timeout=30)
            self.process = None

    def _is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the service ended: {self.log.read_text()[-3000:]}")
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False


def link_in(text: str, path: str) -> str:
    """The link below that path in a mail's text."""
    found = re.search(rf"https?://\S*{re.escape(path)}\S+", text)
    assert found, f"no link to {path} in: {text}"
    return found[0].rstrip(".>)")
