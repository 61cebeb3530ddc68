"""Answers as a fault leaves them: cut short, replaced, too slow, too long or without an end."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from threading import Event

from flask import Response, request

HTML = "<!doctype html><title>Gateway</title><h1>Something else answers here</h1>"
LARGE = 50 * 1024 * 1024
PIECE, PAUSE_SECONDS = b" " * 65_536, 0.01


def broken(fault: str, answer: Response, *, closing: Event) -> Response:
    """The answer as the named fault leaves it; one without an end ends when the sandbox closes."""
    if fault == "empty-object":
        return Response("{}", content_type="application/json;charset=UTF-8")
    if fault == "html":
        return Response(HTML, content_type="text/html;charset=UTF-8")
    if fault == "large":
        return _in_pieces(answer, iter([PIECE] * (LARGE // len(PIECE))), length=LARGE)
    if fault == "endless":
        return _in_pieces(answer, _without_end(closing), length=None)
    body = answer.get_data() if fault == "reset-in-body" else b""
    return _in_pieces(answer, _reset_after(body[: len(body) // 2], request.environ["werkzeug.socket"]), len(body))


def slowed(answer: Response, bytes_per_second: float, *, closing: Event) -> Response:
    """The whole answer, byte after byte; it breaks off when the sandbox closes."""
    body = answer.get_data()
    return _in_pieces(answer, _dripping(body, 1 / bytes_per_second, closing), length=len(body))


def _in_pieces(answer: Response, pieces: Iterator[bytes], length: int | None) -> Response:
    changed = Response(pieces, answer.status)
    changed.content_type = answer.content_type
    if length is not None:
        changed.content_length = length
    return changed


def _dripping(body: bytes, seconds: float, closing: Event) -> Iterator[bytes]:
    for byte in body:
        yield bytes([byte])
        # Waits for the end of the sandbox rather than only for the time, so that closing it is prompt.
        if closing.wait(seconds):
            return


def _without_end(closing: Event) -> Iterator[bytes]:
    while not closing.wait(PAUSE_SECONDS):
        yield PIECE


def _reset_after(sent: bytes, connection: socket.socket) -> Iterator[bytes]:
    # The server writes the head with the first piece; before any piece the client sees a connection that just ends.
    if sent:
        yield sent
    # Closed with a linger of 0 seconds, the connection is reset rather than ended (socket(7), SO_LINGER); shut down, it
    # is closed now, although it was kept open for further requests.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("a scripted fault")
