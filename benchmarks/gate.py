"""A crowd of HTTP callers that ask at the same moment, in one thread: it leaves the processor to the service."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

PATIENCE_SECONDS = 60.0
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What came back: the HTTP status and the body."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Round:
    """How long it took from the opening of the gate to the last answer, and the answers in the order of the asking."""

    seconds: float
    answers: Sequence[Answer]

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return len(self.answers) / self.seconds


def post(path: str, *, port: int, token: str | None = None, body: str = "{}") -> bytes:
    """A POST, ready to be sent."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    lines.append(f"Content-Length: {len(body)}")
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, "", body]).encode()


def get(path: str, *, port: int) -> bytes:
    """A GET, ready to be sent."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def ask_at_once(port: int, requests: Sequence[bytes]) -> Round:
    """Send each request on a connection of its own, all of them open before the first is sent.

    TimeoutError when an answer is missing after 60 seconds, ConnectionError when a connection ends without one.
    """
    with ExitStack() as open_ones, selectors.DefaultSelector() as ready:
        callers = [open_ones.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in requests]
        for number, caller in enumerate(callers):
            ready.register(caller, selectors.EVENT_READ, number)
        began = time.perf_counter()
        for caller, request in zip(callers, requests, strict=True):
            caller.sendall(request)
        answers = _received(ready, [bytearray() for _ in requests], until=began + PATIENCE_SECONDS)
        seconds = time.perf_counter() - began
    return Round(seconds, answers)


def _received(ready: selectors.BaseSelector, parts: list[bytearray], *, until: float) -> list[Answer]:
    answers: dict[int, Answer] = {}
    while len(answers) < len(parts):
        arrived = ready.select(until - time.perf_counter())
        if not arrived:
            raise TimeoutError(f"{len(parts) - len(answers)} of {len(parts)} requests got no answer.")
        for key, _ in arrived:
            caller: socket.socket = key.fileobj  # type: ignore[assignment]
            part = caller.recv(65536)
            parts[key.data] += part
            if answer := _answer(parts[key.data]):
                answers[key.data] = answer
                ready.unregister(caller)
            elif not part:
                raise ConnectionError(f"The connection ended in the middle of an answer: {bytes(parts[key.data])!r}")
    return [answers[number] for number in range(len(parts))]


def _answer(received: bytearray) -> Answer | None:
    head, end, body = received.partition(b"\r\n\r\n")
    length = LENGTH.search(head) if end else None
    if length is None or len(body) < int(length[1]):
        return None
    return Answer(int(head.split(maxsplit=2)[1]), bytes(body))
