"""Answers by mail that count, and what the ledger then says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from conference_orchestrator.flows import answering, directory, expecting, reading_post, rounds
from conference_orchestrator.flows.registering import Place
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import Answer
from tests.flows.answers import letters
from tests.flows.answers.conftest import Mailroom
from tests.flows.registrants import open_webinar
from tests.house import HELPDESK, House
from tests.mails import WORK, move_session
from tests.notify.post.memory import MailboxInMemory
from tests.scene import Scene, settle


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.mark.parametrize("said", ["ACCEPTED", "DECLINED", "TENTATIVE"])
def test_a_reply_is_the_answer_of_who_holds_the_invitation(mailroom: Mailroom, said: str) -> None:
    mail = mailroom.takes(mailroom.reply(mailroom.anna, said))
    held = mailroom.invitation(mailroom.anna)
    assert (held.answer, held.answered_at, held.answered_sequence) == (said.lower(), mailroom.now, 0)
    assert held.answered_stamp == mailroom.now
    assert (mail.kind, mail.state, mail.address) == ("reply", "counted", mailroom.anna.email)
    assert (mail.clinician_id, mail.conference_id) == (mailroom.anna.id, held.conference_id)
    assert mail.detail == f"Anna Ávila {said.lower()}: Brain, Tuesday 24 November 2026, 10.00 UTC."
    assert mailroom.said(mailroom.ines) is None


def test_it_counts_for_the_quorum_as_one_by_link_does(mailroom: Mailroom) -> None:
    directory.change_group(mailroom.group.id, {"quorum": {"minimum": 1}}, by=HELPDESK)
    for said, accepted in [("TENTATIVE", 0), ("ACCEPTED", 1)]:
        mailroom.later(minutes=1)
        mailroom.takes(mailroom.reply(mailroom.anna, said))
        session = mailroom.scene.session(mailroom.group)
        assert expecting.forecasts([session])[session.id].accepted == accepted


def test_what_the_person_writes_with_it_is_shown_on_one_line(mailroom: Mailroom) -> None:
    mail = mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", comment=r"Ten minutes late.\nSorry!"))
    assert mail.detail.endswith('With it: "Ten minutes late. Sorry!"')


def test_the_same_reply_twice_changes_nothing(mailroom: Mailroom) -> None:
    same = mailroom.reply(mailroom.anna, "ACCEPTED")
    mailroom.takes(same)
    before = mailroom.invitation(mailroom.anna).answered_at
    mailroom.later(minutes=5)
    mail = mailroom.takes(same)
    assert (mail.state, mailroom.invitation(mailroom.anna).answered_at) == ("ignored", before)
    assert "counts already" in mail.detail


def test_the_later_of_two_replies_counts_in_whichever_order_they_arrive(mailroom: Mailroom) -> None:
    first = mailroom.reply(mailroom.anna, "ACCEPTED")
    mailroom.later(minutes=5)
    second = mailroom.reply(mailroom.anna, "DECLINED")
    assert [mail.state for mail in mailroom.takes_in(second, first)] == ["counted", "ignored"]
    assert mailroom.said(mailroom.anna) == "declined"


def test_a_reply_to_a_later_version_goes_before_one_with_a_later_time(mailroom: Mailroom) -> None:
    with transaction():
        held = mailroom.invitation(mailroom.anna)
        invitations.state_of(held.uid).sequence = 1  # the link has changed
    newer = mailroom.reply(mailroom.anna, "DECLINED", sequence=1)
    older = mailroom.reply(mailroom.anna, "ACCEPTED", sequence=0, stamp=mailroom.now + timedelta(minutes=5))
    assert [mail.state for mail in mailroom.takes_in(newer, older)] == ["counted", "ignored"]
    assert mailroom.said(mailroom.anna) == "declined"


def test_an_answer_by_link_stands_against_a_mail_that_was_written_before(mailroom: Mailroom) -> None:
    written = mailroom.reply(mailroom.anna, "ACCEPTED")
    mailroom.later(minutes=5)
    answering.answer(mailroom.link(mailroom.anna), Answer.DECLINED)
    mailroom.later(minutes=5)
    assert mailroom.takes(written).state == "ignored"
    assert mailroom.said(mailroom.anna) == "declined"


def test_a_mail_that_was_written_after_an_answer_by_link_counts(mailroom: Mailroom) -> None:
    answering.answer(mailroom.link(mailroom.anna), Answer.DECLINED)
    mailroom.later(minutes=5)
    assert mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED")).state == "counted"
    assert mailroom.said(mailroom.anna) == "accepted"


def test_an_answer_by_link_after_a_mail_counts_and_the_mail_does_not_come_back(mailroom: Mailroom) -> None:
    same = mailroom.reply(mailroom.anna, "ACCEPTED")
    mailroom.takes(same)
    mailroom.later(minutes=5)
    answering.answer(mailroom.link(mailroom.anna), Answer.DECLINED)
    assert mailroom.takes(same).state == "ignored"
    assert mailroom.said(mailroom.anna) == "declined"


def test_two_answers_of_one_second_that_differ_are_for_a_person_to_look_at(mailroom: Mailroom) -> None:
    mails = mailroom.takes_in(mailroom.reply(mailroom.anna, "ACCEPTED"), mailroom.reply(mailroom.anna, "DECLINED"))
    assert [mail.state for mail in mails] == ["counted", "open"]
    assert "nobody can tell whether declined or accepted came later" in mails[1].detail
    assert mailroom.said(mailroom.anna) == "accepted"


class TestWithoutATime:
    def test_the_first_answer_counts(self, mailroom: Mailroom) -> None:
        assert mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", stamp=None)).state == "counted"
        assert mailroom.said(mailroom.anna) == "accepted"

    def test_another_one_cannot_be_put_in_order(self, mailroom: Mailroom) -> None:
        mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED"))
        mails = [mailroom.reply(mailroom.anna, said, stamp=None) for said in ("ACCEPTED", "DECLINED")]
        assert [mail.state for mail in mailroom.takes_in(*mails)] == ["ignored", "open"]
        assert mailroom.said(mailroom.anna) == "accepted"

    def test_a_time_that_lies_far_ahead_is_none(self, mailroom: Mailroom) -> None:
        """Else it would make every later answer look old."""
        mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", stamp=mailroom.now + timedelta(days=900)))
        mailroom.later(minutes=5)
        assert mailroom.takes(mailroom.reply(mailroom.anna, "DECLINED")).state == "counted"


def test_a_number_that_was_never_sent_does_not_make_later_answers_look_old(mailroom: Mailroom) -> None:
    mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", sequence=99))
    mailroom.later(minutes=5)
    assert mailroom.takes(mailroom.reply(mailroom.anna, "DECLINED", sequence=0)).state == "counted"


class TestVersions:
    def test_an_answer_to_the_time_before_a_move_is_shown_and_does_not_count(self, mailroom: Mailroom) -> None:
        old = mailroom.reply(mailroom.anna, "ACCEPTED")
        move_session(mailroom.scene, mailroom.group, days=1)
        settle(mailroom.house, *WORK)
        mail = mailroom.takes(old)
        assert (mail.kind, mail.state) == ("reply", "ignored")
        assert mail.detail.startswith("Ignored, because it answers an old version: the time has changed since")
        assert mailroom.said(mailroom.anna) is None

    def test_the_answer_to_the_new_time_counts(self, mailroom: Mailroom) -> None:
        move_session(mailroom.scene, mailroom.group, days=1)
        settle(mailroom.house, *WORK)
        assert mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", sequence=1)).state == "counted"

    def test_an_answer_to_the_link_before_the_present_one_counts(self, mailroom: Mailroom) -> None:
        with transaction():
            state = invitations.state_of(mailroom.invitation(mailroom.anna).uid)
            state.sequence = state.content_sequence = 1
        assert mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", sequence=0)).state == "counted"

    @pytest.mark.parametrize("worked", [False, True], ids=["before the calendars know", "after"])
    def test_an_answer_to_what_is_cancelled_is_ignored(self, mailroom: Mailroom, worked: bool) -> None:
        reply = mailroom.reply(mailroom.anna, "ACCEPTED")
        rounds.cancel(mailroom.scene.session(mailroom.group).id, "The lead is ill.", by=HELPDESK)
        if worked:
            settle(mailroom.house, *WORK)
        mail = mailroom.takes(reply)
        assert (mail.state, mailroom.said(mailroom.anna)) == ("ignored", None)
        assert "it is cancelled" in mail.detail

    def test_an_answer_to_what_is_over_is_ignored(self, mailroom: Mailroom) -> None:
        reply = mailroom.reply(mailroom.anna, "ACCEPTED")
        mailroom.later(days=2)
        mail = mailroom.takes(reply)
        assert (mail.state, mailroom.said(mailroom.anna)) == ("ignored", None)
        assert "it is over" in mail.detail


@pytest.mark.parametrize("said", ["DELEGATED", "NEEDS-ACTION", "X-MAYBE"])
def test_what_is_neither_a_yes_nor_a_no_is_shown(mailroom: Mailroom, said: str) -> None:
    mail = mailroom.takes(mailroom.reply(mailroom.anna, said))
    assert (mail.state, mailroom.said(mailroom.anna)) == ("open", None)
    assert "neither a yes nor a no" in mail.detail


def test_an_answer_to_one_date_of_what_is_no_series_is_shown(mailroom: Mailroom) -> None:
    mail = mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", more=("RECURRENCE-ID:20261124T100000Z",)))
    assert (mail.state, mailroom.said(mailroom.anna)) == ("open", None)


def test_an_answer_whose_date_nobody_can_tell_is_shown(mailroom: Mailroom) -> None:
    unknown = ("RECURRENCE-ID;TZID=Custom:20261124T100000",)
    mail = mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED", more=unknown))
    assert (mail.state, mailroom.said(mailroom.anna)) == ("open", None)


def test_a_mail_with_several_answers_counts_each(mailroom: Mailroom) -> None:
    mailroom.scene.allocated(mailroom.anna, mailroom.group, slot=1)
    settle(mailroom.house, *WORK)
    held = held_by(mailroom, mailroom.anna)
    stamp = f"DTSTAMP:{mailroom.now:%Y%m%dT%H%M%SZ}"
    events = [[f"UID:{uid}", stamp, f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{mailroom.anna.email}"] for uid in held]
    mail = mailroom.takes(letters.calendar_mail(events, sender=mailroom.anna.email))
    assert mail.state == "counted"
    assert held_by(mailroom, mailroom.anna) == dict.fromkeys(held, "accepted")
    assert len(held) == 2


def held_by(mailroom: Mailroom, person: Any) -> dict[str, str | None]:
    db.session.close()
    rows = db.session.query(invitations.Invitation).filter_by(clinician_id=person.id).populate_existing()
    return {row.uid: row.answer for row in rows}


class TestWebinars:
    def test_accepting_by_mail_takes_a_place_and_declining_gives_it_to_the_next(
        self, house: House, scene: Scene, box: MailboxInMemory
    ) -> None:
        webinar = open_webinar(house, scene, capacity=1)
        uid = f"webinar-{webinar.request.id}"
        for name, said in [("emil", "ACCEPTED"), ("rita", "ACCEPTED"), ("emil", "DECLINED")]:
            box.put(letters.reply(uid, said, f"{name}@hospital.example", stamp=house.clock.at))
            reading_post.read_post()
            house.clock.move_on(timedelta(minutes=1))
            if said == "ACCEPTED":
                assert webinar.view("emil").place == Place(is_held=True)
        assert (webinar.standing.registered, webinar.standing.waiting) == (1, 0)
        assert webinar.view("rita").place == Place(is_held=True)


def test_an_answer_counts_without_the_answer_to_another_time_coming_back(mailroom: Mailroom) -> None:
    """The move forgets the order of the answers too: the same stamp is new to the new time."""
    mailroom.takes(mailroom.reply(mailroom.anna, "ACCEPTED"))
    move_session(mailroom.scene, mailroom.group, days=1)
    settle(mailroom.house, *WORK)
    assert mailroom.said(mailroom.anna) is None
    assert mailroom.takes(mailroom.reply(mailroom.anna, "DECLINED", sequence=1)).state == "counted"
