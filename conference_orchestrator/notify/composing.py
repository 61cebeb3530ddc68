"""Facts become one e-mail for one reader: subject, text, HTML and, for invitations, the calendar object.

The words live in `templates/<kind>/`: subject.jinja and body.jinja, in the source language; `translations/` holds them
in the others. Text and HTML come from the same body: what a paragraph or a button is in each stands in `templates/text`
and `templates/html`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import escape

from conference_orchestrator.kernel.text import prose
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.notify import languages
from conference_orchestrator.notify.calendar import event_bytes, web_address
from conference_orchestrator.notify.clocks import ClocksChange, clock_note
from conference_orchestrator.notify.kinds import (
    DeskAlert,
    EventFacts,
    Facts,
    InvitationCancel,
    Method,
    RegistrationActivated,
    Reminder,
    RequestReceived,
    RequestReturned,
    RequestWaiting,
    SlotOffer,
    WebinarApproved,
)
from conference_orchestrator.notify.reader import Reader
from conference_orchestrator.notify.sentences import in_words

TEMPLATES = Path(__file__).parent / "templates"
Form = Literal["text", "html"]
# One part of a template knows nothing of what stands before it; what people typed has no such lines any more.
_BLANK = re.compile(r"\n(?:[ \t]*\n)+")
Dated = EventFacts | Reminder | SlotOffer | WebinarApproved


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
    """A time for people: on the wall of a zone and in UTC; `utc` is None when the zone is UTC itself.

    `zone` is the IANA name, `place` what people call it ("Berlin, UTC+1"), `day` the day on which it starts.
    """

    wall: str
    zone: str
    place: str
    day: str
    utc: str | None

    def __str__(self) -> str:
        """All on one line: "Tuesday 24 November 2026, 11:00-11:20 (Berlin, UTC+1) = 10:00-10:20 UTC"."""
        return f"{self.wall} ({self.place}) = {self.utc}" if self.utc else f"{self.wall} UTC"


def compose(facts: Facts, reader: Reader) -> Composed:
    """The e-mail of this kind for this reader, in the reader's language where we have it.

    Raises Invalid for a text that must not stand in a calendar object, for an address that is no link and for an
    unknown zone.
    """
    # The helpdesk is told in the language of the source: what happened is told in it, too.
    language = languages.SOURCE if isinstance(facts, DeskAlert) else languages.language_of(reader.language)
    # Only the facts themselves: a nested value stays an object, so a template reads `privacy.url`.
    values = {field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)}
    values |= {"reader": reader, "language": language, **_own_sentences(facts, language)}
    if isinstance(facts, Dated):
        values |= _times(facts, reader, language)
    calendar: CalendarPart | None = None
    attachments: tuple[Attachment, ...] = ()
    if isinstance(facts, EventFacts):
        calendar, attachments = _calendar(facts, reader)
        values |= {"name": facts.group_name or facts.topic, "news": _news(facts, language)}
        values["dates"] = _dates(facts, reader, language)
    return Composed(
        kind=facts.kind,
        subject=_render(language, "text", f"{facts.kind}/subject", values),
        text=_BLANK.sub("\n\n", prose(_render(language, "text", f"{facts.kind}/body", values))) + "\n",
        html=_BLANK.sub("\n", prose(_render(language, "html", f"{facts.kind}/body", values))) + "\n",
        calendar=calendar,
        attachments=attachments,
    )


def _own_sentences(facts: Facts, language: str) -> dict[str, Any]:
    """Those of the facts that the service itself worded, in English, as the reader gets them."""
    if isinstance(facts, RequestReceived | RequestReturned):
        return {"missing": tuple(in_words(label, language) for label in facts.missing)}
    if isinstance(facts, RequestWaiting):
        return {"reason": in_words(facts.reason, language)}
    if isinstance(facts, InvitationCancel) and facts.reason:
        return {"reason": in_words(facts.reason, language)}
    if isinstance(facts, RegistrationActivated):
        title, body = facts.instructions.title, facts.instructions.body
        said = "\n\n".join(in_words(part, language) for part in body.split("\n\n"))
        return {"instructions": dataclasses.replace(facts.instructions, title=in_words(title, language), body=said)}
    return {}


def _render(language: str, form: Form, template: str, values: dict[str, Any]) -> str:
    return _templates(language, form).get_template(f"{template}.jinja").render(values).strip()


def _calendar(facts: EventFacts, reader: Reader) -> tuple[CalendarPart, tuple[Attachment, ...]]:
    # The same bytes twice: some clients act on the part beside the text, others only on an attached file.
    data = event_bytes(facts, reader)
    filename = "cancel.ics" if facts.method == "CANCEL" else "invite.ics"
    attached = Attachment(filename=filename, media_type="application/ics", data=data)
    return CalendarPart(method=facts.method, data=data), (attached,)


def _times(facts: Dated, reader: Reader, language: str) -> dict[str, Any]:
    """When it is by the reader's clock and by the meeting's own, and when it was before."""
    own = partial(span, language=language)
    earlier = getattr(facts, "previous_starts_at", None)
    return {
        "when": own(facts.starts_at, facts.ends_at, reader.time_zone),
        "there": own(facts.starts_at, facts.ends_at, facts.time_zone),
        "before": own(earlier, earlier + (facts.ends_at - facts.starts_at), reader.time_zone) if earlier else None,
        "clocks": _clocks(facts, reader, language),
    }


def _clocks(facts: Dated, reader: Reader, language: str) -> str | None:
    """One sentence about clocks that change near it, where there is something to say."""
    gettext = languages.translations(language).gettext
    # Not the present instant: composed anew, it is the same mail.
    told_at = facts.dtstamp if isinstance(facts, EventFacts) else None
    note = clock_note(facts.starts_at, reader_zone=reader.time_zone, meeting_zone=facts.time_zone, told_at=told_at)
    if note is None:
        return None
    if isinstance(note, ClocksChange):
        said = gettext(
            "Please note the clock change on %(day)s (%(city)s):"
            " the times in this message already take it into account."
        )
        city = languages.city(note.time_zone, language) or note.time_zone
        return said % {"day": languages.day(note.on, language), "city": city}
    said = gettext(
        "Please note: clocks change on different dates, so the time difference is not the usual one in these days."
        " %(here)s = %(there)s."
    )
    here, there = _starts(facts, reader.time_zone, language), _starts(facts, facts.time_zone, language)
    return said % {"here": here, "there": there}


def _starts(facts: Dated, time_zone: str, language: str) -> str:
    start = span(facts.starts_at, facts.starts_at, time_zone, language=language)
    return f"{start.wall} ({start.place})"


def _news(facts: EventFacts, language: str) -> str:
    """What has changed, in words: "the time and the link to join"; empty when nothing that has a word."""
    gettext = languages.translations(language).gettext
    nouns = {
        "time": gettext("the time"),
        "dates": gettext("the dates"),
        "end": gettext("the end of the series"),
        "link": gettext("the link to join"),
        "materials": gettext("the materials"),
    }
    return languages.listed([nouns.get(what, what) for what in facts.what_changed], language)


def _dates(facts: EventFacts, reader: Reader, language: str) -> list[str]:
    """Each date of a series that has changed, in a sentence, and the new end: what to compare one's own diary with."""
    if facts.series is None:
        return []
    gettext = languages.translations(language).gettext

    def own(starts_at: datetime | None, ends_at: datetime | None) -> Span | None:
        return span(starts_at, ends_at, reader.time_zone, language=language) if starts_at and ends_at else None

    told = []
    for one in facts.series.news:
        before, after = own(one.previous_starts_at, one.previous_ends_at), own(one.starts_at, one.ends_at)
        if before and after and before != after:
            said = gettext("%(before)s: moved to %(after)s") % {"before": before.wall, "after": after}
        elif before and after:
            said = gettext("%(when)s: has a new link to join") % {"when": after}
        elif before:
            said = gettext("%(when)s: is not held") % {"when": before}
        else:
            said = gettext("%(when)s: is held after all") % {"when": after}
        told.append(said)
    if "end" in facts.what_changed and facts.series.until:
        last = day(wall(facts.series.until, reader.time_zone), language)
        told.append(gettext("Last session of the series: %(day)s.") % {"day": last})
    elif "end" in facts.what_changed:
        told.append(gettext("The series has no end date any more."))
    return told


def span(starts_at: datetime, ends_at: datetime, time_zone: str, *, language: str = languages.SOURCE) -> Span:
    """From one instant to another on the wall of `time_zone` and in UTC; a day is named again only where it differs.

    From an instant to itself it is that instant.
    """
    start, end = wall(starts_at, time_zone), wall(ends_at, time_zone)
    utc_start, utc_end = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    utc_day = "" if utc_start.date() == start.date() else f"{day(utc_start, language)}, "
    return Span(
        wall=f"{day(start, language)}, {_from_to(start, end, language)}",
        zone=time_zone,
        place=languages.place(starts_at, time_zone, language),
        day=day(start, language),
        utc=None if time_zone in {"UTC", "Etc/UTC"} else f"{utc_day}{_from_to(utc_start, utc_end, language)} UTC",
    )


def day(on: datetime, language: str = languages.SOURCE) -> str:
    """The day of a wall time in words: "Tuesday 24 November 2026"."""
    return languages.day(on.date(), language)


def _from_to(start: datetime, end: datetime, language: str) -> str:
    if start == end:
        return f"{start:%H:%M}"
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{day(end, language)}, {end:%H:%M}"
    return f"{start:%H:%M}-{last}"


def _paragraphs(body: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n[ \t]*\n", prose(body)) if part.strip()]


def _link(url: str) -> str:
    return web_address("url", url)


@cache
def _templates(language: str, form: Form) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES / form, TEMPLATES]),
        autoescape=select_autoescape(default=form == "html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words = languages.translations(language)
    # Jinja takes a translation for HTML and escapes only what is put into it; ours are plain text in both forms.
    written: Callable[[str], str] = (lambda text: str(escape(text))) if form == "html" else str
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        lambda message: written(words.gettext(message)),
        lambda one, many, number: written(words.ngettext(one, many, number)),
        newstyle=True,
    )
    environment.filters |= {"paragraphs": _paragraphs, "link": _link}
    environment.globals |= {"span": partial(span, language=language)}
    environment.globals["parts"] = environment.get_template("parts.jinja").module
    return environment
