"""Each mail is read once, whatever happens to the mailbox, to us, and to the mails around it."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from conference_orchestrator.flows import counting, reading_post
from conference_orchestrator.flows.reading_post import open_mailbox
from conference_orchestrator.kernel.transaction import is_open
from conference_orchestrator.ledger.inbound import InboundMail
from conference_orchestrator.notify.mailbox import MailboxRefused, MailboxUnavailable
from tests.flows.answers import letters
from tests.flows.answers.conftest import Mailroom
from tests.house import House
from tests.notify.post.memory import MailboxInMemory

BROKEN = MailboxUnavailable("the connection was closed")


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def letter(number: int) -> bytes:
    return letters.mail(["Hello"], sender=f"somebody-{number}@hospital.example")


class Dying(BaseException):
    """The process ends here."""


def test_without_a_mailbox_nothing_is_opened(house: House) -> None:
    reading_post.read_post()
    assert house.count(InboundMail) == 0


def test_a_mail_that_was_read_is_marked_and_read_no_more(mailroom: Mailroom) -> None:
    mailroom.takes_in(letter(1), letter(2))
    reading_post.read_post()
    assert [row.number for row in mailroom.rows()] == [1, 2]
    assert len(mailroom.box.seen) == 2
    assert {row.mailbox for row in mailroom.rows()} == {"reader@mail.example/INBOX"}


def test_the_mailbox_is_asked_with_no_transaction_open(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    done = mailroom.box.done
    monkeypatch.setattr(mailroom.box, "done", lambda key: seen.append(is_open()) or done(key))
    mailroom.takes_in(letter(1), letter(2))
    assert seen == [False, False]


def test_who_dies_between_the_commit_and_the_mark_reads_it_again_and_changes_nothing(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailroom.box.put(mailroom.reply(mailroom.anna, "ACCEPTED"))

    def die(_key: object) -> None:
        raise Dying

    with monkeypatch.context() as dying:
        dying.setattr(mailroom.box, "done", die)
        with pytest.raises(Dying):
            reading_post.read_post()
    (before,) = mailroom.rows()
    answered_at = mailroom.invitation(mailroom.anna).answered_at
    mailroom.later(minutes=1)
    reading_post.read_post()
    assert [(row.id, row.state) for row in mailroom.rows()] == [(before.id, "counted")]
    assert mailroom.invitation(mailroom.anna).answered_at == answered_at
    assert len(mailroom.box.seen) == 1


def test_who_dies_before_the_commit_has_lost_nothing(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    mailroom.box.put(mailroom.reply(mailroom.anna, "ACCEPTED"))

    def die(*_: object) -> None:
        raise Dying

    with monkeypatch.context() as dying:
        dying.setattr(counting, "of_reply", die)
        with pytest.raises(Dying):
            reading_post.read_post()
    assert (mailroom.rows(), mailroom.box.seen) == ([], set())
    reading_post.read_post()
    assert mailroom.said(mailroom.anna) == "accepted"


def two_at_once(mailroom: Mailroom) -> Counter[str]:
    """What becomes of one proposal that two processes have fetched before either has marked it."""
    mailroom.box.put(mailroom.reply(mailroom.anna, "TENTATIVE", method="COUNTER", more=("DTSTART:20261124T130000Z",)))
    together = threading.Barrier(2, timeout=30)

    class Both(MailboxInMemory):
        def new(self, limit: int):
            found = list(mailroom.box.new(limit))
            together.wait()
            return iter(found)

    open_mailbox.fill(mailroom.house.app, Both)
    assert mailroom.house.at_once(2, lambda _: reading_post.read_post()) == [None, None]
    return Counter(row.state for row in mailroom.rows())


def test_two_processes_that_read_the_same_mail_at_once_count_it_once(mailroom: Mailroom) -> None:
    assert two_at_once(mailroom) == {"open": 1}
    assert len(mailroom.scene.alerts()) == 1


def test_without_the_unique_key_both_count_it(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: each mail lies at a number of its own."""
    numbers = iter(range(100, 200))

    def anew(table: type[InboundMail]):
        return renumbered(insert(table), numbers)

    monkeypatch.setattr(reading_post, "insert_new", anew)
    assert two_at_once(mailroom) == {"open": 2}
    assert len(mailroom.scene.alerts()) == 2


def renumbered(statement, numbers):
    class Renumbered:
        def values(self, row):
            return statement.values(row | {"number": next(numbers)})

    return Renumbered()


class TestTrouble:
    def test_a_mailbox_that_drops_in_the_middle_is_read_to_its_end_the_next_time(self, mailroom: Mailroom) -> None:
        for number in range(5):
            mailroom.box.put(letter(number))
        done, left = mailroom.box.done, [None, None, BROKEN]

        def drops(key: object) -> None:
            if left and (error := left.pop(0)):
                raise error
            done(key)

        mailroom.box.done = drops
        reading_post.read_post()
        assert len(mailroom.rows()) == 3
        reading_post.read_post()
        assert [row.number for row in mailroom.rows()] == [1, 2, 3, 4, 5]
        assert len(mailroom.box.seen) == 5

    @pytest.mark.parametrize(
        ("trouble", "title"),
        [
            (BROKEN, "The mailbox for answers cannot be reached"),
            (MailboxRefused("wrong password"), "The mailbox for answers refuses us"),
        ],
    )
    def test_the_helpdesk_is_told_once_a_day(self, mailroom: Mailroom, trouble: Exception, title: str) -> None:
        for _ in range(3):
            mailroom.box.trouble = trouble
            reading_post.read_post()
            mailroom.later(minutes=1)
        assert mailroom.scene.alerts() == [title]
        (alert,) = mailroom.house.messages("desk-alert")
        assert alert.facts["detail"].startswith(str(trouble))
        mailroom.later(days=1)
        mailroom.box.trouble = trouble
        reading_post.read_post()
        assert mailroom.scene.alerts() == [title, title]

    def test_what_waited_is_read_when_it_is_back(self, mailroom: Mailroom) -> None:
        mailroom.box.trouble = BROKEN
        mailroom.box.put(mailroom.reply(mailroom.anna, "ACCEPTED"))
        reading_post.read_post()
        assert mailroom.said(mailroom.anna) is None
        reading_post.read_post()
        assert mailroom.said(mailroom.anna) == "accepted"


class TestPoison:
    def test_a_mail_at_which_something_unforeseen_happens_is_kept_and_the_others_are_read(
        self, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_reply = counting.of_reply

        def stumbles(tx, mail):
            if mail.from_address == mailroom.ines.email:
                raise ZeroDivisionError
            return of_reply(tx, mail)

        monkeypatch.setattr(counting, "of_reply", stumbles)
        bad, good = mailroom.reply(mailroom.ines, "ACCEPTED"), mailroom.reply(mailroom.anna, "ACCEPTED")
        assert [mail.state for mail in mailroom.takes_in(bad, good)] == ["open", "counted"]
        assert mailroom.rows()[0].detail == "It could not be seen to; look at it in the mailbox."
        assert len(mailroom.box.seen) == 2

    def test_a_mail_is_read_again_when_the_database_was_at_fault(
        self, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def deadlock(*_: object) -> None:
            raise OperationalError("", {}, Exception("deadlock detected"))

        mailroom.box.put(mailroom.reply(mailroom.anna, "ACCEPTED"))
        with monkeypatch.context() as failing:
            failing.setattr(counting, "of_reply", deadlock)
            with pytest.raises(OperationalError):
                reading_post.read_post()
        assert (mailroom.rows(), mailroom.box.seen) == ([], set())
        reading_post.read_post()
        assert mailroom.said(mailroom.anna) == "accepted"


class TestBounds:
    def test_no_more_than_two_hundred_are_read_at_once_and_the_next_run_goes_on(
        self, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading_post, "MOST_AT_ONCE", 3)
        assert len(mailroom.takes_in(*[letter(number) for number in range(5)])) == 3
        reading_post.read_post()
        assert len(mailroom.rows()) == 5

    def test_after_a_minute_the_rest_is_left_to_the_next_run(
        self, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = mailroom.box.done
        monkeypatch.setattr(mailroom.box, "done", lambda key: done(key) or mailroom.later(seconds=25))
        assert len(mailroom.takes_in(*[letter(number) for number in range(5)])) == 3
        reading_post.read_post()
        assert len(mailroom.rows()) == 5


def test_a_mailbox_that_was_renumbered_is_read_anew(mailroom: Mailroom) -> None:
    """The numbers of another UIDVALIDITY are those of other mails (RFC 9051, 2.3.1.1)."""
    mailroom.takes(letter(1))
    mailroom.box.validity = 2
    reading_post.read_post()
    assert [(row.validity, row.number) for row in mailroom.rows()] == [(1, 1), (2, 1)]


def test_a_mail_that_cannot_be_fetched_is_kept_and_the_others_are_read(mailroom: Mailroom) -> None:
    mailroom.box.unfetchable.add(1)
    assert [row.kind for row in mailroom.takes_in(letter(1), letter(2))] == ["unreadable", "other"]
    assert len(mailroom.box.seen) == 2
