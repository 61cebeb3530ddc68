"""What mail servers' own mails are read as."""

import pytest

from conference_orchestrator.kernel.text import one_line_problem
from conference_orchestrator.notify.bounces import Bounce
from conference_orchestrator.notify.replies import read
from tests.notify.post.letters import INES, INVITATION, JONAS, LUCA, PIET, heard, sample


def bounce(recipient, status, diagnostic, action="failed"):
    return Bounce(
        recipient=recipient, action=action, status=status, diagnostic=diagnostic, original_message_id=INVITATION
    )


EXPECTED = {
    "postfix-no-such-person": [
        bounce(INES, "5.1.1", f"550 5.1.1 <{INES}>: Recipient address rejected: User unknown"),
    ],
    "postfix-delayed": [
        bounce(
            INES,
            "4.4.1",
            "X-Postfix; connect to mx.hospital-norte.example[192.0.2.10]:25: Connection timed out",
            action="delayed",
        )
    ],
    "exchange-mailbox-full": [
        bounce(JONAS, "5.2.2", "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException")
    ],
    "gmail-two-recipients": [
        bounce(LUCA, "5.7.26", "550-5.7.26 Your email has been blocked because the sender is unauthenticated."),
        bounce(
            "gone@ospedale.example",
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist.",
        ),
    ],
    "domino-in-its-own-manner": [bounce(PIET, "5.0.0", "X-Notes; User piet.de.vries not listed in Domino Directory")],
    "exim-without-a-report": [
        bounce(
            "agnieszka.wojcik@szpital.example",
            "5.7.1",
            "host mx.szpital.example [192.0.2.30] SMTP error from remote mail server "
            "after RCPT TO:<agnieszka.wojcik@szpital.example>: 550 5.7.1 Mailbox disabled",
        )
    ],
    "qmail": [
        bounce(
            "clement.roux@chu.example",
            "5.1.1",
            "192.0.2.40 does not like recipient. Remote host said: 550 sorry, no mailbox here by that name. (#5.1.1) "
            "Giving up on 192.0.2.40.",
        ),
        bounce("parti@chu.example", "5.0.0", "Sorry, this user has left."),
    ],
    "relayed-without-a-promise": [bounce(INES, "2.0.0", "250 2.0.0 Ok", action="relayed")],
    "an-address-beyond-ascii": [bounce("inês@hospital-norte.example", "5.6.7", "550 5.6.7 not here")],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bounce_tells_what_became_of_which_mail_to_whom(name):
    inbound = heard(name)
    assert list(inbound.bounces) == EXPECTED[name]
    assert (inbound.kind, inbound.answers, inbound.problem) == ("bounce", (), None)


def test_the_invitation_that_came_back_is_nobodys_answer():
    mail = sample("postfix-no-such-person")
    assert b"METHOD:REQUEST" in mail
    assert read(mail.replace(b"METHOD:REQUEST", b"METHOD:REPLY")).answers == ()


def test_a_diagnostic_is_one_short_safe_line():
    said = "smtp; 550 =?utf-8?q?x?= \u202e\x07" + "long " * 500
    mail = sample("postfix-no-such-person").replace(b"smtp; 550 5.1.1", said.encode())
    diagnostic = read(mail).bounces[0].diagnostic
    assert one_line_problem(diagnostic) is None
    assert len(diagnostic) <= 300


def test_a_report_about_nobody_is_no_bounce():
    mail = sample("postfix-no-such-person").replace(INES.encode(), b"").replace(b"Ines.Costa@", b"")
    assert read(mail).kind == "auto-reply"


def test_a_report_speaks_of_200_recipients_at_most():
    block = b"Final-Recipient: rfc822; %d@hospital.example\r\nAction: failed\r\n\r\n"
    head = b"Content-Type: message/delivery-status\r\n\r\n"
    assert len(read(head + b"".join(block % number for number in range(1000))).bounces) == 200
