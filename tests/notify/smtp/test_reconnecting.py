"""One connection for many mails; one that the server closed between two of them costs a greeting and no mail."""

from __future__ import annotations

import pytest

from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from conference_orchestrator.notify.smtp import SmtpSender, server_from
from tests.notify.smtp.conftest import INES, MAIL, RUI, SENDER
from tests.smtp_faults import DROP, DROP_AFTER_TAKING, OFFERS

WAYS = pytest.mark.parametrize("offers", [OFFERS, ()], ids=["pipelining", "one by one"])


@WAYS
def test_many_mails_share_one_connection(start, opened, offers):
    server = start(offers=offers)
    sender = opened(server)
    for number in range(20):
        sender.send(SENDER, f"n{number}@hospital.example", MAIL)
    assert (server.connections, len(server.taken)) == (1, 20)


def test_a_sender_takes_its_leave(start, opened):
    server = start()
    with opened(server) as sender:
        sender.send(SENDER, INES, MAIL)
    assert server.commands[-1] == "quit"


def test_a_server_that_does_not_answer_the_leave_holds_nobody_up(start, opened):
    server = start()
    server.at("quit", DROP)
    with opened(server) as sender:
        sender.send(SENDER, INES, MAIL)
    assert server.commands[-1] == "quit"


@WAYS
@pytest.mark.parametrize("fault", [DROP, "421 4.4.2 idle for too long"])
def test_a_server_that_leaves_when_the_next_mail_comes_costs_one_greeting(start, opened, offers, fault):
    server = start(offers=offers)
    sender = opened(server)
    sender.send(SENDER, INES, MAIL)
    server.at("mail", fault)
    sender.send(SENDER, RUI, MAIL)
    assert (server.connections, [mail.to for mail in server.taken]) == (2, [INES, RUI])


@WAYS
def test_a_server_that_left_meanwhile_costs_one_greeting(start, opened, offers):
    server = start(offers=offers)
    sender = opened(server)
    for _ in range(3):
        sender.send(SENDER, INES, MAIL)
        server.hang_up()
    assert (server.connections, server.copies(INES)) == (3, 3)


@pytest.mark.parametrize("fault", [DROP, "421 4.4.2 closing", "502 5.5.1 what?"])
def test_a_server_that_leaves_at_the_reset_costs_one_greeting(start, opened, fault):
    server = start()
    server.to(INES, "550 5.1.1 no such person")
    server.at("rset", fault)
    sender = opened(server)
    with pytest.raises(Refused):
        sender.send(SENDER, INES, MAIL)
    sender.send(SENDER, RUI, MAIL)
    assert (server.connections, [mail.to for mail in server.taken]) == (2, [RUI])


def test_a_mail_that_was_not_begun_is_tried_at_once_only_once(start, opened):
    server = start()
    sender = opened(server)
    sender.send(SENDER, INES, MAIL)
    server.at("mail", "421 4.3.2 closing", "421 4.3.2 closing", "421 4.3.2 closing")
    with pytest.raises(Deferred, match=r"421 4\.3\.2 closing"):
        sender.send(SENDER, RUI, MAIL)
    assert server.connections == 2


@WAYS
@pytest.mark.parametrize("step", ["rcpt", "data", "dot"])
def test_a_mail_that_was_begun_is_not_tried_at_once(start, opened, offers, step):
    server = start(offers=offers)
    sender = opened(server)
    sender.send(SENDER, INES, MAIL)
    server.at(step, DROP)
    with pytest.raises((Deferred, Lost)):
        sender.send(SENDER, RUI, MAIL)
    assert (server.attempts[RUI], server.connections) == (1, 1)


def test_a_sender_that_tried_every_broken_connection_again_would_send_twice(start, opened):
    """The negative control of the one before: a copy that was taken without an answer, and another."""
    server = start()
    sender = opened(server)
    server.at("dot", DROP_AFTER_TAKING)

    def naive():
        try:
            return sender.send(SENDER, RUI, MAIL)
        except Lost:
            return sender.send(SENDER, RUI, MAIL)

    assert naive()
    assert server.copies(RUI) == 2


def test_a_server_that_stays_away_defers_and_is_found_again(start, opened):
    server = start()
    sender = opened(server)
    sender.send(SENDER, INES, MAIL)
    server.hang_up()
    server.at("connect", "421 4.3.2 not now")
    with pytest.raises(Deferred, match="not now"):
        sender.send(SENDER, RUI, MAIL)
    sender.send(SENDER, RUI, MAIL)
    assert (server.copies(RUI), server.connections) == (1, 3)


def test_a_wrong_secret_defers_because_no_recipient_is_to_blame(start):
    server = start()
    server.at("auth", "535 5.7.8 wrong")
    with SmtpSender(server.url.replace("//", "//user:secret@"), timeout=20) as sender:
        with pytest.raises(Deferred, match="535"):
            sender.send(SENDER, INES, MAIL)
        sender.send(SENDER, INES, MAIL)
    assert server.copies(INES) == 1


def test_a_secret_that_no_command_can_carry_defers(start):
    server = start()
    with (
        SmtpSender(server.url.replace("//", "//user:gehe%C3%AFm@"), timeout=20) as sender,
        pytest.raises(Deferred, match="ascii"),
    ):
        sender.send(SENDER, INES, MAIL)


def test_the_secret_is_shown_nowhere(start):
    server = start()
    server.at("auth", "535 5.7.8 wrong")
    sender = SmtpSender(server.url.replace("//", "//user:hunter2@"), timeout=20)
    with sender, pytest.raises(Deferred) as raised:
        sender.send(SENDER, INES, MAIL)
    assert "hunter2" not in f"{raised.value!r} {sender!r} {server_from('smtp://u:hunter2@h.example')!r}"
