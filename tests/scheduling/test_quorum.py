"""The forecast of a session's quorum from the answers so far, and who is asked to step in."""

from __future__ import annotations

from uuid import UUID

import pytest

from conference_orchestrator.scheduling.quorum import Expected, Quorum, Spare, forecast, step_in

DISCIPLINES = ["neurosurgery", "neuro-radiology"]


def experts(*answers: tuple[str | None, str | None]) -> list[Expected]:
    return [Expected(discipline, answer) for discipline, answer in answers]


def standing(*, needed: int = 0, accepted: int = 0, declined: int = 0, absent: int = 0, missing: str = "") -> Quorum:
    return Quorum(
        needed=needed,
        accepted=accepted,
        declined=declined,
        absent=absent,
        missing_disciplines=tuple(missing.split()),
    )


class TestForecast:
    def test_without_answers_every_discipline_is_missing(self) -> None:
        expected = experts(("neurosurgery", None), ("neuro-radiology", None))
        found = forecast(expected, minimum=2, disciplines=DISCIPLINES)
        assert found == standing(needed=2, missing="neurosurgery neuro-radiology")

    def test_a_discipline_is_there_when_one_who_has_it_accepted(self) -> None:
        expected = experts(("neurosurgery", "accepted"), ("neurosurgery", "declined"), ("neuro-radiology", "declined"))
        found = forecast(expected, minimum=2, disciplines=DISCIPLINES)
        assert found == standing(needed=2, accepted=1, declined=2, missing="neuro-radiology")

    def test_a_tentative_answer_counts_neither_way(self) -> None:
        found = forecast(experts(("neurosurgery", "tentative")), minimum=1, disciplines=DISCIPLINES)
        assert found == standing(needed=1, missing="neurosurgery neuro-radiology")

    def test_an_expert_without_a_discipline_counts_as_an_expert(self) -> None:
        found = forecast(experts((None, "accepted")), minimum=1, disciplines=[])
        assert found == standing(needed=1, accepted=1)

    def test_a_discipline_that_nobody_of_the_group_has_is_missing(self) -> None:
        found = forecast(experts(("neurosurgery", "accepted")), minimum=1, disciplines=["pathology"])
        assert found.missing_disciplines == ("pathology",)

    @pytest.mark.parametrize("answer", ["accepted", "declined", "tentative", None])
    def test_who_is_away_counts_as_absent_whatever_was_answered(self, answer: str | None) -> None:
        found = forecast([Expected("neurosurgery", answer, is_absent=True)], minimum=1, disciplines=["neurosurgery"])
        assert found == standing(needed=1, absent=1, missing="neurosurgery")


class TestBeingMet:
    def test_a_group_that_asks_for_nothing_has_its_quorum(self) -> None:
        assert forecast([], minimum=0, disciplines=[]).is_met

    def test_enough_who_accepted_with_every_discipline_are_a_quorum(self) -> None:
        assert standing(needed=2, accepted=2).is_met

    @pytest.mark.parametrize(
        "lacking", [standing(needed=2, accepted=1), standing(needed=1, accepted=3, missing="pathology")]
    )
    def test_too_few_or_a_missing_discipline_are_none(self, lacking: Quorum) -> None:
        assert not lacking.is_met


def spare(*disciplines: str | None) -> list[Spare]:
    return [Spare(UUID(int=number), discipline) for number, discipline in enumerate(disciplines)]


def asked(lacking: Quorum, those: list[Spare], already: list[str | None] | None = None) -> list[int]:
    """The places of those who are asked."""
    return [one.clinician_id.int for one in step_in(lacking, those, asked=already or [])]


class TestSteppingIn:
    def test_one_is_asked_for_each_missing_discipline_before_anybody_else(self) -> None:
        lacking = standing(needed=3, accepted=0, missing="neurosurgery pathology")
        those = spare(None, "pathology", "neurosurgery", "neurosurgery")
        assert asked(lacking, those) == [2, 1, 0]

    def test_nobody_is_asked_beyond_the_seats_that_lack(self) -> None:
        assert asked(standing(needed=4, accepted=3), spare(None, None, None)) == [0]

    def test_a_missing_discipline_is_asked_for_although_there_are_experts_enough(self) -> None:
        lacking = standing(needed=2, accepted=5, missing="pathology")
        assert asked(lacking, spare("neurosurgery", "pathology")) == [1]

    def test_a_discipline_that_no_substitute_has_leaves_the_seats_to_the_others(self) -> None:
        assert asked(standing(needed=2, accepted=1, missing="pathology"), spare("neurosurgery")) == [0]

    def test_who_was_asked_already_and_may_still_come_is_counted(self) -> None:
        lacking = standing(needed=2, accepted=0, missing="pathology")
        assert asked(lacking, spare("surgery", "pathology"), []) == [1, 0]
        assert asked(lacking, spare("surgery", "pathology"), ["pathology"]) == [0]
        assert asked(lacking, spare("surgery", "pathology"), ["pathology", None]) == []

    def test_of_a_quorum_that_is_met_nobody_is_asked(self) -> None:
        assert asked(standing(needed=2, accepted=3), spare("neurosurgery", None)) == []
