import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest

from conference_orchestrator.kernel.times import wall
from conference_orchestrator.notify import clocks, kinds
from conference_orchestrator.notify.clocks import ClocksChange, ClocksDisagree, clock_note
from conference_orchestrator.notify.composing import compose
from conference_orchestrator.notify.reader import Reader

BERLIN, LONDON, NEW_YORK = "Europe/Berlin", "Europe/London", "America/New_York"
CASABLANCA, SYDNEY, TOKYO = "Africa/Casablanca", "Australia/Sydney", "Asia/Tokyo"
DISAGREE = ClocksDisagree()


def ten(month, day, year=2026):
    """Ten o'clock UTC on that day."""
    return datetime(year, month, day, 10, 0, tzinfo=UTC)


def changed(zone, month, day):
    return ClocksChange(time_zone=zone, on=date(2026, month, day))


@pytest.mark.parametrize(
    ("at", "reader", "meeting", "note"),
    [
        # The United States change on 8 March and 1 November, Europe on 29 March and 25 October.
        (ten(3, 7), NEW_YORK, BERLIN, None),
        (ten(3, 9), NEW_YORK, BERLIN, DISAGREE),
        (ten(3, 28), BERLIN, NEW_YORK, DISAGREE),
        (ten(3, 30), NEW_YORK, BERLIN, changed(BERLIN, 3, 29)),
        (ten(10, 24), NEW_YORK, BERLIN, None),
        (ten(10, 26), NEW_YORK, BERLIN, DISAGREE),
        (ten(10, 31), NEW_YORK, LONDON, DISAGREE),
        (ten(11, 2), NEW_YORK, BERLIN, changed(NEW_YORK, 11, 1)),
        (ten(11, 24), NEW_YORK, BERLIN, None),
        # London and Berlin change at the same instant.
        (ten(3, 15), LONDON, BERLIN, None),
        (ten(10, 27), LONDON, BERLIN, changed(LONDON, 10, 25)),
        # Morocco goes back for Ramadan, 15 February to 22 March, and Europe forward a week later.
        (ten(2, 14), CASABLANCA, BERLIN, None),
        (ten(3, 3), CASABLANCA, BERLIN, DISAGREE),
        (ten(3, 25), CASABLANCA, BERLIN, DISAGREE),
        (ten(6, 2), CASABLANCA, BERLIN, None),
        (ten(12, 1), CASABLANCA, BERLIN, None),
        # Sydney changes the other way, on 5 April and 4 October: two differences last for months, one for weeks.
        (ten(2, 3), SYDNEY, BERLIN, None),
        (ten(4, 1), SYDNEY, BERLIN, DISAGREE),
        (ten(7, 7), SYDNEY, BERLIN, None),
        (ten(10, 13), SYDNEY, BERLIN, DISAGREE),
        (ten(12, 1), SYDNEY, BERLIN, None),
        # Tokyo never changes: its difference to Berlin lasts for months on either side.
        (ten(1, 13), TOKYO, BERLIN, None),
        (ten(7, 7), TOKYO, BERLIN, None),
        (ten(10, 27), TOKYO, BERLIN, changed(BERLIN, 10, 25)),
        (ten(10, 27), TOKYO, TOKYO, None),
        (ten(10, 27), "UTC", "UTC", None),
        # By the same clock there is no difference, but the change is fresh.
        (ten(10, 27), BERLIN, BERLIN, changed(BERLIN, 10, 25)),
        (ten(3, 31), BERLIN, BERLIN, changed(BERLIN, 3, 29)),
    ],
)
def test_a_note_is_given_in_the_weeks_when_clocks_surprise(at, reader, meeting, note):
    assert clock_note(at, reader_zone=reader, meeting_zone=meeting) == note


def test_the_difference_is_unusual_from_the_first_change_to_the_second():
    first, second = datetime(2026, 3, 8, 7, 0, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    second_before = timedelta(seconds=1)
    found = [
        clock_note(at, reader_zone=TOKYO, meeting_zone=TOKYO) or clocks._is_unusual(at, NEW_YORK, BERLIN)
        for at in (first - second_before, first, second - second_before, second)
    ]
    assert found == [False, True, True, False]


@pytest.mark.parametrize(
    ("told_at", "note"),
    [(ten(9, 1), changed(BERLIN, 10, 25)), (ten(10, 26), None), (ten(1, 13), changed(BERLIN, 10, 25)), (None, None)],
)
def test_a_change_between_the_mail_and_the_meeting_is_told(told_at, note):
    assert clock_note(ten(11, 24), reader_zone=BERLIN, meeting_zone=BERLIN, told_at=told_at) == note


def test_the_last_change_before_the_meeting_is_the_one_that_is_told():
    note = clock_note(ten(4, 20, year=2027), reader_zone=BERLIN, meeting_zone=BERLIN, told_at=ten(9, 1))
    assert note == ClocksChange(time_zone=BERLIN, on=date(2027, 3, 28))


def test_the_readers_own_change_is_told_before_that_of_the_meeting():
    note = clock_note(ten(11, 24), reader_zone=LONDON, meeting_zone=BERLIN, told_at=ten(9, 1))
    assert note == changed(LONDON, 10, 25)


@pytest.mark.parametrize("zone", [BERLIN, LONDON, NEW_YORK, CASABLANCA, SYDNEY])
def test_a_change_is_found_to_the_second(zone):
    found = clocks._changes_in(zone, 2026)
    assert len(found) >= 2
    for at in found:
        second_before = at - timedelta(seconds=1)
        assert wall(at, zone) - wall(second_before, zone) != timedelta(seconds=1)
        assert at.second == 0


def reader_in(zone, language="en"):
    return Reader(name="R", address="r@h.example", language=language, time_zone=zone)


def test_the_mail_says_so_in_one_sentence_with_both_local_times(event_facts):
    mail = compose(kinds.Invitation(**event_facts(starts_at=ten(10, 27))), reader_in(NEW_YORK))
    said = (
        "Please note: clocks change on different dates, so the time difference is not the usual one in these days. "
        "Tuesday 27 October 2026, 06:00 (New York, UTC-4) = Tuesday 27 October 2026, 11:00 (Berlin, UTC+1)."
    )
    assert said in mail.text
    assert said in mail.html


def test_the_mail_names_the_change_in_the_readers_language(event_facts):
    facts = kinds.Invitation(**event_facts(starts_at=ten(10, 27)))
    mail = compose(facts, reader_in("Europe/Lisbon", language="de"))
    assert "die Zeitumstellung am Sonntag, 25. Oktober 2026 (Lissabon)" in mail.text
    assert "die Zeitumstellung am Sonntag, 25. Oktober 2026 (Lissabon)" in mail.html


def test_a_mail_in_an_ordinary_week_says_nothing_of_clocks(event_facts):
    facts = kinds.Invitation(**event_facts(starts_at=ten(11, 24)))
    assert "clock change" not in compose(facts, reader_in("Europe/Lisbon")).text
    assert "clocks change" not in compose(facts, reader_in(NEW_YORK)).text


@pytest.mark.parametrize("kind", ["reminder", "slot-offer", "webinar-approved"])
def test_every_mail_with_a_date_gives_the_note(examples, kind):
    facts, _ = examples[kind]
    moved = dataclasses.replace(facts, starts_at=ten(10, 27), ends_at=ten(10, 27) + timedelta(minutes=20))
    assert "clocks change on different dates" in compose(moved, reader_in(NEW_YORK)).text
