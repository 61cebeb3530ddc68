"""The same mail to many: composed and encoded once, then only name, address and personal links are put in.

Composing costs milliseconds, and the mails of one event in one language and time zone differ in nothing else. What
comes out is what `compose` would give for that reader, byte by byte; where that is not certain there is no short way,
and `compose` is asked.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from markupsafe import escape

from conference_orchestrator.notify import mime
from conference_orchestrator.notify.composing import Composed, compose
from conference_orchestrator.notify.kinds import Facts
from conference_orchestrator.notify.mime import Encoded
from conference_orchestrator.notify.reader import Reader

# As icalendar folds: octets in a line without its end, those after the first begin with a space besides.
LINE = 74
# A mailing that is prepared costs as much as two mails that are composed.
WORTH_PREPARING = 3
KEPT = 256

_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9.-]+")
_LINK = re.compile(r"https?://[A-Za-z0-9:/._~?=&%-]+")
# What readers of another kind than most look like: the two ways must agree on them before the short one is taken.
_TRIAL = Reader(
    name="Łucja O’Neil, M.D. <x> & Söhne",  # noqa: RUF001  - such a name too
    address="l.o'neil@szpital.example",
    language="en",
    time_zone="UTC",
)
_TRIAL_LINK = "https://trial.example/i/Jp3kq9?a=1&b=-_~2"


class Uncertain(Exception):
    """The short way might give another mail than composing: the text tells why."""


@dataclass(frozen=True)
class _Pattern:
    """A text with places in it: `pieces` are what stands between, and the names of the places, in turn."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, text: str, marks: Mapping[str, str]) -> Self:
        """Uncertain when a mark does not stand between ASCII characters: only there nothing joins with it."""
        names = {mark: name for name, mark in marks.items()}
        found = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
        for piece in found[2:-2:2]:
            if not (piece and piece[0].isascii() and piece[-1].isascii()):
                raise Uncertain("two places touch each other")
        if len(found) > 1 and not (found[0][-1:].isascii() and found[0] and found[-1] and found[-1][0].isascii()):
            raise Uncertain("a place stands at an end of the text")
        return cls(tuple(names.get(piece, piece) for piece in found))

    def length_of(self, values: Mapping[str, str]) -> int:
        """How many characters are put into it."""
        return sum([len(values[name]) for name in self.pieces[1::2]])

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with these values in their places."""
        pieces = list(self.pieces)
        pieces[1::2] = [values[name] for name in pieces[1::2]]
        return "".join(pieces)


class Mailing:
    """A mail as it is for every reader of one language and time zone."""

    def __init__(self, facts: Facts, *, links: Sequence[str], language: str, time_zone: str) -> None:
        """`links` names the facts that are personal addresses. Raises Uncertain when there is no short way."""
        self._links = tuple(links)
        marks = {"name": f"{_mark()} {_mark()}", "address": f"{_mark()}@{_mark()}.example"}
        marks |= {link: f"https://{_mark()}.example/{_mark()}" for link in links}
        reader = Reader(name=marks["name"], address=marks["address"], language=language, time_zone=time_zone)
        composed = compose(_with(facts, marks, links), reader)
        html = mime.in_ascii(composed.html)
        if not html.isascii():
            raise Uncertain("a style sheet with letters beyond ASCII")
        self._kind = composed.kind
        self._subject, self._text, self._html = (
            _Pattern.of(text, marks) for text in (composed.subject, composed.text, html.replace("\n", "\r\n"))
        )
        # What is put in may stand in one line.
        self._html_room = mime.LONGEST_LINE - mime.longest_line(html.replace("\n", "\r\n").encode())
        self._calendar = _calendar(composed, marks)
        self._calendar_head = mime.calendar_head(composed.calendar) if composed.calendar else None
        self._attachment_heads = tuple(map(mime.attachment_head, composed.attachments))
        self._try(facts, language=language, time_zone=time_zone)

    def encoded_for(self, reader: Reader, links: Mapping[str, str]) -> Encoded:
        """The mail that would be composed for this reader. Uncertain for a reader who is out of the ordinary."""
        _must_be_plain(reader, [links[link] for link in self._links])
        values = {"name": reader.name, "address": reader.address, **links}
        alternatives = [mime.text_part("plain", self._text.filled(values)), self._html_part(values)]
        attachments: tuple[str, ...] = ()
        if self._calendar_head is not None:
            data = mime.in_base64(self._calendar_data(values))
            alternatives.append(self._calendar_head + data)
            attachments = tuple([head + data for head in self._attachment_heads])
        return Encoded(self._kind, self._subject.filled(values), tuple(alternatives), attachments)

    def _html_part(self, values: Mapping[str, str]) -> str:
        shown = {name: mime.in_ascii(str(escape(value))) for name, value in values.items()}
        if self._html.length_of(shown) > self._html_room:
            raise Uncertain("what is put in makes a line too long")
        return mime.plain_head("html") + self._html.filled(shown)

    def _calendar_data(self, values: Mapping[str, str]) -> bytes:
        inside = {**values, "name": _parameter(values["name"])}
        lines = (line if isinstance(line, bytes) else _folded(line.filled(inside)) for line in self._calendar)
        return b"\r\n".join(lines)

    def _try(self, facts: Facts, *, language: str, time_zone: str) -> None:
        reader = dataclasses.replace(_TRIAL, language=language, time_zone=time_zone)
        links = dict.fromkeys(self._links, _TRIAL_LINK)
        if self.encoded_for(reader, links) != mime.encoded(compose(_with(facts, links, self._links), reader)):
            raise Uncertain("more than name, address and links differs from reader to reader")


class Mailings:
    """The mailings that were prepared lately, those used longest ago forgotten first. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, int | Mailing | None] = OrderedDict()

    def get(self, key: Hashable, prepare: Callable[[], Mailing]) -> Mailing | None:
        """The mailing of that key, prepared once it is worth it; None: compose each mail by itself."""
        with self._lock:
            seen = self._seen.pop(key, 0)
            self._seen[key] = seen + 1 if isinstance(seen, int) else seen
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        if not isinstance(seen, int):
            return seen
        if seen + 1 < WORTH_PREPARING:
            return None
        try:
            made: Mailing | None = prepare()
        except Uncertain:
            made = None
        with self._lock:
            self._seen[key] = made
        return made


def _mark() -> str:
    return f"x{uuid4().hex}"


def _with(facts: Facts, values: Mapping[str, str], links: Sequence[str]) -> Facts:
    changes: dict[str, Any] = {link: values[link] for link in links}
    return dataclasses.replace(facts, **changes)


def _must_be_plain(reader: Reader, links: Sequence[str]) -> None:
    """Uncertain unless each value stays what it is wherever it is put."""
    name = reader.name
    if not name.isprintable() or name != name.strip() or not name or any(sign in name for sign in ("=?", "^", "\\")):
        raise Uncertain("a name that is written in another way somewhere")
    # Between ASCII characters nothing joins with it, unless it begins with a mark that belongs on the one before.
    if not name.isascii() and (unicodedata.category(name[0])[0] == "M" or not unicodedata.is_normalized("NFC", name)):
        raise Uncertain("a name that is not in normal form")
    if not _ADDRESS.fullmatch(reader.address) or not all(map(_LINK.fullmatch, links)):
        raise Uncertain("an address out of the ordinary")


def _calendar(composed: Composed, marks: Mapping[str, str]) -> list[bytes | _Pattern]:
    """The lines of the object: those that hold a place are unfolded, what stands between is in one piece."""
    data = composed.calendar.data if composed.calendar else b""
    if any(attachment.data != data for attachment in composed.attachments):
        raise Uncertain("an attachment that is no calendar object")
    # The name stands in quotation marks, and which it needs depends on it.
    inside = {**marks, "name": f'"{marks["name"]}"'}
    lines: list[bytes | _Pattern] = []
    for line in re.split(rb"\r\n(?! )", data):
        whole = line.replace(b"\r\n ", b"").decode()
        if any(mark in whole for mark in inside.values()):
            lines.append(_Pattern.of(whole + "\n", inside))
        elif lines and isinstance(lines[-1], bytes):
            lines[-1] += b"\r\n" + line
        else:
            lines.append(line)
    return lines


def _parameter(name: str) -> str:
    """The name as the value of CN (RFC 5545, 3.2): in quotation marks where icalendar puts it into them."""
    value = name.replace('"', "'")
    return f'"{value}"' if re.search(r"[,;:’' ]", value) else value  # noqa: RUF001  - icalendar's own choice


def _folded(line: str) -> bytes:
    """The line as icalendar folds it: no character torn apart, and none from the backslash before it."""
    octets = line.rstrip("\n").encode()
    parts, start = [], 0
    while start < len(octets):
        part = octets[start : start + LINE]
        if start + LINE < len(octets):
            part = part.decode(errors="ignore").encode()
            part = part[:-1] if part[-1:] in (b"\\", b"^") else part
        parts.append(part)
        start += len(part)
    return b"\r\n ".join(parts)
