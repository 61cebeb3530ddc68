"""One date of a series that somebody holds as one object: what was before, why it falls out, and whose mail it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from conference_orchestrator.flows import arranging, delivering, reminding, rounds
from conference_orchestrator.insight import deliveries
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup
from tests.flows.inviting.series_mails import choose, events, instant, series_of, text, to_anna
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails, move_session
from tests.scene import Scene, settle

FIRST = datetime(2026, 11, 24, 10, tzinfo=UTC)
WEEK = timedelta(weeks=1)


@pytest.mark.usefixtures("anna_by_series")
def test_each_move_tells_the_time_that_the_calendar_held(
    house: House, scene: Scene, group: ExpertGroup, mails: Mails
) -> None:
    mails()
    for hours in (2, 1, -3):
        move_session(scene, group, hours=hours)
        settle(house, *WORK)
    told = [(message.facts["starts_at"], message.facts["previous_starts_at"]) for message in to_anna(mails)]
    eleven, one, two = FIRST, FIRST + timedelta(hours=2), FIRST + timedelta(hours=3)
    assert [(instant(now), instant(before)) for now, before in told] == [(one, eleven), (two, one), (eleven, two)]


def test_a_cancelled_date_is_taken_from_where_the_calendar_shows_it(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    scene.allocated(anna_by_series.ines, group)
    move_session(scene, group, days=1)
    settle(house, *WORK)
    mails()
    rounds.cancel(scene.session(group).id, "A congress", by=HELPDESK)
    settle(house, *WORK)
    (sent,) = to_anna(mails)
    (event,) = events(sent).values()
    assert "DTSTART;TZID=Europe/Berlin:20261125T110000" in event
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20261124T110000" in event
    assert "Wednesday 25 November 2026, 10:00-10:40" in text(sent)


@pytest.mark.usefixtures("anna_by_series")
def test_the_reason_is_told_why_a_date_is_cancelled(
    house: House, scene: Scene, group: ExpertGroup, mails: Mails
) -> None:
    mails()
    rounds.cancel(scene.session(group, 1).id, "The group meets at a congress.", by=HELPDESK)
    settle(house, *WORK)
    (sent,) = to_anna(mails)
    assert "The group meets at a congress." in text(sent)


@pytest.mark.usefixtures("anna_by_series")
def test_the_reason_of_a_session_that_was_cancelled_before_is_not_told_of_another(
    house: House, scene: Scene, group: ExpertGroup, mails: Mails
) -> None:
    rounds.cancel(scene.session(group, 1).id, "The group meets at a congress.", by=HELPDESK)
    settle(house, *WORK)
    mails()
    move_session(scene, group, hours=1)
    arranging.add_exception(series_of(group).id, {"on": date(2027, 11, 30), "kind": "skip"}, by=HELPDESK)
    settle(house, *WORK)
    assert [message.facts["reason"] for message in to_anna(mails)] == [None, None]


def test_a_reminder_stands_in_the_conversation_of_the_series_before_a_cancellation(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    first = next(message for message in to_anna(mails) if message.kind == "invitation")
    house.clock.at = FIRST - timedelta(hours=24)
    reminding.remind()
    rounds.cancel(scene.session(group).id, "A congress", by=HELPDESK)
    settle(house, *WORK)
    reminder = next(message for message in house.messages("reminder") if message.name.startswith("Anna"))
    (cancel,) = to_anna(mails)
    assert (reminder.references, reminder.chain) == (delivering.message_id(first.id), cancel.chain)
    assert reminder.number < cancel.number


def test_the_mail_about_a_date_stands_among_those_of_its_conference(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    mails()
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    (sent,) = to_anna(mails)
    conference_id = scene.conference(group).id
    found = deliveries.listed(Paging(), visible_to=HELPDESK, conference_id=conference_id)
    assert sent.id in {message.id for message in found.items}


def test_the_coordinator_of_the_group_sees_the_mails_about_its_series(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    other = scene.group("sarcoma", anna_by_series.emil)
    choose(other, anna_by_series.emil.id, CalendarStyle.SERIES)
    move_session(scene, group, hours=1)
    settle(house, *WORK)
    sent = {message.id for message in to_anna(mails)}
    assert len(sent) == 2, "the whole, and the date that moved"
    assert {m.id for m in deliveries.listed(Paging(), visible_to=coordinator(group)).items} == sent


def coordinator(group: ExpertGroup) -> Principal:
    return Principal(role=Role.COORDINATOR, group_id=group.id)
