"""Every object of every kind, and of every step of a life cycle, is to every reader what it was meant to be."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from conference_orchestrator.notify.kinds import EventFacts
from tests.readers import reading
from tests.readers.life_cycle import LifeCycle, Sent
from tests.readers.lint import calendar_faults, mail_faults
from tests.readers.reading import Calendar, Event

# Written by hand: who is told what at which step, with start and end in UTC. Berlin is an hour nearer to UTC from
# 2026-10-25 until 2027-03-28.
TOLD = {
    "invited": """
        anna REQUEST 0 2026-10-20 09:00-09:40
        anna REQUEST 0 2026-10-27 10:00-10:40
        anna REQUEST 0 2027-03-23 10:00-10:40
        anna REQUEST 0 2027-03-30 09:00-09:40
        emil REQUEST 0 2026-10-20 09:00-09:40
        emil REQUEST 0 2026-10-27 10:00-10:40
        emil REQUEST 0 2027-03-23 10:00-10:40
        emil REQUEST 0 2027-03-30 09:00-09:40
        ines REQUEST 0 2026-10-20 09:00-09:20
        olga REQUEST 0 2026-10-27 10:20-10:40
        rita REQUEST 0 2027-03-23 10:00-10:20
        rita REQUEST 0 2027-03-30 09:00-09:20
    """,
    "moved": """
        anna REQUEST 1 2026-10-26 10:00-10:40
        emil REQUEST 1 2026-10-26 10:00-10:40
        ines REQUEST 1 2026-10-26 10:00-10:20
    """,
    "link changed": """
        anna REQUEST 1 2026-10-27 10:00-10:40
        emil REQUEST 1 2026-10-27 10:00-10:40
        olga REQUEST 1 2026-10-27 10:20-10:40
    """,
    "late joiner": """
        carla REQUEST 0 2027-03-23 10:00-10:40
        carla REQUEST 0 2027-03-30 09:00-09:40
        carla REQUEST 1 2026-10-26 10:00-10:40
        carla REQUEST 1 2026-10-27 10:00-10:40
    """,
    "removed": """
        emil CANCEL 1 2027-03-23 10:00-10:40
        emil CANCEL 1 2027-03-30 09:00-09:40
        emil CANCEL 2 2026-10-26 10:00-10:40
        emil CANCEL 2 2026-10-27 10:00-10:40
    """,
    "other slot": "rita REQUEST 1 2027-03-30 09:20-09:40",
    "withdrawn": "olga CANCEL 2 2026-10-27 10:20-10:40",
    "cancelled": """
        anna CANCEL 3 2026-10-26 10:00-10:40
        carla CANCEL 3 2026-10-26 10:00-10:40
        ines CANCEL 2 2026-10-26 10:00-10:20
    """,
    "webinar": """
        anna REQUEST 0 2027-03-27 23:30-00:30
        carla REQUEST 0 2027-03-27 23:30-00:30
        emil REQUEST 0 2027-03-27 23:30-00:30
        ines REQUEST 0 2027-03-27 23:30-00:30
        olga REQUEST 0 2027-03-27 23:30-00:30
        rita REQUEST 0 2027-03-27 23:30-00:30
    """,
    "a place": "ines REQUEST 1 2027-03-27 23:30-00:30",
}
SHOWN = {
    "anna": "2026-10-27 10:00, 2027-03-23 10:00, 2027-03-27 23:30, 2027-03-30 09:00",
    "carla": "2026-10-27 10:00, 2027-03-23 10:00, 2027-03-27 23:30, 2027-03-30 09:00",
    "emil": "2027-03-27 23:30",
    "ines": "2027-03-27 23:30",
    "olga": "2027-03-27 23:30",
    "rita": "2027-03-27 23:30, 2027-03-30 09:00, 2027-03-30 09:20",
}


@pytest.fixture(scope="session")
def invitations(mails: list[Sent]) -> list[Sent]:
    """Those of the mails that carry a calendar."""
    return [mail for mail in mails if mail.calendar]


def meant(mail: Sent) -> Calendar:
    """What a reader has to find in the calendar of the mail; the summary is looked at apart."""
    facts = mail.facts
    assert isinstance(facts, EventFacts)
    event = Event(
        uid=facts.uid,
        sequence=facts.sequence,
        starts_at=facts.starts_at,
        ends_at=facts.ends_at,
        recurrence=None,
        status="CANCELLED" if facts.method == "CANCEL" else "CONFIRMED",
        organizer=f"mailto:{facts.organizer_address}",
        attendees=(f"mailto:{mail.reader.address}",),
        summary=facts.group_name or facts.topic or "",
    )
    return Calendar(method=facts.method, events=(event,), instants=((facts.starts_at, facts.ends_at),))


def test_every_mail_that_has_to_carries_a_calendar(mails: list[Sent], invitations: list[Sent]) -> None:
    assert invitations == [mail for mail in mails if isinstance(mail.facts, EventFacts)]
    assert {mail.facts.kind for mail in invitations} == {"invitation", "invitation-update", "invitation-cancel"}


def test_every_reader_takes_every_object_for_what_was_meant(reader: str, invitations: list[Sent]) -> None:
    found = reading.calendars(reader, [mail.calendar for mail in invitations])
    for mail, seen in zip(invitations, found, strict=True):
        wanted = meant(mail)
        (event,) = seen.events
        assert wanted.events[0].summary in event.summary
        named = Event(**vars(event) | {"summary": wanted.events[0].summary})
        assert Calendar(**vars(seen) | {"events": (named,)}) == wanted, f"{mail.step}: {mail.facts.kind} to {mail.to}"


def test_every_reader_learns_at_each_step_what_happened(reader: str, life_cycle: LifeCycle) -> None:
    sent = [mail for mail in life_cycle.sent if mail.calendar]
    found = reading.calendars(reader, [mail.calendar for mail in sent])
    told: dict[str, list[str]] = {}
    for mail, seen in zip(sent, found, strict=True):
        (event,), ((start, end),) = seen.events, seen.instants
        (name,) = (attendee.removeprefix("mailto:").partition("@")[0] for attendee in event.attendees)
        line = f"{name} {seen.method} {event.sequence} {start:%Y-%m-%d %H:%M}-{end:%H:%M}"
        told.setdefault(mail.step, []).append(line)
    assert {step: sorted(lines) for step, lines in told.items()} == {
        step: [line.strip() for line in lines.strip().splitlines()] for step, lines in TOLD.items()
    }


def test_every_reader_of_a_feed_sees_what_its_owner_holds(reader: str, life_cycle: LifeCycle) -> None:
    found = reading.calendars(reader, list(life_cycle.feeds.values()))
    shown = {
        name: ", ".join(f"{start:%Y-%m-%d %H:%M}" for start, _ in seen.instants)
        for name, seen in zip(life_cycle.feeds, found, strict=True)
    }
    assert shown == SHOWN
    for seen in found:
        assert (seen.method, seen.forbidden) == ("PUBLISH", ())
        assert {(event.status, event.organizer, event.attendees) for event in seen.events} == {
            ("CONFIRMED", "mailto:calendar@network.example", ())
        }


def test_a_feed_shows_under_the_uids_and_sequences_of_the_mails(life_cycle: LifeCycle) -> None:
    for name, data in life_cycle.feeds.items():
        (seen,) = reading.calendars("vobject", [data])
        mailed = {
            (mail.facts.uid, mail.facts.sequence, mail.facts.starts_at)
            for mail in life_cycle.sent
            if isinstance(mail.facts, EventFacts) and mail.to == name
        }
        assert {(event.uid, event.sequence, event.starts_at) for event in seen.events} <= mailed


def test_our_lint_finds_nothing_in_any_mail_or_feed(mails: list[Sent], life_cycle: LifeCycle) -> None:
    assert {mail.step: faults for mail in mails if (faults := mail_faults(mail.data))} == {}
    assert {name: faults for name, data in life_cycle.feeds.items() if (faults := calendar_faults(data))} == {}


def test_a_time_without_its_z_does_not_come_out_as_it_was_meant(reader: str, invitations: list[Sent]) -> None:
    floating = re.sub(rb":(20261124T\d{6})Z", rb":\1", invitations[0].calendar)
    if reader == "libical":
        with pytest.raises(AssertionError, match="a floating time"):
            reading.calendars(reader, [floating])
        return
    (seen,) = reading.calendars(reader, [floating])
    assert seen.instants[0][0] == datetime(2026, 11, 24, 18, 0, tzinfo=UTC), "ten o'clock in Los Angeles"


@pytest.mark.parametrize(
    ("kind", "right", "broken"),
    [
        ("invitation", b"ORGANIZER;", b"X-ORGANIZER;"),
        ("invitation", b"ATTENDEE;", b"X-ATTENDEE;"),
        ("invitation", b"SUMMARY:", b"X-SUMMARY:"),
        ("invitation", b"DTSTAMP:", b"DTSTAMP:20261102T083000Z\r\nDTSTAMP:"),
        ("invitation", b"STATUS:CONFIRMED", b"STATUS:CANCELLED"),
        ("invitation-cancel", b"SEQUENCE:", b"X-SEQUENCE:"),
        ("invitation-cancel", b"ORGANIZER;", b"X-ORGANIZER;"),
    ],
)
def test_the_check_of_itips_rules_complains_where_one_is_broken(
    invitations: list[Sent], kind: str, right: bytes, broken: bytes
) -> None:
    mail = next(mail for mail in invitations if mail.facts.kind == kind)
    assert right in mail.calendar
    (seen,) = reading.calendars("libical", [mail.calendar.replace(right, broken)])
    assert seen.forbidden
