"""Faults by script: which requests go wrong, and how. The form of the rules is told in the package's docstring."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Response, request

BROKEN_ANSWERS = ("drop-before-apply", "apply-then-drop", "reset-in-body", "empty-object", "html")
HTML = "<!doctype html><title>Gateway</title><h1>Something else answers here</h1>"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule: which requests it meets, and exactly one of `status`, `delay`, `list_lag` and `fault`."""

    method: str | None = None
    path: str = "/v1/"
    times: int | None = 1
    status: int | None = None
    retry_after: str | None = None
    body: str | None = None
    applied: bool = False
    delay: float | None = None
    list_lag: int | None = None
    fault: str | None = None

    def __post_init__(self) -> None:
        named = [name for name in ("status", "delay", "list_lag", "fault") if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError("a fault has exactly one of status, delay, list_lag and fault")
        if self.fault is not None and self.fault not in BROKEN_ANSWERS:
            raise ValueError(f"fault must be one of {', '.join(BROKEN_ANSWERS)}, not {self.fault!r}")

    def meets(self, method: str, path: str) -> bool:
        """Whether a request is one of those that go wrong."""
        return self.method in {None, method} and path.startswith(self.path)

    @property
    def prevents(self) -> bool:
        """Whether the request is not carried out."""
        return self.fault == "drop-before-apply" or (self.status is not None and not self.applied)


class Faults:
    """The rules in force; each wears out after its number of times. Safe for threads."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int | None]] = []
        self._lock = Lock()

    def add(self, **rule: Any) -> None:
        """Add a rule at the end. ValueError when it names no fault, or more than one."""
        fault = Fault(**rule)
        with self._lock:
            self._left.append((fault, fault.times))

    def read(self, path: Path) -> None:
        """Add the rules of a file. ValueError, naming the rule, when the file is not of the form told above."""
        known = {field.name for field in fields(Fault)}
        rules = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rules, list):
            raise ValueError(f"{path}: faults are a JSON list of rules")  # noqa: TRY004  - the file is wrong, not the call
        for number, rule in enumerate(rules, start=1):
            if not isinstance(rule, dict) or rule.keys() - known:
                raise ValueError(f"{path}: rule {number} is not an object with only {', '.join(sorted(known))}")
            try:
                self.add(**rule)
            except ValueError as error:
                raise ValueError(f"{path}: rule {number}: {error}") from None

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, used up once; None when all goes well."""
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if fault.meets(method, path) and left != 0:
                    self._left[index] = (fault, None if left is None else left - 1)
                    return fault
        return None


def broken(fault: str, answer: Response) -> Response:
    """The answer as the named fault leaves it."""
    if fault == "empty-object":
        return Response("{}", content_type="application/json;charset=UTF-8")
    if fault == "html":
        return Response(HTML, content_type="text/html;charset=UTF-8")
    body = answer.get_data() if fault == "reset-in-body" else b""
    reset = Response(_reset_after(body[: len(body) // 2], request.environ["werkzeug.socket"]), answer.status)
    reset.content_type = answer.content_type
    reset.content_length = len(body)
    return reset


def _reset_after(sent: bytes, connection: socket.socket) -> Iterator[bytes]:
    # The server writes the head with the first piece; before any piece the client sees a connection that just ends.
    if sent:
        yield sent
    # Closed with a linger of 0 seconds, the connection is reset rather than ended (socket(7), SO_LINGER); shut down, it
    # is closed now, although it was kept open for further requests.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("a scripted fault")
