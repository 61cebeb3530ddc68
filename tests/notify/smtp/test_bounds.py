"""A server that is slow, silent or never ends holds nobody longer than a few steps, and fills no memory."""

from __future__ import annotations

import math
import smtplib
import socket
import time
import tracemalloc

import pytest

from conference_orchestrator.notify.sending import Deferred, Lost
from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.notify.smtp_connection import Connection
from tests.notify.smtp.conftest import INES, MAIL, RUI, SENDER
from tests.smtp_faults import Endless, Held, Slow

STEPS = ["connect", "ehlo", "mail", "rcpt", "data", "dot"]
GOOD = {"connect": "220 ready", "ehlo": "250 loopback", "data": "354 go on"}
SHORT = 0.5


def outcome(step):
    return Lost if step == "dot" else Deferred


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_falls_silent_is_left_after_the_time_out(start, opened, step):
    server, held = start(), Held()
    server.at(step, held)
    sender = opened(server, timeout=SHORT)
    with pytest.raises(outcome(step), match="timed out"):
        sender.send(SENDER, INES, MAIL)
    held.go()
    assert sender.send(SENDER, RUI, MAIL)
    assert server.copies(RUI) == 1


def slow(step):
    """A good answer of 40 bytes that takes almost twice the time of a step, and never pauses for long."""
    return Slow(f"{GOOD.get(step, '250 ok')} ".ljust(40, "."), 2 * SHORT / 40)


@pytest.mark.parametrize("step", STEPS)
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for_to_the_end(start, opened, step):
    server = start()
    server.at(step, slow(step))
    with pytest.raises(outcome(step), match="timed out"):
        opened(server, timeout=SHORT).send(SENDER, INES, MAIL)


def test_a_client_that_waits_anew_for_each_byte_is_held_by_it(start):
    """The negative control: the standard library's."""
    server = start()
    server.at("connect", slow("connect"))
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", server.port, timeout=SHORT):
        assert time.monotonic() - began > SHORT


@pytest.fixture
def slow_throughout(start):
    """A server each of whose answers comes in time, if a step may take 0.8 seconds."""
    server = start(offers=())
    for step in STEPS[:-1]:
        server.at(step, Slow(GOOD.get(step, "250 ok").ljust(18, "."), 0.48 / 20))
    return server


def test_many_slow_steps_are_too_slow_together(slow_throughout, opened):
    """All of them together would outlast the lease of whoever sends."""
    with pytest.raises(Deferred, match="timed out"):
        opened(slow_throughout, timeout=0.8).send(SENDER, INES, MAIL)
    assert slow_throughout.taken == []


def test_a_client_that_counts_each_step_for_itself_goes_along(slow_throughout, opened, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(Connection, "until", property(lambda _: math.inf, lambda *_: None), raising=False)
    began = time.monotonic()
    assert opened(slow_throughout, timeout=0.8).send(SENDER, INES, MAIL)
    assert time.monotonic() - began > 2 * 0.8


def test_the_last_answer_has_its_time_however_slow_the_steps_before_were(start, opened, monkeypatch):
    def slowly(self, data):
        write(self, data)
        if data.endswith(b"\r\n.\r\n"):
            self.until = time.monotonic()

    write = Connection.write
    monkeypatch.setattr(Connection, "write", slowly)
    assert opened(start()).send(SENDER, INES, MAIL)


@pytest.mark.parametrize("line", [b"250-and more\r\n", b"220-" + 900 * b"x" + b"\r\n", 1000 * b"2", b"\r\n"])
@pytest.mark.parametrize("step", STEPS)
def test_an_answer_that_does_not_end_is_not_read_to_the_end(start, opened, step, line):
    server = start()
    server.at(step, Endless(line))
    sender = opened(server)
    tracemalloc.start()
    with pytest.raises(outcome(step)) as raised:
        sender.send(SENDER, INES, MAIL)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000
    assert len(str(raised.value)) < 500
    assert sender.send(SENDER, RUI, MAIL)


def test_a_client_without_the_bound_reads_on_and_on(start, monkeypatch):
    """The negative control: it would read as long as the server speaks."""
    read = []

    def counted(self, size):
        line = readline(self, size)
        read.append(line)
        if len(read) == 10_000:
            raise TimeoutError
        return line

    server = start()
    server.at("connect", Endless())
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened_socket:
        file = opened_socket.makefile("rb")
        readline = type(file).readline
        naive = smtplib.SMTP()
        naive.sock = opened_socket
        naive.file = type("File", (), {"readline": lambda _self, size: counted(file, size), "close": file.close})()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            naive.getreply()
    assert len(read) == 10_000


def test_a_server_that_does_not_read_is_left_after_the_time_out(start, opened):
    server, held = start(), Held()
    server.at("body", held)
    with pytest.raises(Deferred, match="timed out"):
        opened(server, timeout=SHORT).send(SENDER, INES, MAIL + 40_000_000 * b"x" + b"\r\n")
    held.go()


def test_a_server_that_never_takes_the_connection_is_left_after_the_time_out():
    # The system takes the connection for a listener that never accepts it.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"smtp://127.0.0.1:{listener.getsockname()[1]}?tls=none"
        with SmtpSender(url, timeout=SHORT) as sender, pytest.raises(Deferred, match="timed out"):
            sender.send(SENDER, INES, MAIL)
