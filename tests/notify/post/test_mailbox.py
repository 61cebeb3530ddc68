"""What every mailbox promises, asked of each: the real one over IMAP, and the one in memory that other tests use."""

from urllib.parse import quote

import pytest

from conference_orchestrator.notify.imap import open_mailbox
from conference_orchestrator.notify.mailbox import LARGEST_MAIL, Mail, MailboxUnavailable, MailKey
from tests.notify.post.imap_server import SECRET, USER
from tests.notify.post.memory import MailboxInMemory

HEADER = b"From: ines.costa@hospital-norte.example\r\nSubject: large\r\n\r\n"


class OverImap:
    def __init__(self, start):
        self.server = start()

    def put(self, number, mail):
        self.server.mails[number] = mail

    def withhold(self, number):
        self.server._poisoned[number] = b"{tag} NO cannot open message\r\n"

    def open(self):
        account = f"{quote(USER, safe='')}:{quote(SECRET, safe='')}"
        return open_mailbox(f"imap://{account}@127.0.0.1:{self.server.port}/INBOX?tls=none", timeout=10)

    @property
    def validity(self):
        return self.server.validity


class InMemory:
    def __init__(self):
        self.box = MailboxInMemory()
        self.validity = self.box.validity

    def put(self, number, mail):
        self.box.mails[number] = mail

    def withhold(self, number):
        self.box.unfetchable.add(number)

    def open(self):
        return self.box


@pytest.fixture(params=["imap", "memory"])
def case(request, imap_server):
    return OverImap(imap_server) if request.param == "imap" else InMemory()


def numbers(mails):
    return [mail.key.number for mail in mails]


def test_an_empty_mailbox_has_nothing_new(case):
    with case.open() as box:
        assert list(box.new(10)) == []


def test_mails_come_byte_for_byte_oldest_first(case):
    mails = {30: b"third\r\n", 4: b"first \x00\xff ) {3}\r\n", 5: b""}
    for number, mail in mails.items():
        case.put(number, mail)
    with case.open() as box:
        found = list(box.new(10))
    assert [(mail.key, mail.data, mail.whole) for mail in found] == [
        (MailKey(case.validity, number), mails[number], True) for number in (4, 5, 30)
    ]


def test_no_more_mails_come_than_are_asked_for(case):
    for number in range(1, 8):
        case.put(number, b"x")
    with case.open() as box:
        assert numbers(box.new(3)) == [1, 2, 3]


def test_a_mail_that_is_not_done_comes_again(case):
    case.put(1, b"one")
    with case.open() as box:
        assert numbers(box.new(10)) == [1]
    with case.open() as box:
        assert numbers(box.new(10)) == [1]


def test_a_mail_that_is_done_never_comes_again(case):
    for number in (1, 2, 3):
        case.put(number, b"x")
    with case.open() as box:
        for mail in box.new(10):
            if mail.key.number != 2:
                box.done(mail.key)
                box.done(mail.key)
        assert numbers(box.new(10)) == [2]


def test_a_key_from_before_the_folder_was_renumbered_marks_nothing(case):
    case.put(1, b"one")
    with case.open() as box:
        box.done(MailKey(case.validity - 1, 1))
        assert numbers(box.new(10)) == [1]


def test_the_largest_mail_comes_whole(case):
    case.put(1, HEADER.ljust(LARGEST_MAIL, b"x"))
    with case.open() as box:
        (mail,) = box.new(10)
    assert (len(mail.data), mail.whole) == (LARGEST_MAIL, True)


def test_of_a_larger_mail_comes_the_header_alone(case):
    case.put(1, HEADER.ljust(LARGEST_MAIL + 1, b"x"))
    with case.open() as box:
        (mail,) = box.new(10)
    assert (mail.data[: len(HEADER)], mail.whole) == (HEADER, False)
    assert len(mail.data) <= 64 * 1024


def test_a_mail_that_cannot_be_fetched_comes_last_without_its_data(case):
    for number in (1, 2, 3):
        case.put(number, b"x")
    case.withhold(1)
    with case.open() as box:
        *others, last = box.new(10)
        assert numbers(others) == [2, 3]
        assert last == Mail(key=MailKey(case.validity, 1), data=b"", whole=False)
        box.done(last.key)
        assert numbers(box.new(10)) == [2, 3]


@pytest.mark.parametrize("count", [1, 9])
def test_where_no_mail_can_be_fetched_none_is_given_up(case, count):
    for number in range(1, 1 + count):
        case.put(number, b"x")
        case.withhold(number)
    with case.open() as box, pytest.raises(MailboxUnavailable, match="none of its mails"):
        list(box.new(10))
