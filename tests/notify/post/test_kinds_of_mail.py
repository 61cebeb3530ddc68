"""What a mail is taken for, who it says it is from, and what our server found out about that."""

import pytest

from conference_orchestrator.kernel.text import one_line_problem
from conference_orchestrator.notify.replies import read
from tests.notify.post import test_answers, test_bounces
from tests.notify.post.letters import INES, LUCA, NAMES, OUR_SERVER, heard, sample

KINDS = {
    "outlook-out-of-office": "auto-reply",
    "vacation-of-sieve": "auto-reply",
    "gmail-vacation": "auto-reply",
    "precedence-auto-reply": "auto-reply",
    "read-receipt": "auto-reply",
    "a-person-asks": "other",
    "a-person-quotes-qmail": "other",
    "an-invitation-from-somebody-else": "other",
}
UNREADABLE = {
    "cut-off-in-the-middle": "The calendar object in this mail was cut off.",
    "winmail": "This mail is in Outlook's own format (winmail.dat).",
    "no-attendee-at-all": "This answer names no event, or nobody who answers.",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_a_mail_without_an_answer_is_told_apart(name, kind):
    inbound = heard(name)
    assert (inbound.kind, inbound.answers, inbound.bounces, inbound.problem) == (kind, (), (), None)


@pytest.mark.parametrize(("name", "problem"), UNREADABLE.items())
def test_what_cannot_be_read_says_why_and_from_whom_it_is(name, problem):
    inbound = heard(name)
    assert (inbound.kind, inbound.problem) == ("unreadable", problem)
    assert inbound.from_address in {INES, "jonas.weber@klinik-sued.example"}
    assert inbound.subject == "Accepted: Sarcoma panel"


@pytest.mark.parametrize("name", [*test_answers.EXPECTED, *test_answers.PROPOSALS])
def test_an_answer_is_one_even_where_a_machine_says_it_sent_it(name):
    marked = b"Auto-Submitted: auto-replied\r\nX-Autoreply: yes\r\nPrecedence: auto_reply\r\n" + sample(name)
    assert read(marked).answers == heard(name).answers


def test_a_mail_whose_end_could_not_be_had_shows_its_header():
    inbound = read(sample("gmail-accepted")[:2000], whole=False)
    assert (inbound.kind, inbound.from_address, inbound.answers) == ("unreadable", LUCA, ())
    assert inbound.message_id == "<calendar-8a1f2f0e-0b5b-4f8d@calendar.example>"
    assert inbound.subject.startswith("Accepted: Sarcoma panel")


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_is_one_line_that_hides_nothing(name):
    subject = heard(name).subject
    assert one_line_problem(subject) is None
    assert 0 < len(subject) <= 200


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("=?utf-8?q?Re=3A_one=0D=0ABcc=3A_all?=", "Re: one Bcc: all"),
        ("=?iso-8859-1?Q?Reuni=E3o?= =?utf-8?b?w6E=?=", "Reuniãoá"),
        ("=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=", "= ?utf-8?q?x?="),
        ("=?utf-8?q?=E2=80=AEgnp=2E?=", "gnp."),
        ("=?utf-8?b?a?=", "= ?utf-8?b?a?="),
        ("=?x-unknown?q?=41?=", "A"),
        ("=?undefined?q?=41?=", "A"),
        ("=?punycode?q?=41-b?=", "A-b"),
        ("x" * 5000, "x" * 200),
        ("", ""),
    ],
)
def test_words_beyond_ascii_are_decoded_once_and_made_safe(written, shown):
    assert read(f"Subject: {written}\r\n\r\n".encode()).subject == shown


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (f"Ines <{INES.upper()}>", INES),
        (INES, INES),
        (f'"Costa, Ines (Norte)" <{INES}>', INES),
        (f"{INES} (Ines Costa)", INES),
        (f'"boss@network.example" <{INES}>', INES),
        (f"boss@network.example <{INES}>", INES),
        (f"Costa, Ines <{INES}>", INES),
        (f"Ines (<boss@network.example>) <{INES}>", INES),
        (f'"\\"<boss@network.example>\\"" <{INES}>', INES),
        ("inês@hospital-norte.example", "inês@hospital-norte.example"),
        (f"boss@network.example, Ines <{INES}>", None),
        (f"<boss@network.example> <{INES}>", None),
        (f"<{INES}> boss@network.example", None),
        (f"Two: {INES}, {LUCA};", None),
        (f"{INES},{LUCA}", None),
        ("Ines Costa", None),
        ("<>", None),
        ("a@b@c.example", None),
        ("x" * 300 + "@hospital.example", None),
        ("ines\u202e@hospital.example", None),
    ],
)
def test_the_sender_is_the_one_address_of_the_one_from(written, address):
    assert read(f"From: {written}\r\n\r\n".encode()).from_address == address


def test_a_mail_with_two_senders_has_none():
    assert heard("liar-two-senders").from_address is None


def test_a_name_that_looks_like_an_address_is_not_the_sender():
    assert heard("liar-another-sender").from_address == "mallory@evil.example"


def test_our_server_saw_that_the_sender_is_forged_and_what_the_forger_adds_does_not_count():
    assert heard("liar-a-forged-sender").authentication == "fail"


@pytest.mark.parametrize(("trusted", "verdict"), [(OUR_SERVER, "fail"), ("mx.evil.example", "pass"), (None, "none")])
def test_only_the_server_that_is_trusted_is_believed(trusted, verdict):
    assert read(sample("liar-a-forged-sender"), trusted=trusted).authentication == verdict


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ("dmarc=pass header.from=hospital-norte.example", "pass"),
        ("spf=fail; dkim=pass header.d=evil.example; dmarc=pass", "pass"),
        ("dmarc=fail; dkim=pass header.d=hospital-norte.example", "fail"),
        ("dmarc=pass header.from=evil.example", "none"),
        ("dmarc=pass header.from=evil.example; spf=fail", "fail"),
        ("dmarc=pass; dmarc=fail", "fail"),
        ("dkim=pass header.d=hospital-norte.example", "pass"),
        ("dkim=pass header.i=@hospital-norte.example", "pass"),
        ("dkim = pass (a (nested) one) header.d=norte.example", "none"),
        ("dkim=pass header.d=evil.example", "none"),
        ("dkim=pass header.d=example", "none"),
        ("dkim=pass header.d=norte.example; spf=fail", "none"),
        ("spf=pass smtp.mailfrom=ines.costa@hospital-norte.example", "pass"),
        ("spf=pass smtp.mailfrom=bounce@evil.example", "none"),
        ("dkim=fail header.d=hospital-norte.example", "fail"),
        ("spf=softfail", "none"),
        ("none", "none"),
        ('spf=fail smtp.mailfrom="; dmarc=pass"', "fail"),
        ("spf=fail (; dmarc=pass)", "fail"),
        ("dmarc=none; DKIM=PASS header.d=HOSPITAL-NORTE.example", "pass"),
    ],
)
def test_the_verdict_is_about_the_senders_domain(results, verdict):
    mail = f"Authentication-Results: MX.Network.example 1; {results}\r\nFrom: {INES}\r\n\r\n".encode()
    assert read(mail, trusted=OUR_SERVER).authentication == verdict


def test_a_department_passes_by_the_signature_of_its_house():
    mail = b"Authentication-Results: mx; dkim=pass header.d=norte.example\r\nFrom: i@onco.norte.example\r\n\r\n"
    assert read(mail, trusted="mx").authentication == "pass"


def test_all_samples_have_their_expectation():
    told = [*test_answers.EXPECTED, *test_answers.PROPOSALS, *test_bounces.EXPECTED, *KINDS, *UNREADABLE]
    assert sorted(told) == NAMES
