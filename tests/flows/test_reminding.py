"""Reminders: who is reminded of what, by which clock, and with which link."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import event, select, update

from conference_orchestrator.flows import delivering, directory, entering, reminding, rostering, rounds
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotPermitted
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers.mock import MockProvider
from conference_orchestrator.scheduling.conferences import Conference
from tests.answers import answer, clinician, substitute, tuesday
from tests.flows.registrants import Webinar
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails, erase
from tests.scene import Scene, settle
from tests.scheduling.stage import TUESDAY, Stage

HOUR = timedelta(hours=1)
A_MINUTE = timedelta(minutes=1)
EXPERTS = ["jörg", "zoé", "łucja"]
ALL = sorted([*EXPERTS, "inês", "rui"])
SECOND_SLOT = TUESDAY + timedelta(minutes=20)


def reminded(house: House, at: datetime) -> list[str]:
    """Whom the timer reminds at that time."""
    before = {mail.id for mail in house.messages("reminder")}
    house.clock.at = at
    reminding.remind()
    new = [mail for mail in house.messages("reminder") if mail.id not in before]
    return sorted(mail.address.partition("@")[0] for mail in new)


def mail_to(house: House, name: str) -> Message:
    return next(mail for mail in house.messages("reminder") if mail.address.startswith(name))


def text_to(house: House, name: str) -> str:
    """The text of the mail as it leaves."""
    mail = message_from_bytes(delivering.mail(mail_to(house, name)), policy=policy.default)
    assert {part.get_content_type() for part in mail.walk()} == {"multipart/alternative", "text/plain", "text/html"}
    assert mail["X-Conference-Kind"] == "reminder"
    assert mail["Subject"].startswith("Reminder: Brain Tumour")
    return str(mail.get_body(("plain",)).get_content())


def test_everybody_who_holds_an_object_is_reminded_a_day_and_an_hour_before_its_own_start(full: Stage) -> None:
    house = full.house
    assert reminded(house, TUESDAY - 24 * HOUR - A_MINUTE) == []
    assert reminded(house, TUESDAY - 24 * HOUR) == ALL
    assert reminded(house, SECOND_SLOT - 24 * HOUR - A_MINUTE) == []
    assert reminded(house, SECOND_SLOT - 24 * HOUR) == ["jörg"], "who is expected as an expert, and asks in slot 2"
    assert reminded(house, TUESDAY - HOUR) == ALL
    assert reminded(house, SECOND_SLOT - HOUR) == ["jörg"]
    assert reminded(house, TUESDAY + HOUR) == []


def test_the_time_stands_on_the_readers_clock_and_in_utc(full: Stage) -> None:
    reminded(full.house, TUESDAY - 24 * HOUR)
    in_lisbon, in_vienna = text_to(full.house, "rui"), text_to(full.house, "zoé")
    assert "Tuesday 24 November 2026, 10:00-10:20 (Lisbon, UTC+0) = 10:00-10:20 UTC" in in_lisbon
    assert "Tuesday 24 November 2026, 11:00-11:20 (Berlin, UTC+1)" in in_lisbon
    assert "will discuss your case CPMS-1 with you" in " ".join(in_lisbon.split())
    assert "Tuesday 24 November 2026, 11:00-11:40 (Vienna, UTC+1) = 10:00-10:40 UTC" in in_vienna
    assert "CPMS" not in in_vienna


def test_the_mail_holds_the_meetings_link_and_the_answers_link_of_the_invitation(full: Stage) -> None:
    reminded(full.house, TUESDAY - 24 * HOUR)
    invitation = next(mail for mail in full.house.messages("invitation") if mail.address.startswith("rui"))
    text = text_to(full.house, "rui")
    told = delivering.facts_of(invitation)
    assert told.join_url in text
    assert told.answer_url in text
    stored = mail_to(full.house, "rui").facts
    assert stored["answer_url"] is None, "a personal link is made when the mail is sent"
    assert mail_to(full.house, "rui").references == f"<{invitation.id.hex}@network.example>"


def test_at_a_provider_with_personal_links_each_person_has_the_own_one(
    full: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entering, "has_personal_links", lambda _: True)
    reminded(full.house, TUESDAY - 24 * HOUR)
    links = {delivering.facts_of(mail_to(full.house, name)).join_url for name in ALL}
    assert len(links) == len(ALL)
    assert all("/j/" in link for link in links)
    assert {mail.facts["join_url"] for mail in full.house.messages("reminder")} == {None}


def test_a_link_that_does_not_work_is_told_nobody(full: Stage) -> None:
    with transaction():
        db.session.execute(update(Conference).values(state="missing"))
    assert reminded(full.house, TUESDAY - 24 * HOUR) == ALL
    assert "Link to join: follows in an update of this invitation" in text_to(full.house, "rui")


def test_who_declined_is_not_reminded_and_who_takes_it_back_is(full: Stage) -> None:
    answer(full, tuesday(full).id, zoé=Answer.DECLINED, łucja=Answer.TENTATIVE)
    assert reminded(full.house, TUESDAY - 24 * HOUR) == [name for name in ALL if name != "zoé"]
    answer(full, tuesday(full).id, zoé=Answer.ACCEPTED)
    assert "zoé" not in reminded(full.house, TUESDAY - 20 * HOUR), "the first hour has passed"
    assert reminded(full.house, TUESDAY - HOUR) == ALL
    assert mail_to(full.house, "zoé").facts["attendee_status"] == "ACCEPTED"


def test_a_session_that_moves_is_reminded_of_at_its_new_time_too(full: Stage) -> None:
    reminded(full.house, SECOND_SLOT - 24 * HOUR)
    rounds.move(tuesday(full).id, TUESDAY + 50 * HOUR, by=HELPDESK)
    full.work()
    assert reminded(full.house, TUESDAY - HOUR) == []
    for hours in (26, 49):
        assert reminded(full.house, TUESDAY + hours * HOUR) == ALL
        assert reminded(full.house, SECOND_SLOT + hours * HOUR) == ["jörg"]


def test_a_session_moved_near_is_not_reminded_of_by_what_the_update_told_just_now(full: Stage) -> None:
    rounds.move(tuesday(full).id, TUESDAY - 2 * HOUR, by=HELPDESK)
    full.work()
    assert reminded(full.house, TUESDAY - 20 * HOUR) == []
    assert reminded(full.house, TUESDAY - 3 * HOUR) == ALL


def test_nobody_is_reminded_of_a_time_that_is_not_so_any_more(full: Stage) -> None:
    rounds.move(tuesday(full).id, TUESDAY + 5 * HOUR, by=HELPDESK)
    assert reminded(full.house, TUESDAY - 24 * HOUR) == [], "the calendars do not say so yet"
    full.work()
    assert reminded(full.house, TUESDAY - 19 * HOUR) == ALL


@pytest.mark.parametrize("worked", [False, True], ids=["before the calendars know", "after"])
def test_nobody_is_reminded_of_a_cancelled_session(full: Stage, worked: bool) -> None:
    rounds.cancel(tuesday(full).id, "The lead is ill.", by=HELPDESK)
    if worked:
        full.work()
    assert reminded(full.house, TUESDAY - 24 * HOUR) == []


def test_a_cancellation_never_overtakes_a_reminder_that_still_waits(full: Stage) -> None:
    reminded(full.house, TUESDAY - 24 * HOUR)
    rounds.cancel(tuesday(full).id, "The lead is ill.", by=HELPDESK)
    full.work()
    waiting = mail_to(full.house, "rui")
    (cancel,) = [mail for mail in full.house.messages("invitation-cancel") if mail.chain == waiting.chain]
    assert cancel.number > waiting.number


def test_substitutes_who_step_in_are_reminded_and_those_who_do_not_are_not(full: Stage) -> None:
    bea, _ = substitute(full, "bea"), substitute(full, "ana")
    rostering.add_substitute(tuesday(full).id, bea.id, by=full.coordinator)
    full.work()
    assert reminded(full.house, TUESDAY - 24 * HOUR) == sorted([*ALL, "bea"])


def test_who_is_invited_late_is_reminded_of_what_is_still_to_come(full: Stage) -> None:
    full.house.clock.at = TUESDAY - 10 * HOUR
    directory.add_member(full.group.id, clinician("ana").id, role="expert", by=HELPDESK)
    settle(full.house, *WORK)
    assert "ana" not in reminded(full.house, TUESDAY - 9 * HOUR)
    assert "ana" in reminded(full.house, TUESDAY - HOUR)


def test_who_was_erased_is_not_reminded(full: Stage) -> None:
    erase(full.people["zoé"])
    assert reminded(full.house, TUESDAY - 24 * HOUR) == [name for name in ALL if name != "zoé"]


def test_a_group_says_how_many_hours_before(full: Stage) -> None:
    directory.change_group(full.group.id, {"reminder_hours": [3]}, by=full.coordinator)
    assert reminded(full.house, TUESDAY - 4 * HOUR) == []
    assert reminded(full.house, TUESDAY - 3 * HOUR) == ALL
    assert reminded(full.house, TUESDAY - HOUR) == ["jörg"], "of the second slot only"


def test_a_group_without_hours_reminds_nobody(full: Stage) -> None:
    directory.change_group(full.group.id, {"reminder_hours": []}, by=full.coordinator)
    assert [reminded(full.house, TUESDAY - hours * HOUR) for hours in (24, 1)] == [[], []]


def statements_of(house: House, at: datetime) -> int:
    """How many statements it takes to remind everybody at that time."""
    seen: list[str] = []

    def see(*given: Any) -> None:
        seen.append(given[2])

    event.listen(db.engine, "before_cursor_execute", see)
    assert reminded(house, at)
    event.remove(db.engine, "before_cursor_execute", see)
    return len(seen)


def test_many_people_take_as_many_statements_as_few(full: Stage) -> None:
    few = statements_of(full.house, SECOND_SLOT - 24 * HOUR)
    for number in range(20):
        directory.add_member(full.group.id, clinician(f"expert{number}").id, role="expert", by=HELPDESK)
    settle(full.house, *WORK)
    assert statements_of(full.house, SECOND_SLOT - HOUR) == few
    assert len(full.house.messages("reminder")) == len(ALL) + 1 + len(ALL) + 1 + 20


class TestWebinars:
    @pytest.fixture
    def scene(self, house: House) -> Scene:
        provider_named.fill(house.app, lambda _: MockProvider())
        return Scene(house)

    def test_who_has_a_place_is_reminded_a_day_and_an_hour_before(self, house: House, scene: Scene) -> None:
        people = {name: scene.clinician(name).id for name in ("anna", "emil", "ines")}
        conference_id = scene.approved(capacity=1, materials_url="https://slides.example/1")
        settle(house, *WORK)
        webinar = Webinar(house, scene, Mails(house), people, conference_id)
        webinar.answer("anna")
        settle(house, *WORK)
        starts_at = scene.fresh(conference_id).starts_at
        assert reminded(house, starts_at - 24 * HOUR) == ["anna"]
        assert reminded(house, starts_at - HOUR) == ["anna"]
        told = mail_to(house, "anna").facts
        assert (told["role"], told["name"]) == ("audience", "New drugs in sarcoma")
        assert told["materials_url"] == "https://slides.example/1"

    def test_where_places_are_not_limited_the_whole_audience_is(self, house: House, scene: Scene) -> None:
        for name in ("anna", "emil"):
            scene.clinician(name)
        conference_id = scene.approved()
        settle(house, *WORK)
        assert reminded(house, scene.fresh(conference_id).starts_at - 24 * HOUR) == ["anna", "emil"]


class TestHoursOfAGroup:
    def test_without_a_word_they_are_24_and_1(self, stage: Stage) -> None:
        assert stage.group.reminder_hours == [24, 1]

    def test_the_longest_stands_first(self, stage: Stage) -> None:
        changed = directory.change_group(stage.group.id, {"reminder_hours": [2, 168, 48]}, by=stage.coordinator)
        assert changed.reminder_hours == [168, 48, 2]
        db.session.rollback()
        assert db.session.scalars(select(ExpertGroup.reminder_hours)).one() == [168, 48, 2]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ([0], "reminder_hours.0"),
            ([24, 169], "reminder_hours.1"),
            ([1.5], "reminder_hours.0"),
            ([True], "reminder_hours.0"),
            ([1, 1], "reminder_hours"),
            ([5, 4, 3, 2, 1], "reminder_hours"),
            ("24", "reminder_hours"),
        ],
    )
    def test_wrong_hours_name_their_field(self, stage: Stage, wrong: Any, field: str) -> None:
        with pytest.raises(Invalid) as refused:
            directory.change_group(stage.group.id, {"reminder_hours": wrong}, by=stage.coordinator)
        assert list(refused.value.errors) == [field]

    def test_a_coordinator_still_changes_nothing_else(self, stage: Stage) -> None:
        with pytest.raises(NotPermitted, match="reminders"):
            directory.change_group(stage.group.id, {"reminder_hours": [2], "name": "X"}, by=stage.coordinator)
