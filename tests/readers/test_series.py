"""A whole series as one object comes out of every reader as the sessions that were meant, across the clock changes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.notify import mime
from conference_orchestrator.notify.calendar import event_bytes
from conference_orchestrator.notify.composing import compose
from conference_orchestrator.notify.kinds import InvitationCancel, InvitationUpdate
from tests.notify.examples import ANNA
from tests.readers import reading
from tests.readers.life_cycle import SENDER
from tests.readers.lint import calendar_faults, mail_faults
from tests.readers.series import LOOKED_AT, Drawn, drawn, facts_of, round_of_tuesdays

MANY = 154  # each zone with each rule
# The round of Tuesdays at 11.00 in Berlin, written by hand in UTC: November 3 is left out, March 23 moved by a day and
# two hours.
TUESDAYS = """
    2026-10-13 09:00  2026-10-20 09:00  2026-10-27 10:00  2026-11-10 10:00  2026-11-17 10:00  2026-11-24 10:00
    2026-12-01 10:00  2026-12-08 10:00  2026-12-15 10:00  2026-12-22 10:00  2026-12-29 10:00  2027-01-05 10:00
    2027-01-12 10:00  2027-01-19 10:00  2027-01-26 10:00  2027-02-02 10:00  2027-02-09 10:00  2027-02-16 10:00
    2027-02-23 10:00  2027-03-02 10:00  2027-03-09 10:00  2027-03-16 10:00  2027-03-24 12:00  2027-03-30 09:00
    2027-04-06 09:00
"""


@pytest.fixture(scope="session")
def many() -> list[Drawn]:
    return list(drawn(MANY))


@pytest.fixture(scope="session")
def objects(many: list[Drawn]) -> list[bytes]:
    return [event_bytes(one.facts, ANNA) for one in many]


def shown(found: reading.Calendar) -> reading.Instants:
    return tuple(one for one in found.instants if one[0] < LOOKED_AT)


def meant(one: Drawn, reader: str) -> reading.Instants:
    """What that reader has to show: `ical` 14.3 knows a RECURRENCE-ID in UTC for none, and shows both sessions."""
    if reader != "ical" or one.series.time_zone != "UTC":
        return one.meant
    length = one.series.ends_at - one.series.starts_at
    return tuple(sorted([*one.meant, *((session.on, session.on + length) for session in one.series.changed)]))


def test_every_reader_shows_the_round_of_tuesdays_at_eleven(reader: str) -> None:
    (found,) = reading.calendars(reader, [event_bytes(facts_of(round_of_tuesdays()), ANNA)])
    assert [f"{start:%Y-%m-%d %H:%M}" for start, _ in found.instants] == re.split(r"\s{2,}", TUESDAYS.strip())
    assert {end - start for start, end in found.instants} == {timedelta(minutes=40)}


def test_every_reader_expands_every_series_to_what_was_meant(
    reader: str, many: list[Drawn], objects: list[bytes]
) -> None:
    found = reading.calendars(reader, objects)
    wrong = [
        f"{one}\n{sorted(set(shown(seen)) ^ set(meant(one, reader)))}\n{data.decode()}"
        for one, seen, data in zip(many, found, objects, strict=True)
        if shown(seen) != meant(one, reader)
    ]
    assert not wrong, f"{len(wrong)} of {MANY}; the first: {wrong[0]}"


def test_what_was_meant_is_the_same_time_on_the_wall_of_each_day(many: list[Drawn]) -> None:
    for one in many:
        zone = ZoneInfo(one.series.time_zone)
        moved = {session.starts_at for session in one.series.changed}
        walls = {start.astimezone(zone).time() for start, _ in one.meant if start not in moved}
        assert walls <= {one.series.starts_at.astimezone(zone).time()}, str(one)


def test_no_series_has_a_fault_to_our_lint(many: list[Drawn], objects: list[bytes]) -> None:
    assert {
        str(one): faults for one, data in zip(many, objects, strict=True) if (faults := calendar_faults(data))
    } == {}


def test_no_series_breaks_a_rule_of_itip(objects: list[bytes]) -> None:
    assert {seen.forbidden for seen in reading.calendars("libical", objects)} == {()}


@pytest.mark.parametrize("reader", ["vobject", "libical", "ical.js"])  # the fourth tells no RECURRENCE-ID
def test_a_moved_session_alone_names_the_instant_that_it_had(reader: str, many: list[Drawn]) -> None:
    moved = [one for one in many if one.series.changed]
    sent = [event_bytes(InvitationUpdate(**vars(facts_of(replace(one.series, is_whole=False)))), ANNA) for one in moved]
    for one, seen, data in zip(moved, reading.calendars(reader, sent), sent, strict=True):
        assert [(event.recurrence, event.starts_at, event.ends_at) for event in seen.events] == [
            (session.on, session.starts_at, session.ends_at) for session in one.series.changed
        ], str(one)
        assert (calendar_faults(data), seen.forbidden) == ([], ())


@pytest.mark.parametrize("reader", ["vobject", "libical", "ical.js"])
def test_a_cancelled_date_names_the_instant_that_is_gone(reader: str, many: list[Drawn]) -> None:
    thinned = [one for one in many if one.series.left_out]
    sent = [
        event_bytes(InvitationCancel(**vars(facts_of(replace(one.series, is_whole=False)))), ANNA) for one in thinned
    ]
    for one, seen, data in zip(thinned, reading.calendars(reader, sent), sent, strict=True):
        assert [(event.recurrence, event.status) for event in seen.events] == [
            (on, "CANCELLED") for on in one.series.left_out
        ], str(one)
        assert (seen.method, calendar_faults(data), seen.forbidden) == ("CANCEL", [], ())


def test_a_cancelled_series_is_one_object_for_all_of_it(reader: str, many: list[Drawn]) -> None:
    sent = [event_bytes(InvitationCancel(**vars(one.facts)), ANNA) for one in many[:40]]
    for one, seen, data in zip(many, reading.calendars(reader, sent), sent, strict=False):
        (event,) = seen.events
        assert (seen.method, event.status, event.recurrence) == ("CANCEL", "CANCELLED", None)
        assert event.starts_at == one.series.starts_at
        assert (calendar_faults(data), seen.forbidden) == ([], ())


def test_the_mail_of_a_series_carries_it_whole_in_both_parts(many: list[Drawn]) -> None:
    for number, one in enumerate(many[:40]):
        composed = compose(one.facts, ANNA)
        data = mime.build(
            mime.encoded(composed),
            sender=SENDER,
            reply_to=SENDER,
            reader=ANNA,
            message_id=f"<{number}@network.example>",
            date=one.facts.dtstamp,
        )
        assert (mail_faults(data), reading.calendar_of(data)) == ([], event_bytes(one.facts, ANNA)), str(one)


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "America/Nuuk", "Asia/Jerusalem", "America/Santiago"])
def test_a_zone_whose_clocks_no_rule_expresses_is_not_written(zone: str) -> None:
    with pytest.raises(Invalid, match=zone):
        event_bytes(facts_of(replace(round_of_tuesdays(), time_zone=zone)), ANNA)


def test_without_its_exceptions_every_reader_shows_what_was_left_out(reader: str) -> None:
    whole = event_bytes(facts_of(round_of_tuesdays()), ANNA)
    (found,) = reading.calendars(reader, [re.sub(rb"EXDATE[^\r]*\r\n", b"", whole)])
    assert datetime(2026, 11, 3, 10, 0, tzinfo=UTC) in dict(found.instants)


@pytest.mark.parametrize("reader", ["vobject", "libical", "ical.js"])  # the fourth has its own list of zones
def test_a_zone_written_with_wrong_rules_is_seen(reader: str) -> None:
    whole = event_bytes(facts_of(round_of_tuesdays()), ANNA)
    wrong = whole.replace(b"BYMONTH=10", b"BYMONTH=11").replace(b"19701025T", b"19701129T")
    (found,) = reading.calendars(reader, [wrong])
    assert wrong != whole
    assert datetime(2026, 10, 27, 9, 0, tzinfo=UTC) in dict(found.instants), "summer time for a month too long"
