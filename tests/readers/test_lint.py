"""The lint finds each fault by itself, and nothing in what is right."""

from __future__ import annotations

import dataclasses

import pytest

from conference_orchestrator.notify import mime
from conference_orchestrator.notify.composing import compose
from tests.notify.examples import ANNA, EVENTS
from tests.readers.lint import calendar_faults, mail_faults

HEAD = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nCALSCALE:GREGORIAN\nMETHOD:REQUEST\n"
ZONE = (
    "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\n"
    "BEGIN:DAYLIGHT\nDTSTART:19700329T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\n"
    "TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nTZNAME:CEST\nEND:DAYLIGHT\n"
    "BEGIN:STANDARD\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\n"
    "TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nTZNAME:CET\nEND:STANDARD\n"
    "END:VTIMEZONE\n"
)
UNUSED = ZONE.replace("Berlin", "Vienna")
PEOPLE = (
    'ORGANIZER;CN="Helpdesk":mailto:calendar@network.example\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@h.example\n'
)
FIRST = "DTSTART;TZID=Europe/Berlin:20261013T110000\nDTEND;TZID=Europe/Berlin:20261013T114000\n"
MASTER = (
    f"BEGIN:VEVENT\nUID:series-1\nSEQUENCE:2\nDTSTAMP:20260901T080000Z\n{FIRST}"
    "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20261110T100000Z\nEXDATE;TZID=Europe/Berlin:20261020T110000\n"
    f"SUMMARY:Brain Tumour\nSTATUS:CONFIRMED\n{PEOPLE}END:VEVENT\n"
)
OVERRIDE = (
    "BEGIN:VEVENT\nUID:series-1\nSEQUENCE:2\nDTSTAMP:20260901T080000Z\n"
    "RECURRENCE-ID;TZID=Europe/Berlin:20261103T110000\n"
    "DTSTART;TZID=Europe/Berlin:20261104T150000\nDTEND;TZID=Europe/Berlin:20261104T154000\n"
    f"SUMMARY:Brain Tumour\nSTATUS:CONFIRMED\n{PEOPLE}END:VEVENT\n"
)
SERIES = HEAD + ZONE + MASTER + OVERRIDE + "END:VCALENDAR\n"


CASES = [
    (ZONE, "", "no VTIMEZONE for the TZID Europe/Berlin"),
    ("BEGIN:VEVENT", f"{UNUSED}BEGIN:VEVENT", "a VTIMEZONE Europe/Vienna that nothing uses"),
    ("UNTIL=20261110T100000Z", "UNTIL=20261110T110000", "UNTIL not UTC"),
    ("SUMMARY:", f"SUMMARY:{'x' * 80}", "100 octets in a line"),
    ("ORGANIZER;CN=", 'ORGANIZER;X="', "not a property"),
    ("mailto:calendar@", "calendar@", "ORGANIZER without mailto: or address: calendar@network.example"),
    ("mailto:anna@h.example", "mailto:anna", "ATTENDEE without mailto: or address: mailto:anna"),
    ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=MAYBE", "PARTSTAT MAYBE"),
    ("PARTSTAT=NEEDS-ACTION", "RSVP=TRUE", "PARTSTAT None"),
    (":20261013T114000", ":20261013T110000", "DTEND not after DTSTART"),
    ("DTEND;TZID=Europe/Berlin:20261013T114000", "DTEND:20261013T090000Z", "DTEND not after DTSTART"),
    (":20261020T", ":20261021T", "EXDATE that hits nothing: 20261021T110000"),
    ("EXDATE;TZID=Europe/Berlin:20261020T11", "EXDATE:20261020T09", "EXDATE neither in UTC nor with a TZID"),
    (":20261020T110000", ":20261020", "EXDATE is no date with a time: 20261020"),
    (":20261103T11", ":20261103T12", "RECURRENCE-ID that hits nothing: 20261103T120000"),
    (FIRST, FIRST.replace("1013T", "1014T"), "DTSTART outside the rule"),
    ("END:VEVENT\nBEGIN", "BEGIN:VALARM\nACTION:DISPLAY\nEND:VALARM\nEND:VEVENT\nBEGIN", "VALARM present"),
    ("STATUS:", "ATTACH:https://h.example/\nSTATUS:", "ATTACH present"),
    ("EXDATE", "RDATE;TZID=Europe/Berlin:20261021T110000\nEXDATE", "RDATE present"),
    ("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;", "RANGE in RECURRENCE-ID"),
    ("RECURRENCE-ID;TZID=Europe/Berlin:20261103T110000\n", "", "two VEVENTs without RECURRENCE-ID of series-1"),
    ("SEQUENCE:2\n", "", "SEQUENCE missing"),
    ("SEQUENCE:2\n", "SEQUENCE:-2\n", "SEQUENCE -2"),
    ("DTSTAMP:20260901T080000Z\n", "", "DTSTAMP missing"),
    ("DTSTAMP:20260901T080000Z\n", "DTSTAMP;TZID=Europe/Berlin:20260901T080000\n", "DTSTAMP not UTC"),
    ("STATUS:CONFIRMED", "STATUS:CANCELLED", "STATUS:CANCELLED in METHOD:REQUEST"),
    ("SUMMARY:Brain", "SUMMARY:x\nSUMMARY:Brain", "SUMMARY twice"),
    ("METHOD:REQUEST\n", "METHOD:REQUEST\nMETHOD:REQUEST\n", "METHOD missing or not alone"),
    ("METHOD:REQUEST\n", "METHOD:COUNTER\n", "METHOD COUNTER"),
    ("PRODID:-//test//EN\n", "", "PRODID missing or not alone"),
    ("END:VCALENDAR\n", "END:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR\n", "not exactly one VCALENDAR"),
]  # fmt: skip


def octets(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def test_what_is_right_has_no_fault() -> None:
    assert calendar_faults(octets(SERIES)) == []


@pytest.mark.parametrize(
    ("right", "broken", "fault"), CASES, ids=[f"{number} {fault}" for number, (*_, fault) in enumerate(CASES)]
)
def test_each_fault_is_found_where_it_is_the_only_one(right: str, broken: str, fault: str) -> None:
    (found,) = calendar_faults(octets(SERIES.replace(right, broken, 1)))
    assert found.startswith(fault)


def test_a_missing_uid_is_found() -> None:
    assert calendar_faults(octets(SERIES.replace("UID:series-1\n", ""))) == ["UID missing", "UID missing"]


def test_more_than_one_uid_is_found_in_what_is_sent_and_not_in_what_is_published() -> None:
    other = HEAD + (MASTER + MASTER.replace("series-1", "series-2")).replace(PEOPLE, "ORGANIZER:mailto:a@n.example\n")
    other = other.replace("METHOD:REQUEST\n", "METHOD:PUBLISH\n" + ZONE) + "END:VCALENDAR\n"
    assert calendar_faults(octets(other)) == []
    assert "2 UIDs in an object of iTIP" in calendar_faults(octets(other.replace("METHOD:PUBLISH", "METHOD:REQUEST")))


def test_a_published_person_and_an_invitation_to_nobody_are_found() -> None:
    published = SERIES.replace("METHOD:REQUEST", "METHOD:PUBLISH")
    assert calendar_faults(octets(published)) == ["ATTENDEE in what is published"] * 2
    to_nobody = HEAD + ZONE + MASTER.replace(PEOPLE, "ORGANIZER:mailto:a@n.example\n") + "END:VCALENDAR\n"
    assert calendar_faults(octets(to_nobody)) == ["nobody is invited"]


def test_an_exception_to_no_rule_is_found() -> None:
    single = HEAD + ZONE + MASTER.replace("RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20261110T100000Z\n", "") + "END:VCALENDAR\n"
    assert calendar_faults(octets(single)) == ["EXDATE without a rule"]


def test_a_floating_time_is_found() -> None:
    floating = HEAD + MASTER.replace(";TZID=Europe/Berlin", "") + "END:VCALENDAR\n"
    assert "DTSTART neither in UTC nor with a TZID" in calendar_faults(octets(floating))


def test_a_cancellation_has_the_status_cancelled() -> None:
    cancelled = HEAD.replace("REQUEST", "CANCEL") + ZONE + OVERRIDE + "END:VCALENDAR\n"
    assert calendar_faults(octets(cancelled)) == ["STATUS:CONFIRMED in METHOD:CANCEL"]
    assert calendar_faults(octets(cancelled.replace("CONFIRMED", "CANCELLED"))) == []


@pytest.mark.parametrize(
    ("right", "broken", "fault"),
    [
        (b"\r\nUID", b"\nUID", "a line ends with a bare LF"),
        (b"SUMMARY:Brain", b"SUMMARY:\rBrain", "a bare CR"),
        (b"END:VCALENDAR\r\n", b"END:VCALENDAR", "the last line has no end"),
        (b"SUMMARY:Brain", b"SUMMARY:\xff", "codec"),
    ],
)
def test_wrong_octets_are_found(right: bytes, broken: bytes, fault: str) -> None:
    assert fault in "; ".join(calendar_faults(octets(SERIES).replace(right, broken, 1)))


def invitation() -> bytes:
    facts, _ = EVENTS["invitation"]
    people = {"sender": "Helpdesk <helpdesk@network.example>", "reply_to": "Helpdesk <helpdesk@network.example>"}
    composed = compose(facts, ANNA)
    return mime.build(
        mime.encoded(composed), reader=ANNA, message_id="<1@network.example>", date=facts.dtstamp, **people
    )


@pytest.mark.parametrize(
    ("right", "broken", "faults"),
    [
        (b"", b"", []),
        (b'method="REQUEST"', b'method="CANCEL"', ["the MIME method CANCEL is not the METHOD of the calendar"]),
        (b'charset="utf-8"; method', b"method", ["the calendar beside the text does not say that it is UTF-8"]),
        (b"; component=", b"\r\nContent-Disposition: inline; a=", ["the calendar beside the text has a disposition"]),
        (b"invite.ics", b"invite.txt", ["the attached calendar is no attachment with the name of a calendar"]),
        (b"application/ics", b"application/pdf", ["1 calendars beside the text and 0 attached, not one of each"]),
        (b"text/calendar", b"text/plain", ["0 calendars beside the text and 1 attached, not one of each"]),
    ],
)  # fmt: skip
def test_the_parts_of_a_mail_are_looked_at_too(right: bytes, broken: bytes, faults: list[str]) -> None:
    data = invitation()
    assert right in data
    assert mail_faults(data.replace(right, broken)) == faults


def test_calendar_parts_that_differ_are_found() -> None:
    facts, _ = EVENTS["invitation"]
    composed = compose(facts, ANNA)
    (attached,) = composed.attachments
    other = dataclasses.replace(attached, data=attached.data.replace(b"SEQUENCE:0", b"SEQUENCE:1"))
    people = {"sender": "Helpdesk <helpdesk@network.example>", "reply_to": "Helpdesk <helpdesk@network.example>"}
    data = mime.build(
        mime.encoded(dataclasses.replace(composed, attachments=(other,))),
        reader=ANNA,
        message_id="<1@network.example>",
        date=facts.dtstamp,
        **people,
    )
    assert mail_faults(data) == ["the two calendar parts differ"]


def test_a_mail_without_a_calendar_has_no_such_fault() -> None:
    assert mail_faults(b"Subject: a\r\n\r\ntext\r\n") == []
