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
from functools import cached_property
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
# Names with one of these icalendar puts in quotation marks.
_QUOTED = re.compile(r"[,;:’' ]")  # noqa: RUF001  - its own choice
# What is written in another way somewhere.
_CHANGED = re.compile(r"=\?|[\^\\]")
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


# What is put into the places of a pattern, by their names.
Values = Mapping[str, bytes]


@dataclass(frozen=True)
class _Pattern:
    """Octets with places in them: `pieces` are what stands before, between and behind the places of these `names`."""

    pieces: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str, marks: Mapping[str, str]) -> Self:
        """The text with places where the marks stand."""
        if "\0" in text:
            raise Uncertain("a sign that parts the places from the text")
        for name, mark in marks.items():
            text = text.replace(mark, f"\0{name}\0")
        parts = text.split("\0")
        return cls(tuple(piece.encode() for piece in parts[::2]), tuple(parts[1::2]))

    def must_keep_apart(self) -> Self:
        """Itself. Uncertain when a place does not stand between ASCII characters: only there nothing joins with it."""
        if not all(self.pieces[1:-1]):
            raise Uncertain("two places touch each other")
        if self.names and not (self.pieces[0] and self.pieces[-1]):
            raise Uncertain("a place stands at an end of the text")
        beside = [piece[-1:] for piece in self.pieces[:-1]] + [piece[:1] for piece in self.pieces[1:]]
        if not all(map(bytes.isascii, beside)):
            raise Uncertain("a place stands beside a letter that may join with it")
        return self

    def length_of(self, values: Values) -> int:
        """How many octets are put into it."""
        return sum([len(values[name]) for name in self.names])

    @cached_property
    def template(self) -> bytes:
        """The octets with a sign for each place, as formatting wants them."""
        return b"%b".join([piece.replace(b"%", b"%%") for piece in self.pieces])

    def filled(self, values: Values) -> bytes:
        """The octets with these values in their places."""
        return self.template % tuple([values[name] for name in self.names])


def _lines(text: str, marks: Mapping[str, str], write: Callable[[str], bytes]) -> list[bytes | _Pattern]:
    """Each line that holds a place as a pattern, and in one piece, as `write` writes them, those that stand between."""
    found: list[bytes | _Pattern] = []
    for line in re.findall("[^\n]*\n", text):
        if any(mark in line for mark in marks.values()):
            found.append(_Pattern.of(line, marks))
        elif found and isinstance(found[-1], bytes):
            found[-1] += write(line)
        else:
            found.append(write(line))
    return found


class _Text:
    """The plain text: only its lines that hold a place are encoded for each reader."""

    def __init__(self, text: str, marks: Mapping[str, str]) -> None:
        octets = mime.on_lines(text)
        self._whole = _Pattern.of(octets.decode(), marks).must_keep_apart()
        self._longest, self._beyond_ascii = mime.longest_line(octets), mime.beyond_ascii(octets)
        self._length = sum(map(len, self._whole.pieces))
        self._lines = _lines(octets.decode(), marks, lambda line: mime.in_encoding("quoted-printable", line.encode()))

    def part(self, values: Values) -> bytes:
        """The text for the reader, as `mime.text_part` makes it. Uncertain where a line may be too long."""
        added = self._whole.length_of(values)
        if self._longest + added > mime.LONGEST_LINE:
            raise Uncertain("what is put in makes a line too long")
        beyond_ascii = self._beyond_ascii + sum([mime.beyond_ascii(values[name]) for name in self._whole.names])
        encoding = mime.encoding_of(self._length + added, beyond_ascii=beyond_ascii, longest=self._longest)
        if encoding == "quoted-printable":
            written = [
                line if isinstance(line, bytes) else mime.in_encoding(encoding, line.filled(values))
                for line in self._lines
            ]
        else:
            written = [mime.in_encoding(encoding, self._whole.filled(values))]
        return b"".join([mime.text_head("plain", encoding), *written])


class Mailing:
    """A mail as it is for every reader of one language and time zone."""

    def __init__(self, facts: Facts, *, links: Sequence[str], language: str, time_zone: str) -> None:
        """`links` names the facts that are personal addresses. Raises Uncertain when there is no short way."""
        self._links = tuple(links)
        marks = {"name": f"{_mark()} {_mark()}", "address": f"{_mark()}@{_mark()}.example"}
        marks |= {link: f"https://{_mark()}.example/{_mark()}" for link in links}
        reader = Reader(name=marks["name"], address=marks["address"], language=language, time_zone=time_zone)
        composed = compose(_with(facts, marks, links), reader)
        html = mime.on_lines(mime.in_ascii(composed.html))
        if not html.isascii():
            raise Uncertain("a style sheet with letters beyond ASCII")
        self._kind, self._text = composed.kind, _Text(composed.text, marks)
        self._subject, self._html = (
            _Pattern.of(text, marks).must_keep_apart() for text in (composed.subject, html.decode())
        )
        # What is put in may stand in one line.
        self._html_room = mime.LONGEST_LINE - mime.longest_line(html)
        self._calendar = _calendar(composed, marks)
        self._calendar_head = mime.calendar_head(composed.calendar) if composed.calendar else None
        self._attachment_heads = tuple(map(mime.attachment_head, composed.attachments))
        self._try(facts, language=language, time_zone=time_zone)

    def encoded_for(self, reader: Reader, links: Mapping[str, str]) -> Encoded:
        """The mail that would be composed for this reader. Uncertain for a reader who is out of the ordinary."""
        _must_be_plain(reader, [links[link] for link in self._links])
        given = {"name": reader.name, "address": reader.address, **links}
        values = {name: value.encode() for name, value in given.items()}
        alternatives = [self._text.part(values), self._html_part(given)]
        attachments: tuple[bytes, ...] = ()
        if self._calendar_head is not None:
            data = mime.in_base64(self._calendar_data({**values, "name": _parameter(reader.name)}))
            alternatives.append(self._calendar_head + data)
            attachments = tuple([head + data for head in self._attachment_heads])
        return Encoded(self._kind, self._subject.filled(values).decode(), tuple(alternatives), attachments)

    def _html_part(self, given: Mapping[str, str]) -> bytes:
        shown = {name: mime.in_ascii(escape(value)).encode() for name, value in given.items()}
        if self._html.length_of(shown) > self._html_room:
            raise Uncertain("what is put in makes a line too long")
        return mime.text_head("html", "7bit") + self._html.filled(shown)

    def _calendar_data(self, values: Values) -> bytes:
        return b"".join([line if isinstance(line, bytes) else _folded(line.filled(values)) for line in self._calendar])

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
    if not name.isprintable() or name != name.strip() or not name or _CHANGED.search(name):
        raise Uncertain("a name that is written in another way somewhere")
    # Between ASCII characters nothing joins with it, unless it begins with a mark that belongs on the one before.
    if not name.isascii() and (unicodedata.category(name[0])[0] == "M" or not unicodedata.is_normalized("NFC", name)):
        raise Uncertain("a name that is not in normal form")
    if not _ADDRESS.fullmatch(reader.address) or not all(map(_LINK.fullmatch, links)):
        raise Uncertain("an address out of the ordinary")


def _calendar(composed: Composed, marks: Mapping[str, str]) -> list[bytes | _Pattern]:
    """The lines of the object: those that hold a place are unfolded."""
    data = composed.calendar.data if composed.calendar else b""
    if any(attachment.data != data for attachment in composed.attachments):
        raise Uncertain("an attachment that is no calendar object")
    # The name stands in quotation marks, and which it needs depends on it.
    inside = {**marks, "name": f'"{marks["name"]}"'}
    unfolded = data.replace(b"\r\n ", b"").decode()
    _Pattern.of(unfolded, inside).must_keep_apart()
    return _lines(unfolded, inside, lambda line: _folded(line.encode()))


def _parameter(name: str) -> bytes:
    """The name as the value of CN (RFC 5545, 3.2): in quotation marks where icalendar puts it into them."""
    value = name.replace('"', "'")
    return (f'"{value}"' if _QUOTED.search(value) else value).encode()


def _folded(line: bytes) -> bytes:
    """The line, with its end, as icalendar folds it: no character torn apart, and none from the backslash before it."""
    octets = line.removesuffix(b"\r\n")
    parts, start = [], 0
    while start < len(octets):
        part = octets[start : start + LINE]
        if start + LINE < len(octets):
            part = part.decode(errors="ignore").encode()
            part = part[:-1] if part[-1:] in (b"\\", b"^") else part
        parts.append(part)
        start += len(part)
    return b"\r\n ".join(parts) + b"\r\n"
