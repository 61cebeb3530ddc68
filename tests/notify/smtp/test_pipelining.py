"""MAIL, RCPT and DATA go out together where the server takes that (RFC 2920), and each answer is judged for itself."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from itertools import cycle

import pytest

from conference_orchestrator.notify.sending import Deferred, Refused, SendingError
from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.notify.smtp_connection import Connection
from tests.notify.smtp.conftest import INES, MAIL, RUI, SENDER
from tests.smtp_faults import DROP, OFFERS

WAYS = pytest.mark.parametrize(
    "given",
    [{}, {"takes_data_blindly": True}, {"offers": ()}],
    ids=["pipelining", "pipelining, DATA taken blindly", "one by one"],
)


def test_a_mail_is_two_writes(start, opened, writes):
    opened(start()).send(SENDER, INES, MAIL)
    assert writes == [f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{INES}>\r\nDATA\r\n".encode(), MAIL + b".\r\n"]


def test_a_server_that_does_not_offer_it_gets_command_after_command(start, opened, writes):
    server = start(offers=["8BITMIME"])
    opened(server).send(SENDER, INES, MAIL)
    assert len(writes) == 4
    assert server.violations == []


def test_a_client_that_does_not_ask_would_speak_out_of_turn(start, opened, monkeypatch):
    """The negative control: the server sees words that come before its answers."""
    server = start(offers=["8BITMIME"])
    monkeypatch.setattr(Connection, "has_extn", lambda *_: True)
    opened(server).send(SENDER, INES, MAIL)
    assert server.violations != []


def test_good_mails_need_no_reset_and_a_refusal_needs_one(start, opened, writes):
    server = start()
    sender = opened(server)
    server.to(INES, "550 5.1.1 no such person")
    sender.send(SENDER, RUI, MAIL)
    with pytest.raises(Refused):
        sender.send(SENDER, INES, MAIL)
    writes.clear()
    for _ in range(3):
        sender.send(SENDER, RUI, MAIL)
    assert server.commands.count("RSET") == 1
    assert len(writes) == 6, "the reset goes out with the next mail"
    assert server.connections == 1


@WAYS
@pytest.mark.parametrize(
    ("step", "fault"), [("mail", "550 5.1.8 no"), ("rcpt", "550 5.1.1 no"), ("data", "554 5.7.1 no")]
)
def test_a_refusal_keeps_the_connection_for_the_others(start, opened, given, step, fault):
    server = start(**given)
    sender = opened(server)
    server.at(step, fault)
    with pytest.raises(Refused, match=fault[:9]):
        sender.send(SENDER, INES, MAIL)
    sender.send(SENDER, RUI, MAIL)
    assert (server.connections, [mail.to for mail in server.taken]) == (1, [RUI])


def test_a_server_that_asks_for_a_mail_without_recipients_gets_an_empty_one_that_goes_nowhere(start, opened, writes):
    server = start(takes_data_blindly=True)
    server.at("rcpt", "550 5.1.1 no such person")
    with pytest.raises(Refused):
        opened(server).send(SENDER, INES, MAIL)
    assert writes[1:] == [b".\r\n"]
    assert server.taken == []


def test_a_server_that_breaks_off_at_the_empty_mail_costs_no_other(start, opened):
    server = start(takes_data_blindly=True)
    sender = opened(server)
    server.at("rcpt", "550 5.1.1 no such person")
    server.decide = lambda step, address: DROP if (step, address) == ("data", "") else None
    with pytest.raises(Refused):
        sender.send(SENDER, INES, MAIL)
    sender.send(SENDER, RUI, MAIL)
    assert [mail.to for mail in server.taken] == [RUI]


@pytest.mark.parametrize("offers", [OFFERS, ()], ids=["pipelining", "one by one"])
def test_a_client_that_leaves_half_a_mail_behind_is_not_heard_with_the_next_one(start, opened, monkeypatch, offers):
    """The negative control of the reset."""
    monkeypatch.setattr(SmtpSender, "_take_back", lambda *_: None)
    server = start(offers=offers)
    server.at("rcpt", "550 5.1.1 no such person")
    sender = opened(server)
    with pytest.raises(Refused):
        sender.send(SENDER, INES, MAIL)
    with pytest.raises(Deferred):
        sender.send(SENDER, RUI, MAIL)
    assert server.taken == []


def test_a_client_that_sends_no_empty_mail_speaks_its_next_commands_into_it(start, opened, monkeypatch):
    """The negative control of the empty mail."""
    monkeypatch.setattr(SmtpSender, "_take_back", lambda *_: None)
    server = start(takes_data_blindly=True)
    server.at("rcpt", "550 5.1.1 no such person")
    sender = opened(server, timeout=0.5)
    with pytest.raises(Refused):
        sender.send(SENDER, INES, MAIL)
    sender.send(SENDER, RUI, MAIL)
    assert server.connections == 2, "only the time-out ended it"


@contextlib.contextmanager
def scripted(*answers):
    """A server that says these words, one after each time it is spoken to; what it was told after the last of them."""
    told = []

    def talk():
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(20)
            for answer in answers:
                peer.sendall(answer)
                told[:] = [peer.recv(65536)]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk)
        thread.start()
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}?tls=none", told
        thread.join(20)


def test_a_refused_sender_leads_to_no_empty_mail_for_a_recipient_that_was_taken():
    script = [b"220 ready\r\n", b"250-me\r\n250 PIPELINING\r\n", b"550 5.1.8 no\r\n250 ok\r\n354 go on\r\n"]
    with (
        scripted(*script) as (url, told),
        SmtpSender(url, timeout=20) as sender,
        pytest.raises(Refused, match=r"550 5\.1\.8"),
    ):
        sender.send(SENDER, INES, MAIL)
    assert told == [b""], "the connection is closed without another word"


def test_answers_that_come_all_at_once_and_over_several_lines_are_told_apart():
    whole = b"250 2.1.0 ok\r\n250-2.1.5 ok\r\n250 2.1.5 really\r\n354 go on\r\n"
    script = [b"220 ready\r\n", b"250-me\r\n250 pipelining\r\n", whole, b"250 2.0.0 queued\r\n"]
    with scripted(*script) as (url, told), SmtpSender(url, timeout=20) as sender:
        assert sender.send(SENDER, INES, MAIL) == "250 2.0.0 queued"
    assert told == [b"quit\r\n"]


FATES = [None, "550 5.1.1 no", None, "450 4.7.1 later", "421 4.3.2 closing", None, DROP]


@pytest.mark.parametrize("knows_next", [False, True], ids=["one after the other", "the next one begun"])
@WAYS
def test_among_hundreds_nobody_gets_the_mail_or_the_answer_of_another(start, opened, given, knows_next):
    server = start(**given)
    sender = opened(server)
    people = {f"n{number}@hospital.example": fate for number, fate in zip(range(210), cycle(FATES), strict=False)}
    answers = {}
    for number, (address, fate) in enumerate(people.items()):
        if fate:
            server.to(address, fate, step=("rcpt", "data", "dot")[number % 3])
    # Every fifth time another mail comes than was said.
    then = dict(itertools.pairwise(people)) | dict.fromkeys(list(people)[::5], "nobody@hospital.example")
    for address in people:
        next_to = then.get(address) if knows_next else None
        try:
            mail = b"Subject: %s\r\n\r\n" % address.encode()
            answers[address] = sender.send(SENDER, address, mail, next_to=lambda next_to=next_to: next_to)
        except SendingError as error:
            answers[address] = error
    well = [address for address, fate in people.items() if fate is None]
    assert [mail.to for mail in server.taken] == well
    assert [mail.data for mail in server.taken] == [b"Subject: %s\r\n\r\n" % address.encode() for address in well]
    assert [address for address, answer in answers.items() if isinstance(answer, str)] == well
    for address, fate in people.items():
        if isinstance(fate, str):
            assert str(answers[address]) == fate
    assert server.violations == []


def test_the_connection_breaks_after_a_refusal_and_the_refusal_stands(start, opened):
    server = start(offers=OFFERS, takes_data_blindly=True)
    server.at("rcpt", "550 5.1.1 no such person")
    server.at("data", "421 4.3.2 closing")
    sender = opened(server)
    with pytest.raises(Refused, match="550"):
        sender.send(SENDER, INES, MAIL)
    assert sender.send(SENDER, RUI, MAIL)


def test_an_answer_too_many_is_never_taken_for_that_of_the_next_mail(start, opened):
    server = start()
    sender = opened(server)
    server.at("dot", "250 2.0.0 queued\r\n250 2.0.0 and once more")
    sender.send(SENDER, RUI, MAIL)
    server.to(INES, "550 5.1.1 no such person")
    with pytest.raises((Refused, Deferred)):
        sender.send(SENDER, INES, MAIL)
    sender.send(SENDER, RUI, MAIL)
    assert [mail.to for mail in server.taken] == [RUI, RUI]
