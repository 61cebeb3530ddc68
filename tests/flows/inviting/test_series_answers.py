"""What a member who holds the series as one object answered, as the mails about it and its page tell it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import arranging, calendars, rounds, series_answering
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.ledger.series_calendars import OccurrenceAnswer, SeriesInvitation
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup
from tests.flows.inviting.series_mails import (
    answer_by_link,
    answers,
    answers_in,
    choose,
    link_of,
    series_of,
    text,
    to_anna,
)
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails, move_session
from tests.scene import Scene, settle

FIRST = datetime(2026, 11, 24, 10, tzinfo=UTC)
WEEK = timedelta(weeks=1)
WAITS = "Please say whether you can come"


@pytest.fixture
def with_a_link(house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace) -> SimpleNamespace:
    """Anna holds the series, and its first session has a case and a link."""
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    return anna_by_series


def answer_the_series(said: Answer, *, on: date | None = None) -> None:
    """As she does on the page behind the link of the series that she holds now."""
    held = select(SeriesInvitation.id).where(SeriesInvitation.method == "REQUEST").order_by(SeriesInvitation.uid.desc())
    assert series_answering.answer(links.token("answer", db.session.scalars(held).first()), said, on=on)


def on_the_page() -> list[str | None]:
    held = select(SeriesInvitation.id).order_by(SeriesInvitation.uid.desc())
    view = series_answering.shown(links.token("answer", db.session.scalars(held).first()))
    assert view is not None
    return [one.answer for one in view.coming]


def test_a_date_that_moved_is_not_answered_in_the_mail_about_it(
    house: House, scene: Scene, group: ExpertGroup, with_a_link: SimpleNamespace, mails: Mails
) -> None:
    answer_the_series(Answer.ACCEPTED)
    mails()
    move_session(scene, group, hours=2)
    settle(house, *WORK)
    (sent,) = to_anna(mails)
    assert answers_in(sent) == {"20261124T110000": "NEEDS-ACTION"}
    assert WAITS in text(sent)
    assert answers(scene, group, with_a_link.anna.id)[0] is None


def test_a_date_that_was_moved_and_comes_back_waits_for_an_answer_too(
    house: House, scene: Scene, group: ExpertGroup, with_a_link: SimpleNamespace, mails: Mails
) -> None:
    answer_the_series(Answer.ACCEPTED)
    for hours in (2, -2):
        mails()
        move_session(scene, group, hours=hours)
        settle(house, *WORK)
    (sent,) = to_anna(mails)
    assert answers_in(sent) == {"20261124T110000": "NEEDS-ACTION"}
    assert on_the_page()[:2] == [None, "accepted"]
    assert answers(scene, group, with_a_link.anna.id)[:2] == [None, "accepted"]
    answer_the_series(Answer.ACCEPTED)
    assert on_the_page()[:2] == ["accepted", "accepted"]
    assert answers(scene, group, with_a_link.anna.id)[:2] == ["accepted", "accepted"]


def test_a_link_that_comes_to_a_date_leaves_it_accepted_with_the_whole(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    answer_the_series(Answer.ACCEPTED)
    mails()
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    (sent,) = to_anna(mails)
    assert answers_in(sent) == {"20261124T110000": "ACCEPTED"}
    assert "You have accepted" in text(sent)


def test_the_whole_series_tells_of_each_date_the_answer_to_it(
    house: House, scene: Scene, group: ExpertGroup, with_a_link: SimpleNamespace, mails: Mails
) -> None:
    answer_the_series(Answer.ACCEPTED)
    answer_by_link(link_of(scene, group, with_a_link.anna.id), Answer.DECLINED)
    answer_the_series(Answer.TENTATIVE, on=date(2026, 12, 8))
    rounds.move(scene.session(group, 1).id, FIRST + WEEK + timedelta(hours=2), by=HELPDESK)
    settle(house, *WORK)
    mails()
    arranging.change_series(series_of(group).id, {"from_on": date(2027, 1, 5), "start_time": time(15)}, by=HELPDESK)
    settle(house, *WORK)
    whole = next(message for message in to_anna(mails) if message.kind == "invitation-update")
    assert answers_in(whole) == {
        "": "ACCEPTED",
        "20261124T110000": "DECLINED",
        "20261201T110000": "NEEDS-ACTION",
        "20261208T110000": "TENTATIVE",
    }


def test_what_is_repaired_tells_the_answers_again(
    house: House, scene: Scene, group: ExpertGroup, with_a_link: SimpleNamespace, mails: Mails
) -> None:
    answer_the_series(Answer.ACCEPTED)
    answer_by_link(link_of(scene, group, with_a_link.anna.id), Answer.DECLINED)
    mails()
    house.clock.at += timedelta(hours=1)
    calendars.repair(with_a_link.anna.id, by=HELPDESK)
    (sent,) = to_anna(mails)
    assert answers_in(sent) == {"": "ACCEPTED", "20261124T110000": "DECLINED"}


def test_an_answer_by_the_link_of_one_date_stays_when_all_are_accepted(
    scene: Scene, group: ExpertGroup, with_a_link: SimpleNamespace
) -> None:
    answer_by_link(link_of(scene, group, with_a_link.anna.id), Answer.DECLINED)
    assert on_the_page()[:2] == ["declined", None]
    answer_the_series(Answer.ACCEPTED)
    assert on_the_page()[:2] == ["declined", "accepted"]
    assert answers(scene, group, with_a_link.anna.id) == ["declined", "accepted", "accepted", "accepted"]


def test_an_answer_to_a_session_counts_on_for_who_turns_to_the_series(
    house: House, scene: Scene, group: ExpertGroup, people: SimpleNamespace, request_id: UUID, mails: Mails
) -> None:
    answer_by_link(link_of(scene, group, people.anna.id), Answer.DECLINED)
    mails()
    choose(group, people.anna.id, CalendarStyle.SERIES)
    settle(house, *WORK)
    whole = next(message for message in to_anna(mails) if message.kind == "invitation")
    assert answers_in(whole) == {"": "NEEDS-ACTION", "20261124T110000": "DECLINED"}
    answer_the_series(Answer.ACCEPTED)
    assert answers(scene, group, people.anna.id)[:2] == ["declined", "accepted"]


def test_who_holds_sessions_answers_to_no_series(
    scene: Scene, group: ExpertGroup, with_a_link: SimpleNamespace
) -> None:
    answer_by_link(link_of(scene, group, with_a_link.emil.id), Answer.DECLINED)
    assert db.session.scalars(select(OccurrenceAnswer)).all() == []


def test_accepting_all_leaves_the_answers_to_sessions_that_were_held(
    house: House, scene: Scene, group: ExpertGroup, with_a_link: SimpleNamespace
) -> None:
    answer_the_series(Answer.DECLINED)
    house.clock.at = FIRST + timedelta(hours=3)
    answer_the_series(Answer.ACCEPTED)
    assert answers(scene, group, with_a_link.anna.id)[:2] == ["declined", "accepted"]
