"""Whose word a mail is: only that of the person who holds the invitation and sent the mail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conference_orchestrator.flows import counting, erasing
from conference_orchestrator.kernel import ports
from conference_orchestrator.network import clinicians
from tests.flows.answers import letters
from tests.flows.answers.conftest import Mailroom
from tests.house import HELPDESK
from tests.mails import erase

STRANGER = "somebody@elsewhere.example"
SECOND = "anna.avila@clinic.example"


def not_counted(mailroom: Mailroom, mail: bytes) -> str:
    """The mail is kept for the helpdesk, without an alert, and nobody's answer changes; why."""
    row = mailroom.takes(mail)
    assert row.state == "open"
    assert (mailroom.said(mailroom.anna), mailroom.said(mailroom.ines)) == (None, None)
    assert mailroom.scene.alerts() == []
    return row.detail


def test_an_answer_for_somebody_else_is_not_counted(mailroom: Mailroom) -> None:
    said = not_counted(mailroom, mailroom.reply(mailroom.anna, "DECLINED", sender=mailroom.ines.email))
    assert said == f"Not counted: it answers for {mailroom.anna.email}, but comes from {mailroom.ines.email}."


def test_an_answer_from_an_address_that_nobody_knows_is_not_counted(mailroom: Mailroom) -> None:
    said = not_counted(mailroom, mailroom.reply(mailroom.anna, "DECLINED", sender=STRANGER))
    assert said == f"Not counted: {STRANGER} is no clinician's address."


def test_the_liar_is_counted_once_nobody_compares_who_answers_with_who_writes(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(counting, "_sender", lambda mail: clinicians.by_email(mail.answers[0].attendee))
    lie = mailroom.reply(mailroom.anna, "DECLINED", sender=STRANGER)
    assert mailroom.takes(lie).state == "counted"
    assert mailroom.said(mailroom.anna) == "declined"


def test_an_answer_of_somebody_who_was_not_invited_is_not_counted(mailroom: Mailroom) -> None:
    olga = mailroom.scene.clinician("olga")
    uid = mailroom.invitation(mailroom.anna).uid
    mail = letters.reply(uid, "ACCEPTED", olga.email, stamp=mailroom.now)
    assert not_counted(mailroom, mail) == f"Not counted: Olga Ávila is not invited to the meeting with the UID {uid}."


@pytest.mark.parametrize("uid", ["other@calendar.example", "session-none", "series-1", "x" * 300])
def test_an_answer_to_what_is_no_meeting_of_ours_is_not_counted(mailroom: Mailroom, uid: str) -> None:
    not_counted(mailroom, mailroom.reply(mailroom.anna, "ACCEPTED", uid=uid))


def test_a_mail_with_two_senders_is_nobodys(mailroom: Mailroom) -> None:
    mail = mailroom.reply(mailroom.anna, "ACCEPTED", header=(f"From: Somebody else <{STRANGER}>",))
    assert "no sender, or several" in not_counted(mailroom, mail)


def test_an_answer_of_somebody_erased_is_nobodys(mailroom: Mailroom) -> None:
    mail = mailroom.reply(mailroom.anna, "ACCEPTED")
    erase(mailroom.anna)
    not_counted(mailroom, mail)


def test_what_comes_from_or_back_to_somebody_forgotten_brings_neither_address_nor_words_back(
    mailroom: Mailroom,
) -> None:
    reply, address = mailroom.reply(mailroom.anna, "ACCEPTED"), mailroom.anna.email
    before = mailroom.takes(reply)
    assert (before.address, before.clinician_id) == (address, mailroom.anna.id), "the control"
    erasing.erase(mailroom.anna.id, by=HELPDESK)
    after = mailroom.takes(reply)
    assert (after.state, after.address, after.subject, after.clinician_id) == ("ignored", None, "", None)
    assert address not in str([vars(row) for row in mailroom.rows()])


class TestFurtherAddresses:
    """Both the attendee and the sender may be any address of the one person."""

    @pytest.mark.parametrize(
        ("attendee", "sender"),
        [(None, SECOND), (SECOND, None), (SECOND, SECOND), (None, SECOND.upper()), (SECOND.title(), None)],
    )
    def test_a_known_further_address_counts(self, mailroom: Mailroom, attendee: str | None, sender: str | None) -> None:
        mailroom.alias(mailroom.anna, SECOND)
        own = mailroom.anna.email
        mail = mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", attendee=attendee or own, sender=sender or own))
        assert (mail.state, mailroom.said(mailroom.anna)) == ("counted", "accepted")

    def test_that_of_somebody_else_does_not(self, mailroom: Mailroom) -> None:
        mailroom.alias(mailroom.ines, SECOND)
        not_counted(mailroom, mailroom.reply(mailroom.anna, "ACCEPTED", sender=SECOND))

    def test_one_that_nobody_entered_does_not(self, mailroom: Mailroom) -> None:
        not_counted(mailroom, mailroom.reply(mailroom.anna, "ACCEPTED", sender=SECOND))


class TestSeveralAttendees:
    """Some programs send back everybody who was listed."""

    def test_only_the_senders_own_answer_counts(self, mailroom: Mailroom) -> None:
        also = (f"ATTENDEE;PARTSTAT=DECLINED:mailto:{mailroom.ines.email}",)
        mail = mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", more=also))
        assert (mail.state, mailroom.said(mailroom.anna), mailroom.said(mailroom.ines)) == ("counted", "accepted", None)

    def test_an_event_that_is_answered_for_others_only_is_shown_beside_what_counts(self, mailroom: Mailroom) -> None:
        stamp = f"DTSTAMP:{mailroom.now:%Y%m%dT%H%M%SZ}"
        events = [
            [f"UID:{mailroom.invitation(of).uid}", stamp, f"ATTENDEE;PARTSTAT=DECLINED:mailto:{of.email}"]
            for of in (mailroom.anna, mailroom.ines)
        ]
        mail = mailroom.takes(letters.calendar_mail(events, sender=mailroom.anna.email))
        assert (mail.state, mailroom.said(mailroom.anna), mailroom.said(mailroom.ines)) == ("open", "declined", None)
        assert "Anna Ávila declined" in mail.detail
        assert f"it answers for {mailroom.ines.email}" in mail.detail


class TestChecksOfOurServer:
    """`Authentication-Results` of the server that is named in the settings (RFC 8601)."""

    @pytest.fixture
    def mailroom(self, mailroom: Mailroom) -> Mailroom:
        settings = replace(ports.settings(), imap_authserv="mx.network.example")
        ports.settings.fill(mailroom.house.app, settings)
        return mailroom

    def checked(self, mailroom: Mailroom, verdict: str, *, server: str = "mx.network.example") -> bytes:
        said = f"Authentication-Results: {server}; dmarc={verdict} header.from=hospital.example"
        return mailroom.reply(mailroom.anna, "ACCEPTED", header=(said,))

    def test_a_mail_that_they_call_forged_is_not_counted(self, mailroom: Mailroom) -> None:
        said = not_counted(mailroom, self.checked(mailroom, "fail"))
        assert said == f"Not counted: by our mail server's checks it does not come from {mailroom.anna.email}."

    def test_it_is_counted_once_nobody_asks_them(self, mailroom: Mailroom) -> None:
        """The negative control."""
        ports.settings.fill(mailroom.house.app, replace(ports.settings(), imap_authserv=""))
        assert mailroom.takes(self.checked(mailroom, "fail")).state == "counted"

    def test_a_mail_that_they_passed_is(self, mailroom: Mailroom) -> None:
        assert mailroom.takes(self.checked(mailroom, "pass")).state == "counted"

    def test_what_another_server_says_is_not_asked(self, mailroom: Mailroom) -> None:
        assert mailroom.takes(self.checked(mailroom, "fail", server="mx.elsewhere.example")).state == "counted"
