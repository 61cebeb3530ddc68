"""What a request lacks, and what of its values cannot be stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from conference_orchestrator.scheduling import checklists


@dataclass(frozen=True)
class Item:
    code: str
    kind: str
    required: bool = True
    options: tuple[str, ...] = ()


ITEMS = [
    Item("report", "flag"),
    Item("summary", "text"),
    Item("acquired", "date"),
    Item("images", "count"),
    Item("stage", "choice", options=("localised", "metastatic", "not known")),
    Item("slides", "file-reference"),
]
COMPLETE = {
    "report": True,
    "summary": "Relapse.",
    "acquired": "2026-11-01",
    "images": 120,
    "stage": "metastatic",
    "slides": "CPMS/4711/slides-2.svs",
}
WHOLE_NUMBER = "This is answered with a whole number from 0 to 1000000."
ONE_OF = "This is answered with one of: localised; metastatic; not known."
REFERENCE = "This is answered with a reference such as CPMS/4711/report.pdf, never with a link or the file itself."
DAY = "This is answered with a date such as 2026-11-24."


def missing(values: dict[str, Any], *, consent: bool = True) -> list[str]:
    return checklists.missing(ITEMS, values, consent_confirmed=consent)


def test_a_complete_list_lacks_nothing() -> None:
    assert missing(COMPLETE) == []


def test_an_empty_list_lacks_every_required_item_in_the_groups_order_and_then_the_consent() -> None:
    assert missing({}, consent=False) == [*COMPLETE, "consent"]


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
        ("stage", "not known", True),
        ("stage", "", False),
        ("stage", None, False),
        ("slides", "PACS:17", True),
        ("slides", "", False),
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
        ("stage", "Metastatic", ONE_OF),
        ("stage", "regional", ONE_OF),
        ("stage", 1, ONE_OF),
        ("stage", ["metastatic"], ONE_OF),
        ("slides", "https://pacs.example/4711", REFERENCE),
        ("slides", "ab", REFERENCE),
        ("slides", "-abc", REFERENCE),
        ("slides", "Anna Kowalska", REFERENCE),
        ("slides", "x" * 201, REFERENCE),
        ("slides", "4711\n", REFERENCE),
        ("slides", 4711, REFERENCE),
        ("weight", 12, "The group's check list has no such item."),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_field(code: str, value: Any, problem: str) -> None:
    assert checklists.problems(ITEMS, COMPLETE | {code: value}) == {f"checklist.{code}": problem}


def test_values_that_fit_have_no_problem() -> None:
    assert checklists.problems(ITEMS, COMPLETE) == {}
    assert checklists.problems(ITEMS, dict.fromkeys(COMPLETE)) == {}, "an item may be left open"
    assert checklists.problems(ITEMS, {"summary": "", "stage": "", "slides": ""}) == {}, "or emptied again"
    assert checklists.problems(ITEMS, {"slides": "x" * 200}) == {}


def test_every_problem_is_told_at_once() -> None:
    assert set(checklists.problems(ITEMS, {"report": "yes", "images": -1})) == {"checklist.report", "checklist.images"}


def test_images_that_are_still_to_be_taken_are_refused_by_the_name_of_their_field() -> None:
    series = [{"acquired_on": on} for on in ("2026-11-22", "2026-11-23", "2026-11-24")]
    assert checklists.imaging_problems(series, today=date(2026, 11, 23)) == {
        "imaging.2.acquired_on": "This date is still to come."
    }
