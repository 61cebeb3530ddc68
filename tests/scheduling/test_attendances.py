"""How long people were there: several devices of one person are one presence, and what overlaps counts once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.scheduling.attendances import Attendance, Presence, presences

START = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
END = START + timedelta(hours=1)
INES = UUID(int=1)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def stay(joined: float, left: float | None, **who: object) -> Attendance:
    person = {"clinician_id": None, "name": "Inês", "email": None} | who
    return Attendance(joined_at=at(joined), left_at=None if left is None else at(left), is_host=False, **person)


def the_only(*stays: Attendance) -> Presence:
    (found,) = presences(stays, until=END)
    return found


@pytest.mark.parametrize(
    ("stays", "minutes"),
    [
        ([(0, 30)], 30),
        ([(0, 30), (40, 60)], 50),
        ([(0, 30), (10, 40)], 40),
        ([(0, 60), (10, 20)], 60),
        ([(0, 30), (0, 30)], 30),
        ([(0, 30), (30, 60)], 60),
        ([(40, 60), (0, 30)], 50),
        ([(0, 0.5), (1, 1.5)], 1),
        ([(0, 0.9)], 0),
    ],
    ids=str,
)
def test_what_overlaps_counts_once(stays: list[tuple[float, float]], minutes: int) -> None:
    assert the_only(*[stay(*one) for one in stays]).minutes == minutes


def test_a_presence_lasts_from_the_first_arrival_to_the_last_leaving() -> None:
    found = the_only(stay(20, 50), stay(5, 10), stay(15, 55))
    assert (found.joined_at, found.left_at) == (at(5), at(55))


def test_a_stay_without_an_end_counts_until_the_end_of_the_conference() -> None:
    found = the_only(stay(20, None), stay(5, 10))
    assert (found.left_at, found.minutes) == (None, 45)


def test_a_stay_without_an_end_that_began_after_the_conference_counts_nothing() -> None:
    assert the_only(stay(70, None)).minutes == 0


def test_one_person_is_known_by_the_record_then_by_the_address_then_by_the_name() -> None:
    found = presences(
        [
            stay(0, 10, clinician_id=INES, name="Inês", email="ines@hospital.example"),
            stay(5, 20, clinician_id=INES, name="I. Ávila", email="ines@clinic.example"),
            stay(1, 10, name="Rui", email="rui@hospital.example"),
            stay(2, 10, name="R. Costa", email="rui@hospital.example"),
            stay(3, 10, name="Guest"),
            stay(4, 10, name="Guest"),
            stay(4, 10, name="Another guest"),
        ],
        until=END,
    )
    assert [(one.name, one.minutes) for one in found] == [("Inês", 20), ("Rui", 9), ("Guest", 7), ("Another guest", 6)]


SPANS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 60)), min_size=1, max_size=8)


@given(SPANS)
def test_the_minutes_are_those_in_which_any_device_was_there(spans: list[tuple[int, int]]) -> None:
    there = {minute for joined, length in spans for minute in range(joined, joined + length)}
    assert the_only(*[stay(joined, joined + length) for joined, length in spans]).minutes == len(there)
