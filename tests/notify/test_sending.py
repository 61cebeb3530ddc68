"""What every sender promises, asked of each: a Maildir, and SMTP against a real server and one that pipelines."""

import mailbox
from pathlib import Path

import pytest
from aiosmtpd.handlers import Message

from conference_orchestrator.notify.maildir import MaildirSender
from conference_orchestrator.notify.senders import open_sender
from conference_orchestrator.notify.sending import Refused
from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.settings import Settings
from tests.smtp_faults import SmtpFaults

MAIL = b"From: a@network.example\r\nTo: b@hospital.example\r\nSubject: x\r\n\r\nfirst\r\n.dot\r\n..\r\nlast\r\n"


class Kept(Message):
    """Keeps what arrives; the server adds its own headers, which are taken off again."""

    def __init__(self):
        super().__init__()
        self.mails = []

    def prepare_message(self, session, envelope):
        self.mails.append(envelope.original_content)
        return super().prepare_message(session, envelope)

    def handle_message(self, message):
        assert message["X-RcptTo"]


class SmtpCase:
    def __init__(self, start):
        self.handler = Kept()
        self.port = start(self.handler, enable_SMTPUTF8=True).port

    def open(self):
        return SmtpSender(f"smtp://127.0.0.1:{self.port}?tls=none", timeout=10)

    def arrived(self):
        return self.handler.mails


class PipeliningCase:
    def __init__(self, server):
        self.server = server

    def open(self):
        return SmtpSender(self.server.url, timeout=10)

    def arrived(self):
        return [mail.data for mail in self.server.taken]


class MaildirCase:
    def __init__(self, path):
        self.path = path

    def open(self):
        return MaildirSender(self.path)

    def arrived(self):
        return [path.read_bytes() for path in sorted((self.path / "new").glob("*"))]


@pytest.fixture(params=["smtp", "smtp with pipelining", "maildir"])
def case(request, real_server, tmp_path):
    if request.param == "smtp":
        yield SmtpCase(real_server)
    elif request.param == "maildir":
        yield MaildirCase(tmp_path / "mail")
    else:
        with SmtpFaults() as server:
            yield PipeliningCase(server)


def test_a_mail_arrives_with_exactly_its_bytes(case):
    with case.open() as sender:
        assert sender.send("a@network.example", "b@hospital.example", MAIL)
    assert case.arrived() == [MAIL]


def test_many_mails_arrive_once_each_and_in_order(case):
    mails = [MAIL.replace(b"Subject: x", b"Subject: %d" % number) for number in range(20)]
    with case.open() as sender:
        for mail in mails:
            sender.send("a@network.example", "b@hospital.example", mail)
    assert case.arrived() == mails


def test_an_address_with_letters_beyond_ascii_is_reached(case):
    with case.open() as sender:
        sender.send("a@network.example", "inês@hospital.example", MAIL)
    assert case.arrived() == [MAIL]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "b",
        "b@",
        "@c.example",
        "b@c.example\r\nDATA",
        "b@c.example> NOTIFY=NEVER",
        "b c@d.example",
        "b@c@d.example",
        "<b@c.example>",
    ],
)
def test_an_address_that_could_carry_a_second_command_is_refused(case, address):
    with case.open() as sender:
        with pytest.raises(Refused):
            sender.send("a@network.example", address, MAIL)
        with pytest.raises(Refused):
            sender.send(address, "b@hospital.example", MAIL)
        sender.send("a@network.example", "b@hospital.example", MAIL)
    assert case.arrived() == [MAIL]


def test_without_a_mail_server_mails_are_written_to_files(tmp_path):
    with open_sender(Settings(), maildir=tmp_path / "var" / "mail") as sender:
        sender.send("a@network.example", "b@hospital.example", MAIL)
    (read,) = mailbox.Maildir(tmp_path / "var" / "mail")
    assert read["Subject"] == "x"


def test_with_a_mail_server_mails_go_there():
    with SmtpFaults() as server:
        with open_sender(Settings(smtp_url=server.url), maildir=Path("unused")) as sender:
            sender.send("a@network.example", "b@hospital.example", MAIL)
        assert server.copies("b@hospital.example") == 1
    assert not Path("unused").exists()
