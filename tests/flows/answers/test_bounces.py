"""Mail of ours that comes back: the delivery has failed, and an address that does not exist gets nothing more."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Select, select, update

from conference_orchestrator.flows import bouncing, delivering, suppressing
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import steps, transaction
from conference_orchestrator.ledger.marks import Marks
from conference_orchestrator.ledger.messages import Message, Outcome, State
from conference_orchestrator.ledger.suppressions import Suppression
from conference_orchestrator.notify import mime
from tests.flows.answers import letters
from tests.flows.answers.conftest import Mailroom
from tests.house import HELPDESK

TITLE = "Mail to an address comes back"


@pytest.fixture
def mailroom(mailroom: Mailroom) -> Mailroom:
    """All mail so far was taken by the mail server."""
    with transaction() as tx:
        db.session.execute(update(Message).values(state="sent", sent_at=tx.now, last_answer="250 taken"))
    mailroom.later(minutes=5)
    return mailroom


def sent_to(address: str) -> Message:
    """The invitation to the address, or the alert to the helpdesk, as it is in the database now."""
    db.session.close()
    return db.session.scalars(message_to(address)).one()


def message_to(address: str) -> Select[Message]:
    return select(Message).where(Message.address == address, Message.kind.in_(["invitation", "desk-alert"]))


def came_back(address: str, **more: str) -> bytes:
    return letters.bounce(address, delivering.message_id(sent_to(address).id), **more)


def suppressed() -> list[tuple[str, str, str]]:
    db.session.close()
    return [(one.address, one.scope, one.reason) for one in db.session.scalars(select(Suppression))]


def test_an_address_that_does_not_exist_gets_nothing_more(mailroom: Mailroom) -> None:
    mail = mailroom.takes(came_back("anna@hospital.example"))
    message = sent_to("anna@hospital.example")
    assert message.state == "failed"
    assert message.last_answer == "It came back: anna@hospital.example: failed, 5.1.1 550 5.1.1 no such user"
    (found,) = db.session.scalars(select(Suppression))
    assert (found.address, found.scope, found.reason) == ("anna@hospital.example", "all", "bounced")
    assert (found.detail, found.message_id) == ("5.1.1 550 5.1.1 no such user", message.id)
    assert (mail.kind, mail.state) == ("bounce", "counted")
    assert (mail.clinician_id, mail.conference_id) == (mailroom.anna.id, message.conference_id)
    assert sent_to("ines@hospital.example").state == "sent"


def test_the_helpdesk_gets_one_line_for_each_address(mailroom: Mailroom) -> None:
    mailroom.takes_in(*[came_back(f"{name}@hospital.example") for name in ("anna", "anna", "ines")])
    told = [message.facts["detail"] for message in mailroom.house.messages("desk-alert")]
    assert mailroom.scene.alerts() == [TITLE, TITLE]
    assert sorted(line.partition(": ")[0] for line in told) == [
        "Anna Ávila cannot be reached at anna@hospital.example",
        "Ines Ávila cannot be reached at ines@hospital.example",
    ]


def test_who_was_told_that_it_is_mended_is_told_when_it_comes_back_again(mailroom: Mailroom) -> None:
    mailroom.takes(came_back("anna@hospital.example"))
    suppressing.lift(db.session.scalars(select(Suppression.id)).one(), by=HELPDESK)
    mailroom.takes(came_back("anna@hospital.example"))
    assert mailroom.scene.alerts() == [TITLE, TITLE]


def test_another_address_of_the_same_person_gets_mail(mailroom: Mailroom) -> None:
    mailroom.takes(came_back("anna@hospital.example"))
    assert suppressing.bounced(["anna@hospital.example", "anna@clinic.example"]) == {
        "anna@hospital.example": mailroom.now
    }


@pytest.mark.parametrize("status", ["5.2.2", "5.2.3", "5.3.4", "5.7.1", "5.7.26", "5.1.8", "5.6.0", "5.5.2", "4.4.7"])
def test_what_says_nothing_about_the_address_fails_the_delivery_only(mailroom: Mailroom, status: str) -> None:
    mail = mailroom.takes(came_back("anna@hospital.example", status=status))
    assert (mail.state, sent_to("anna@hospital.example").state, suppressed()) == ("counted", "failed", [])
    assert mailroom.scene.alerts() == []


@pytest.mark.parametrize("status", ["5.0.0", "5.1.1", "5.1.2", "5.1.10", "5.2.1", "5.4.4"])
def test_what_means_that_nothing_will_ever_arrive_is_about_the_address(status: str) -> None:
    assert bouncing.is_of_the_address(status)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_has_not_failed_changes_nothing(mailroom: Mailroom, action: str) -> None:
    mail = mailroom.takes(came_back("anna@hospital.example", action=action))
    assert (mail.state, sent_to("anna@hospital.example").state, suppressed()) == ("ignored", "sent", [])


@pytest.mark.parametrize("state", ["ambiguous", "deferred"])
def test_a_delivery_in_doubt_has_failed_too_when_it_comes_back(mailroom: Mailroom, state: str) -> None:
    """The server took it without saying so: sent again, it would come back again."""
    with transaction():
        db.session.execute(update(Message).values(state=state, lost_answers=1))
    mailroom.takes(came_back("anna@hospital.example", status="5.2.2"))
    assert sent_to("anna@hospital.example").state == "failed"


def marked_sent(message: Message) -> State:
    """How it stands after the worker that has it in hand wrote down that the server took it."""
    outcome = Outcome(message_id=message.id, state=State.SENT, answer="250 taken", sent_at=message.created_at)
    with steps() as connection, Marks(connection, worker="w") as marks:
        marks.write(outcome)
    return State(sent_to(message.address).state)


@pytest.mark.parametrize(("attempts", "state"), [(1, "failed"), (2, "sent")])
def test_a_mail_that_comes_back_before_its_sender_wrote_down_that_it_went_has_failed(
    mailroom: Mailroom, attempts: int, state: str
) -> None:
    """With the second attempt it may be the first that comes back, and the one in hand may arrive."""
    in_hand = {"state": "sending", "attempts": attempts, "worker": "w", "lease_until": mailroom.house.clock.now()}
    with transaction():
        db.session.execute(update(Message).values(in_hand))
    mailroom.takes(came_back("anna@hospital.example", status="5.2.2"))
    assert marked_sent(sent_to("anna@hospital.example")) == state


def test_a_delivery_that_goes_on_is_not_called_failed(mailroom: Mailroom) -> None:
    """It was sent again since; the address gets nothing more all the same."""
    with transaction():
        db.session.execute(update(Message).values(state="deferred"))
    mailroom.takes(came_back("anna@hospital.example"))
    assert sent_to("anna@hospital.example").state == "deferred"
    assert suppressed() == [("anna@hospital.example", "all", "bounced")]


class TestInvented:
    """Anybody can write a bounce: nobody is cut off by one that does not prove what it says."""

    def test_one_about_an_address_that_we_never_wrote_to_is_ignored(self, mailroom: Mailroom) -> None:
        mail = mailroom.takes(letters.bounce("olga@hospital.example", None))
        assert (mail.state, suppressed(), mailroom.scene.alerts()) == ("ignored", [], [])

    @pytest.mark.parametrize("named", [None, "<other@elsewhere.example>", f"<{'0' * 32}@network.example>"])
    def test_one_that_does_not_name_our_mail_is_shown_and_told_once_a_day(
        self, mailroom: Mailroom, named: str | None
    ) -> None:
        mails = mailroom.takes_in(*[letters.bounce("anna@hospital.example", named)] * 2)
        assert [mail.state for mail in mails] == ["open", "open"]
        assert (suppressed(), sent_to("anna@hospital.example").state) == ([], "sent")
        assert mailroom.scene.alerts() == [TITLE]

    def test_it_would_cut_people_off_if_the_address_alone_were_enough(
        self, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(bouncing, "_named", lambda bounce: db.session.scalar(message_to(bounce.recipient)))
        mailroom.takes(letters.bounce("anna@hospital.example", None))
        assert suppressed() == [("anna@hospital.example", "all", "bounced")]

    def test_one_that_names_a_mail_to_somebody_else_is_shown(self, mailroom: Mailroom) -> None:
        """Somebody else's mailbox hands our mail on."""
        named = delivering.message_id(sent_to("anna@hospital.example").id)
        mail = mailroom.takes(letters.bounce("anna@private.example", named))
        assert (mail.state, suppressed()) == ("open", [])
        assert mail.detail.startswith("A mail to anna@hospital.example was handed on and refused there.")

    def test_one_of_a_mail_from_long_ago_that_it_does_not_name_is_ignored(self, mailroom: Mailroom) -> None:
        mailroom.later(days=11)
        assert mailroom.takes(letters.bounce("anna@hospital.example", None)).state == "ignored"


def test_our_own_address_is_never_cut_off(mailroom: Mailroom) -> None:
    """The alerts to the helpdesk would stop, and nobody would be told that they have."""
    with transaction() as tx:
        delivering.tell_helpdesk(tx, "Something", "Look.", path="/", cause="test")
    with transaction() as tx:
        db.session.execute(update(Message).values(state="sent", sent_at=tx.now))
    mail = mailroom.takes(came_back("helpdesk@network.example"))
    assert (mail.state, suppressed(), mailroom.scene.alerts()) == ("open", [], ["Something"])


def test_a_bounce_about_several_people_is_read_for_each(mailroom: Mailroom) -> None:
    one = came_back("anna@hospital.example").decode()
    more = "\r\nFinal-Recipient: rfc822; olga@hospital.example\r\nAction: delayed\r\nStatus: 4.4.1\r\n"
    at = one.index("\r\nFinal-Recipient")
    mail = mailroom.takes((one[:at] + more + one[at:]).encode())
    assert mail.state == "counted"
    assert "olga@hospital.example: delayed" in mail.detail
    assert suppressed() == [("anna@hospital.example", "all", "bounced")]


class TestMessageIds:
    @pytest.mark.parametrize("domain", ["network.example", "münchen.example", f"{'long.' * 30}example"])
    def test_ours_leads_back_to_its_row(self, domain: str) -> None:
        row_id = uuid4()
        assert bouncing.row_id_of(mime.message_id(row_id, domain)) == row_id

    @pytest.mark.parametrize(
        "foreign", ["", "<>", "<a@b>", "<12345678-1234-4234-8234-123456789012@n.example>", f"<{'A' * 32}@n.example>"]
    )
    def test_that_of_others_leads_nowhere(self, foreign: str) -> None:
        assert bouncing.row_id_of(foreign) is None


def test_a_later_bounce_than_any_server_sends_is_believed_when_it_names_our_mail(mailroom: Mailroom) -> None:
    named = came_back("anna@hospital.example")
    mailroom.house.clock.move_on(timedelta(days=30))
    assert mailroom.takes(named).state == "counted"
