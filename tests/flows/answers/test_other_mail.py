"""What is no answer: proposals of another time, automatic replies, people who write, what nobody can read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conference_orchestrator.flows import reading_post
from conference_orchestrator.kernel.errors import NotFound, NotPermitted, RuleBroken
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from tests.flows.answers import letters
from tests.flows.answers.conftest import Mailroom
from tests.house import HELPDESK

PROPOSED = ("DTSTART:20261124T130000Z", "DTEND:20261124T134000Z")


def counter(mailroom: Mailroom, **more: object) -> bytes:
    usual = {"method": "COUNTER", "more": PROPOSED, "comment": "After the clinic?"}
    return mailroom.reply(mailroom.anna, "TENTATIVE", **usual | more)


class TestProposals:
    def test_another_time_is_no_answer_and_waits_for_the_helpdesk_with_the_times(self, mailroom: Mailroom) -> None:
        mail = mailroom.takes(counter(mailroom))
        assert (mail.kind, mail.state, mailroom.said(mailroom.anna)) == ("counter", "open", None)
        assert mail.proposed_starts_at == datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
        assert mail.proposed_ends_at == datetime(2026, 11, 24, 13, 40, tzinfo=UTC)
        assert (mail.clinician_id, mail.conference_id) == (
            mailroom.anna.id,
            mailroom.invitation(mailroom.anna).conference_id,
        )

    def test_the_helpdesk_is_told_once_by_whom_and_when(self, mailroom: Mailroom) -> None:
        mailroom.takes(counter(mailroom))
        reading_post.read_post()
        (alert,) = mailroom.house.messages("desk-alert")
        assert alert.facts["title"] == "Somebody who is invited proposes another time"
        assert alert.facts["detail"].startswith(
            "Anna Ávila proposes Tuesday 24 November 2026, 13.00 UTC for Brain, Tuesday 24 November 2026, 10.00 UTC. "
            'With it: "After the clinic?"'
        )
        assert mailroom.house.queue.of_kind("deliver") == [{"messages": [str(alert.id)]}]

    def test_a_time_in_a_zone_that_nobody_knows_is_told_as_another_time(self, mailroom: Mailroom) -> None:
        mail = mailroom.takes(counter(mailroom, more=("DTSTART;TZID=Custom:20261124T130000",)))
        assert (mail.proposed_starts_at, mail.detail[:32]) == (None, "Anna Ávila proposes another time")

    @pytest.mark.parametrize(
        "wrong", [{"sender": "somebody@elsewhere.example"}, {"uid": "other"}, {"attendee": "ines@hospital.example"}]
    )
    def test_a_strangers_proposal_is_kept_and_wakes_nobody(self, mailroom: Mailroom, wrong: dict[str, str]) -> None:
        mail = mailroom.takes(counter(mailroom, **{"sender": mailroom.anna.email} | wrong))
        assert (mail.kind, mail.state, mail.proposed_starts_at) == ("counter", "open", None)
        assert mail.detail.startswith("Another time is proposed, but ")
        assert mailroom.scene.alerts() == []


def test_an_automatic_reply_needs_nobody(mailroom: Mailroom) -> None:
    mail = mailroom.takes(letters.absence(mailroom.anna.email))
    assert (mail.kind, mail.state) == ("auto-reply", "ignored")


def test_somebody_who_writes_waits_for_the_helpdesk_and_wakes_nobody(mailroom: Mailroom) -> None:
    mail = mailroom.takes(letters.mail(["May I bring a colleague?"], sender=mailroom.anna.email, subject="A question"))
    assert (mail.kind, mail.state, mail.subject, mail.address) == ("other", "open", "A question", mailroom.anna.email)
    assert mailroom.scene.alerts() == []


def test_what_nobody_can_read_is_kept_and_says_why(mailroom: Mailroom) -> None:
    mail = mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED").replace(b"ATTENDEE", b"NOBODY"))
    assert (mail.kind, mail.state, mail.address) == ("unreadable", "open", mailroom.anna.email)
    assert mail.detail == "This answer names no event, or nobody who answers."


class TestTheHelpdesk:
    def test_it_is_done_with_an_open_mail(self, mailroom: Mailroom) -> None:
        mail = mailroom.takes(letters.mail(["Hello"], sender=mailroom.anna.email))
        mailroom.later(minutes=5)
        done = reading_post.resolve(mail.id, by=HELPDESK)
        assert (done.state, done.resolved_at) == ("done", mailroom.now)
        with pytest.raises(RuleBroken, match="is done"):
            reading_post.resolve(mail.id, by=HELPDESK)

    def test_what_counted_waits_for_nobody(self, mailroom: Mailroom) -> None:
        mail = mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED"))
        with pytest.raises(RuleBroken, match="is counted"):
            reading_post.resolve(mail.id, by=HELPDESK)

    def test_one_who_belongs_to_one_network_reads_no_mail_of_all_of_them(self, mailroom: Mailroom) -> None:
        mail = mailroom.takes(letters.mail(["Hello"], sender=mailroom.anna.email))
        narrow = Principal(role=Role.HELPDESK, network_id=mailroom.group.network_id)
        for act in (
            lambda: reading_post.listed(Paging(), by=narrow),
            lambda: reading_post.get(mail.id, by=narrow),
            lambda: reading_post.resolve(mail.id, by=narrow),
        ):
            with pytest.raises(NotPermitted, match="one network"):
                act()

    def test_a_mail_that_is_not_there_is_not_found(self, mailroom: Mailroom) -> None:
        with pytest.raises(NotFound):
            reading_post.get(mailroom.anna.id, by=HELPDESK)
