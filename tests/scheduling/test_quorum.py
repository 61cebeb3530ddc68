"""The forecast of a session's quorum from the answers so far."""

from __future__ import annotations

from conference_orchestrator.scheduling.quorum import Expected, Quorum, forecast

DISCIPLINES = ["neurosurgery", "neuro-radiology"]


def experts(*answers: tuple[str | None, str | None]) -> list[Expected]:
    return [Expected(discipline, answer) for discipline, answer in answers]


def test_without_answers_every_discipline_is_missing() -> None:
    expected = experts(("neurosurgery", None), ("neuro-radiology", None))
    assert forecast(expected, minimum=2, disciplines=DISCIPLINES) == Quorum(2, 0, 0, tuple(DISCIPLINES))


def test_a_discipline_is_there_when_one_who_has_it_accepted() -> None:
    expected = experts(("neurosurgery", "accepted"), ("neurosurgery", "declined"), ("neuro-radiology", "declined"))
    assert forecast(expected, minimum=2, disciplines=DISCIPLINES) == Quorum(2, 1, 2, ("neuro-radiology",))


def test_a_tentative_answer_counts_neither_way() -> None:
    found = forecast(experts(("neurosurgery", "tentative")), minimum=1, disciplines=DISCIPLINES)
    assert (found.accepted, found.declined, found.missing_disciplines) == (0, 0, tuple(DISCIPLINES))


def test_an_expert_without_a_discipline_counts_as_an_expert() -> None:
    assert forecast(experts((None, "accepted")), minimum=1, disciplines=[]) == Quorum(1, 1, 0, ())


def test_a_group_that_asks_for_nothing_lacks_nothing() -> None:
    assert forecast([], minimum=0, disciplines=[]) == Quorum(0, 0, 0, ())


def test_a_discipline_that_nobody_of_the_group_has_is_missing() -> None:
    found = forecast(experts(("neurosurgery", "accepted")), minimum=1, disciplines=["pathology"])
    assert found.missing_disciplines == ("pathology",)
