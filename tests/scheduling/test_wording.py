"""How numbers, days and times are said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from conference_orchestrator.scheduling import wording

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_counts_are_words_up_to_twelve_and_digits_beyond() -> None:
    assert [wording.number(count) for count in (0, 1, 12, 13)] == ["no", "one", "twelve", "13"]


def test_places_are_words_up_to_the_tenth_and_digits_beyond() -> None:
    assert [wording.ordinal(place) for place in (1, 3, 10, 11)] == ["First", "Third", "Tenth", "Number 11"]


def test_one_is_no_plural() -> None:
    assert [wording.slots(count) for count in (1, 2)] == ["one slot", "two slots"]
    assert [wording.people(count) for count in (1, 2)] == ["one request", "two requests"]


@pytest.mark.parametrize(
    ("count", "urgency", "fell_out", "said"),
    [
        (1, "routine", False, "one routine request"),
        (2, "urgent", False, "two urgent requests"),
        (1, "emergency", False, "one emergency"),
        (2, "emergency", False, "two emergencies"),
        (1, "emergency", True, "one emergency whose session fell out"),
        (3, "routine", True, "three routine requests whose session fell out"),
    ],
)
def test_requests_are_named_by_their_urgency(count: int, urgency: str, fell_out: bool, said: str) -> None:
    assert wording.requests(count, urgency, fell_out=fell_out) == said


def test_an_emergency_has_an_article_and_the_others_none() -> None:
    assert [wording.urgent(urgency) for urgency in ("emergency", "urgent")] == ["an emergency", "urgent"]


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(hours=48), "48 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "1.5 hours"),
        (timedelta(hours=8760), "8760 hours"),
    ],
)
def test_a_length_is_said_in_hours(length: timedelta, said: str) -> None:
    assert wording.hours(length) == said


def test_a_year_is_said_where_it_is_not_the_present_one() -> None:
    assert wording.day(date(2026, 5, 3), now=NOW) == "3 May"
    assert wording.day(date(2027, 5, 3), now=NOW) == "3 May 2027"


def test_an_instant_is_said_as_the_wall_of_its_zone_shows_it() -> None:
    midnight = datetime(2026, 11, 24, 23, 5, tzinfo=UTC)
    assert wording.moment(midnight, "Europe/Berlin") == "Wednesday 25 November 2026, 00.05"
    assert wording.moment(midnight, "Europe/Lisbon") == "Tuesday 24 November 2026, 23.05"


def test_parts_are_listed_as_a_sentence_lists_them() -> None:
    assert [wording.listing(parts) for parts in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
