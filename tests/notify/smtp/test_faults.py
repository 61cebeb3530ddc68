"""What each fault of a mail server is taken for, and that the next mail finds its way all the same."""

from __future__ import annotations

import smtplib
import socket

import pytest

from conference_orchestrator.notify.sending import Deferred, Lost, Refused, TooFast
from conference_orchestrator.notify.smtp import SmtpSender
from tests.notify.smtp.conftest import INES, MAIL, RUI, SENDER
from tests.smtp_faults import DROP, DROP_AFTER_TAKING, OFFERS

FAULTS = [
    ("connect", DROP, Deferred),
    ("connect", "421 too busy", Deferred),
    ("connect", "554 go away", Deferred),
    ("connect", "HTTP/1.1 400 Bad Request", Deferred),
    ("ehlo", DROP, Deferred),
    ("ehlo", "421 4.3.2 closing", Deferred),
    ("mail", DROP, Deferred),
    ("mail", "451 4.3.0 later", Deferred),
    ("mail", "421 4.3.2 closing", Deferred),
    ("mail", "421 4.7.0 too many mails from you", TooFast),
    ("mail", "550 5.1.8 no such sender", Refused),
    ("mail", "530 5.7.0 sign in first", Deferred),
    ("mail", "503 5.5.1 greet me first", Deferred),
    ("mail", "354 what?", Deferred),
    ("rcpt", DROP, Deferred),
    ("rcpt", "450 4.7.1 greylisted, come back too", Deferred),
    ("rcpt", "451 4.7.0 slow down", TooFast),
    ("rcpt", "421 4.3.2 closing", TooFast),
    ("rcpt", "452 4.2.2 mailbox full", Deferred),
    ("rcpt", "552 5.2.2 mailbox full", Deferred),
    ("rcpt", "550 5.1.1 no such person", Refused),
    ("rcpt", "nonsense", Deferred),
    ("data", DROP, Deferred),
    ("data", "451 4.3.0 later", Deferred),
    ("data", "421 4.3.2 closing", Deferred),
    ("data", "554 5.7.1 no", Refused),
    ("data", "250 what?", Deferred),
    ("body", DROP, Lost),
    ("dot", DROP, Lost),
    ("dot", "451 4.3.0 disk full", Deferred),
    ("dot", "421 4.3.2 closing", Deferred),
    ("dot", "552 5.3.4 too big", Refused),
    ("dot", "554 5.7.1 looks like spam", Refused),
    ("dot", "nonsense", Lost),
    ("dot", "354 go on", Lost),
]


@pytest.mark.parametrize("offers", [OFFERS, ()], ids=["pipelining", "one by one"])
@pytest.mark.parametrize(("step", "fault", "outcome"), FAULTS)
def test_a_fault_is_taken_for_what_it_is(start, opened, offers, step, fault, outcome):
    server = start(offers=offers)
    server.at(step, fault)
    sender = opened(server)
    with pytest.raises(outcome) as raised:
        sender.send(SENDER, INES, MAIL)
    assert type(raised.value) is outcome
    assert sender.send(SENDER, RUI, MAIL) == "250 2.0.0 queued as 1", "the next mail did not find its way"
    assert [(mail.sender, mail.to, mail.data) for mail in server.taken] == [(SENDER, RUI, MAIL)]
    assert server.violations == []


# Those of the greeting come with a connection only, and what a server that closes did not begin is tried at once.
BETWEEN = [
    (step, fault, outcome)
    for step, fault, outcome in FAULTS
    if step not in {"connect", "ehlo", "mail"} or (step == "mail" and not str(fault).startswith(("421", "Drop")))
]


@pytest.mark.parametrize("offers", [OFFERS, ()], ids=["pipelining", "one by one"])
def test_a_fault_between_two_mails_touches_neither(start, opened, offers):
    for step, fault, outcome in BETWEEN:
        server = start(offers=offers)
        sender = opened(server)
        sender.send(SENDER, RUI, MAIL)
        server.at(step, fault)
        with pytest.raises(outcome):
            sender.send(SENDER, INES, MAIL)
        sender.send(SENDER, "zoe@hospital.example", MAIL)
        assert [mail.to for mail in server.taken] == [RUI, "zoe@hospital.example"], (step, fault)


def test_a_mail_that_was_taken_without_an_answer_may_have_arrived(start, opened):
    server = start()
    server.at("dot", DROP_AFTER_TAKING)
    with pytest.raises(Lost):
        opened(server).send(SENDER, INES, MAIL)
    assert server.copies(INES) == 1


@pytest.mark.parametrize("step", ["data", "dot"])
def test_plain_sendmail_cannot_tell_whether_it_may_have_arrived(start, step):
    """The negative control: both are the same error there."""
    server = start()
    server.at(step, DROP_AFTER_TAKING if step == "dot" else DROP)
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as plain, pytest.raises(smtplib.SMTPServerDisconnected):
        plain.sendmail(SENDER, INES, MAIL)
    assert server.copies(INES) == (step == "dot")


def test_a_connection_that_breaks_within_a_long_mail_leaves_no_doubt(start, opened):
    server = start()
    server.at("body", DROP)
    with pytest.raises(Deferred, match="before the mail was handed over"):
        opened(server).send(SENDER, INES, MAIL + 40_000_000 * b"x" + b"\r\n")


def test_the_answer_is_kept_with_its_enhanced_code_in_one_line_without_control_characters(start, opened):
    server = start()
    server.to(INES, "550-5.1.1 no such\0person \x1b[31m\r\n550 5.1.1 see https://hospital.example/\udcff")
    with pytest.raises(Refused) as raised:
        opened(server).send(SENDER, INES, MAIL)
    assert str(raised.value) == "550 5.1.1 no such person  [31m 5.1.1 see https://hospital.example/\ufffd"


def test_a_server_that_knows_no_ehlo_is_greeted_the_old_way(start, opened):
    server = start()
    server.at("ehlo", "502 5.5.1 what?")
    assert opened(server).send(SENDER, INES, MAIL)
    assert [command.split()[0].lower() for command in server.commands] == ["ehlo", "helo", "mail", "rcpt", "data"]


def test_nobody_listening_defers():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        SmtpSender(f"smtp://127.0.0.1:{port}?tls=none", timeout=20) as sender,
        pytest.raises(Deferred, match="refused"),
    ):
        sender.send(SENDER, INES, MAIL)


def test_a_host_that_nobody_knows_defers(monkeypatch):
    def unknown(*_args, **_more):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        SmtpSender("smtp://mail.network.example?tls=none", timeout=20) as sender,
        pytest.raises(Deferred, match="not known"),
    ):
        sender.send(SENDER, INES, MAIL)


def test_a_host_that_no_name_server_can_be_asked_for_defers():
    with (
        SmtpSender(f"smtp://{70 * 'ö'}.example?tls=none", timeout=20) as sender,
        pytest.raises(Deferred, match="no connection"),
    ):
        sender.send(SENDER, INES, MAIL)


def test_the_final_dot_cannot_be_smuggled(start, opened):
    server = start()
    opened(server).send(SENDER, INES, b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@evil.example>\r.\rb\r\n.\r\nc")
    (taken,) = server.taken
    assert taken.data == b"Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<evil@evil.example>\r\n.\r\nb\r\n.\r\nc\r\n"
    assert [command for command in server.commands if command.startswith("MAIL")] == [f"MAIL FROM:<{SENDER}>"]


def test_an_address_beyond_ascii_is_refused_by_a_server_without_smtputf8(start, opened):
    server = start(offers=["PIPELINING"])
    sender = opened(server)
    with pytest.raises(Refused, match="SMTPUTF8"):
        sender.send(SENDER, "inês@hospital.example", MAIL)
    sender.send(SENDER, RUI, MAIL)
    assert [mail.to for mail in server.taken] == [RUI]


def test_an_address_beyond_ascii_is_reached_where_it_is_known(start, opened):
    server = start()
    opened(server).send(SENDER, "inês@hospital.example", MAIL)
    assert server.copies("inês@hospital.example") == 1
    assert f"MAIL FROM:<{SENDER}> SMTPUTF8 BODY=8BITMIME" in server.commands
