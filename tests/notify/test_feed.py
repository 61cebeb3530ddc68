"""Many objects as one calendar: foreign readers see what we meant, and no text becomes more than a text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import vobject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream

from conference_orchestrator.kernel.text import nfc
from conference_orchestrator.kernel.times import instant
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.calendar import event_bytes
from conference_orchestrator.notify.feed import feed_bytes
from tests.notify.test_calendar import AROUND_THE_CLOCK_CHANGES, NASTY, unfolded

ENVELOPE = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//conference_orchestrator//EN",
    "CALSCALE:GREGORIAN",
    "METHOD:PUBLISH",
    "NAME:Network meetings",
    "X-WR-CALNAME:Network meetings",
    "REFRESH-INTERVAL;VALUE=DURATION:PT6H",
    "X-PUBLISHED-TTL:PT6H",
]
ALWAYS = "BEGIN UID SEQUENCE DTSTAMP DTSTART DTEND SUMMARY CLASS TRANSP ORGANIZER STATUS DESCRIPTION"
WITH_LINK = f"{ALWAYS} LOCATION URL CONFERENCE"


def read_by_vobject(data):
    events = vobject.readOne(data.decode()).contents.get("vevent", [])
    return [(e.uid.value, e.dtstart.value, e.dtend.value, e.summary.value) for e in events]


def read_by_ical(data):
    events = IcsCalendarStream.calendar_from_ics(data.decode()).events
    return [(e.uid, e.dtstart, e.dtend, e.summary) for e in events]


READERS = [read_by_vobject, read_by_ical]


def wrong_with(data):
    """What is wrong with the form of a feed: line ends, lengths, and which properties its events have."""
    wrong = [f"{len(line)} octets" for line in data.split(b"\r\n") if len(line) > 75]
    if re.search(rb"[\r\n]", data.replace(b"\r\n", b"")) or not data.endswith(b"END:VCALENDAR\r\n"):
        wrong.append("line ends")
    lines = unfolded(data)
    if lines[: len(ENVELOPE)] != ENVELOPE:
        wrong.append("the envelope")
    inside = "\n".join(re.split("[;:]", line, maxsplit=1)[0] for line in lines[len(ENVELOPE) : -2])
    events = inside.removesuffix("\nEND").split("\nEND\n") if inside else []
    return wrong + [event for event in events if event.replace("\n", " ") not in {ALWAYS, WITH_LINK}]


@pytest.mark.parametrize("read", READERS)
def test_foreign_readers_see_the_instants_that_we_meant_across_both_clock_changes(read, event_facts, far_west):
    events = [
        kinds.Invitation(**event_facts(uid=f"session-{number}", starts_at=instant(wall, "Europe/Berlin")))
        for number, wall in enumerate(AROUND_THE_CLOCK_CHANGES)
    ]
    seen = read(feed_bytes(events))
    assert [uid for uid, *_ in seen] == [facts.uid for facts in events]
    assert all(start.tzinfo is not None for _, start, _, _ in seen), "a floating time"
    assert [start.timestamp() for _, start, _, _ in seen] == [
        at.timestamp() for at in AROUND_THE_CLOCK_CHANGES.values()
    ]
    assert {end - start for _, start, end, _ in seen} == {timedelta(minutes=40)}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"join_url": None},
        {"role": "requester", "case_reference": "PT-2026/0147"},
        {
            "role": "audience",
            "topic": "Sarcoma & beyond: <new> drugs; a, b",
            "join_url": None,
            "needs_registration": True,
        },
        {"role": "speaker", "topic": "Très longue, " + "é" * 80, "sequence": 3},
    ],
    ids=["expert", "without a link", "requester", "unregistered", "speaker"],
)
def test_an_event_says_what_its_invitation_says_except_who_is_invited(given, event_facts, anna):
    facts = kinds.Invitation(**event_facts(**given))
    data = feed_bytes([facts])
    ours = {line for line in unfolded(data)[len(ENVELOPE) : -2] if not line.startswith("ORGANIZER")}
    mailed = {
        line for line in unfolded(event_bytes(facts, anna))[5:-2] if not line.startswith(("ORGANIZER", "ATTENDEE"))
    }
    assert ours == mailed
    assert wrong_with(data) == []


def test_nobody_is_named_and_nothing_rings(event_facts):
    data = feed_bytes([kinds.Invitation(**event_facts(organizer_name="Panel Helpdesk"))]).decode()
    assert "ORGANIZER:mailto:calendar@network.example\r\n" in data
    assert not re.search("ATTENDEE|VALARM|ATTACH|Helpdesk", data)


@pytest.mark.parametrize("read", READERS)
def test_a_calendar_without_meetings_is_a_calendar(read):
    data = feed_bytes([])
    assert (read(data), wrong_with(data)) == ([], [])


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://meet.example/a b", "https://meet.example/\r\nATTACH:x"]
)
def test_what_is_no_link_is_not_shown_as_one(link, event_facts):
    data = feed_bytes([kinds.Invitation(**event_facts(join_url=link)), kinds.Invitation(**event_facts(uid="other"))])
    assert wrong_with(data) == []
    assert (data.count(b"\r\nURL:"), data.count(link.encode())) == (1, 0)


def test_a_naive_time_is_not_shown(event_facts):
    facts = kinds.Invitation(**event_facts(starts_at=datetime(2026, 11, 24, 10, 0)))  # noqa: DTZ001  - the mistake
    with pytest.raises(TypeError, match="aware"):
        feed_bytes([facts])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(texts=st.lists(st.fixed_dictionaries({"group_name": NASTY, "case_reference": NASTY}), min_size=1, max_size=4))
def test_no_text_can_smuggle_a_line_into_the_feed_or_hide_an_event(texts, event_facts):
    events = [kinds.Invitation(**event_facts(uid=f"session-{n}", **text)) for n, text in enumerate(texts)]
    data = feed_bytes(events)
    assert wrong_with(data) == []
    for read in READERS:
        seen = read(data)
        assert [(uid, start) for uid, start, *_ in seen] == [(facts.uid, facts.starts_at) for facts in events]


def test_without_the_rule_for_one_line_a_smuggled_alarm_is_seen(event_facts, monkeypatch):
    monkeypatch.setattr("conference_orchestrator.notify.feed._one_line", lambda value: value)
    data = feed_bytes([kinds.Invitation(**event_facts(group_name="x\r\nBEGIN:VALARM\r\nEND:VALARM"))])
    assert wrong_with(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(name=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60))
def test_ordinary_writing_comes_back_as_it_went_in(name, event_facts):
    data = feed_bytes([kinds.Invitation(**event_facts(topic=name, role="audience"))])
    assert [read(data)[0][3] for read in READERS] == [nfc(name)] * 2


def test_a_long_word_is_broken_between_characters_and_comes_back_whole(event_facts):
    name = "Große 👩🏽‍⚕️ Runde " * 12
    data = feed_bytes([kinds.Invitation(**event_facts(topic=name.strip(), role="audience"))])
    assert wrong_with(data) == []
    assert all(line.decode() for line in data.split(b"\r\n")[:-1]), "each line is UTF-8 by itself"
    assert read_by_ical(data) == [
        (
            "5f0c8a4e-session@network.example",
            datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
            datetime(2026, 11, 24, 10, 40, tzinfo=UTC),
            name.strip(),
        )
    ]
