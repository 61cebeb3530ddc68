"""Any bytes are some mail: none of them makes the reader raise, or take more time and memory than a mail may."""

import email
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conference_orchestrator.kernel.text import one_line_problem
from conference_orchestrator.notify import calendar_answers, content_lines, parts, replies
from conference_orchestrator.notify.replies import read
from tests.notify.post.letters import INES, NAMES, OUR_SERVER, answer, sample
from tests.notify.post.poison import CALENDAR, HEAD, KINDS, poisoned_mails
from tests.notify.post.test_mailbox import OverImap

HONEST = sample("two-methods")
SEED = 4711
MB = 1024 * 1024


def assert_sound(inbound):
    """What every mail's reading holds, whatever the mail is."""
    assert one_line_problem(inbound.subject) is None
    assert (inbound.kind in {"reply", "counter"}) == bool(inbound.answers)
    assert (inbound.kind == "bounce") == bool(inbound.bounces)
    assert inbound.problem or inbound.kind != "unreadable"
    assert one_line_problem(inbound.problem or "") is None
    for one in inbound.answers:
        assert one.uid == one.uid.strip() != ""
        assert one.method == ("COUNTER" if inbound.kind == "counter" else "REPLY")
        for instant in (one.recurrence_at, one.stamp, one.proposed_starts_at, one.proposed_ends_at):
            assert instant is None or instant.utcoffset().total_seconds() == 0
    for one in inbound.bounces:
        assert one_line_problem(one.diagnostic) is None


@given(st.binary(max_size=5000))
@settings(deadline=None, max_examples=300)
def test_random_bytes_are_some_mail(raw):
    assert_sound(read(raw, trusted=OUR_SERVER))


EDITS = st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=6) | st.sampled_from([b"\r\n", b"\n "]))


@given(st.sampled_from(NAMES), st.lists(EDITS, max_size=12), st.booleans())
@settings(deadline=None, max_examples=500)
def test_a_damaged_mail_is_some_mail(name, edits, whole):
    mail = bytearray(sample(name))
    for place, length, replacement in edits:
        begin = place % (len(mail) + 1)
        mail[begin : begin + length] = replacement
    assert_sound(read(bytes(mail), trusted=OUR_SERVER, whole=whole))


# Words of mails and of calendars, to be strung together in any order.
WORDS = st.sampled_from(
    [
        line + b"\r\n"
        for name in ("outlook-counter", "qmail", "gmail-two-recipients", "liar-a-forged-sender", "signed")
        for line in sample(name).split(b"\r\n")
    ]
    + [b"BEGIN:VCALENDAR\r\n", b"END:VCALENDAR\r\n", b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n", b"METHOD:REPLY\r\n"]
    + [b"RECURRENCE-ID;TZID=Asia/Gaza:20261024T003000\r\n", b"DTSTAMP;TZID=Europe/Berlin:19700101T000000\r\n"]
    + [b"\r\n", CALENDAR, HEAD, b"Content-Transfer-Encoding: base64\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"UID:\x00\r\n"]
)


@given(st.lists(WORDS, max_size=60))
@settings(deadline=None, max_examples=500)
def test_lines_of_mails_in_any_order_are_some_mail(lines):
    assert_sound(read(b"".join(lines), trusted=OUR_SERVER))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_breaks_other_readers_is_some_mail(kind):
    for round_ in range(5):
        assert_sound(read(kind(random.Random(SEED + round_)), trusted=OUR_SERVER))


def test_the_parser_of_the_email_package_breaks_at_mails_in_mails():
    with pytest.raises(RecursionError):
        email.message_from_bytes(HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 2000)


def test_parts_in_parts_without_a_bound_would_break_ours(monkeypatch):
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1200))
    assert "deep" in read(HEAD + deep).problem
    monkeypatch.setattr(parts, "DEEPEST", 10**9)
    with pytest.raises(RecursionError):
        read(HEAD + deep)


@pytest.mark.parametrize(
    ("bound", "one_too_many"),
    [
        ("LARGEST", b"X:" + b"x" * content_lines.LARGEST + b"\r\n"),
        ("MOST_EVENTS", b"BEGIN:VEVENT\r\nUID:u\r\nATTENDEE:mailto:a@b.example\r\nEND:VEVENT\r\n" * 51),
        ("_DEEPEST", b"BEGIN:X\r\n" * 11 + b"END:X\r\n" * 11),
    ],
)
def test_a_calendar_beyond_a_bound_is_not_read_and_would_be_without_it(monkeypatch, bound, one_too_many):
    mail = HONEST.replace(b"BEGIN:VEVENT", one_too_many + b"BEGIN:VEVENT", 1)
    assert (read(mail).kind, read(mail).from_address) == ("unreadable", INES)
    monkeypatch.setattr(content_lines, bound, 10**9)
    assert answer("ACCEPTED") in read(mail).answers


def test_more_people_than_the_bound_are_not_read_and_would_be_without_it(monkeypatch):
    crowd = b"".join(b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:%d@hospital.example\r\n" % n for n in range(200))
    mail = HONEST.replace(b"SEQUENCE:0\r\n", b"SEQUENCE:0\r\n" + crowd)
    assert read(mail).problem == "This answer speaks for more than 200 people."
    monkeypatch.setattr(calendar_answers, "MOST_ANSWERS", 10**9)
    assert len(read(mail).answers) == 201


def test_an_endless_header_is_not_read_and_would_be_without_the_bound(monkeypatch):
    mail = b"X-Long: " + b"x" * 64 * 1024 + b"\r\n" + HONEST
    assert read(mail).problem == "A header of this mail is longer than 64 KB."
    monkeypatch.setattr(parts, "LONGEST_HEADER", 10**9)
    assert read(mail) == read(HONEST)


def test_a_mail_beyond_the_bound_shows_its_header_and_would_be_read_without_it(monkeypatch):
    mail = HONEST + b"x" * MB
    assert (read(mail).kind, read(mail).from_address) == ("unreadable", INES)
    monkeypatch.setattr(replies, "LARGEST_MAIL", 10**9)
    monkeypatch.setattr(content_lines, "LARGEST", 10**9)
    assert read(mail) == read(HONEST)


def test_parts_beyond_the_bound_are_not_read_and_would_be_without_it(monkeypatch):
    mail = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 101
    assert read(mail).problem == "This mail has more than 100 parts."
    monkeypatch.setattr(parts, "MOST_PARTS", 10**9)
    assert read(mail).kind == "other"


@pytest.fixture
def poisoned_box(imap_server):
    """A thousand mails: every hundredth is an honest answer, the others are poison."""
    case = OverImap(imap_server)
    for number, mail in enumerate(poisoned_mails(1000, seed=SEED)):
        case.put(number + 1, mail if number % 100 else HONEST)
    return case.open()


def test_a_poisoned_mailbox_is_read_to_the_end(poisoned_box):
    read_so_far, answers = 0, 0
    with poisoned_box as box:
        for mail in box.new(2000):
            inbound = read(mail.data, whole=mail.whole, trusted=OUR_SERVER)
            assert_sound(inbound)
            box.done(mail.key)
            read_so_far += 1
            answers += inbound.answers == (answer("ACCEPTED"),)
        assert list(box.new(2000)) == []
    assert read_so_far == 1000
    assert answers >= 10


def test_no_mail_takes_much_more_memory_than_it_is_large():
    largest = max((kind(random.Random(SEED)) for kind in KINDS), key=len)
    bombs = [kind(random.Random(SEED)) for kind in KINDS]
    assert len(largest) > MB
    tracemalloc.start()
    try:
        for bomb in bombs:
            read(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MB
