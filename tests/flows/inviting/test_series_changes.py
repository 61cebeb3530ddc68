"""A series of which the rule changes, or which ends, to the members who hold it as one object."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace

from conference_orchestrator.flows import arranging
from conference_orchestrator.network.expert_groups import ExpertGroup
from tests.flows.inviting.series_mails import dates, news, series_of
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails
from tests.scene import settle

FIRST = datetime(2026, 11, 24, 10, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def test_a_rule_that_changes_from_a_date_on_ends_the_object_and_begins_another(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    mails()
    changes = {"from_on": date(2027, 1, 5), "start_time": time(15)}
    arranging.change_series(series_of(group).id, changes, by=HELPDESK)
    settle(house, *WORK)
    ended, new = sorted(mails.new(), key=lambda message: message.kind, reverse=True)
    assert (ended.kind, new.kind) == ("invitation-update", "invitation")
    assert ended.facts["uid"] != new.facts["uid"]
    assert datetime.fromisoformat(ended.facts["series"]["until"]) == datetime(2026, 12, 29, 10, tzinfo=UTC)
    assert (ended.facts["what_changed"], news(ended)) == (["end"], [])
    assert datetime.fromisoformat(new.facts["series"]["starts_at"]) == datetime(2027, 1, 5, 14, tzinfo=UTC)


def test_an_exception_before_a_change_to_come_is_told_with_the_object_that_ends_by_it(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    ending, new_start = mails.new()[0].facts["uid"], datetime(2027, 1, 5, 14, tzinfo=UTC)
    changes = {"from_on": date(2027, 1, 5), "start_time": time(15)}
    arranging.change_series(series_of(group).id, changes, by=HELPDESK)
    settle(house, *WORK)
    mails()
    across = {"on": date(2026, 12, 22), "kind": "pause", "until_on": date(2027, 1, 5)}
    arranging.add_exception(series_of(group).id, across, by=HELPDESK)
    settle(house, *WORK)
    told = [
        (m.facts["uid"] == ending, on)
        for m in mails.new()
        if m.kind == "invitation-cancel"
        for on in dates(m.facts["series"]["left_out"])
    ]
    assert sorted(told) == [(False, new_start), (True, FIRST + 4 * WEEK), (True, FIRST + 5 * WEEK)]
    arranging.remove_exception(series_of(group).id, date(2026, 12, 22), by=HELPDESK)
    settle(house, *WORK)
    back = {m.facts["uid"] == ending: news(m) for m in mails.new()}
    assert back == {True: [(None, FIRST + 4 * WEEK), (None, FIRST + 5 * WEEK)], False: [(None, new_start)]}


def test_a_round_that_ends_keeps_what_was_and_takes_back_what_was_to_come(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    house.clock.at = FIRST + timedelta(hours=3)
    mails()
    arranging.close_series(series_of(group).id, by=HELPDESK)
    settle(house, *WORK)
    (sent,) = mails.new()
    assert (sent.kind, sent.facts["what_changed"], news(sent)) == ("invitation-update", ["end"], [])
    assert datetime.fromisoformat(sent.facts["series"]["until"]) == FIRST


def test_a_round_that_ends_before_it_began_is_taken_back_whole(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    mails()
    arranging.close_series(series_of(group).id, by=HELPDESK)
    settle(house, *WORK)
    (sent,) = mails.new()
    assert (sent.kind, sent.facts["series"]["is_whole"]) == ("invitation-cancel", True)
