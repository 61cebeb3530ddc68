"""Many objects as one calendar that programs look at again and again (RFC 5545, RFC 7986, METHOD:PUBLISH).

The words are those of the invitations. The lines are written here and not by icalendar: a calendar of some hundred
meetings is asked for many times a day, and icalendar needs half a second for it.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.notify.calendar import PRODUCT, description, escaped, summary, web_address
from conference_orchestrator.notify.kinds import EventFacts
from conference_orchestrator.notify.languages import SOURCE, language_of

# The calendar may be shown beside others, on a screen that others see: it names nobody and no disease.
NAME = "Network meetings"
LOOK_AGAIN = "PT6H"
CONFERENCE = "CONFERENCE;FEATURE=AUDIO,VIDEO;VALUE=URI"
LONGEST_LINE = 75  # octets, without the line break (RFC 5545, 3.1)
WITHIN_A_CHARACTER = range(0x80, 0xC0)  # of UTF-8 (RFC 3629, 3)


def feed_bytes(events: Iterable[EventFacts], *, language: str = SOURCE) -> bytes:
    """The calendar with one VEVENT for each of the events, in their order, folded, CRLF; nobody is listed as invited.

    `language` is the reader's, as a BCP 47 tag.

    A text that could start another property is shown without what would do so: one such meeting does not hide the
    others. Raises TypeError for a naive time.
    """
    words = language_of(language)
    unfolded = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{NAME}",
        f"X-WR-CALNAME:{NAME}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{LOOK_AGAIN}",
        f"X-PUBLISHED-TTL:{LOOK_AGAIN}",
        *(_event(facts, words) for facts in events),
        "END:VCALENDAR\r\n",
    )
    lines = "\r\n".join(unfolded).encode().split(b"\r\n")
    return b"\r\n".join([line if len(line) <= LONGEST_LINE else _folded(line) for line in lines])


def _event(facts: EventFacts, language: str) -> str:
    """Its lines, not folded yet; what stands in them has no line break."""
    link = _link(facts.join_url)
    shown = facts if link == facts.join_url else dataclasses.replace(facts, join_url=link)
    place = f"LOCATION:{escaped(link)}\r\nURL:{link}\r\n{CONFERENCE}:{link}\r\n" if link else ""
    # Whoever publishes is named (RFC 5546, 3.2.1); without a name, since it is the helpdesk's mailbox.
    return (
        "BEGIN:VEVENT\r\n"
        f"UID:{_text(facts.uid)}\r\n"
        f"SEQUENCE:{facts.sequence}\r\n"
        f"DTSTAMP:{_utc(facts.dtstamp)}\r\n"
        f"DTSTART:{_utc(facts.starts_at)}\r\n"
        f"DTEND:{_utc(facts.ends_at)}\r\n"
        f"SUMMARY:{_text(summary(shown, language))}\r\n"
        "CLASS:PRIVATE\r\n"
        "TRANSP:OPAQUE\r\n"
        f"ORGANIZER:mailto:{_one_line(facts.organizer_address)}\r\n"
        "STATUS:CONFIRMED\r\n"
        f"DESCRIPTION:{_prose(description(shown, language))}\r\n"
        f"{place}"
        "END:VEVENT"
    )


def _link(value: str | None) -> str | None:
    try:
        return web_address("join_url", value) if value else None
    except Invalid:
        return None


def _text(value: str) -> str:
    return escaped(_one_line(value))


def _prose(value: str) -> str:
    return r"\n".join(_text(line) for line in value.splitlines())


def _one_line(value: str) -> str:
    if value.isascii() and value.isprintable():
        return value
    value = nfc(value)
    if one_line_problem(value) is None:
        return value
    seen = (c if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else " " for c in value)
    return " ".join("".join(seen).split())


def _folded(line: bytes) -> bytes:
    """A line that is too long, broken; a character of several octets stays in one piece."""
    parts, start, room = [], 0, LONGEST_LINE
    while start < len(line):
        end = start + room
        while end < len(line) and line[end] in WITHIN_A_CHARACTER:
            end -= 1
        parts.append(line[start:end])
        start = end
        room = LONGEST_LINE - 1  # the others begin with a space
    return b"\r\n ".join(parts)


def _utc(at: datetime) -> str:
    if at.tzinfo is None:
        raise TypeError("an instant is aware")
    at = at.astimezone(UTC)
    return f"{at.year:04}{at.month:02}{at.day:02}T{at.hour:02}{at.minute:02}{at.second:02}Z"
