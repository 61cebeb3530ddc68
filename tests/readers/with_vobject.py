"""vobject reads calendars; see program.py."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import vobject

from tests.readers.program import UNTIL, seconds, serve


def read(text: str) -> dict[str, Any]:
    (calendar,) = vobject.readComponents(text)
    events = calendar.contents.get("vevent", [])
    return {
        "method": calendar.method.value,
        "events": [_event(event) for event in events],
        "instants": sorted(_instants(events)),
    }


def _event(event: Any) -> dict[str, Any]:
    recurrence = event.contents.get("recurrence-id")
    return {
        "uid": event.uid.value,
        "sequence": int(event.sequence.value),
        "starts": seconds(event.dtstart.value),
        "ends": seconds(event.dtend.value),
        "recurrence": seconds(recurrence[0].value) if recurrence else None,
        "status": event.status.value,
        "organizer": event.organizer.value,
        "attendees": [attendee.value for attendee in event.contents.get("attendee", [])],
        "summary": event.summary.value,
    }


def _instants(events: list[Any]) -> Iterator[tuple[int, int]]:
    replaced = {
        (event.uid.value, seconds(event.contents["recurrence-id"][0].value))
        for event in events
        if "recurrence-id" in event.contents
    }
    for event in events:
        length = seconds(event.dtend.value) - seconds(event.dtstart.value)
        if event.rruleset is None:
            yield seconds(event.dtstart.value), seconds(event.dtend.value)
            continue
        for start in takewhile(lambda at: at.year < UNTIL, event.rruleset):
            if (event.uid.value, seconds(start)) not in replaced:
                yield seconds(start), seconds(start) + length


if __name__ == "__main__":
    serve(read)
