"""Calendar objects that strangers sent, as lines (RFC 5545, 3.1): what an answer needs, and nothing that is kept.

icalendar is for what we write. Reading with it would let a mail define a time zone for the whole process: it remembers
each TZID that it does not know with the offsets of the first object that used it, and reads later objects, of other
people, with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conference_orchestrator.notify.parts import Unreadable
from conference_orchestrator.notify.received_text import decoded

LARGEST = 256 * 1024
MOST_EVENTS = 50
_DEEPEST = 10

# Possessive, so that no line makes the search go back.
_VALUE = r'((?:"[^"]*+"|[^":;])*+)'
_LINE = re.compile(rf"([A-Za-z0-9-]++)((?:;[^:;=\"]++={_VALUE})*+):(.*+)", re.DOTALL)
_PARAMETER = re.compile(rf';([^:;="]++)={_VALUE}')
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Line:
    """A property: name and names of parameters in upper case, the value as it was written."""

    name: str
    parameters: Mapping[str, str]
    value: str


@dataclass(frozen=True)
class CalendarObject:
    """A VCALENDAR of a text: every METHOD that it states, and the properties of each whole VEVENT."""

    methods: tuple[str, ...]
    events: tuple[tuple[Line, ...], ...]


def calendar_objects(data: bytes, charset: str | None) -> Iterator[CalendarObject]:
    """The objects in these bytes. Raises Unreadable when there is none, when one was cut off, or beyond a bound."""
    if len(data) > LARGEST:
        raise Unreadable(f"The calendar object in this mail is larger than {LARGEST // 1024} KB.")
    methods: list[str] = []
    events: list[tuple[Line, ...]] = []
    event: list[Line] = []
    for inside, line in _with_place(_lines(data, charset)):
        if inside == ("VCALENDAR",) and line.name == "END":
            yield CalendarObject(tuple(methods), tuple(events))
            methods, events = [], []
        elif inside == ("VCALENDAR",) and line.name == "METHOD":
            methods.append(line.value.strip().upper())
        elif inside == ("VCALENDAR", "VEVENT") and line.name == "BEGIN":
            event = []
        elif inside == ("VCALENDAR", "VEVENT") and line.name == "END":
            events.append(tuple(event))
        elif inside == ("VCALENDAR", "VEVENT"):
            event.append(line)
        if len(events) > MOST_EVENTS:
            raise Unreadable(f"The calendar object in this mail has more than {MOST_EVENTS} events.")


def text_of(line: Line) -> str:
    """The value of a text property without its escapes (RFC 5545, 3.3.11)."""
    return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] in "nN" else escape[1], line.value, flags=re.DOTALL)


def _lines(data: bytes, charset: str | None) -> Iterator[Line]:
    if data.startswith(_UTF_16):
        data, charset = decoded(data, None).encode(), "utf-8"
    # Unfolded before it is decoded: some writers fold in the middle of a letter.
    text = decoded(re.sub(rb"\r?\n[ \t]", b"", data), charset)
    for written in re.split(r"\r\n|\n|\r", text):
        if parsed := _LINE.fullmatch(written.strip("\ufeff")):
            given: dict[str, str] = {}
            for name, value in _PARAMETER.findall(parsed[2]):
                given.setdefault(name.strip().upper(), value.strip().strip('"'))
            yield Line(parsed[1].upper(), given, parsed[4])


def _with_place(lines: Iterator[Line]) -> Iterator[tuple[tuple[str, ...], Line]]:
    """Each line of a VCALENDAR with the components that it lies in, outermost first; text between them is left out."""
    inside: tuple[str, ...] = ()
    is_found = False
    for line in lines:
        name = line.value.strip().upper()
        if line.name == "BEGIN" and (inside or name == "VCALENDAR"):
            inside += (name,)
        if len(inside) > _DEEPEST:
            raise Unreadable(f"The calendar object in this mail has components more than {_DEEPEST} deep.")
        ends = line.name == "END" and name in inside
        if ends:
            # What was left open inside ends with it.
            inside = inside[: len(inside) - inside[::-1].index(name)]
        if inside and (ends or line.name != "END"):
            yield inside, line
        if ends:
            inside = inside[:-1]
        is_found = is_found or (ends and not inside)
    if inside or not is_found:
        raise Unreadable("The calendar object in this mail was cut off." if inside else "It holds no calendar object.")
