"""The package `ical` reads calendars; see program.py. It keeps a RECURRENCE-ID as a text, so none is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ical.calendar_stream import IcsCalendarStream
from ical.event import Event

from tests.readers.program import UNTIL, seconds, serve


def read(text: str) -> dict[str, Any]:
    calendar = IcsCalendarStream.calendar_from_ics(text)
    shown = calendar.timeline_tz(UTC).overlapping(datetime(1990, 1, 1, tzinfo=UTC), datetime(UNTIL, 1, 1, tzinfo=UTC))
    return {
        "method": calendar.method,
        "events": [_event(event) for event in calendar.events],
        "instants": sorted((seconds(event.dtstart), seconds(event.dtend)) for event in shown),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "uid": event.uid,
        "sequence": event.sequence,
        "starts": seconds(event.dtstart),
        "ends": seconds(event.dtend),
        "status": event.status,
        "organizer": str(event.organizer.uri),
        "attendees": [str(attendee.uri) for attendee in event.attendees],
        "summary": event.summary,
    }


if __name__ == "__main__":
    serve(read)
