"""What the calendar object of an answer says (iTIP, RFC 5546): who answers what about which occurrence.

Nothing is taken from its DTSTART but a proposal to be shown: clients round it, move it and lose its zone. An occurrence
is named by RECURRENCE-ID, which is read in UTC or in a zone that we know ourselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal
from urllib.parse import unquote

from babel.core import get_global

from conference_orchestrator.kernel.text import prose
from conference_orchestrator.kernel.times import instant, zone_in_any_case
from conference_orchestrator.notify.content_lines import CalendarObject, Line, text_of
from conference_orchestrator.notify.parts import Unreadable
from conference_orchestrator.notify.received_text import plain_address, safe_line

Method = Literal["REPLY", "COUNTER"]
Said = Literal["ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED", "NEEDS-ACTION"]

MOST_ANSWERS = 200
_TOO_MANY = f"This answer speaks for more than {MOST_ANSWERS} people."
LONGEST_UID = 255
LONGEST_COMMENT = 1000

# What a client writes beyond these means NEEDS-ACTION (RFC 5545, 3.2.12).
_SAID: dict[str, Said] = {
    "ACCEPTED": "ACCEPTED",
    "DECLINED": "DECLINED",
    "TENTATIVE": "TENTATIVE",
    "DELEGATED": "DELEGATED",
}
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z?)", re.ASCII)
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
# Years for which a zone tells anything; far outside of them its arithmetic overflows.
_YEARS = range(1970, 2100)
_MICROSOFT_UTC = "tzone://Microsoft/Utc"


@dataclass(frozen=True, kw_only=True)
class CalendarAnswer:
    """What one attendee answers about one event. With a `problem` it must not be counted: the helpdesk looks at it.

    Without RECURRENCE-ID it is about the whole object; `recurrence_at` is the occurrence as an instant in UTC,
    `recurrence_on` the date when that is all that was written. `stamp` (DTSTAMP) and the times that a COUNTER proposes
    are instants in UTC, None when they cannot be told.
    """

    method: Method
    uid: str
    recurrence_at: datetime | None
    recurrence_on: date | None
    sequence: int
    stamp: datetime | None
    attendee: str
    said: Said
    comment: str | None
    proposed_starts_at: datetime | None
    proposed_ends_at: datetime | None
    problem: str | None


def method_of(heard: CalendarObject, *, mime: str | None) -> str | None:
    """What the object wants. Its own word counts; the MIME header's only when the object has none.

    Of several a COUNTER goes first, because a human looks at it, then a REPLY.
    """
    stated = heard.methods or ((mime.upper(),) if mime else ())
    return next((wanted for wanted in ("COUNTER", "REPLY") if wanted in stated), stated[0] if stated else None)


def answers(heard: CalendarObject, method: Method) -> tuple[CalendarAnswer, ...]:
    """One answer for each event and attendee. Raises Unreadable for too many, or when nobody answers anything."""
    found: list[CalendarAnswer] = []
    for event in heard.events:
        for one in _answers(event, method):
            found.append(one)
            if len(found) > MOST_ANSWERS:
                raise Unreadable(_TOO_MANY)
    if not found:
        raise Unreadable("This answer names no event, or nobody who answers.")
    return tuple(found)


def _answers(event: Sequence[Line], method: Method) -> Iterator[CalendarAnswer]:
    first: dict[str, Line] = {}
    for line in event:
        first.setdefault(line.name, line)
    uid = safe_line(text_of(first["UID"]), LONGEST_UID + 1) if "UID" in first else ""
    if not uid or len(uid) > LONGEST_UID:
        return
    occurrence = first.get("RECURRENCE-ID")
    at, on, problem = _occurrence(occurrence) if occurrence else (None, None, None)
    proposal = method == "COUNTER"
    for attendee, said in _attendees(event).items():
        yield CalendarAnswer(
            method=method,
            uid=uid,
            recurrence_at=at,
            recurrence_on=on,
            sequence=_sequence(first.get("SEQUENCE")),
            stamp=_instant(first.get("DTSTAMP")),
            attendee=attendee,
            said=said,
            comment=_comment(first.get("COMMENT")),
            proposed_starts_at=_instant(first.get("DTSTART")) if proposal else None,
            proposed_ends_at=_instant(first.get("DTEND")) if proposal else None,
            problem=problem,
        )


def _attendees(event: Sequence[Line]) -> dict[str, Said]:
    """What each attendee says; who is named twice is taken at the first word. Raises Unreadable."""
    found: dict[str, Said] = {}
    for line in event:
        if line.name == "ATTENDEE" and (address := _address(line)):
            found.setdefault(address, _SAID.get(line.parameters.get("PARTSTAT", "").upper(), "NEEDS-ACTION"))
        if len(found) > MOST_ANSWERS:
            raise Unreadable(_TOO_MANY)
    return found


def _address(line: Line) -> str | None:
    """The attendee's address; where the value is another kind of name, as in Apple's directory, the one beside it."""
    # A name with a colon that nobody quoted stands before the address (`CN=Dr: Ines Costa:mailto:...`).
    _, mailto, address = line.value.lower().rpartition("mailto:")
    named = unquote(address).strip(" <>") if mailto else line.parameters.get("EMAIL", line.value)
    return plain_address(named)


def _occurrence(line: Line) -> tuple[datetime | None, date | None, str | None]:
    """RECURRENCE-ID as an instant or as a date, else what is wrong with it."""
    if "RANGE" in line.parameters:
        return None, None, "The answer is about this and all later dates, which cannot be counted."
    if day := _DATE.fullmatch(line.value.strip()):
        try:
            return None, date(*map(int, day.groups())), None
        except ValueError:
            return None, None, "The answer is about a date that does not exist."
    if at := _instant(line):
        return at, None, None
    shown = safe_line(line.parameters.get("TZID", "") or "none", 60)
    return None, None, f"The answer is about one date of a series, in a time zone that nobody knows: {shown}."


def _instant(line: Line | None) -> datetime | None:
    """The value in UTC. None when it has no zone, or one that only its writer knows."""
    if line is None:
        return None
    # Exchange does not quote a name with a colon, so the last colon is the one before the time.
    name, _, time = f"{line.parameters.get('TZID', '')}:{line.value}".rpartition(":")
    written = _TIME.fullmatch(time.strip().upper())
    if written is None or int(written[1]) not in _YEARS:
        return None
    try:
        read = datetime(*(int(number) for number in written.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError:
        return None
    if written[7]:
        return read
    zone = _zone(name)
    return instant(read.replace(tzinfo=None), zone) if zone else None


def _zone(name: str) -> str | None:
    """The IANA zone: by its own name, by the end of one like "/mozilla.org/1/Europe/Berlin", or by that of Windows."""
    if name == _MICROSOFT_UTC:
        return "UTC"
    ends = ["/".join(name.split("/")[-words:]) for words in (3, 2)] if name.startswith("/") else []
    known = [name, *ends, get_global("windows_zone_mapping").get(name, "")]
    return next((zone for one in known if (zone := zone_in_any_case(one))), None)


def _sequence(line: Line | None) -> int:
    return int(line.value) if line and re.fullmatch(r"\d{1,9}", line.value.strip(), re.ASCII) else 0


def _comment(line: Line | None) -> str | None:
    return (prose(text_of(line)).strip()[:LONGEST_COMMENT] or None) if line else None
