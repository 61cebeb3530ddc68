"""What a request lacks, and what of its values cannot be stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from conference_orchestrator.scheduling import checklists


@dataclass(frozen=True)
class Item:
    code: str
    kind: str
    required: bool = True


ITEMS = [Item("report", "flag"), Item("summary", "text"), Item("acquired", "date"), Item("images", "count")]
COMPLETE = {"report": True, "summary": "Relapse.", "acquired": "2026-11-01", "images": 120}
WHOLE_NUMBER = "This is answered with a whole number."
DAY = "This is answered with a date such as 2026-11-24."


def missing(values: dict[str, Any], *, consent: bool = True) -> list[str]:
    return checklists.missing(ITEMS, values, consent_confirmed=consent)


def test_a_complete_list_lacks_nothing() -> None:
    assert missing(COMPLETE) == []


def test_an_empty_list_lacks_every_required_item_in_the_groups_order_and_then_the_consent() -> None:
    assert missing({}, consent=False) == ["report", "summary", "acquired", "images", "consent"]


def test_the_consent_alone_may_be_missing() -> None:
    assert missing(COMPLETE, consent=False) == ["consent"]


def test_what_is_not_required_is_never_missing() -> None:
    assert checklists.missing([Item("extra", "text", required=False)], {}, consent_confirmed=True) == []


@pytest.mark.parametrize(
    ("code", "value", "answered"),
    [
        ("report", False, False),
        ("report", None, False),
        ("report", 1, False),
        ("summary", "", False),
        ("summary", "No.", True),
        ("acquired", None, False),
        ("images", 0, True),
        ("images", None, False),
    ],
)
def test_a_flag_answers_when_it_is_set_and_nought_images_are_an_answer(code: str, value: Any, answered: bool) -> None:
    assert missing(COMPLETE | {code: value}) == ([] if answered else [code])


@pytest.mark.parametrize(
    ("code", "value", "problem"),
    [
        ("report", "yes", "This is answered with true or false."),
        ("report", 1, "This is answered with true or false."),
        ("summary", 5, "This is answered with a text of at most 500 characters."),
        ("summary", "x" * 501, "This is answered with a text of at most 500 characters."),
        ("acquired", "01.11.2026", DAY),
        ("acquired", "2026-02-30", DAY),
        ("acquired", "20261101", DAY),
        ("acquired", "2026-W45-1", DAY),
        ("acquired", "\N{FULLWIDTH DIGIT TWO}026-11-01", DAY),
        ("acquired", 20261101, DAY),
        ("images", -1, WHOLE_NUMBER),
        ("images", 1.5, WHOLE_NUMBER),
        ("images", "120", WHOLE_NUMBER),
        ("images", True, WHOLE_NUMBER),
        ("images", 1_000_001, WHOLE_NUMBER),
        ("weight", 12, "The group's check list has no such item."),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_field(code: str, value: Any, problem: str) -> None:
    assert checklists.problems(ITEMS, COMPLETE | {code: value}) == {f"checklist.{code}": problem}


def test_values_that_fit_have_no_problem() -> None:
    assert checklists.problems(ITEMS, COMPLETE) == {}
    assert checklists.problems(ITEMS, dict.fromkeys(COMPLETE)) == {}, "an item may be left open"


def test_every_problem_is_told_at_once() -> None:
    assert set(checklists.problems(ITEMS, {"report": "yes", "images": -1})) == {"checklist.report", "checklist.images"}
