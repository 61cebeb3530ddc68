"""What a server's answer means, by its code, its enhanced code and its words."""

from __future__ import annotations

import pytest

from conference_orchestrator.notify.sending import Deferred, Refused, TooFast
from conference_orchestrator.notify.smtp_answers import Answer

MEANINGS = [
    ("RCPT", "550 5.1.1 no such person", Refused),
    ("RCPT", "550 no such person", Refused),
    ("RCPT", "501 5.1.3 what an address", Refused),
    ("RCPT", "554 5.7.1 relay access denied", Refused),
    ("RCPT", "550 5.7.1 rate limit", Refused),
    ("RCPT", "552 5.2.2 over quota", Deferred),
    ("RCPT", "550 5.2.2 mailbox full", Deferred),
    ("RCPT", "552 mailbox full", Refused),
    ("RCPT", "552 5.2.20 odd", Refused),
    (".", "552 5.2.2 over quota", Deferred),
    (".", "552 5.2.3 too long for this mailbox", Refused),
    (".", "552 5.3.4 too big", Refused),
    (".", "554 5.6.0 unreadable", Refused),
    ("RCPT", "450 4.2.0 Greylisted, see https://postgrey.example", Deferred),
    ("RCPT", "451 4.7.1 Greylisting in action, please come back later", Deferred),
    ("RCPT", "450 4.7.0 Graylisted: too many tries", Deferred),
    ("RCPT", "450 4.1.1 no such person, or not yet", Deferred),
    ("RCPT", "452 4.5.3 too many recipients", TooFast),
    ("RCPT", "450 4.2.1 is receiving mail at a rate that prevents more", TooFast),
    (".", "421 4.7.28 unusual rate of mail from you", TooFast),
    ("MAIL", "451 4.7.500 Server busy", TooFast),
    ("MAIL", "421 4.7.0 [TSS04] temporarily deferred", TooFast),
    ("MAIL", "450 4.7.1 you send too quickly", TooFast),
    ("RCPT", "421 closing", TooFast),
    ("DATA", "421 closing", Deferred),
    (".", "421 closing", Deferred),
    ("MAIL", "530 5.7.0 Authentication required", Deferred),
    ("MAIL", "535 5.7.8 wrong secret", Deferred),
    ("RCPT", "503 5.5.1 sign in first", Deferred),
    ("MAIL", "451 4.3.0 separate matters", Deferred),
]


@pytest.mark.parametrize(("step", "line", "meaning"), MEANINGS)
def test_an_answer_means_what_its_codes_and_words_say(step, line, meaning):
    error = Answer(step, int(line[:3]), line[4:].encode()).error()
    assert type(error) is meaning
    assert str(error) == line


@pytest.mark.parametrize(
    ("step", "code", "is_good"),
    [
        ("MAIL", 250, True),
        ("RCPT", 251, True),
        ("DATA", 354, True),
        (".", 250, True),
        ("DATA", 250, False),
        (".", 354, False),
    ],
)
def test_a_good_answer_is_the_one_that_the_step_waits_for(step, code, is_good):
    assert Answer(step, code, b"").is_good == is_good
