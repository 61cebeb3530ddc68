"""The examples of e-mails, a lint for calendar objects, and a mail server that fails when it is told to."""

import contextlib
import itertools
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import ClassVar

import pytest
from aiosmtpd.controller import Controller

from tests.notify.examples import ANNA, EVENTS, EXAMPLES, event


@pytest.fixture(params=EXAMPLES.values(), ids=EXAMPLES.keys())
def example(request):
    """Facts and reader of one e-mail, one after the other of each kind."""
    return request.param


@pytest.fixture
def examples():
    return EXAMPLES


@pytest.fixture(params=EVENTS.values(), ids=EVENTS.keys())
def invitation(request):
    """Facts and reader of one e-mail that carries a calendar object."""
    return request.param


@pytest.fixture
def event_facts():
    """Makes the facts of an event; what is not given is ordinary."""
    return event


@pytest.fixture
def anna():
    return ANNA


@pytest.fixture
def far_west() -> Iterator[None]:
    """The reading machine stands in Los Angeles: a floating time would come out wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/Los_Angeles")
        time.tzset()
        yield
    time.tzset()


def _lint(data: bytes, mime_method: str) -> list[str]:
    """What is wrong with an object for one person and one date, beyond what parsers complain about."""
    wrong = []
    if b"\n" in data.replace(b"\r\n", b"") or b"\r" in data.replace(b"\r\n", b""):
        wrong.append("a line end that is not CRLF")
    if not data.endswith(b"\r\n"):
        wrong.append("the last line has no end")
    wrong += [f"{len(line)} octets in a line" for line in data.split(b"\r\n") if len(line) > 75]
    lines = data.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]
    names = [re.split("[;:]", line, maxsplit=1)[0] for line in lines]
    values = {name: line.rpartition(":")[2] for name, line in zip(names, lines, strict=True)}
    envelope = ["BEGIN", "VERSION", "PRODID", "CALSCALE", "METHOD", "BEGIN"]
    if names[:6] != envelope or lines[5] != "BEGIN:VEVENT" or lines[-2:] != ["END:VEVENT", "END:VCALENDAR"]:
        wrong.append(f"not one VEVENT in a VCALENDAR: {names[:6]}")
    must = {
        "UID",
        "SEQUENCE",
        "DTSTAMP",
        "DTSTART",
        "DTEND",
        "SUMMARY",
        "CLASS",
        "TRANSP",
        "STATUS",
        "ORGANIZER",
        "ATTENDEE",
    }
    may = {"DESCRIPTION", "LOCATION", "URL", "CONFERENCE"} if mime_method == "REQUEST" else set()
    inside = names[6:-2]
    wrong += [f"no {name}" for name in sorted(must - set(inside))]
    wrong += [f"unexpected {name}" for name in sorted(set(inside) - must - may)]
    wrong += [f"{name} twice" for name in sorted(set(inside)) if inside.count(name) > 1]
    if values.get("METHOD") != mime_method:
        wrong.append(f"METHOD {values.get('METHOD')} in a part of method {mime_method}")
    if (values.get("STATUS") == "CANCELLED") != (mime_method == "CANCEL"):
        wrong.append("STATUS and METHOD contradict each other")
    wrong += [
        f"{n} is not UTC"
        for n in ("DTSTAMP", "DTSTART", "DTEND")
        if not re.fullmatch(r"\d{8}T\d{6}Z", values.get(n, ""))
    ]
    if values.get("DTEND", "") <= values.get("DTSTART", ""):
        wrong.append("it ends before it starts")
    for line in lines:
        if line.startswith(("ORGANIZER", "ATTENDEE")) and not re.search(r":mailto:[^\s:]+@[^\s:]+$", line):
            wrong.append(f"no mailto: {line}")
        status = re.search("PARTSTAT=([^;:]*)", line) if line.startswith("ATTENDEE") else None
        if status and status[1] not in {"NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"}:
            wrong.append(f"PARTSTAT {status[1]}")
    return wrong


@pytest.fixture
def lint():
    return _lint


class FaultyServer:
    """Speaks SMTP on the loopback; `faults` names what happens instead of the good answer at a step.

    A fault is an answer, or None to close the connection; each step takes its faults in order and then answers well
    again. With a certificate it speaks TLS from the first byte, or after STARTTLS where it offers that.
    """

    GOOD: ClassVar = {
        "connect": b"220 loopback ready",
        "ehlo": b"250-loopback\r\n250 AUTH PLAIN",
        "starttls": b"220 go on in TLS",
        "auth": b"235 welcome",
        "rset": b"250 reset",
        "mail": b"250 sender ok",
        "rcpt": b"250 recipient ok",
        "data": b"354 go on",
        "dot": b"250 queued as 1",
        "quit": b"221 bye",
    }
    OFFERS_STARTTLS = b"250-loopback\r\n250 STARTTLS"

    def __init__(self, *, certificate=None, **faults):
        self._faults = {step: list(answers) for step, answers in faults.items()}
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if certificate:
            self._tls.load_cert_chain(certificate)
        self._tls_at_once = certificate and faults.get("ehlo") != [self.OFFERS_STARTTLS]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}?tls=none"
        self.connections = 0
        self.commands: list[str] = []
        self.taken: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        # A closed listener does not wake a thread that waits in accept(); shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    def _serve(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.settimeout(10)
            self.connections += 1
            # Whoever breaks the connection, the next one is served.
            with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
                opened.enter_context(peer)
                self._talk(peer, opened)

    def _talk(self, peer, opened):
        def encrypted():
            return opened.enter_context(self._tls.wrap_socket(peer, server_side=True))

        stream = opened.enter_context((encrypted() if self._tls_at_once else peer).makefile("rwb"))
        going = self._answer(stream, "connect")
        while going and (line := stream.readline()):
            step = line.split()[0].decode().lower()
            self.commands.append(line.decode().strip())
            going = self._answer(stream, step)
            if step == "starttls":
                stream = opened.enter_context(encrypted().makefile("rwb"))
            if going == self.GOOD["data"]:
                mail = b"".join(itertools.takewhile(lambda line: line != b".\r\n", stream))
                going = self._answer(stream, "dot")
                self.taken += [mail] if going == self.GOOD["dot"] else []

    def _answer(self, stream, step):
        """What was answered; None when the connection is to be closed instead."""
        answer = self._faults[step].pop(0) if self._faults.get(step) else self.GOOD[step]
        if answer is not None:
            stream.write(answer + b"\r\n")
            stream.flush()
        return answer


class LoopbackController(Controller):
    """aiosmtpd's server in a thread, on a port that the system chooses."""

    def __init__(self, handler, **options):
        super().__init__(handler, hostname="127.0.0.1", port=0, **options)

    def _trigger_server(self):
        # The controller knocks at its own door to see that it is open, and takes port 0 for its number.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def real_server():
    """Starts a real mail server with a handler and options of aiosmtpd; all are stopped at the end."""
    controllers = []

    def start(handler, **options):
        controllers.append(LoopbackController(handler, **options))
        controllers[-1].start()
        return controllers[-1]

    yield start
    for controller in controllers:
        controller.stop()


@pytest.fixture
def faulty_server():
    """Starts a mail server with the given faults; all are stopped at the end."""
    servers = []

    def start(**given):
        servers.append(FaultyServer(**given))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
