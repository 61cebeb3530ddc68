"""A server on the loopback that misbehaves as it is told, for the part of the contract that is about HTTP."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Self

Manner = Callable[["Conversation"], object]
CHUNK = b"x" * 65536
TLS_HANDSHAKE = b"\x16"
STEP = 0.05
"""Seconds between two bytes of an answer that drips."""


class Conversation:
    """One connection, on which one request has been heard."""

    def __init__(self, connection: socket.socket, heard: bytes, stop: Event) -> None:
        self._connection = connection
        self.heard = heard
        self._stop = stop

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer as a server should."""
        self.begin(status, {"Content-Length": str(len(body)), **(headers or {})}).say(body)

    def say(self, text: bytes) -> None:
        """Send just this."""
        self._connection.sendall(text)

    def begin(self, status: int, headers: Mapping[str, str]) -> Self:
        """Send the head of an answer only."""
        lines = [f"HTTP/1.1 {status} Status", "Connection: close", *(f"{name}: {headers[name]}" for name in headers)]
        self.say("\r\n".join([*lines, "", ""]).encode())
        return self

    def pour(self, chunks: int | None) -> None:
        """Send so many chunks of 64 KiB, None for as long as somebody listens."""
        while chunks != 0 and not self._stop.is_set():
            self.say(CHUNK)
            chunks = chunks and chunks - 1

    def drip(self) -> None:
        """Send a byte now and then, for as long as somebody listens."""
        while not self._stop.wait(STEP):
            self.say(b"x")

    def be_silent(self) -> None:
        """Say nothing until the test is over."""
        self._stop.wait()

    def reset(self) -> None:
        """Break the connection off, so that the other end sees an error and not an end."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()


class MisbehavingServer:
    """Treats every connection in its own thread in the one manner; `heard` holds all requests."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._stop = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[Thread] = []
        self.heard: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _run(self, work: Callable[[], None]) -> None:
        self._threads.append(Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            connection.settimeout(5)
            self._run(lambda connection=connection: self._converse(connection))  # type: ignore[misc]

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            try:
                heard = _request(connection)
                if heard:
                    self.heard.append(heard)
                    self._manner(Conversation(connection, heard, self._stop))
            except OSError:  # the other end has gone, as it should when it is asked too much
                return


def _request(connection: socket.socket) -> bytes:
    """The whole of a request: an answer that comes before its end could be lost with the connection."""
    heard = b""
    while chunk := connection.recv(65536):
        heard += chunk
        head, end, body = heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^content-length: *([0-9]+)", head)
        is_tls = heard.startswith(TLS_HANDSHAKE)  # whoever begins so waits for an answer of the same kind
        if is_tls or (end and len(body) >= (int(length[1]) if length else 0)):
            break
    return heard
