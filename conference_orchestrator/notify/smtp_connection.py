"""A conversation with a mail server in which every answer is bounded, in bytes and in seconds.

`smtplib` greets, encrypts and signs in. Its own reading of answers waits anew for each byte and takes any number of
lines, so a server that says a byte a second, or never ends, would hold a worker beyond its lease.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence

from conference_orchestrator.notify.smtp_answers import Answer

BROKEN = (OSError, smtplib.SMTPException, EOFError)
_ANSWER_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\n]*))?\r?\n")
_LONGEST_ANSWER = 16_384
_PIECE = 65_536


class Connection(smtplib.SMTP):
    """Greeted by the server; with `context` encrypted from the first byte.

    `timeout`: seconds that one step may take. `until`: the instant of the monotonic clock at which all must be over.
    """

    def __init__(
        self, host: str, port: int, *, name: str, timeout: float, until: float, context: ssl.SSLContext | None
    ) -> None:
        self.until = until
        self._step = timeout
        self._context = context
        self._pending = b""
        super().__init__(host, port, name, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = socket.create_connection((host, port), timeout, self.source_address)
        # A mail is one write, and its last part must not wait until the first is acknowledged.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(opened, server_hostname=host) if self._context else opened

    def encrypt(self, context: ssl.SSLContext) -> None:
        """STARTTLS. Raises when the server does not offer it, and when somebody slipped in words before it."""
        self.starttls(context=context)
        if self._pending:
            raise smtplib.SMTPException("words in the clear followed the answer to STARTTLS")

    def getreply(self) -> tuple[int, bytes]:
        """The next answer: its code and its lines. Raises one of BROKEN when none comes, or none that SMTP knows."""
        try:
            return self._answer(min(time.monotonic() + self._step, self.until))
        except BROKEN:
            self.close()
            raise

    def converse(self, steps: Sequence[tuple[str, bytes]], *, is_said: bool = False) -> Iterator[Answer]:
        """Say the lines and give the answer to each; all in one write where the server offers that (RFC 2920).

        Otherwise a line is said when its turn comes: who stops asking leaves the rest unsaid. Where all `is_said`
        already, only the answers are read.
        """
        at_once = self.has_extn("pipelining")
        if at_once and not is_said:
            self.write(b"".join(line for _, line in steps))
        for step, line in steps:
            if not at_once:
                self.write(line)
            yield Answer(step, *self.getreply())

    def write(self, data: bytes) -> None:
        """Send all of it. When this raises, the last byte has certainly not left."""
        assert self.sock is not None
        deadline, rest = min(time.monotonic() + self._step, self.until), memoryview(data)
        while rest:
            self.sock.settimeout(_left(deadline))
            rest = rest[self.sock.send(rest) :]

    def _answer(self, deadline: float) -> tuple[int, bytes]:
        lines, size = [], 0
        while True:
            while not (end := self._pending.find(b"\n") + 1):
                self._receive(deadline)
            line, self._pending = _ANSWER_LINE.fullmatch(self._pending, 0, end), self._pending[end:]
            size += end
            if line is None or size > _LONGEST_ANSWER:
                raise smtplib.SMTPException("the server says what is no answer in SMTP")
            lines.append(line[3] or b"")
            if line[2] != b"-":
                return int(line[1]), b"\n".join(lines)

    def _receive(self, deadline: float) -> None:
        if self.sock is None or len(self._pending) > _LONGEST_ANSWER:
            raise smtplib.SMTPServerDisconnected("no end of the server's answer" if self.sock else "not connected")
        self.sock.settimeout(_left(deadline))
        if not (received := self.sock.recv(_PIECE)):
            raise smtplib.SMTPServerDisconnected("the server closed the connection")
        self._pending += received


def _left(deadline: float) -> float:
    """Seconds until then; TimeoutError when there are none."""
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError("timed out")
    return left
