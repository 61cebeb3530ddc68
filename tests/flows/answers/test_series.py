"""Answers by mail to a series that is held as one object: to the whole, to one date, to one that has moved."""

from __future__ import annotations

import pytest

from conference_orchestrator.flows import arranging, calendars, expecting, rounds
from conference_orchestrator.ledger import series_calendars
from conference_orchestrator.network.expert_groups import CalendarStyle
from tests.flows.answers import letters
from tests.flows.answers.conftest import Mailroom
from tests.house import HELPDESK
from tests.mails import WORK, move_session
from tests.scene import settle

SECOND = "RECURRENCE-ID;TZID=Europe/Berlin:20261201T110000"


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def by_series(mailroom: Mailroom) -> Mailroom:
    """Anna holds the series as one object; its first session has a case and a link."""
    calendars.choose(mailroom.group.id, mailroom.anna.id, CalendarStyle.SERIES, by=HELPDESK)
    settle(mailroom.house, *WORK)
    return mailroom


def said(mailroom: Mailroom, answer: str, *more: str, sequence: int = 1) -> bytes:
    """What Anna's program sends."""
    (uid,) = series_calendars.held_by(mailroom.anna.id)
    return letters.reply(uid, answer, mailroom.anna.email, stamp=mailroom.now, sequence=sequence, more=more)


def answers(mailroom: Mailroom) -> list[str | None]:
    """What stands for Anna at the first three sessions."""
    found = [mailroom.scene.session(mailroom.group, number) for number in range(3)]
    rosters = expecting.expected_at(found)
    return [next(e.answer for e in rosters[of.id] if e.clinician_id == mailroom.anna.id) for of in found]


def test_a_reply_to_the_series_counts_for_all_its_sessions(by_series: Mailroom) -> None:
    mail = by_series.takes(said(by_series, "ACCEPTED"))
    assert (mail.state, mail.detail) == ("counted", "Anna Ávila accepted: Brain, all its sessions.")
    assert answers(by_series) == ["accepted"] * 3
    assert by_series.invitation(by_series.anna).answer == "accepted", "the session that is made already, too"


def test_a_reply_to_one_date_counts_for_it_alone_and_goes_before_the_whole(by_series: Mailroom) -> None:
    mail = by_series.takes(said(by_series, "DECLINED", SECOND))
    assert mail.detail == "Anna Ávila declined: Brain, the session of 01 December 2026."
    assert answers(by_series) == [None, "declined", None]
    by_series.later(minutes=1)
    by_series.takes(said(by_series, "ACCEPTED"))
    assert answers(by_series) == ["accepted", "declined", "accepted"]


@pytest.mark.parametrize(
    "occurrence",
    ["RECURRENCE-ID:20261201T100000Z", "RECURRENCE-ID;VALUE=DATE:20261201", SECOND.replace("Berlin", "Paris")],
)
def test_the_date_is_known_however_it_is_written(by_series: Mailroom, occurrence: str) -> None:
    by_series.takes(said(by_series, "TENTATIVE", occurrence))
    assert answers(by_series) == [None, "tentative", None]


@pytest.mark.parametrize(
    "occurrence",
    ["RECURRENCE-ID:20261202T100000Z", "RECURRENCE-ID:20261201T110000Z", "RECURRENCE-ID;TZID=X:20261201T110000"],
)
def test_a_date_that_the_series_does_not_have_is_shown_to_the_helpdesk(by_series: Mailroom, occurrence: str) -> None:
    assert by_series.takes(said(by_series, "DECLINED", occurrence)).state == "open"
    assert answers(by_series) == [None, None, None]


def test_an_answer_to_the_time_before_a_move_is_not_counted(by_series: Mailroom) -> None:
    first = "RECURRENCE-ID;TZID=Europe/Berlin:20261124T110000"
    move_session(by_series.scene, by_series.group, hours=2)
    settle(by_series.house, *WORK)
    old = by_series.takes(said(by_series, "ACCEPTED", first, sequence=0))
    assert (old.state, answers(by_series)[0]) == ("ignored", None)
    by_series.later(minutes=1)
    assert by_series.takes(said(by_series, "ACCEPTED", first, sequence=1)).state == "counted"
    assert answers(by_series)[0] == "accepted"


def test_an_older_reply_that_comes_late_changes_nothing(by_series: Mailroom) -> None:
    late = said(by_series, "DECLINED", SECOND)
    by_series.later(minutes=5)
    by_series.takes(said(by_series, "ACCEPTED", SECOND))
    assert by_series.takes(late).state == "ignored"
    assert answers(by_series)[1] == "accepted"


def test_nothing_is_answered_to_a_date_that_fell_out(by_series: Mailroom) -> None:
    rounds.cancel(by_series.scene.session(by_series.group, 1).id, "A congress", by=HELPDESK)
    settle(by_series.house, *WORK)
    assert by_series.takes(said(by_series, "ACCEPTED", SECOND, sequence=2)).state == "ignored"


def test_who_does_not_hold_the_series_cannot_answer_it(by_series: Mailroom) -> None:
    (uid,) = series_calendars.held_by(by_series.anna.id)
    mail = by_series.takes(letters.reply(uid, "ACCEPTED", by_series.ines.email, stamp=by_series.now))
    assert mail.state == "open"


def test_an_answer_to_a_round_that_has_ended_is_ignored(by_series: Mailroom) -> None:
    answer = said(by_series, "ACCEPTED", sequence=5)
    (series,) = arranging.series_of(by_series.group.id, by=HELPDESK).items
    arranging.close_series(series.id, by=HELPDESK)
    settle(by_series.house, *WORK)
    assert by_series.takes(answer).state == "ignored"
