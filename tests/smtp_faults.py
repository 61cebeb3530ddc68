"""A mail server on loopback (RFC 5321) that fails as it is told, and keeps every mail that it took.

    with SmtpFaults() as server:
        server.to("ines@hospital.example", "450 4.7.1 greylisted", "450 4.7.1 greylisted")  # her first two tries
        server.at("dot", DROP_AFTER_TAKING)  # the next mail to anybody
        ...  # SmtpSender(server.url, timeout=10)
    assert server.copies("ines@hospital.example") == 1

Steps: connect, ehlo, starttls, auth, mail, rcpt, data, body (its first bytes have come), dot, rset, quit. What befalls
a step is asked of `decide`, then of the script of the recipient (rcpt, data, body, dot), then of the script of the
step; without any of them the answer is the good one. A fault is

    "450 4.7.1 later"    this answer instead of the good one; 421 closes the connection after it
    DROP                 the connection is closed without a word; at the dot the mail is not taken
    DROP_AFTER_TAKING    at the dot: the mail is taken, the connection closed without a word
    Held(then=...)       silence until `.go()`, then the next fault, if any; a test awaits `.reached`
    Slow(text, seconds)  the answer comes byte by byte, so many seconds apart, as long as the client listens
    Endless(line)        the same line again and again, as long as the client listens

At `body` only DROP and Held mean something.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from tests.smtp_talk import (
    DROP,
    DROP_AFTER_TAKING,
    WAIT_SECONDS,
    Connection,
    Drop,
    Endless,
    Fault,
    Held,
    Slow,
    Taken,
)

__all__ = ["DROP", "DROP_AFTER_TAKING", "OFFERS", "Drop", "Endless", "Fault", "Held", "Slow", "SmtpFaults", "Taken"]

OFFERS: Final = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class SmtpFaults:
    """The server. `certificate`: a PEM file with key and chain; `tls` says whether it is implicit or by STARTTLS.

    `takes_data_blindly`: answers 354 to DATA even when no recipient was taken (RFC 2920, 3.1, lets it).
    """

    def __init__(
        self,
        *,
        offers: Sequence[str] = OFFERS,
        certificate: Path | None = None,
        tls: str = "none",
        takes_data_blindly: bool = False,
    ) -> None:
        self.offers = tuple(offers)
        self.takes_data_blindly = takes_data_blindly
        self.tls = tls
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate is not None:
            self.context.load_cert_chain(certificate)
        self.decide: Callable[[str, str], Fault | None] = lambda _step, _address: None
        self.connections = 0
        self.commands: list[str] = []
        self.attempts: Counter[str] = Counter()
        """How often RCPT named the address."""
        self.taken: list[Taken] = []
        self.violations: list[str] = []
        """Bytes that came before they were allowed to."""
        self.closing = threading.Event()
        self._scripts: dict[tuple[str, str], list[Fault]] = {}
        self.lock = threading.Lock()
        self.peers: set[socket.socket] = set()
        self._held: list[Held] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """For `SmtpSender` and `CO_SMTP_URL`."""
        if self.tls == "implicit":
            return f"smtps://127.0.0.1:{self.port}"
        return f"smtp://127.0.0.1:{self.port}?tls={self.tls}"

    def at(self, step: str, *faults: Fault) -> None:
        """What befalls the next passes through that step, one after the other."""
        self._scripts.setdefault((step, ""), []).extend(faults)

    def to(self, address: str, *faults: Fault, step: str = "rcpt") -> None:
        """What befalls the next mails to that address at that step, one after the other."""
        self._scripts.setdefault((step, address), []).extend(faults)

    def copies(self, address: str) -> int:
        """How many mails to that address were taken."""
        return sum(mail.to == address for mail in self.taken)

    def hang_up(self) -> None:
        """Close all connections, without a word."""
        for peer in list(self.peers):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for held in list(self._held):
            held.go()
        # A closed listener does not wake a thread that waits in accept(); shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in list(self._threads):
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive(), "a connection of the server does not end"

    def fault(self, step: str, address: str) -> Fault | None:
        """What befalls this pass through the step."""
        if (decided := self.decide(step, address)) is not None:
            return decided
        with self.lock:
            for key in dict.fromkeys([(step, address), (step, "")]):
                if self._scripts.get(key):
                    return self._scripts[key].pop(0)
        return None

    def hold(self, held: Held) -> None:
        """Wait until the test lets go, or the server closes."""
        self._held.append(held)
        held.reached.set()
        assert self.closing.is_set() or held.gate.wait(WAIT_SECONDS), "nobody let the server go on"

    def keep(self, mail: Taken) -> None:
        with self.lock:
            self.taken.append(mail)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.add(peer)
            self._start(Connection(self, peer, self.connections).serve)
