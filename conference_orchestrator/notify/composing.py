"""Facts become one e-mail for one reader: subject, text, HTML and, for invitations, the calendar object.

The words live in `templates/<kind>/`: subject.txt, body.txt and body.html. Text and HTML say the same.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from conference_orchestrator.kernel.text import prose
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.notify.calendar import event_bytes, web_address
from conference_orchestrator.notify.kinds import EventFacts, Facts, Method
from conference_orchestrator.notify.reader import Reader

# The language that the templates are written in, for the attribute `lang` and for the names of days and months.
LANGUAGE = "en"


@dataclass(frozen=True, kw_only=True)
class CalendarPart:
    """The calendar object as it stands beside the text, and its method, which the MIME header repeats."""

    method: Method
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file in the mail; `media_type` such as "application/ics"."""

    filename: str
    media_type: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Composed:
    """An e-mail before it is put into MIME."""

    kind: str
    subject: str
    text: str
    html: str
    calendar: CalendarPart | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time for people: on the wall of a zone and in UTC; `utc` is None when the zone is UTC itself."""

    wall: str
    zone: str
    utc: str | None

    def __str__(self) -> str:
        """All on one line: "Tuesday 24 November 2026, 11:00-11:20 (Europe/Berlin) = 10:00-10:20 UTC"."""
        return f"{self.wall} ({self.zone}) = {self.utc}" if self.utc else f"{self.wall} UTC"


def compose(facts: Facts, reader: Reader) -> Composed:
    """The e-mail of this kind for this reader.

    Raises Invalid for a text that must not stand in a calendar object, for an address that is no link and for an
    unknown zone.
    """
    # Only the facts themselves: a nested value stays an object, so a template reads `privacy.url`.
    values = {field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)}
    values |= {"reader": reader, "language": LANGUAGE}
    calendar: CalendarPart | None = None
    attachments: tuple[Attachment, ...] = ()
    if isinstance(facts, EventFacts):
        calendar, attachments = _calendar(facts, reader)
        values |= {
            "name": facts.group_name or facts.topic,
            "when": span(facts.starts_at, facts.ends_at, reader.time_zone),
        }
        # Plain text, rendered first: a macro of a text file would enter the HTML without being escaped.
        values["lead"] = _render(f"{facts.kind}/lead.txt", values)
    return Composed(
        kind=facts.kind,
        subject=_render(f"{facts.kind}/subject.txt", values),
        text=prose(_render(f"{facts.kind}/body.txt", values)) + "\n",
        html=prose(_render(f"{facts.kind}/body.html", values)) + "\n",
        calendar=calendar,
        attachments=attachments,
    )


def _render(template: str, values: dict[str, Any]) -> str:
    return _templates().get_template(template).render(values).strip()


def _calendar(facts: EventFacts, reader: Reader) -> tuple[CalendarPart, tuple[Attachment, ...]]:
    # The same bytes twice: some clients act on the part beside the text, others only on an attached file.
    data = event_bytes(facts, reader)
    filename = "cancel.ics" if facts.method == "CANCEL" else "invite.ics"
    attached = Attachment(filename=filename, media_type="application/ics", data=data)
    return CalendarPart(method=facts.method, data=data), (attached,)


def span(starts_at: datetime, ends_at: datetime, time_zone: str) -> Span:
    """From one instant to another on the wall of `time_zone` and in UTC; a day is named again only where it differs.

    From an instant to itself it is that instant.
    """
    start, end = wall(starts_at, time_zone), wall(ends_at, time_zone)
    utc_start, utc_end = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    utc_day = "" if utc_start.date() == start.date() else f"{day(utc_start)}, "
    return Span(
        wall=f"{day(start)}, {_from_to(start, end)}",
        zone=time_zone,
        utc=None if time_zone in {"UTC", "Etc/UTC"} else f"{utc_day}{_from_to(utc_start, utc_end)} UTC",
    )


def day(on: datetime) -> str:
    """The day of a wall time in words: "Tuesday 24 November 2026"."""
    return format_datetime(on.replace(tzinfo=None), "EEEE d MMMM y", locale=LANGUAGE)


def _from_to(start: datetime, end: datetime) -> str:
    if start == end:
        return f"{start:%H:%M}"
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{day(end)}, {end:%H:%M}"
    return f"{start:%H:%M}-{last}"


def _day_at(at: datetime, time_zone: str) -> str:
    return day(wall(at, time_zone))


def _paragraphs(body: str) -> list[str]:
    return [part.strip("\n") for part in prose(body).split("\n\n") if part.strip()]


def _link(url: str) -> str:
    return web_address("url", url)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"paragraphs": _paragraphs, "link": _link}
    environment.globals |= {"span": span, "day_at": _day_at}
    return environment
