"""The ledger of what each calendar holds: one SEQUENCE counter for each UID, and nothing that is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import CalendarObject, Content, Invitation
from tests.faulty_provider import FaultyProvider
from tests.house import House
from tests.scene import Scene

UID = "session-1"
AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NOW = Content(starts_at=AT, ends_at=AT + timedelta(minutes=40), join_url="https://meet.example/1", group_name="Brain")
LATER = replace(NOW, starts_at=AT + timedelta(hours=1), ends_at=AT + timedelta(hours=2))


class Ledger:
    """Issues one UID for two conferences, and shows what goes out as (who, method, SEQUENCE)."""

    def __init__(self, house: House) -> None:
        provider_named.fill(house.app, lambda _: FaultyProvider())
        scene = Scene(house)
        self.house = house
        self.people = {name: scene.clinician(name).id for name in ("anna", "emil", "ines")}
        self.conferences = [scene.approved(topic=f"Topic {number}") for number in range(2)]

    def issue(
        self, content: Content | None, *names: str, conference: int = 0, uid: str = UID
    ) -> list[tuple[str, str, int]]:
        wanted = {self.people[name]: "expert" for name in names}
        return sorted(self.steps(content, wanted, conference=conference, uid=uid))

    def steps(
        self, content: Content | None, wanted: Mapping[UUID, str], *, conference: int = 0, uid: str = UID
    ) -> list[tuple[str, str, int]]:
        names = {identifier: name for name, identifier in self.people.items()}
        with transaction() as tx:
            done = invitations.issue(uid, content, wanted, conference_id=self.conferences[conference], at=tx.now)
            return [(names[s.invitation.clinician_id], s.method.value, s.sequence) for s in done]

    def held(self, name: str) -> Invitation:
        db.session.rollback()
        mine = select(Invitation).where(Invitation.clinician_id == self.people[name])
        return db.session.scalars(mine.execution_options(populate_existing=True)).one()

    def state(self) -> CalendarObject:
        db.session.rollback()
        return invitations.state_of(UID)


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def ledger(house: House) -> Ledger:
    return Ledger(house)


def test_the_life_of_an_object(ledger: Ledger) -> None:
    assert ledger.issue(NOW, "anna", "emil") == [("anna", "REQUEST", 0), ("emil", "REQUEST", 0)]
    assert ledger.issue(NOW, "anna", "emil") == []
    assert ledger.issue(LATER, "anna", "emil") == [("anna", "REQUEST", 1), ("emil", "REQUEST", 1)]
    assert ledger.issue(LATER, "anna") == [("emil", "CANCEL", 2)]
    assert ledger.issue(LATER, "anna", "ines") == [("ines", "REQUEST", 2)]
    assert ledger.issue(NOW, "anna", "ines") == [("anna", "REQUEST", 3), ("ines", "REQUEST", 3)]
    assert ledger.issue(NOW, "anna", "emil", "ines") == [("emil", "REQUEST", 4)]
    assert ledger.issue(None) == [("anna", "CANCEL", 5), ("emil", "CANCEL", 5), ("ines", "CANCEL", 5)]
    assert ledger.issue(None) == []


def test_leaving_and_moving_at_once_are_one_step_of_the_sequence(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna", "emil")
    assert ledger.issue(LATER, "anna", "ines") == [
        ("anna", "REQUEST", 1),
        ("emil", "CANCEL", 1),
        ("ines", "REQUEST", 1),
    ]


def test_before_there_is_a_link_nobody_is_invited(ledger: Ledger) -> None:
    assert ledger.issue(None, "anna") == []
    assert ledger.house.count(CalendarObject) == 0


def test_while_the_link_is_away_only_who_leaves_is_told(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna", "emil")
    assert ledger.issue(None, "anna", "ines") == [("emil", "CANCEL", 1)]
    assert ledger.issue(NOW, "anna", "ines") == [("ines", "REQUEST", 1)]


def test_another_name_is_no_other_object(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna")
    assert ledger.issue(replace(NOW, group_name="Brain and spine"), "anna") == []


def test_a_change_that_nobody_saw_raises_nothing(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna")
    ledger.issue(NOW)
    assert ledger.issue(LATER) == []
    assert ledger.issue(LATER, "emil") == [("emil", "REQUEST", 1)]
    assert (ledger.state().sequence, ledger.state().starts_at) == (1, LATER.starts_at)


def test_each_uid_counts_for_itself(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna")
    ledger.issue(LATER, "anna")
    assert ledger.issue(LATER, "anna", uid="session-2") == [("anna", "REQUEST", 0)]


def test_an_object_passes_to_another_conference_with_its_next_step(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna")
    assert list(invitations.uids_of(ledger.conferences[0])) == [UID]
    assert ledger.issue(LATER, "anna", conference=1) == [("anna", "REQUEST", 1)]
    assert list(invitations.uids_of(ledger.conferences[0])) == []
    assert ledger.held("anna").conference_id == ledger.conferences[1]


def test_an_answer_stays_with_a_new_link_and_falls_with_a_new_time_or_a_new_invitation(ledger: Ledger) -> None:
    def answered() -> str | None:
        return ledger.held("anna").answer

    def say() -> None:
        with transaction() as tx:
            row = invitations.get(ledger.held("anna").id, lock=True)
            row.answer, row.answered_at = "accepted", tx.now

    ledger.issue(NOW, "anna")
    say()
    ledger.issue(replace(NOW, join_url="https://meet.example/2"), "anna")
    assert answered() == "accepted"
    ledger.issue(LATER, "anna")
    assert (answered(), ledger.held("anna").answered_at) == (None, None)
    say()
    ledger.issue(LATER)
    ledger.issue(LATER, "anna")
    assert answered() is None


def test_the_objects_of_a_person_are_numbered_in_the_order_of_their_way_out(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna")
    ledger.issue(LATER, "anna")
    ledger.issue(LATER)
    row = ledger.held("anna")
    assert (row.number, row.method, row.sequence) == (3, "CANCEL", 2)


def test_answers_are_counted_for_those_who_hold_a_request(ledger: Ledger) -> None:
    ledger.issue(NOW, "anna", "emil", "ines")
    for name, said in (("anna", "accepted"), ("emil", "declined"), ("ines", "tentative")):
        with transaction():
            invitations.get(ledger.held(name).id, lock=True).answer = said
    ledger.issue(NOW, "anna", "ines")
    first, second = ledger.conferences
    none = {"sent": 0, "accepted": 0, "declined": 0, "tentative": 0, "none": 0}
    assert invitations.answers([first, second]) == {
        first: none | {"sent": 2, "accepted": 1, "tentative": 1},
        second: none,
    }
    assert invitations.answers_by_person([UID]) == {
        (UID, ledger.people["anna"]): "accepted",
        (UID, ledger.people["ines"]): "tentative",
    }


def test_two_who_issue_at_once_send_each_object_once(ledger: Ledger) -> None:
    outcomes = ledger.house.at_once(4, lambda _: ledger.issue(NOW, "anna", "emil"))
    assert sorted(outcomes) == [[], [], [], [("anna", "REQUEST", 0), ("emil", "REQUEST", 0)]]
    outcomes = ledger.house.at_once(4, lambda _: ledger.issue(LATER, "anna"))
    assert sorted(outcomes) == [[], [], [], [("anna", "REQUEST", 1), ("emil", "CANCEL", 1)]]


def test_an_invitation_that_there_is_not_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        invitations.get(uuid4())
