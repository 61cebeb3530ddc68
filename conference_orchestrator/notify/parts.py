"""The parts of a mail that came in, found within fixed bounds: any bytes are looked through in linear time.

The parser of the email package calls itself for each nested part and asks every open boundary about every line, so one
megabyte can exhaust its stack or keep it busy for minutes. Nobody may stop the mailbox in this way.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import unquote_to_bytes

from conference_orchestrator.notify.received_text import decoded, header_text

MOST_PARTS = 100
DEEPEST = 10
LONGEST_HEADER = 64 * 1024
# Characters of one field of a header that are looked at.
LONGEST_FIELD = 4000
LONGEST_FILENAME = 255
MOST_PIECES = 100

Fields = Sequence[tuple[str, str]]

_BLANK_LINE = re.compile(rb"(?:\A|\r?\n)\r?\n")
_PARAMETER = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"|[^;\s"]*+)', re.DOTALL)


class Unreadable(Exception):
    """The mail cannot be read; the text says why, to the helpdesk."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that holds no others. `parameters` are those of its Content-Type, `body` is still encoded for transfer."""

    media_type: str
    parameters: dict[str, str]
    filename: str
    encoding: str
    body: bytes

    def content(self) -> bytes:
        """The body as it was before the transfer; what cannot be decoded is left out."""
        if self.encoding == "base64":
            return _from_base64(self.body)
        return quopri.decodestring(self.body) if self.encoding == "quoted-printable" else self.body

    def text(self) -> str:
        """The content as text."""
        return decoded(self.content(), self.parameters.get("charset"))


def opened(raw: bytes) -> tuple[Fields, bytes]:
    """The header's fields and the body of a mail or of a part. Raises Unreadable for an endless header."""
    # A header that is too long is not looked through to its end.
    blank = _BLANK_LINE.search(raw, 0, LONGEST_HEADER)
    if blank is None and len(raw) > LONGEST_HEADER:
        raise Unreadable(f"A header of this mail is longer than {LONGEST_HEADER // 1024} KB.")
    head, body = (raw[: blank.start()], raw[blank.end() :]) if blank else (raw, b"")
    return fields(decoded(head, None)), body


def fields(block: str) -> Fields:
    """The lines `Name: value` of a header as (name in lower case, value unfolded), in order; others are left out."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", block)
    lines = (line.partition(":") for line in re.split(r"\r\n|\n|\r", unfolded))
    return [(name.strip().lower(), value[:LONGEST_FIELD].strip()) for name, colon, value in lines if colon]


def field(wanted: str, among: Fields) -> str:
    """The first value of that name, "" when there is none."""
    return next((value for name, value in among if name == wanted), "")


def parts(header: Fields, body: bytes) -> list[Part]:
    """The parts of the mail, in order, without looking into mails that it carries. Raises Unreadable beyond a bound."""
    found = []
    for part in _walk(header, body, depth=0):
        found.append(part)
        if len(found) > MOST_PARTS:
            raise Unreadable(f"This mail has more than {MOST_PARTS} parts.")
    return found


def _walk(header: Fields, body: bytes, *, depth: int) -> Iterator[Part]:
    kind = field("content-type", header)
    named = re.match(r"\s*([\w.+-]+/[\w.+-]+)", kind)
    media_type = named[1].lower() if named else "text/plain"
    given = _parameters(kind)
    boundary = given.get("boundary", "").rstrip()
    if media_type.startswith("multipart/") and boundary:
        if depth == DEEPEST:
            raise Unreadable(f"The parts of this mail lie more than {DEEPEST} deep in each other.")
        for piece in _pieces(body, boundary):
            yield from _walk(*opened(piece), depth=depth + 1)
        return
    placed = _parameters(field("content-disposition", header))
    yield Part(
        media_type=media_type,
        parameters=given,
        # Many programs write a name in encoded words (RFC 2047), though no parameter may have them.
        filename=header_text(placed.get("filename") or given.get("name", ""), LONGEST_FILENAME).lower(),
        encoding=_first_word(field("content-transfer-encoding", header)),
        body=body,
    )


def _pieces(body: bytes, boundary: str) -> Iterator[bytes]:
    """What lies between the boundaries; the last piece of a mail that was cut off ends with the mail."""
    line = re.compile(rb"^--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
    begin = None
    for delimiter in line.finditer(body):
        if begin is not None:
            yield body[begin : delimiter.start()]
        if delimiter[1]:
            return
        begin = delimiter.end()
    if begin is not None:
        yield body[begin:]


def _parameters(value: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, text in _PARAMETER.findall(value):
        plain = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text.startswith('"') else text
        given.setdefault(name.lower(), plain)
    whole = {name: text for name, text in given.items() if "*" not in name}
    for name in {name.partition("*")[0] for name in given if "*" in name}:
        whole.setdefault(name, _joined(name, given))
    return whole


def _joined(name: str, given: dict[str, str]) -> str:
    """The value of a parameter with a charset, or in numbered pieces (RFC 2231). A star marks what has escapes."""
    numbered = ((f"{name}*{number}*", f"{name}*{number}") for number in range(MOST_PIECES))
    pieces = takewhile(bool, (next((one for one in either if one in given), "") for either in numbered))
    data, charset = b"", ""
    for piece in [f"{name}*"] if f"{name}*" in given else pieces:
        value = given[piece]
        if piece.endswith("*") and not data:
            label, _quote, value = value.rpartition("'")
            charset = label.partition("'")[0]
        data += unquote_to_bytes(value) if piece.endswith("*") else value.encode()
    return decoded(data, charset)


def _first_word(value: str) -> str:
    """The word of a field, without comments and what stands behind it."""
    found = re.search(r"[\w-]+", re.sub(r"\([^()]*+\)", " ", value))
    return found[0].lower() if found else ""


def _from_base64(body: bytes) -> bytes:
    # Mailing lists write their own words below what they pass on, so the padding ends it.
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body.partition(b"=")[0])
    whole = letters[: -1 if len(letters) % 4 == 1 else None]
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
