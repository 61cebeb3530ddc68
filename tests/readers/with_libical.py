"""libical reads calendars, and says what iTIP (RFC 5546) forbids in them; see program.py."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_long, c_void_p
from ctypes.util import find_library
from typing import Any, ClassVar

from tests.readers.program import UNTIL, serve


class Time(ctypes.Structure):
    """struct icaltimetype."""

    _fields_: ClassVar = [
        *((name, c_int) for name in ("year", "month", "day", "hour", "minute", "second", "is_date", "is_daylight")),
        ("zone", c_void_p),
    ]


class Span(ctypes.Structure):
    """struct icaltime_span."""

    _fields_: ClassVar = [("start", c_long), ("end", c_long), ("is_busy", c_int)]


ON_OCCURRENCE = ctypes.CFUNCTYPE(None, c_void_p, ctypes.POINTER(Span), c_void_p)
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "icalparser_parse_string": (c_void_p, c_char_p),
    "icalrestriction_check": (c_int, c_void_p),
    "icalcomponent_as_ical_string": (c_char_p, c_void_p),
    "icalcomponent_string_to_kind": (c_int, c_char_p),
    "icalcomponent_get_first_component": (c_void_p, c_void_p, c_int),
    "icalcomponent_get_next_component": (c_void_p, c_void_p, c_int),
    "icalcomponent_get_method": (c_int, c_void_p),
    "icalproperty_method_to_string": (c_char_p, c_int),
    "icalcomponent_get_uid": (c_char_p, c_void_p),
    "icalcomponent_get_summary": (c_char_p, c_void_p),
    "icalcomponent_get_sequence": (c_int, c_void_p),
    "icalcomponent_get_status": (c_int, c_void_p),
    "icalproperty_status_to_string": (c_char_p, c_int),
    "icalcomponent_get_dtstart": (Time, c_void_p),
    "icalcomponent_get_dtend": (Time, c_void_p),
    "icalproperty_get_datetime_with_component": (Time, c_void_p, c_void_p),
    "icaltime_as_timet_with_zone": (c_long, Time, c_void_p),
    "icalcomponent_foreach_recurrence": (None, c_void_p, Time, Time, ON_OCCURRENCE, c_void_p),
    "icalproperty_string_to_kind": (c_int, c_char_p),
    "icalcomponent_get_first_property": (c_void_p, c_void_p, c_int),
    "icalcomponent_get_next_property": (c_void_p, c_void_p, c_int),
    "icalproperty_get_value_as_string": (c_char_p, c_void_p),
    "icalcomponent_free": (None, c_void_p),
}
LIBRARY = ctypes.CDLL(find_library("ical"))
for name, (result, *arguments) in SIGNATURES.items():
    function = getattr(LIBRARY, name)
    function.restype, function.argtypes = result, arguments
EVENT = LIBRARY.icalcomponent_string_to_kind(b"VEVENT")


def read(text: str) -> dict[str, Any]:
    calendar = LIBRARY.icalparser_parse_string(text.encode())
    try:
        events = list(_inside(calendar, "component", EVENT))
        instants = sorted(_instants(events))
        method = LIBRARY.icalproperty_method_to_string(LIBRARY.icalcomponent_get_method(calendar)).decode()
        # Checked last: the check writes what it finds into the object.
        return {
            "method": method,
            "events": [_event(event) for event in events],
            "instants": instants,
            "forbidden": _forbidden(calendar),
        }
    finally:
        LIBRARY.icalcomponent_free(calendar)


def _forbidden(calendar: int) -> list[str]:
    """What the parser and the check of iTIP's restrictions complain about."""
    is_allowed = LIBRARY.icalrestriction_check(calendar)
    text = LIBRARY.icalcomponent_as_ical_string(calendar).decode().replace("\r\n ", "")
    said = re.findall("^X-LIC-ERROR[^:]*:(.*)\r$", text, re.MULTILINE)
    return said or ([] if is_allowed else ["the check failed and said nothing"])


def _inside(component: int, what: str, kind: int) -> Iterator[int]:
    found = getattr(LIBRARY, f"icalcomponent_get_first_{what}")(component, kind)
    while found:
        yield found
        found = getattr(LIBRARY, f"icalcomponent_get_next_{what}")(component, kind)


def _properties(event: int, name: str) -> list[int]:
    return list(_inside(event, "property", LIBRARY.icalproperty_string_to_kind(name.encode())))


def _values(event: int, name: str) -> list[str]:
    return [LIBRARY.icalproperty_get_value_as_string(found).decode() for found in _properties(event, name)]


def _event(event: int) -> dict[str, Any]:
    return {
        "uid": LIBRARY.icalcomponent_get_uid(event).decode(),
        "sequence": LIBRARY.icalcomponent_get_sequence(event),
        "starts": _seconds(LIBRARY.icalcomponent_get_dtstart(event)),
        "ends": _seconds(LIBRARY.icalcomponent_get_dtend(event)),
        "recurrence": _recurrence(event),
        "status": LIBRARY.icalproperty_status_to_string(LIBRARY.icalcomponent_get_status(event)).decode(),
        "organizer": "".join(_values(event, "ORGANIZER")),
        "attendees": _values(event, "ATTENDEE"),
        "summary": (LIBRARY.icalcomponent_get_summary(event) or b"").decode(),
    }


def _recurrence(event: int) -> int | None:
    # icalcomponent_get_recurrenceid() leaves the zone out.
    for found in _properties(event, "RECURRENCE-ID"):
        return _seconds(LIBRARY.icalproperty_get_datetime_with_component(found, event))
    return None


def _seconds(at: Time) -> int:
    if at.zone is None:
        # libical takes it for UTC, and so would not show the mistake.
        raise ValueError("a floating time")
    found: int = LIBRARY.icaltime_as_timet_with_zone(at, at.zone)
    return found


def _instants(events: list[int]) -> Iterator[tuple[int, int]]:
    replaced = {(LIBRARY.icalcomponent_get_uid(event), _recurrence(event)) for event in events}
    for event in events:
        uid, is_rule = LIBRARY.icalcomponent_get_uid(event), bool(_properties(event, "RRULE"))
        for start, end in _occurrences(event):
            if not is_rule or (uid, start) not in replaced:
                yield start, end


def _occurrences(event: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []

    def note(_event: int, span: Any, _data: int) -> None:
        found.append((span.contents.start, span.contents.end))

    first, last = Time(year=1990, month=1, day=1), Time(year=UNTIL, month=1, day=1)
    LIBRARY.icalcomponent_foreach_recurrence(event, first, last, ON_OCCURRENCE(note), None)
    return found


if __name__ == "__main__":
    serve(read)
