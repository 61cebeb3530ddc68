"""Calendar objects as every client reads them (RFC 5545, iTIP RFC 5546, conferences RFC 7986).

The only home of icalendar. One object is one meeting for one person: plain UTC instants, no VTIMEZONE, nobody else
listed. The ledger decides UID, SEQUENCE, DTSTAMP and the method; this module only writes them down.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import icalendar

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.notify.kinds import EventFacts
from conference_orchestrator.notify.reader import Reader

PRODUCT = "-//conference_orchestrator//EN"

_ROLE_WORDS = {
    "expert": "expert group meeting",
    "requester": "discussion of your case",
    "speaker": "you speak",
    "audience": "you are invited",
}


def event_bytes(facts: EventFacts, recipient: Reader) -> bytes:
    """The object for this recipient: VCALENDAR with the method and one VEVENT, folded, CRLF (RFC 5545, 3.1).

    Raises Invalid, naming the fact, for a text that could start another property, TypeError for a naive time.
    """
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", facts.method)
    calendar.add_component(_event(facts, recipient))
    data: bytes = calendar.to_ical()
    return data


def summary(facts: EventFacts) -> str:
    """The title in the calendar: fixed words, the group or the approved topic, and the requester's own reference."""
    name = facts.group_name or facts.topic or ""
    words = f"{name}: {_ROLE_WORDS[facts.role]}" if facts.role != "audience" else name
    return f"{words} {facts.case_reference}" if facts.case_reference else words


def description(facts: EventFacts) -> str:
    """What stands below the title: how to join, the materials, what else the person needs to know."""
    lines = [
        f"Join: {facts.join_url}" if facts.join_url else "The link to join follows in an update of this invitation."
    ]
    if facts.needs_registration:
        # The personal link stays in the mail: others may look into a calendar.
        lines.append("Places are limited: to register, accept by the link in the mail of this invitation.")
    if facts.materials_url:
        lines.append(f"Materials: {web_address('materials_url', facts.materials_url)}")
    if facts.role == "requester":
        lines.append("This invitation covers your own case only. Please wait in the lobby until you are admitted.")
    return "\n".join(lines)


def web_address(field: str, value: str) -> str:
    """`value` if it is a plain http or https address that can stand in a link; else Invalid naming `field`."""
    if not re.fullmatch(r"https?://[^\s<>\"\\^`{|}]+", value) or one_line_problem(value):
        raise Invalid({field: "Must be an address that begins with https:// or http://."})
    return value


def _event(facts: EventFacts, recipient: Reader) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", _one_line("uid", facts.uid))
    event.add("sequence", facts.sequence)
    event.add("dtstamp", _utc(facts.dtstamp))
    event.add("dtstart", _utc(facts.starts_at))
    event.add("dtend", _utc(facts.ends_at))
    event.add("summary", _one_line("summary", summary(facts)))
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    event.add("organizer", _person("organizer", facts.organizer_name, facts.organizer_address))
    event.add("attendee", _attendee(facts, recipient))
    if facts.method == "CANCEL":
        # Who is taken off a meeting does not keep its link.
        event.add("status", "CANCELLED")
        return event
    event.add("status", "CONFIRMED")
    event.add("description", description(facts))
    if facts.join_url:
        # Thunderbird shows the first two and the description, and not CONFERENCE (calendar.md).
        link = web_address("join_url", facts.join_url)
        event.add("location", link)
        event.add("url", link)
        event.add("conference", _conference(link))
    return event


def _conference(link: str) -> icalendar.vUri:
    conference = icalendar.vUri(link)
    conference.params["VALUE"] = "URI"
    conference.params["FEATURE"] = ["AUDIO", "VIDEO"]
    return conference


def _attendee(facts: EventFacts, recipient: Reader) -> icalendar.vCalAddress:
    attendee = _person("attendee", recipient.name, recipient.address)
    attendee.params["CUTYPE"] = "INDIVIDUAL"
    attendee.params["ROLE"] = "REQ-PARTICIPANT"
    attendee.params["PARTSTAT"] = facts.attendee_status
    if facts.method == "REQUEST":
        attendee.params["RSVP"] = "TRUE"
    return attendee


def _person(field: str, name: str, address: str) -> icalendar.vCalAddress:
    if not re.fullmatch(r"[^\s@<>\"(),:;\\]+@[^\s@<>\"(),:;\\]+", address) or one_line_problem(address):
        raise Invalid({field: "Must be a plain e-mail address such as name@hospital.example."})
    person = icalendar.vCalAddress(f"mailto:{address}")
    # RFC 5545 has no way to write a quotation mark in a parameter, and few readers know the one of RFC 6868.
    person.params["CN"] = _one_line(field, name).replace('"', "'").replace("^", "")
    return person


def _one_line(field: str, value: str) -> str:
    if problem := one_line_problem(value):
        raise Invalid({field: problem})
    return nfc(value)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise TypeError("an instant is aware")
    return at.astimezone(UTC)
