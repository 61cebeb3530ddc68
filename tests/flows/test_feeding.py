"""A feed shows what its owner holds by mail, nothing of anybody else, and the same bytes while nothing changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
import vobject
from sqlalchemy import Select, event, update

from conference_orchestrator.flows import directory, feeding, panels
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.asking import ask
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotFound, NotPermitted
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import (
    UNREGISTERED,
    Answer,
    CalendarObject,
    Content,
    Invitation,
    issue,
    state_of,
)
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.network.feeds import Feed
from tests.faulty_provider import FaultyProvider
from tests.flows.registrants import open_webinar
from tests.house import HELPDESK, House
from tests.mails import WORK, erase, move_session
from tests.scene import Scene, settle


@pytest.fixture
def house_database(both_schemas: str) -> str:
    """What a feed shows is put together by the database: by both kinds of it in the same way."""
    return both_schemas


@pytest.fixture
def scene(house: House) -> Scene:
    provider_named.fill(house.app, lambda _: FaultyProvider())
    return Scene(house)


@pytest.fixture
def people(scene: Scene) -> SimpleNamespace:
    """An expert, a colleague outside the group, and two who ask."""
    return SimpleNamespace(**{name: scene.clinician(name) for name in ("anna", "carla", "ines", "olga")})


@pytest.fixture
def group(house: House, scene: Scene, people: SimpleNamespace) -> ExpertGroup:
    """A group with a case in each slot of the first session; everybody is invited."""
    made = scene.group("brain", people.anna)
    scene.allocated(people.ines, made)
    scene.allocated(people.olga, made, slot=1)
    settle(house, *WORK)
    return made


def address(person: Clinician) -> str:
    """The word of a new address of the person's calendar."""
    _, url = feeding.open_feed(clinician=person.id, by=HELPDESK)
    return word_of(url)


def word_of(url: str) -> str:
    return url.removeprefix("http://127.0.0.1:8000/feeds/").removesuffix(".ics")


def calendar(word: str) -> tuple[str, bytes]:
    """The tag and the bytes as they are now."""
    db.session.rollback()
    read = feeding.read(word)
    return read.etag, read.data()


def shown(word: str) -> list[dict[str, Any]]:
    """The events, each with what it shows, read by a program that shares no code with us."""
    events = vobject.readOne(calendar(word)[1].decode()).contents.get("vevent", [])
    return [{name: properties[0].value for name, properties in e.contents.items()} for e in events]


def change(table: type[Any], **values: Any) -> None:
    """Change what people hold, as the ledger does: the number of each invitation rises."""
    with transaction():
        db.session.execute(update(table).values(**values))
        db.session.execute(update(Invitation).values(number=Invitation.number + 1))


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the block asks the database."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    def note_alone(statement: Select[Any], values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        sent.append(str(statement))
        return ask(statement, values)

    event.listen(db.engine, "before_cursor_execute", note)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeding, "ask", note_alone)
        yield sent
    event.remove(db.engine, "before_cursor_execute", note)


def test_everybody_sees_the_objects_of_the_own_mails_and_no_others(
    scene: Scene, people: SimpleNamespace, group: ExpertGroup
) -> None:
    mailed = {message.clinician_id: message.facts for message in scene.invitations()}
    for person in (people.anna, people.ines, people.olga):
        (one,), facts = shown(address(person)), mailed[person.id]
        assert (one["uid"], int(one["sequence"]), one["url"]) == (facts["uid"], facts["sequence"], facts["join_url"])
        for name in ("dtstamp", "starts_at", "ends_at"):
            assert one[name.replace("s_at", "").replace("start", "dtstart").replace("end", "dtend")] == (
                datetime.fromisoformat(facts[name])
            )
    assert shown(address(people.carla)) == []


def test_a_requester_sees_the_own_reference_and_nobody_else_does(people: SimpleNamespace, group: ExpertGroup) -> None:
    told = {name: calendar(address(getattr(people, name)))[1] for name in ("anna", "ines", "olga")}
    assert {name for name, data in told.items() if b"CPMS-1" in data} == {"ines"}
    assert {name for name, data in told.items() if b"CPMS-2" in data} == {"olga"}
    for name, data in told.items():
        assert not [other for other in told if other != name and other.capitalize().encode() in data]
        assert b"hospital.example" not in data


def test_a_session_that_moves_moves_in_the_feed_under_the_next_sequence(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup
) -> None:
    word = address(people.anna)
    (before,), tag = shown(word), calendar(word)[0]
    house.clock.move_on(timedelta(minutes=5))
    move_session(scene, group, hours=2)
    settle(house, *WORK)
    (after,) = shown(word)
    assert (after["uid"], after["sequence"]) == (before["uid"], "1")
    assert after["dtstart"] - before["dtstart"] == after["dtend"] - before["dtend"] == timedelta(hours=2)
    assert after["dtstamp"] > before["dtstamp"]
    assert calendar(word)[0] != tag


def test_what_is_taken_back_is_not_in_the_feed_any_more(
    house: House, people: SimpleNamespace, group: ExpertGroup, scene: Scene
) -> None:
    word, tag = address(people.ines), calendar(address(people.ines))[0]
    (held,) = [m for m in scene.invitations() if m.clinician_id == people.ines.id]
    panels.release(UUID(held.facts["uid"].removeprefix("request-")), by=HELPDESK)
    settle(house, *WORK)
    assert shown(word) == []
    assert calendar(word)[0] != tag


def test_who_leaves_the_group_sees_its_sessions_no_more(
    house: House, people: SimpleNamespace, group: ExpertGroup
) -> None:
    directory.remove_member(group.id, people.anna.id, by=HELPDESK)
    settle(house, *WORK)
    assert shown(address(people.anna)) == []


def test_an_event_stays_for_thirty_days_after_its_end(
    house: House, people: SimpleNamespace, group: ExpertGroup
) -> None:
    word = address(people.anna)
    ((ends_at,), tag) = [one["dtend"] for one in shown(word)], calendar(word)[0]
    house.clock.at = ends_at + timedelta(days=30) - timedelta(seconds=1)
    assert len(shown(word)) == 1
    house.clock.at = ends_at + timedelta(days=30)
    assert shown(word) == []
    assert calendar(word)[0] != tag


def test_nothing_changed_gives_the_same_bytes_and_the_same_tag_a_week_later(
    house: House, people: SimpleNamespace, group: ExpertGroup
) -> None:
    word = address(people.anna)
    before = calendar(word)
    house.clock.move_on(timedelta(days=7))
    settle(house, *WORK)
    assert calendar(word) == before


def test_somebody_elses_change_changes_nothing(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup
) -> None:
    before = {name: calendar(address(getattr(people, name))) for name in ("anna", "ines", "olga")}
    scene.allocated(people.carla, group, session=1)
    scene.accepted(people.olga, group)
    directory.add_member(scene.group("ewing").id, people.carla.id, role="expert", by=HELPDESK)
    settle(house, *WORK)
    after = {name: calendar(address(getattr(people, name))) for name in ("ines", "olga")}
    assert after == {name: before[name] for name in ("ines", "olga")}
    assert calendar(address(people.anna)) != before["anna"], "the expert of the second session sees that"


CHANGES: dict[str, tuple[type[Any], Any]] = {
    "sequence": (Invitation, 7),
    "role": (Invitation, UNREGISTERED),
    "sent_at": (Invitation, timedelta(hours=1)),
    "starts_at": (CalendarObject, timedelta(hours=-1)),
    "ends_at": (CalendarObject, timedelta(hours=1)),
    "join_url": (CalendarObject, "https://meet.example/another"),
    "group_name": (CalendarObject, "Another group"),
    "case_reference": (CalendarObject, "CPMS-77"),
}


@pytest.mark.parametrize("column", CHANGES)
def test_the_tag_changes_with_everything_that_is_shown(
    people: SimpleNamespace, group: ExpertGroup, column: str
) -> None:
    table, value = CHANGES[column]
    word = address(people.ines)
    tag, data = calendar(word)
    if isinstance(value, timedelta):
        value += getattr(db.session.query(table).filter_by(uid=shown(word)[0]["uid"]).one(), column)
    change(table, **{column: value})
    changed = calendar(word)
    assert changed[1] != data
    assert changed[0] != tag


def test_a_place_that_is_not_had_yet_shows_no_link(people: SimpleNamespace, group: ExpertGroup) -> None:
    word = address(people.anna)
    change(Invitation, role=UNREGISTERED)
    change(CalendarObject, topic="New drugs in sarcoma", group_name=None)
    (one,) = shown(word)
    assert not {"url", "location", "conference"} & one.keys()
    assert one["summary"] == "New drugs in sarcoma"
    assert "to register, accept by the link in the mail" in one["description"]
    assert b"http" not in calendar(word)[1]


def test_the_link_comes_with_the_place_and_goes_with_it(house: House, scene: Scene) -> None:
    webinar = open_webinar(house, scene, capacity=1)
    _, url = feeding.open_feed(clinician=webinar.people["ines"], by=HELPDESK)
    word, seen = word_of(url), []
    for said in (Answer.ACCEPTED, Answer.DECLINED):
        seen.append((*calendar(word), "url" in shown(word)[0]))
        webinar.answer("ines", said)
    seen.append((*calendar(word), "url" in shown(word)[0]))
    assert [has_link for *_, has_link in seen] == [False, True, False]
    assert len({tag for tag, *_ in seen}) == 3


def test_where_everybody_needs_a_link_of_the_own_the_feed_has_the_one_of_the_mail(
    house: House, people: SimpleNamespace, group: ExpertGroup
) -> None:
    word = address(people.anna)
    tag = calendar(word)[0]
    provider_named.fill(house.app, lambda _: FaultyProvider(personal_links=True))
    (one,) = shown(word)
    assert one["url"].startswith("http://127.0.0.1:8000/j/")
    assert calendar(word)[0] != tag


def test_the_number_of_statements_does_not_grow_with_the_calendar(people: SimpleNamespace, group: ExpertGroup) -> None:
    word, counts = address(people.anna), []
    first = db.session.query(CalendarObject).filter_by(uid=shown(word)[0]["uid"]).one()
    for number in (1, 18):
        with transaction() as tx:
            for _ in range(number):
                uid = f"session-{uuid4()}"
                db.session.add(CalendarObject(**values_of(first) | {"uid": uid}))
                db.session.flush()
                held = {"uid": uid, "clinician_id": people.anna.id, "conference_id": first.conference_id}
                sent = {"role": "expert", "method": "REQUEST", "sequence": 0, "number": 1, "sent_at": tx.now}
                db.session.add(Invitation(**held | sent, first_message=None, answer=None, answered_at=None))
        with statements() as asked:
            _, data = calendar(word)
        counts.append((data.count(b"BEGIN:VEVENT"), len(asked)))
    assert counts == [(2, 3), (20, 3)]


def values_of(row: CalendarObject) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in CalendarObject.__table__.columns}


def test_the_tag_is_known_without_reading_an_object(people: SimpleNamespace, group: ExpertGroup) -> None:
    word = address(people.anna)
    counts = []
    for _ in range(2):
        with statements() as asked:
            feeding.read(word)
        counts.append(len(asked))
    assert counts == [2, 1], "whose it is and whether something changed, and once one text for all objects"


def test_a_role_that_changes_is_seen_though_nobody_is_told(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup
) -> None:
    word = address(people.anna)
    tag = calendar(word)[0]
    with transaction() as tx:
        held = db.session.query(Invitation).filter_by(clinician_id=people.anna.id).one()
        state = held_state(held)
        steps = issue(held.uid, state, {people.anna.id: "requester"}, conference_id=held.conference_id, at=tx.now)
    assert steps == []
    assert shown(word)[0]["summary"] == "Brain: discussion of your case"
    assert calendar(word)[0] != tag


def held_state(held: Invitation) -> Content:
    """What the object says now."""
    names = [one.name for one in dataclasses.fields(Content)]
    return Content(**{name: getattr(state_of(held.uid), name) for name in names})


def test_the_calendar_of_somebody_who_was_erased_is_gone(people: SimpleNamespace, group: ExpertGroup) -> None:
    word, other = address(people.anna), address(people.ines)
    erase(people.anna)
    with pytest.raises(NotFound):
        feeding.read(word)
    assert len(shown(other)) == 1


def test_a_revoked_address_ends_and_the_others_of_the_same_person_go_on(
    people: SimpleNamespace, group: ExpertGroup
) -> None:
    word, other = address(people.anna), address(people.anna)
    revoked = db.session.query(Feed).filter_by(sha256=feeding.tokens.digest(word)).one()
    for _ in range(2):
        feeding.revoke(revoked.id, by=HELPDESK)
    with pytest.raises(NotFound):
        feeding.read(word)
    assert len(shown(other)) == 1


def test_an_address_is_a_clinicians_own_business(people: SimpleNamespace) -> None:
    anna = Principal(role=Role.CLINICIAN, clinician_id=people.anna.id)
    opened, _ = feeding.open_feed("phone", by=anna)
    assert opened.clinician_id == people.anna.id
    with pytest.raises(NotPermitted):
        feeding.open_feed(clinician=people.ines.id, by=anna)
    with pytest.raises(NotFound):
        feeding.revoke(opened.id, by=Principal(role=Role.CLINICIAN, clinician_id=people.ines.id))
    with pytest.raises(Invalid, match="clinician"):
        feeding.open_feed(by=HELPDESK)


def test_the_words_are_in_the_language_of_the_reader(people: SimpleNamespace, group: ExpertGroup) -> None:
    word = address(people.anna)
    tag = calendar(word)[0]
    with transaction():
        db.session.execute(update(Clinician).where(Clinician.id == people.anna.id).values(language="de"))
    assert shown(word)[0]["summary"] == "Brain: Sitzung der Expertengruppe"
    assert calendar(word)[0] != tag
