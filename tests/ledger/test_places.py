"""The ledger where places are limited: the link comes with the place, and what somebody does not see is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import Content, Step
from tests.house import House
from tests.ledger.test_invitations import NOW, UID, Ledger

ALL = {"anna": "invited", "emil": "invited", "ines": "speaker"}
ELSEWHERE = replace(NOW, join_url="https://meet.example/2")
LATER = replace(NOW, starts_at=NOW.starts_at + timedelta(hours=1), ends_at=NOW.ends_at + timedelta(hours=1))


@pytest.fixture
def ledger(house: House) -> Ledger:
    return Ledger(house)


def steps(
    ledger: Ledger, content: Content | None, roles: Mapping[str, str]
) -> list[tuple[str, str, int, tuple[str, ...]]]:
    """What goes out, as (who, method, SEQUENCE, what changed)."""
    wanted = {ledger.people[name]: role for name, role in roles.items()}
    with transaction() as tx:
        done = invitations.issue(UID, content, wanted, conference_id=ledger.conferences[0], at=tx.now)
        return shown(ledger, done)


def shown(ledger: Ledger, done: list[Step]) -> list[tuple[str, str, int, tuple[str, ...]]]:
    names = {identifier: name for name, identifier in ledger.people.items()}
    return sorted((names[s.invitation.clinician_id], s.method.value, s.sequence, s.changed) for s in done)


def test_who_gets_a_place_gets_one_update_with_the_link_and_nobody_else_anything(ledger: Ledger) -> None:
    steps(ledger, NOW, ALL)
    with_place = ALL | {"anna": "audience"}
    assert steps(ledger, NOW, with_place) == [("anna", "REQUEST", 1, ("link",))]
    assert steps(ledger, NOW, with_place) == []


def test_who_gives_the_place_back_is_told_nothing_and_gets_the_link_again_with_a_new_place(ledger: Ledger) -> None:
    with_place = ALL | {"anna": "audience"}
    steps(ledger, NOW, with_place)
    assert steps(ledger, NOW, ALL) == []
    assert steps(ledger, NOW, with_place) == [("anna", "REQUEST", 1, ("link",))]


def test_another_link_concerns_only_those_who_have_one(ledger: Ledger) -> None:
    with_place = ALL | {"anna": "audience"}
    steps(ledger, NOW, with_place)
    assert [(who, changed) for who, _, _, changed in steps(ledger, ELSEWHERE, with_place)] == [
        ("anna", ("link",)),
        ("ines", ("link",)),
    ]
    assert steps(ledger, ELSEWHERE, with_place) == [], "later nobody is told either"


def test_another_time_concerns_all_and_comes_with_the_link_for_who_got_a_place_meanwhile(ledger: Ledger) -> None:
    steps(ledger, NOW, ALL)
    assert steps(ledger, LATER, ALL | {"anna": "audience"}) == [
        ("anna", "REQUEST", 1, ("time", "link")),
        ("emil", "REQUEST", 1, ("time",)),
        ("ines", "REQUEST", 1, ("time",)),
    ]


def test_who_is_wanted_no_more_is_told_with_a_place_or_without(ledger: Ledger) -> None:
    steps(ledger, NOW, ALL | {"anna": "audience"})
    assert steps(ledger, NOW, {"ines": "speaker"}) == [("anna", "CANCEL", 1, ()), ("emil", "CANCEL", 1, ())]


def test_before_there_is_a_link_nobody_gets_one(ledger: Ledger) -> None:
    steps(ledger, NOW, ALL)
    assert steps(ledger, None, ALL | {"anna": "audience"}) == []
    assert steps(ledger, NOW, ALL | {"anna": "audience"}) == [("anna", "REQUEST", 1, ("link",))]


def test_what_is_sent_again_goes_to_those_who_have_the_link_and_keeps_the_sequence(ledger: Ledger) -> None:
    steps(ledger, NOW, ALL | {"anna": "audience"})
    steps(ledger, ELSEWHERE, ALL | {"anna": "audience"})
    with transaction() as tx:
        again = shown(ledger, invitations.repeat(UID, "materials", at=tx.now))
    assert again == [("anna", "REQUEST", 1, ("materials",)), ("ines", "REQUEST", 1, ("materials",))]
    assert ledger.held("anna").number == 3
    assert ledger.state().sequence == 1


def test_of_an_object_that_nobody_was_sent_nothing_is_sent_again(ledger: Ledger) -> None:
    with transaction() as tx:
        assert invitations.repeat("webinar-0", "materials", at=tx.now) == []
