"""Many objects as one calendar that programs look at again and again (RFC 5545, RFC 7986, METHOD:PUBLISH).

The words are those of the invitations. The lines are written here and not by icalendar: a calendar of some hundred
meetings is asked for many times a day, and icalendar needs half a second for it.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.notify.calendar import PRODUCT, description, summary, web_address
from conference_orchestrator.notify.kinds import EventFacts
from conference_orchestrator.notify.languages import SOURCE, language_of

# The calendar may be shown beside others, on a screen that others see: it names nobody and no disease.
NAME = "Network meetings"
LOOK_AGAIN = "PT6H"
LONGEST_LINE = 75  # octets, without the line break (RFC 5545, 3.1)


def feed_bytes(events: Iterable[EventFacts], *, language: str = SOURCE) -> bytes:
    """The calendar with one VEVENT for each of the events, in their order, folded, CRLF; nobody is listed as invited.

    `language` is the reader's, as a BCP 47 tag.

    A text that could start another property is shown without what would do so: one such meeting does not hide the
    others. Raises TypeError for a naive time.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{NAME}",
        f"X-WR-CALNAME:{NAME}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{LOOK_AGAIN}",
        f"X-PUBLISHED-TTL:{LOOK_AGAIN}",
    ]
    words = language_of(language)
    for facts in events:
        lines += _event(facts, words)
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) for line in lines).encode()


def _event(facts: EventFacts, language: str) -> Iterator[str]:
    link = _link(facts.join_url)
    shown = facts if link == facts.join_url else dataclasses.replace(facts, join_url=link)
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(facts.uid)}"
    yield f"SEQUENCE:{facts.sequence}"
    yield f"DTSTAMP:{_utc(facts.dtstamp)}"
    yield f"DTSTART:{_utc(facts.starts_at)}"
    yield f"DTEND:{_utc(facts.ends_at)}"
    yield f"SUMMARY:{_text(summary(shown, language))}"
    yield "CLASS:PRIVATE"
    yield "TRANSP:OPAQUE"
    # Whoever publishes is named (RFC 5546, 3.2.1); without a name, since it is the helpdesk's mailbox.
    yield f"ORGANIZER:mailto:{_one_line(facts.organizer_address)}"
    yield "STATUS:CONFIRMED"
    yield f"DESCRIPTION:{_prose(description(shown, language))}"
    if link:
        yield f"LOCATION:{_escaped(link)}"
        yield f"URL:{link}"
        yield f"CONFERENCE;FEATURE=AUDIO,VIDEO;VALUE=URI:{link}"
    yield "END:VEVENT"


def _link(value: str | None) -> str | None:
    try:
        return web_address("join_url", value) if value else None
    except Invalid:
        return None


def _text(value: str) -> str:
    return _escaped(_one_line(value))


def _prose(value: str) -> str:
    return r"\n".join(_text(line) for line in value.splitlines())


def _escaped(value: str) -> str:
    """One line as a value of the type TEXT (RFC 5545, 3.3.11)."""
    return value.replace("\\", "\\\\").replace(";", r"\;").replace(",", r"\,")


def _one_line(value: str) -> str:
    if value.isascii() and value.isprintable():
        return value
    value = nfc(value)
    if one_line_problem(value) is None:
        return value
    seen = (c if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else " " for c in value)
    return " ".join("".join(seen).split())


def _folded(line: str) -> str:
    """The line with its end, broken where it would be too long; a character of several octets stays in one piece."""
    if len(line) <= LONGEST_LINE and line.isascii():
        return f"{line}\r\n"
    octets = line.encode()
    parts, start, room = [], 0, LONGEST_LINE
    while start < len(octets):
        part = octets[start : start + room].decode(errors="ignore")
        parts.append(part)
        start += len(part.encode())
        room = LONGEST_LINE - 1  # the others begin with a space
    return "\r\n ".join(parts) + "\r\n"


def _utc(at: datetime) -> str:
    if at.tzinfo is None:
        raise TypeError("an instant is aware")
    return at.astimezone(UTC).isoformat()[:19].replace("-", "").replace(":", "") + "Z"
