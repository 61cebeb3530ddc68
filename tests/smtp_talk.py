"""How the mail server with faults talks with one client (see `smtp_faults`)."""

from __future__ import annotations

import contextlib
import email
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.smtp_faults import SmtpFaults

WAIT_SECONDS: Final = 20


@dataclass(frozen=True)
class Drop:
    """The connection ends without an answer."""

    is_taken: bool = False


DROP: Final = Drop()
DROP_AFTER_TAKING: Final = Drop(is_taken=True)


@dataclass
class Held:
    """The server is silent until the test lets it go on."""

    then: Fault | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    def go(self) -> None:
        self.gate.set()


@dataclass(frozen=True)
class Slow:
    """An answer of which a byte comes every so many seconds."""

    text: str
    seconds: float


@dataclass(frozen=True)
class Endless:
    """An answer that does not end."""

    line: bytes = b"250-and more\r\n"


Fault = str | Drop | Held | Slow | Endless


@dataclass(frozen=True)
class Taken:
    """A mail that the server answered for, or took and fell silent."""

    connection: int
    sender: str
    to: str
    data: bytes

    @property
    def message_id(self) -> str:
        return str(email.message_from_bytes(self.data)["Message-ID"])


class _Gone(Exception):
    """The connection is over."""


class Connection:
    """One client, from the greeting to the end."""

    def __init__(self, server: SmtpFaults, peer: socket.socket, number: int) -> None:
        self._server, self._peer, self._number = server, peer, number
        self._pending = b""
        self._sender = self._to = ""
        self._is_secured = False
        peer.settimeout(WAIT_SECONDS)
        # Answers are several small writes, of which the second must not wait until the first is acknowledged.
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self) -> None:
        try:
            # Whatever breaks the connection, the others are served.
            with contextlib.suppress(OSError, _Gone):
                if self._server.tls == "implicit":
                    self._secure()
                self._answer("connect", "220 loopback ready")
                while True:
                    self._obey(self._line().decode("utf-8", "replace"))
        finally:
            self._peer.close()

    def _obey(self, line: str) -> None:
        self._server.commands.append(line)
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if self._pending and ("PIPELINING" not in self._server.offers or verb in {"DATA", "EHLO", "STARTTLS"}):
            self._server.violations.append(f"after {line!r} came {self._pending!r} without waiting")
        commands: dict[str, Callable[[str], object]] = {
            "EHLO": self._ehlo,
            "HELO": lambda _: self._answer("ehlo", "250 loopback"),
            "STARTTLS": self._starttls,
            "AUTH": lambda _: self._answer("auth", "235 2.7.0 welcome"),
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "QUIT": self._quit,
        }
        commands.get(verb, lambda _: self._say("500 5.5.1 what?"))(rest)

    def _ehlo(self, _rest: str) -> None:
        offers = list(self._server.offers)
        if self._server.tls == "starttls" and not self._is_secured:
            offers.append("STARTTLS")
        lines = ["loopback", *offers, "AUTH PLAIN"]
        good = "\r\n".join(f"250{' ' if number == len(lines) else '-'}{line}" for number, line in enumerate(lines, 1))
        self._answer("ehlo", good)

    def _starttls(self, _rest: str) -> None:
        if self._answer("starttls", "220 go on in TLS"):
            self._secure()

    def _secure(self) -> None:
        plain = self._peer
        self._peer = self._server.context.wrap_socket(plain, server_side=True)
        self._server.peers.add(self._peer)
        self._is_secured = True

    def _mail(self, rest: str) -> None:
        if self._sender:
            self._say("503 5.5.1 one mail at a time")
        elif self._answer("mail", "250 2.1.0 sender ok"):
            self._sender = _bare(rest)

    def _rcpt(self, rest: str) -> None:
        address = _bare(rest)
        with self._server.lock:
            self._server.attempts[address] += 1
        if not self._sender:
            self._say("503 5.5.1 MAIL first")
        elif self._answer("rcpt", "250 2.1.5 recipient ok", address):
            self._to = address

    def _data(self, _rest: str) -> None:
        if not self._to and not (self._server.takes_data_blindly and self._sender):
            self._say("503 5.5.1 RCPT first")
        elif self._answer("data", "354 go on", self._to):
            mail = Taken(self._number, self._sender, self._to, self._body())
            if mail.to:
                self._answer("dot", f"250 2.0.0 queued as {len(self._server.taken) + 1}", mail.to, mail)
            else:
                self._say("554 5.5.1 no valid recipients")
            self._sender = self._to = ""

    def _body(self) -> bytes:
        """The mail, its doubled dots undone."""
        if not self._pending:
            self._receive()
        if self._to and isinstance(self._befalls("body", self._to), Drop):
            raise _Gone
        lines = []
        while (line := self._line()) != b".":
            lines.append(line.removeprefix(b".") + b"\r\n")
        return b"".join(lines)

    def _rset(self, _rest: str) -> None:
        self._sender = self._to = ""
        self._answer("rset", "250 2.0.0 forgotten")

    def _quit(self, _rest: str) -> None:
        self._answer("quit", "221 2.0.0 bye")
        raise _Gone

    def _answer(self, step: str, good: str, address: str = "", mail: Taken | None = None) -> bool:
        """Whether the good answer was given, or one that means the same."""
        fault = self._befalls(step, address)
        text = good if fault is None else fault.text if isinstance(fault, Slow) else fault
        is_good = isinstance(text, str) and text[0] == good[0]
        if mail is not None and (is_good or fault is DROP_AFTER_TAKING):
            # Kept before it is said: a client that has read the answer finds the mail.
            self._server.keep(mail)
        if isinstance(fault, Drop):
            raise _Gone
        while isinstance(fault, Endless) and not self._server.closing.is_set():
            self._peer.sendall(fault.line)
        if isinstance(text, str):
            self._say(text, seconds=fault.seconds if isinstance(fault, Slow) else 0)
        return is_good

    def _befalls(self, step: str, address: str) -> Fault | None:
        fault = self._server.fault(step, address)
        while isinstance(fault, Held):
            self._server.hold(fault)
            fault = fault.then
        return fault

    def _say(self, text: str, *, seconds: float = 0) -> None:
        line = text.encode("utf-8", "surrogateescape") + b"\r\n"
        for piece in [bytes([byte]) for byte in line] if seconds else [line]:
            self._peer.sendall(piece)
            self._server.closing.wait(seconds)
        if text.startswith("421"):
            raise _Gone

    def _line(self) -> bytes:
        while b"\r\n" not in self._pending:
            self._receive()
        line, _, self._pending = self._pending.partition(b"\r\n")
        return line

    def _receive(self) -> None:
        if not (received := self._peer.recv(65536)):
            raise _Gone
        self._pending += received


def _bare(rest: str) -> str:
    """The address between the angle brackets."""
    found = re.search("<([^>]*)>", rest)
    return found[1] if found else ""
