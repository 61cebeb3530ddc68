"""Text that wants to be more than a text, every place of the facts where a text stands, and what a mail may hold."""

from __future__ import annotations

import dataclasses
import email.policy
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

from hypothesis import strategies as st

from conference_orchestrator.kernel.text import nfc
from conference_orchestrator.notify.kinds import EventFacts, Facts
from conference_orchestrator.notify.reader import Reader
from conference_orchestrator.notify.stored_facts import facts_from_json
from tests.readers.lint import mail_faults
from tests.readers.objects import Component, read

PIECES = [
    *("\r", "\n", "\r\n", "\r\n ", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x00", "\x1b", "\x7f", "\t", "   "),
    *("\u202e", "\u2066", "\u200f", "\u061c", "\ufeff", "\u200b", "\ud800", "\udfff"),
    *("=?utf-8?q?=0ABcc:_evil=40evil.example?=", "=?utf-8?b?", "?=", "=0D=0A"),
    *(";", ":", ",", "\\", '"', "'", "\\n", "\\N", "\\;", "^n", "^'", ';X-EVIL="1":', '":mailto:evil@evil.example'),
    *("BEGIN:VALARM\r\nEND:VALARM\r\n", "END:VEVENT\r\nBEGIN:VEVENT\r\n", "\nATTACH:https://evil.example/\n"),
    *(
        "\r\nATTENDEE:mailto:evil@evil.example",
        "\r\nBcc: evil@evil.example\r\n",
        "evil@evil.example, ",
        "<a@b.example>",
    ),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</title>", "javascript:alert(1)", "]]>", "<!--"),
    *("{{ 7*7 }}", "{% raw %}", "%(name)s", "%s", "%", "&amp;", "--", "\r\n\r\n--x"),
    *("é", "e\u0301", "👩🏽‍⚕️", "ﷺ", "Å\u0327" * 20, "x" * 10_000, "word " * 300, "ß" * 200),
]
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), min_size=1, max_size=5).map("".join)

# What a fact of that name ordinarily is; the others are ordinary words.
ORDINARY = {"time_zone": "Europe/Berlin", "rule": "FREQ=WEEKLY;BYDAY=TU", "uid": "5f0c8a4e@network.example"}
EARLIER, LATER = datetime(2026, 11, 24, 10, 0, tzinfo=UTC), datetime(2026, 11, 24, 10, 40, tzinfo=UTC)

Path = tuple[str | int, ...]


def ordinary(kind: type[Facts]) -> dict[str, Any]:
    """The facts of the kind with every place filled, as keyword arguments."""
    filled: dict[str, Any] = _filled("", kind)
    return filled


def _filled(name: str, wanted: Any) -> Any:
    origin, choices = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in {types.UnionType, typing.Union}:
        return _filled(name, next(choice for choice in choices if choice is not types.NoneType))
    if dataclasses.is_dataclass(wanted):
        return {field.name: _filled(field.name, hint) for field, hint in _fields(wanted)}
    if origin is tuple:
        return [_filled(name, choices[0])]
    if wanted is datetime:
        return LATER if name in {"ends_at", "until", "held_until"} else EARLIER
    if wanted is str:
        usual = "https://conference.example/a?b=1" if name.endswith("url") else f"Ordinary {name}"
        return ORDINARY.get(name, "a@hospital.example" if name.endswith(("address", "email")) else usual)
    return choices[0] if origin is typing.Literal else wanted()


def _fields(wanted: Any) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(wanted)
    return ((field, hints[field.name]) for field in dataclasses.fields(wanted))


def places(filled: Any) -> list[Path]:
    """Where a text stands in what `ordinary` gave; fixed words are none, nor is a rule: it is parsed when entered."""
    if isinstance(filled, str):
        return [()]
    inside = filled.items() if isinstance(filled, dict) else enumerate(filled) if isinstance(filled, list) else ()
    fixed = {"role", "attendee_status", "rule"}
    return [(name, *path) for name, value in inside if name not in fixed for path in places(value)]


def with_text(filled: Any, path: Path, text: Any) -> Any:
    """The same with another text, or whatever it is, at the place."""
    if not path:
        return text
    first, *rest = path
    changed = dict(filled) if isinstance(filled, dict) else list(filled)
    changed[first] = with_text(filled[first], tuple(rest), text)
    return changed


def facts_from(kind: type[Facts], filled: dict[str, Any]) -> Facts:
    """The facts, through the same reading that a stored message goes through."""
    return facts_from_json(kind.kind, _stored(filled))


def _stored(filled: Any) -> Any:
    if isinstance(filled, dict):
        return {name: _stored(value) for name, value in filled.items()}
    if isinstance(filled, list):
        return [_stored(value) for value in filled]
    return filled.isoformat() if isinstance(filled, datetime) else filled


HEADERS = [
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Conference-Kind",
    "MIME-Version",
    "Content-Type",
]
ALTERNATIVE = ["multipart/alternative", "text/plain", "text/html"]
WITH_CALENDAR = ["multipart/mixed", *ALTERNATIVE, "text/calendar", "application/ics"]
ALWAYS = {"UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "CLASS", "TRANSP", "STATUS"} | {
    "ORGANIZER",
    "ATTENDEE",
}
LINKED = {"LOCATION", "URL", "CONFERENCE"}
FORBIDDEN = {"script", "img", "iframe", "object", "embed", "form", "input", "svg", "base"}


def smuggled(data: bytes, facts: Facts, reader: Reader) -> list[str]:
    """What stands in the mail that the facts did not mean to be there, in words."""
    # As text: an address beyond ASCII stands in its header as it is (RFC 6532).
    mail = email.message_from_string(data.decode(), EmailMessage, policy=email.policy.default)
    found = mail_faults(data)
    if mail.keys() != HEADERS:
        found.append(f"headers {mail.keys()}")
    sent_to = [address.addr_spec for address in mail["To"].addresses]
    if sent_to != [nfc(reader.address)]:
        found.append(f"sent to {sent_to}")
    types_of_parts = [part.get_content_type() for part in mail.walk()]
    if types_of_parts != (WITH_CALENDAR if isinstance(facts, EventFacts) else ALTERNATIVE):
        found.append(f"parts {types_of_parts}")
    found += _in_words(mail)
    for part in mail.walk():
        if part.get_content_type() == "text/calendar":
            found += _in_calendar(read(part.get_payload(decode=True)), facts, reader)
    return found


def _in_words(mail: EmailMessage) -> Iterator[str]:
    text, html = (mail.get_body([kind]).get_content() for kind in ("plain", "html"))
    for shown in (text, html):
        yield from (f"the control character {c!r}" for c in set(shown) if c < " " and c not in "\r\n\t")
    tags = Tags()
    tags.feed(html)
    yield from tags.wrong


class Tags(HTMLParser):
    """Notes what no mail of ours has: elements that load or run something, and links that are none."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in {"src", "srcset", "action"}:
                self.wrong.append(f"the attribute {name}")
            if name == "href" and not (value or "").startswith(("https://", "http://", "mailto:")):
                self.wrong.append(f"a link to {value}")


def _in_calendar(calendar: Component, facts: Facts, reader: Reader) -> Iterator[str]:
    assert isinstance(facts, EventFacts)
    events = calendar.components("VEVENT")
    whole = [event for event in events if not event.all("RECURRENCE-ID")]
    if len(whole) != (0 if facts.series and not facts.series.is_whole else 1):
        yield f"{len(whole)} VEVENTs"
    for event in events:
        names = {one.name for one in event.properties}
        may = LINKED | {"DESCRIPTION"} | ({"RRULE", "EXDATE", "RECURRENCE-ID"} if facts.series else set())
        yield from (f"{name} missing" for name in ALWAYS - names)
        yield from (f"{name} smuggled" for name in names - ALWAYS - may)
        yield from _values(event, facts, reader)


def _values(event: Component, facts: EventFacts, reader: Reader) -> Iterator[str]:
    (organizer,), (attendee, *_) = event.all("ORGANIZER"), event.all("ATTENDEE")
    guests = {one.value for one in event.all("ATTENDEE")} - {f"mailto:{reader.address}"}
    yield from (f"{guest} invited too" for guest in guests)
    meant = {
        "UID": (text_of(event, "UID"), nfc(facts.uid)),
        "ORGANIZER": (organizer.value, f"mailto:{facts.organizer_address}"),
        "ATTENDEE": (attendee.value, f"mailto:{reader.address}"),
        "CN": (attendee.parameters.get("CN"), nfc(reader.name).replace('"', "'").replace("^", "")),
        "parameters": (set(attendee.parameters) - {"RSVP"}, {"CN", "CUTYPE", "ROLE", "PARTSTAT"}),
    }
    for name, (seen, wanted) in meant.items():
        if seen != wanted and _to_the_eye(str(seen)) != _to_the_eye(str(wanted)):
            yield f"{name} is {seen!r}, not {wanted!r}"
    for name in (facts.group_name, facts.topic, facts.case_reference):
        if name and _to_the_eye(nfc(name)) not in _to_the_eye(text_of(event, "SUMMARY")):
            yield f"the summary lacks {name!r}"


def _to_the_eye(text: str) -> str:
    """Without what icalendar changes and nobody is misled by: a byte order mark at the beginning, "\\N" for a break."""
    return text.replace("\ufeff", "").replace("\\N", "\n")


def text_of(event: Component, name: str) -> str:
    """The value of a property of type TEXT, its escapes undone (RFC 5545, 3.3.11)."""
    raw, shown, escaped = event.value(name) or "", "", False
    for c in raw:
        if escaped:
            shown, escaped = shown + ("\n" if c in "nN" else c), False
        elif c == "\\":
            escaped = True
        else:
            shown += c
    return shown
