from datetime import UTC, datetime, timedelta

import pytest
import vobject
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc
from conference_orchestrator.kernel.times import instant
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.calendar import event_bytes
from conference_orchestrator.notify.reader import Reader

# Tuesdays at 11.00 in Berlin on both sides of each clock change, with the instants written by hand.
AROUND_THE_CLOCK_CHANGES = {
    datetime(2026, 10, 20, 11, 0): datetime(2026, 10, 20, 9, 0, tzinfo=UTC),  # noqa: DTZ001  - wall time
    datetime(2026, 10, 27, 11, 0): datetime(2026, 10, 27, 10, 0, tzinfo=UTC),  # noqa: DTZ001  - wall time
    datetime(2027, 3, 23, 11, 0): datetime(2027, 3, 23, 10, 0, tzinfo=UTC),  # noqa: DTZ001  - wall time
    datetime(2027, 3, 30, 11, 0): datetime(2027, 3, 30, 9, 0, tzinfo=UTC),  # noqa: DTZ001  - wall time
    datetime(2026, 10, 25, 2, 30): datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # noqa: DTZ001  - wall time
    datetime(2027, 3, 28, 3, 30): datetime(2027, 3, 28, 1, 30, tzinfo=UTC),  # noqa: DTZ001  - wall time
}
TEXTS = [
    "uid",
    "group_name",
    "case_reference",
    "join_url",
    "organizer_name",
    "organizer_address",
    "answer_url",
    "reason",
]
NASTY = st.text(max_size=120) | st.sampled_from(
    [
        "x\r\nBEGIN:VALARM\r\nEND:VALARM",
        "x\nATTACH:https://evil.example/",
        "x\rATTENDEE:mailto:evil@evil.example",
        'x";X-EVIL="1":mailto:evil@evil.example',
        "x\\nBEGIN:VEVENT",
        "x:y;z,w\\",
        "\u2028END:VCALENDAR",
        "^n^n^'",
        "é" * 200,
        "👩🏽‍⚕️" * 40,
    ]
)


def unfolded(data):
    return data.replace(b"\r\n ", b"").decode().split("\r\n")


def read_by_vobject(data):
    event = vobject.readOne(data.decode()).vevent
    return event.uid.value, event.dtstart.value, event.dtend.value, event.summary.value


def read_by_ical(data):
    (event,) = IcsCalendarStream.calendar_from_ics(data.decode()).events
    return event.uid, event.dtstart, event.dtend, event.summary


READERS = [read_by_vobject, read_by_ical]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("wall", "meant"), AROUND_THE_CLOCK_CHANGES.items())
def test_foreign_readers_see_the_instants_that_we_meant(read, wall, meant, event_facts, anna, far_west):
    facts = kinds.Invitation(**event_facts(starts_at=instant(wall, "Europe/Berlin")))
    _, starts_at, ends_at, _ = read(event_bytes(facts, anna))
    assert starts_at.tzinfo is not None, "a floating time"
    assert (starts_at.timestamp(), ends_at - starts_at) == (meant.timestamp(), timedelta(minutes=40))


@pytest.mark.parametrize("read", READERS)
def test_foreign_readers_read_every_object_that_we_emit(read, invitation, far_west):
    facts, reader = invitation
    uid, starts_at, ends_at, summary = read(event_bytes(facts, reader))
    assert (uid, starts_at, ends_at) == (facts.uid, facts.starts_at, facts.ends_at)
    assert (facts.group_name or facts.topic) in summary


def test_every_object_passes_our_lint(invitation, lint):
    facts, reader = invitation
    assert lint(event_bytes(facts, reader), facts.method) == []


@pytest.mark.parametrize(
    ("right", "broken", "said"),
    [
        (b"\r\nSUMMARY", b"\nSUMMARY", "CRLF"),
        (b"END:VEVENT", b"BEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT", "unexpected BEGIN"),
        (b"METHOD:REQUEST", b"METHOD:CANCEL", "METHOD CANCEL"),
        (b"STATUS:CONFIRMED", b"STATUS:CANCELLED", "contradict"),
        (b"DTSTART:20261124T100000Z", b"DTSTART:20261124T100000", "not UTC"),
        (b"DTEND:20261124T104000Z", b"DTEND:20261124T094000Z", "ends before"),
        (b":mailto:calendar", b":calendar", "no mailto"),
        (b"NEEDS-ACTION", b"MAYBE", "PARTSTAT MAYBE"),
        (b"CLASS:PRIVATE\r\n", b"", "no CLASS"),
        (b"SUMMARY:", b"SUMMARY:" + b"x" * 80, "octets"),
    ],
)
def test_our_lint_sees_what_no_validator_catches(right, broken, said, event_facts, anna, lint):
    data = event_bytes(kinds.Invitation(**event_facts()), anna)
    assert right in data
    assert said in "; ".join(lint(data.replace(right, broken), "REQUEST"))


def test_an_invitation_carries_the_properties_of_the_law(event_facts, anna):
    lines = unfolded(event_bytes(kinds.Invitation(**event_facts()), anna))
    link = "https://meet.example/join/8817?pwd=a,b;c"
    escaped = link.replace(",", r"\,").replace(";", r"\;")
    assert {
        "METHOD:REQUEST",
        "SEQUENCE:0",
        "DTSTAMP:20261102T083000Z",
        "DTSTART:20261124T100000Z",
        "DTEND:20261124T104000Z",
        "CLASS:PRIVATE",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        f"URL:{link}",
        f"CONFERENCE;FEATURE=AUDIO,VIDEO;VALUE=URI:{link}",
        f"LOCATION:{escaped}",
        f"DESCRIPTION:Join: {escaped}",
    } <= set(lines)
    assert 'ORGANIZER;CN="Panel Helpdesk":mailto:calendar@network.example' in lines
    (attendee,) = (line for line in lines if line.startswith("ATTENDEE"))
    head, _, address = attendee.partition(":")
    assert address == "mailto:anna.weber@klinik-berlin.example"
    assert set(head.split(";")[1:]) == {
        'CN="Prof. Anna Weber"',
        "CUTYPE=INDIVIDUAL",
        "ROLE=REQ-PARTICIPANT",
        "PARTSTAT=NEEDS-ACTION",
        "RSVP=TRUE",
    }


def test_an_answer_given_before_is_carried(event_facts, anna):
    data = event_bytes(kinds.InvitationUpdate(**event_facts(attendee_status="ACCEPTED")), anna)
    assert "PARTSTAT=ACCEPTED" in "".join(unfolded(data))


def test_a_cancellation_is_the_method_cancel_with_the_status_cancelled(event_facts, anna):
    lines = unfolded(event_bytes(kinds.InvitationCancel(**event_facts(sequence=4)), anna))
    assert {"METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:4"} <= set(lines)
    assert not any("meet.example" in line for line in lines)


def test_before_there_is_a_link_the_description_says_that_it_follows(event_facts, anna):
    lines = unfolded(event_bytes(kinds.Invitation(**event_facts(join_url=None)), anna))
    assert "DESCRIPTION:The link to join follows in an update of this invitation." in lines
    assert not any(line.startswith(("URL", "LOCATION", "CONFERENCE")) for line in lines)


def test_the_same_facts_give_the_same_bytes(invitation):
    facts, reader = invitation
    assert event_bytes(facts, reader) == event_bytes(facts, reader)


def test_a_naive_time_is_not_sent(event_facts, anna):
    facts = kinds.Invitation(**event_facts(starts_at=datetime(2026, 11, 24, 10, 0)))  # noqa: DTZ001  - the mistake
    with pytest.raises(TypeError, match="aware"):
        event_bytes(facts, anna)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(data=st.data())
def test_no_text_can_smuggle_a_line_into_the_object(data, event_facts, lint):
    fuzzed = {name: data.draw(NASTY, label=name) for name in data.draw(st.sets(st.sampled_from(TEXTS), min_size=1))}
    person = {"name": "Anna", "address": "anna@h.example"}
    person |= {name: data.draw(NASTY, label=name) for name in data.draw(st.sets(st.sampled_from(sorted(person))))}
    kind = data.draw(st.sampled_from([kinds.Invitation, kinds.InvitationUpdate, kinds.InvitationCancel]))
    reader = Reader(**person, language="en", time_zone="Europe/Berlin")
    try:
        written = event_bytes(kind(**event_facts(**fuzzed)), reader)
    except Invalid:
        return
    assert lint(written, kind.method) == []
    _, starts_at, _, _ = read_by_vobject(written)
    assert starts_at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(name=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60))
@example(name=r"C:\Neu\new;a,b")
def test_ordinary_writing_comes_back_as_it_went_in(name, event_facts, anna):
    facts = kinds.Invitation(**event_facts(topic=name, role="audience"))
    try:
        written = event_bytes(facts, anna)
    except Invalid:
        return
    assert read_by_vobject(written)[3] == read_by_ical(written)[3] == nfc(name)


@pytest.mark.parametrize("field", ["group_name", "case_reference", "organizer_name", "uid"])
def test_a_line_break_in_a_one_line_text_is_refused(field, event_facts, anna):
    with pytest.raises(Invalid, match="line breaks"):
        event_bytes(kinds.Invitation(**event_facts(**{field: "a\r\nATTACH:x"})), anna)


@pytest.mark.parametrize(
    "address", ["a", "a@b@c.example", "a b@c.example", "a@c.example>", "a@c.example;X=1", "a@c.example\n"]
)
def test_an_address_that_is_more_than_an_address_is_refused(address, event_facts, anna):
    with pytest.raises(Invalid, match="e-mail address"):
        event_bytes(kinds.Invitation(**event_facts(organizer_address=address)), anna)
