"""The envelope of the next mail goes out while this one's end is written down; who gets which mail it never changes."""

from __future__ import annotations

import pytest

from conference_orchestrator.notify.sending import Deferred, Refused
from conference_orchestrator.notify.smtp import SmtpSender
from tests.notify.smtp.conftest import INES, MAIL, RUI, SENDER
from tests.smtp_faults import DROP

ANNA = "anna@klinik.example"


def to_ines():
    return INES


def envelope(of):
    return f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{of}>\r\nDATA\r\n".encode()


def test_it_is_said_when_the_mail_before_was_taken_and_not_again(start, opened, writes):
    server = start()
    sender = opened(server)
    sender.send(SENDER, RUI, MAIL, next_to=to_ines)
    assert writes == [envelope(RUI), MAIL + b".\r\n", envelope(INES)]
    sender.send(SENDER, INES, MAIL)
    assert writes[3:] == [MAIL + b".\r\n"]
    assert ([mail.to for mail in server.taken], server.connections) == ([RUI, INES], 1)
    assert server.violations == []


def test_who_sends_is_asked_once_while_the_server_has_the_whole_mail(start, opened, writes):
    asked = []
    opened(start()).send(SENDER, RUI, MAIL, next_to=lambda: asked.append(writes[-1]))
    assert asked == [MAIL + b".\r\n"]


def test_a_server_that_takes_no_commands_together_gets_none_ahead(start, opened, writes):
    server = start(offers=())
    sender = opened(server)
    sender.send(SENDER, RUI, MAIL, next_to=to_ines)
    assert writes[-1] == MAIL + b".\r\n"
    sender.send(SENDER, INES, MAIL)
    assert ([mail.to for mail in server.taken], server.connections, server.violations) == ([RUI, INES], 1, [])


@pytest.mark.parametrize("fault", ["452 4.3.1 disk full", "554 5.7.1 looks like spam", "421 4.3.2 closing", DROP])
def test_after_a_mail_that_was_not_taken_nothing_is_begun(start, opened, writes, fault):
    server = start()
    server.at("dot", fault)
    sender = opened(server)
    with pytest.raises(Exception, match=r"disk full|spam|closing|no answer"):
        sender.send(SENDER, RUI, MAIL, next_to=to_ines)
    assert writes[-1] == MAIL + b".\r\n"
    sender.send(SENDER, INES, MAIL)
    assert [mail.to for mail in server.taken] == [INES]


def test_another_mail_than_the_one_that_was_begun_goes_to_its_own_recipient_alone(start, opened):
    server = start()
    sender = opened(server)
    sender.send(SENDER, RUI, MAIL, next_to=to_ines)
    sender.send(SENDER, ANNA, MAIL)
    assert [(mail.to, mail.data) for mail in server.taken] == [(RUI, MAIL), (ANNA, MAIL)]
    assert server.connections == 2


def test_a_sender_that_forgets_what_it_began_sends_it_to_the_wrong_one(start, opened, monkeypatch):
    """The negative control."""
    began = SmtpSender._begin

    def forget(self, *given):
        began(self, *given)
        self._begun = None

    monkeypatch.setattr(SmtpSender, "_begin", forget)
    server = start()
    sender = opened(server, timeout=0.5)
    sender.send(SENDER, RUI, MAIL, next_to=to_ines)
    sender.send(SENDER, ANNA, MAIL)
    assert [mail.to for mail in server.taken] == [RUI, INES], "the harness can no longer see what it guards against"


def test_what_was_begun_and_is_not_sent_is_no_mail_and_has_no_farewell_in_it(start, writes):
    server = start()
    with SmtpSender(server.url, timeout=20) as sender:
        sender.send(SENDER, RUI, MAIL, next_to=to_ines)
    assert writes[-1] == envelope(INES)
    assert server.copies(INES) == 0
    assert "QUIT" not in server.commands


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
def test_a_refusal_of_what_was_begun_is_its_own_and_costs_the_next_one_nothing(start, opened, step):
    server = start()
    sender = opened(server)
    sender.send(SENDER, RUI, MAIL, next_to=lambda: server.at(step, "550 5.1.1 no") or INES)
    with pytest.raises(Refused, match=r"550 5\.1\.1"):
        sender.send(SENDER, INES, MAIL, next_to=lambda: ANNA)
    sender.send(SENDER, ANNA, MAIL)
    assert ([mail.to for mail in server.taken], server.connections) == ([RUI, ANNA], 1)


@pytest.mark.parametrize("fault", [DROP, "421 4.3.2 closing"])
def test_a_server_that_closes_between_two_mails_gets_the_begun_one_over_another_connection(start, opened, fault):
    server = start()
    sender = opened(server)
    sender.send(SENDER, RUI, MAIL, next_to=lambda: server.at("mail", fault) or INES)
    sender.send(SENDER, INES, MAIL)
    assert ([mail.to for mail in server.taken], server.connections) == ([RUI, INES], 2)


def test_a_connection_that_breaks_after_the_envelope_was_taken_defers_that_mail_alone(start, opened):
    server = start()
    sender = opened(server)
    sender.send(SENDER, RUI, MAIL, next_to=lambda: server.at("data", DROP) or INES)
    with pytest.raises(Deferred):
        sender.send(SENDER, INES, MAIL)
    sender.send(SENDER, ANNA, MAIL)
    assert [mail.to for mail in server.taken] == [RUI, ANNA]


def test_an_address_that_no_command_can_carry_is_refused_at_its_own_turn(start, opened, writes):
    server = start(offers=("PIPELINING",))
    sender = opened(server)
    for wrong, reason in [("ines@hospital.example>\r\nDATA", "not an e-mail address"), ("inês@x.example", "SMTPUTF8")]:
        sender.send(SENDER, RUI, MAIL, next_to=lambda wrong=wrong: wrong)
        assert writes[-1] == MAIL + b".\r\n"
        with pytest.raises(Refused, match=reason):
            sender.send(SENDER, wrong, MAIL)
    assert [mail.to for mail in server.taken] == [RUI, RUI]
