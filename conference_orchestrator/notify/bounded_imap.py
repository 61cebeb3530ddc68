"""IMAP connections of which each step ends: after so many bytes and so many seconds, whatever the server sends."""

from __future__ import annotations

import imaplib
import socket
import time

# A mail and what is said about it, or the numbers of half a million mails.
MOST_BYTES = 4 * 1024 * 1024
# How many times as long as one silence a whole step may take.
_PATIENCE = 4
_AT_ONCE = 64 * 1024


class BoundedImap(imaplib.IMAP4):
    """A connection in the clear, or upgraded by STARTTLS. Begin each step with `begin_step`.

    imaplib reads a literal as large as the server says it is, and waits for each byte anew.
    """

    def open(self, host: str = "", port: int | None = None, timeout: float | None = None) -> None:
        self._received = bytearray()
        self._received_from: socket.socket | None = None
        self._silence = timeout or 30.0
        self.begin_step()
        super().open(host, port or 143, timeout)

    def begin_step(self) -> None:
        """What is read from now on has its own bounds."""
        self._bytes_left = MOST_BYTES
        self._until = time.monotonic() + _PATIENCE * self._silence

    def read(self, size: int) -> bytes:
        if size > MOST_BYTES:
            raise self.abort(f"the server announces {size} bytes")
        self._distrust_what_came_before_tls()
        while len(self._received) < size:
            self._receive()
        return self._taken(size)

    def readline(self) -> bytes:
        self._distrust_what_came_before_tls()
        looked_at = 0
        while (end := self._received.find(b"\n", looked_at)) < 0:
            looked_at = len(self._received)
            self._receive()
        return self._taken(end + 1)

    def _receive(self) -> None:
        if time.monotonic() > self._until:
            raise self.abort("the server takes too long for its answer")
        chunk = self.sock.recv(_AT_ONCE)
        if not chunk:
            raise self.abort("the server hung up")
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            raise self.abort(f"the server answers with more than {MOST_BYTES} bytes")
        self._received += chunk

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _distrust_what_came_before_tls(self) -> None:
        # Anybody on the way could have added it to the answer to STARTTLS.
        if self._received_from is not self.sock:
            self._received.clear()
            self._received_from = self.sock


class BoundedImapOverTls(BoundedImap, imaplib.IMAP4_SSL):
    """A connection that speaks TLS from the first byte."""
