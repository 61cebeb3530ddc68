"""A member who holds the series as one object gets each change once, as a date of it; the others as ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from conference_orchestrator.flows import (
    arranging,
    calendars,
    delivering,
    directory,
    inviting,
    rounds,
    series_answering,
)
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import series_calendars
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup
from tests.faulty_provider import FaultyProvider
from tests.flows.inviting.series_mails import answers, choose, dates, ics, news, series_of
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails, erase, move_session
from tests.scene import Scene, settle

FIRST = datetime(2026, 11, 24, 10, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def changed(message: Message) -> list[datetime]:
    return dates([one["on"] for one in message.facts["series"]["changed"]])


def test_who_chooses_the_series_gets_it_whole_before_any_case_is_there(
    anna_by_series: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    (sent,) = mails.new()
    assert (sent.name, sent.kind, sent.facts["sequence"]) == ("Anna Ávila", "invitation", 0)
    series = sent.facts["series"]
    assert (series["rule"], series["time_zone"], series["is_whole"]) == ("FREQ=WEEKLY;BYDAY=TU", "Europe/Berlin", True)
    assert dates([series["starts_at"], sent.facts["starts_at"]]) == [FIRST, FIRST]
    assert (series["until"], series["left_out"], series["changed"]) == (None, [], [])


def test_nothing_is_sent_to_a_group_whose_members_hold_sessions(house: House, group: ExpertGroup, mails: Mails) -> None:
    rounds.cancel(Scene.session(SimpleNamespace(), group, 3).id, "A congress", by=HELPDESK)
    assert not any(task.kind == "issue-series" for task in house.queue.tasks)
    settle(house, *WORK)
    assert mails() == []


def test_the_link_of_a_session_comes_as_a_date_of_the_series(
    house: House, scene: Scene, anna_by_series: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    mails()
    scene.allocated(anna_by_series.ines, group, session=1)
    settle(house, *WORK)
    sent = {message.name.split()[0]: message for message in mails.new()}
    assert {name: m.kind for name, m in sent.items()} == {
        "Anna": "invitation-update",
        "Emil": "invitation",
        "Ines": "invitation",
    }
    to_anna = sent["Anna"].facts
    assert changed(sent["Anna"]) == [FIRST + WEEK]
    assert (to_anna["sequence"], to_anna["what_changed"], to_anna["series"]["is_whole"]) == (1, ["link"], False)
    assert to_anna["join_url"] == sent["Emil"].facts["join_url"]
    assert to_anna["uid"] != sent["Emil"].facts["uid"]


def test_a_moved_date_is_told_alone_and_keeps_the_link(
    house: House, scene: Scene, anna_by_series: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    mails()
    move_session(scene, group, hours=2)
    settle(house, *WORK)
    (to_anna,) = [m for m in mails.new() if m.name.startswith("Anna")]
    (told,) = to_anna.facts["series"]["changed"]
    assert dates([told["on"], told["starts_at"]]) == [FIRST, FIRST + timedelta(hours=2)]
    assert told["join_url"]
    assert to_anna.facts["what_changed"] == ["time"]
    assert datetime.fromisoformat(to_anna.facts["previous_starts_at"]) == FIRST


def test_a_cancelled_date_is_taken_back_alone(
    house: House, scene: Scene, anna_by_series: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    mails()
    rounds.cancel(scene.session(group, 2).id, "A congress", by=HELPDESK)
    settle(house, *WORK)
    (sent,) = mails.new()
    assert (sent.kind, sent.facts["sequence"]) == ("invitation-cancel", 1)
    assert dates(sent.facts["series"]["left_out"]) == [FIRST + 2 * WEEK]
    assert series_calendars.held_by(anna_by_series.anna.id) != [], "the series is still held"


def test_who_wants_the_whole_gets_every_date_left_out_with_each_change(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    choose(group, people.anna.id, CalendarStyle.WHOLE_SERIES)
    settle(house, *WORK)
    mails()
    for number in (2, 4):
        rounds.cancel(scene.session(group, number).id, "A congress", by=HELPDESK)
        settle(house, *WORK)
    first, second = mails.new()
    assert [m.kind for m in (first, second)] == ["invitation-update"] * 2
    assert dates(first.facts["series"]["left_out"]) == [FIRST + 2 * WEEK]
    assert dates(second.facts["series"]["left_out"]) == [FIRST + 2 * WEEK, FIRST + 4 * WEEK]
    assert all(m.facts["series"]["is_whole"] for m in (first, second))
    assert [news(m) for m in (first, second)] == [[(FIRST + 2 * WEEK, None)], [(FIRST + 4 * WEEK, None)]]


def test_who_wants_the_whole_is_told_which_date_moved_and_which_got_its_link(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    choose(group, people.anna.id, CalendarStyle.WHOLE_SERIES)
    settle(house, *WORK)
    mails()
    scene.allocated(people.ines, group)
    settle(house, *WORK)
    (linked,) = [m for m in mails.new() if m.name.startswith("Anna")]
    assert news(linked) == [(FIRST, FIRST)]
    move_session(scene, group, hours=2)
    settle(house, *WORK)
    (moved,) = [m for m in mails.new() if m.name.startswith("Anna")]
    assert news(moved) == [(FIRST, FIRST + timedelta(hours=2))]


def test_a_date_that_comes_back_is_told_with_the_whole(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    on = date(2026, 12, 8)
    arranging.add_exception(series_of(group).id, {"on": on, "kind": "skip"}, by=HELPDESK)
    settle(house, *WORK)
    mails()
    arranging.remove_exception(series_of(group).id, on, by=HELPDESK)
    settle(house, *WORK)
    (sent,) = mails.new()
    assert (sent.kind, sent.facts["series"]["is_whole"], sent.facts["series"]["left_out"]) == (
        "invitation-update",
        True,
        [],
    )
    assert news(sent) == [(None, FIRST + 2 * WEEK)]


def test_a_long_pause_is_told_in_one_mail(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    mails()
    pause = {"on": date(2026, 12, 8), "kind": "pause", "until_on": date(2027, 2, 2)}
    arranging.add_exception(series_of(group).id, pause, by=HELPDESK)
    settle(house, *WORK)
    (sent,) = mails.new()
    assert len(sent.facts["series"]["left_out"]) == 9
    assert news(sent) == [(FIRST + weeks * WEEK, None) for weeks in range(2, 11)]
    assert sent.facts["what_changed"] == ["dates"]


def test_an_extra_session_comes_as_an_object_of_its_own(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    mails()
    arranging.add_exception(series_of(group).id, {"on": date(2026, 11, 26), "kind": "extra"}, by=HELPDESK)
    scene.allocated(anna_by_series.ines, group, session=1)
    settle(house, *WORK)
    (to_anna,) = [m for m in mails.new() if m.name.startswith("Anna")]
    assert (to_anna.kind, to_anna.facts["series"]) == ("invitation", None)


def test_who_turns_to_the_series_loses_the_sessions_and_the_other_way_round(
    house: House, group: ExpertGroup, people: SimpleNamespace, request_id: UUID, mails: Mails
) -> None:
    mails()
    choose(group, people.anna.id, CalendarStyle.SERIES)
    settle(house, *WORK)
    first = {m.facts["uid"].split("-")[0]: m.kind for m in mails.new()}
    assert first == {"session": "invitation-cancel", "series": "invitation"}
    choose(group, people.anna.id, CalendarStyle.SESSIONS)
    settle(house, *WORK)
    back = {m.facts["uid"].split("-")[0]: (m.kind, m.facts["sequence"]) for m in mails.new()}
    assert back == {"session": ("invitation", 2), "series": ("invitation-cancel", 1)}
    assert mails() == []


def test_who_leaves_the_group_loses_the_series_and_nothing_else(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, request_id: UUID, mails: Mails
) -> None:
    mails()
    directory.remove_member(group.id, anna_by_series.anna.id, by=HELPDESK)
    settle(house, *WORK)
    assert [(m.kind, m.facts["uid"].split("-")[0]) for m in mails.new()] == [("invitation-cancel", "series")]


def test_who_was_erased_is_told_nothing(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    mails()
    erase(anna_by_series.anna)
    rounds.cancel(scene.session(group, 2).id, "A congress", by=HELPDESK)
    settle(house, *WORK)
    assert mails() == []


def test_a_second_look_changes_nothing(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    mails()
    arranging.extend()
    inviting.refresh_group(group.id)
    settle(house, *WORK)
    assert mails() == []


def test_a_zone_that_no_calendar_can_express_leaves_its_members_the_sessions(
    house: House, scene: Scene, people: SimpleNamespace, provider: FaultyProvider, mails: Mails
) -> None:
    group = scene.group("sahara", people.anna, people.emil)
    arranging.change_series(series_of(group).id, {"time_zone": "Africa/Casablanca"}, by=HELPDESK)
    choose(group, people.anna.id, CalendarStyle.SERIES)
    scene.allocated(people.ines, group)
    settle(house, *WORK)
    assert {(m.name.split()[0], m.facts["series"]) for m in mails.new()} == {
        ("Anna", None),
        ("Emil", None),
        ("Ines", None),
    }


def test_a_clinician_chooses_for_herself_alone(group: ExpertGroup, people: SimpleNamespace) -> None:
    anna = Principal(role=Role.CLINICIAN, clinician_id=people.anna.id)
    assert calendars.choose(group.id, people.anna.id, CalendarStyle.SERIES, by=anna).calendar == "series"
    with pytest.raises(NotFound):
        calendars.choose(group.id, people.emil.id, CalendarStyle.SERIES, by=anna)


def test_what_is_repaired_is_the_same_object_with_a_new_stamp(
    house: House, group: ExpertGroup, anna_by_series: SimpleNamespace, request_id: UUID, mails: Mails
) -> None:
    before = {m.facts["uid"]: m.facts for m in mails.new() if m.name.startswith(("Anna", "Emil"))}
    house.clock.at += timedelta(hours=1)
    assert calendars.repair(anna_by_series.anna.id, by=HELPDESK) == 1
    assert calendars.repair(anna_by_series.emil.id, by=HELPDESK) == 1
    for message in mails.new():
        assert message.kind == "invitation-update"
        assert message.facts["sequence"] >= before[message.facts["uid"]]["sequence"]
        assert message.facts["dtstamp"] > before[message.facts["uid"]]["dtstamp"]
    assert calendars.repair(anna_by_series.anna.id, by=HELPDESK) == 0, "it is on its way"
    house.clock.at += timedelta(minutes=6)
    assert calendars.repair(anna_by_series.anna.id, by=HELPDESK) == 1


def test_nobody_repairs_the_calendar_of_another(people: SimpleNamespace) -> None:
    with pytest.raises(NotFound):
        calendars.repair(people.emil.id, by=Principal(role=Role.CLINICIAN, clinician_id=people.anna.id))


def test_an_answer_to_the_series_counts_for_each_session_until_its_time_changes(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    (uid,) = series_calendars.held_by(anna_by_series.anna.id)
    for on, said in [(None, Answer.ACCEPTED), (date(2026, 12, 8), Answer.DECLINED)]:
        with transaction() as tx:
            held = series_answering.hold(uid, anna_by_series.anna.id, at=None, on=on)
            assert not isinstance(held, str)
            held.take(tx, said)
    assert answers(scene, group, anna_by_series.anna.id) == ["accepted", "accepted", "declined", "accepted"]
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    assert answers(scene, group, anna_by_series.anna.id) == ["accepted", "accepted", "declined", "accepted"]
    move_session(scene, group, hours=1)
    settle(house, *WORK)
    assert answers(scene, group, anna_by_series.anna.id) == [None, "accepted", "declined", "accepted"]


def test_the_mail_holds_one_object_with_the_dates_as_the_rule_gives_them(
    house: House, scene: Scene, anna_by_series: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> None:
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    whole, single = [m for m in mails.new() if m.name.startswith("Anna")]
    assert [line for line in ics(whole) if line.startswith(("RRULE:FREQ=W", "DTSTART;", "RECURRENCE-ID"))] == [
        "DTSTART;TZID=Europe/Berlin:20261124T110000",
        "RRULE:FREQ=WEEKLY;BYDAY=TU",
    ]
    assert [line for line in ics(single) if line.startswith(("RRULE:FREQ=W", "DTSTART;", "RECURRENCE-ID"))] == [
        "DTSTART;TZID=Europe/Berlin:20261124T110000",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261124T110000",
    ]
    assert single.references == delivering.message_id(whole.id)


def test_a_change_of_the_round_that_people_do_not_see_hides_no_move(
    house: House, scene: Scene, group: ExpertGroup, anna_by_series: SimpleNamespace, mails: Mails
) -> None:
    arranging.change_series(series_of(group).id, {"start_time": time(12)}, by=HELPDESK)
    settle(house, *WORK)
    mails()
    move_session(scene, group, hours=2)
    arranging.change_series(series_of(group).id, {"host_margin_minutes": 10}, by=HELPDESK)
    settle(house, *WORK)
    (sent,) = [m for m in mails.new() if m.facts["what_changed"] != ["dates"]]
    assert sent.facts["what_changed"] == ["time"]


def test_where_everybody_gets_a_link_of_the_own_each_date_has_the_one_of_its_holder(
    house: House, scene: Scene, people: SimpleNamespace, mails: Mails
) -> None:
    provider_named.fill(house.app, lambda _: FaultyProvider(personal_links=True))
    group = scene.group("sarcoma", people.anna, people.emil)
    choose(group, people.anna.id, CalendarStyle.SERIES)
    choose(group, people.emil.id, CalendarStyle.WHOLE_SERIES)
    settle(house, *WORK)
    mails()
    scene.allocated(people.ines, group)
    settle(house, *WORK)
    links = {}
    for message in mails.new():
        assert "/j/" not in str(message.facts), "made when the mail is sent, kept nowhere"
        unfolded = "\n".join(ics(message)).replace("\n ", "")
        (links[message.name],) = {line[4:] for line in unfolded.splitlines() if line.startswith("URL:")}
    assert len(set(links.values())) == 3
    assert all("/j/" in link for link in links.values())
