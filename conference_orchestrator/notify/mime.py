"""One composed e-mail as the bytes that travel: the MIME recipe of calendar.md, with every header value checked.

The parts are written here and not by EmailMessage: its generator needs several milliseconds for a mail, breaks base64
and quoted-printable at the length of the line that a header may have, and draws other boundaries each time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime, parseaddr
from functools import cache, lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.notify.composing import Attachment, CalendarPart, Composed
from conference_orchestrator.notify.reader import Reader

MESSAGE_ID_LENGTH = 60
# RFC 5322, 2.1.1: so long a line may be. Calendar clients need Content-Type on one.
LONGEST_LINE = 998
# RFC 2047, 2: so long an encoded word may be, and what stands around its base64.
LONGEST_WORD, WORD = 75, "=?utf-8?b?{}?="
# RFC 2047, 2: so long a line with such a word may be.
LONGEST_WITH_WORD = 76

Encoding = Literal["7bit", "quoted-printable", "base64"]

_SPECIALS = re.compile(r'[()<>@,:;.\\"\[\]]')
_NOT_IN_ADDRESSES = re.compile(r'[\s<>()\[\],:;"\\@]')
_ASCII = bytes(range(128))


class Encoded(NamedTuple):
    """An e-mail whose parts are written; what is left are the headers of the whole and the boundaries."""

    kind: str
    subject: str
    alternatives: tuple[bytes, ...]
    attachments: tuple[bytes, ...]


def encoded(composed: Composed) -> Encoded:
    """The parts of the mail as they travel. Raises Invalid for a file whose name or type could show another one."""
    alternatives = [text_part("plain", composed.text), text_part("html", in_ascii(composed.html))]
    if composed.calendar:
        alternatives.append(calendar_head(composed.calendar) + in_base64(composed.calendar.data))
    attachments = tuple(attachment_head(one) + in_base64(one.data) for one in composed.attachments)
    return Encoded(composed.kind, composed.subject, tuple(alternatives), attachments)


def build(
    mail: Encoded,
    *,
    sender: str,
    reply_to: str,
    reader: Reader,
    message_id: str,
    references: str | None = None,
    date: datetime,
    unsubscribe_url: str | None = None,
) -> bytes:
    """The whole mail, CRLF, ASCII (UTF-8 in the headers only if an address needs it, RFC 6532); the same each time.

    `sender` and `reply_to` are mailboxes such as "Helpdesk <helpdesk@network.example>"; `references` is the Message-ID
    of the first invitation of the same UID to this reader; at `unsubscribe_url` one click ends mails of this kind
    (RFC 8058). Raises Invalid, naming the header, for a value that could start another header or show another text
    than the one sent.
    """
    name, address = _mailbox("To", reader.name, reader.address)
    is_utf8 = not address.isascii() or _is_utf8(sender, reply_to)
    first, second, third = _of_all(sender, reply_to, mail.subject, mail.kind, date, is_utf8=is_utf8)
    headers = [first, _person("To", name, address, is_utf8=is_utf8), second]
    headers.append(f"Message-ID: {_value('Message-ID', message_id)}")
    if references:
        headers.append(f"References: {_value('References', references)}")
    headers.append(third)
    if unsubscribe_url is not None:
        headers.append(f"List-Unsubscribe: <{_value('List-Unsubscribe', unsubscribe_url)}>")
        headers.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    headers.append("MIME-Version: 1.0")
    boundary = f"=_{hashlib.sha256(message_id.encode()).hexdigest()[:32]}".encode()
    return b"".join(["\r\n".join(headers).encode(), b"\r\n", *_body(mail, boundary)])


# Nearly all mails of a mailing share these headers.
@lru_cache(maxsize=64)
def _of_all(
    sender: str, reply_to: str, subject: str, kind: str, date: datetime, *, is_utf8: bool
) -> tuple[str, str, str]:
    """What stands before To, between it and Message-ID, and after that."""
    first = _person("From", *_mailbox("From", *parseaddr(sender)), is_utf8=is_utf8)
    second = [_text("Subject", subject, is_utf8=is_utf8), f"Date: {format_datetime(date)}"]
    if reply_to != sender:
        second.insert(0, _person("Reply-To", *_mailbox("Reply-To", *parseaddr(reply_to)), is_utf8=is_utf8))
    third = ["Auto-Submitted: auto-generated", f"X-Conference-Kind: {_value('X-Conference-Kind', kind)}"]
    return first, "\r\n".join(second), "\r\n".join(third)


@lru_cache(maxsize=8)
def _is_utf8(sender: str, reply_to: str) -> bool:
    return not all(parseaddr(mailbox)[1].isascii() for mailbox in (sender, reply_to))


def message_id(row_id: UUID, domain: str) -> str:
    """The Message-ID of a message row: always the same for it, at most 60 characters with its brackets.

    Of a long domain the labels nearest to the root are kept; the row's id alone makes the whole unique.
    """
    return f"<{row_id.hex}@{_right_part(domain)}>"


@lru_cache(maxsize=8)
def _right_part(domain: str) -> str:
    domain = domain.encode("idna").decode("ascii").lower()
    room = MESSAGE_ID_LENGTH - len(f"<{UUID(int=0).hex}@>")
    while len(domain) > room and "." in domain:
        domain = domain.partition(".")[2]
    return domain[:room].strip("-")


def _body(mail: Encoded, boundary: bytes) -> list[bytes]:
    """Content-Type and all parts: the alternatives, and around them the attachments if there are any; in pieces."""
    whole = _multipart(b"alternative", boundary + b"a", [[part] for part in mail.alternatives])
    if not mail.attachments:
        return whole
    return _multipart(b"mixed", boundary + b"m", [whole, *([part] for part in mail.attachments)])


def _multipart(subtype: bytes, boundary: bytes, parts: Sequence[Sequence[bytes]]) -> list[bytes]:
    pieces = [b'Content-Type: multipart/%s; boundary="%s"\r\n' % (subtype, boundary)]
    for part in parts:
        pieces += (b"\r\n--%s\r\n" % boundary, *part)
    return [*pieces, b"\r\n--%s--\r\n" % boundary]


def in_ascii(html: str) -> str:
    """The same HTML with other letters as references: it travels as it is, and no reader can take its charset wrongly.

    A style sheet knows no references; one with such letters stays as it is.
    """
    if html.isascii() or not html[: html.rfind("</style>") + 1].isascii():
        return html
    return html.encode("ascii", "xmlcharrefreplace").decode("ascii")


def text_part(subtype: str, text: str) -> bytes:
    """The text as it is if it travels so; else in the shorter of the two encodings."""
    octets = on_lines(text)
    encoding = encoding_of(len(octets), beyond_ascii=beyond_ascii(octets), longest=longest_line(octets))
    return text_head(subtype, encoding) + in_encoding(encoding, octets)


def on_lines(text: str) -> bytes:
    """The text in UTF-8, each line with the end that it has in a mail."""
    return text.replace("\n", "\r\n").encode()


def beyond_ascii(octets: bytes) -> int:
    """How many of the octets are not ASCII."""
    return 0 if octets.isascii() else len(octets.translate(None, _ASCII))


def encoding_of(length: int, *, beyond_ascii: int, longest: int) -> Encoding:
    """How a text of so many octets travels, of which so many are not ASCII, with so long a line."""
    if not beyond_ascii and longest <= LONGEST_LINE:
        return "7bit"
    return "quoted-printable" if 6 * beyond_ascii <= length else "base64"


def in_encoding(encoding: Encoding, octets: bytes) -> bytes:
    """The text as it travels."""
    if encoding == "base64":
        return in_base64(octets)
    return binascii.b2a_qp(octets) if encoding == "quoted-printable" else octets


@cache
def text_head(subtype: str, encoding: Encoding) -> bytes:
    """What stands before a text."""
    return f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()


def longest_line(octets: bytes) -> int:
    """How many octets the longest line has, without its CRLF."""
    return max(map(len, octets.split(b"\r\n")))


def calendar_head(part: CalendarPart) -> bytes:
    """What stands before the calendar object beside the text."""
    return _bytes_head(f'text/calendar; charset="utf-8"; method="{part.method}"; component="VEVENT"')


def attachment_head(attachment: Attachment) -> bytes:
    """What stands before the file. Raises Invalid for a name or a type that could show another one."""
    kind = _value("Content-Type", attachment.media_type)
    filename = _value("Content-Disposition", attachment.filename)
    if not re.fullmatch(r"[\w.-]+/[\w.+-]+", kind, re.ASCII) or not re.fullmatch(r"[\w. -]+", filename, re.ASCII):
        raise Invalid({"Content-Disposition": "A file needs a plain name and a media type such as application/ics."})
    return _bytes_head(kind, f'Content-Disposition: attachment; filename="{filename}"')


def _bytes_head(kind: str, *more: str) -> bytes:
    return "\r\n".join([f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", *more, "", ""]).encode()


def in_base64(data: bytes) -> bytes:
    """The bytes in lines of 76 characters, each with its end (RFC 2045, 6.8)."""
    written = binascii.b2a_base64(data, newline=False)
    return b"\r\n".join([written[start : start + 76] for start in range(0, len(written), 76)] + [b""])


def _person(header: str, name: str, address: str, *, is_utf8: bool) -> str:
    if not name:
        return f"{header}: {address}"
    if _is_plain(name, is_utf8=is_utf8):
        shown = '"{}"'.format(re.sub(r'([\\"])', r"\\\1", name)) if _SPECIALS.search(name) else name
        return f"{header}: {shown} <{address}>"
    written = _encoded(header, name)
    last = written.rpartition("\r\n")[2]
    # An address longer than a line stands on one of its own: it cannot be parted.
    between = " " if len(f"{last} <{address}>") <= LONGEST_WITH_WORD else "\r\n "
    return f"{written}{between}<{address}>"


def _text(header: str, value: str, *, is_utf8: bool) -> str:
    value = _value(header, value)
    return f"{header}: {value}" if _is_plain(value, is_utf8=is_utf8) else _encoded(header, value)


def _is_plain(value: str, *, is_utf8: bool) -> bool:
    return (is_utf8 or value.isascii()) and len(value.encode()) <= LONGEST_LINE // 2


def _encoded(header: str, value: str) -> str:
    """The header with its value in encoded words, a line for each; no character is torn apart."""
    return f"{header}: " + "\r\n ".join(_words(value.encode(), first=LONGEST_WORD - len(f"{header}: ")))


def _words(octets: bytes, *, first: int) -> Iterator[str]:
    start, room = 0, first
    while start < len(octets):
        most = (room - len(WORD.format(""))) // 4 * 3
        part = octets[start : start + most].decode(errors="ignore").encode()
        yield WORD.format(base64.b64encode(part).decode("ascii"))
        start, room = start + len(part), LONGEST_WORD


def _mailbox(header: str, name: str, address: str) -> tuple[str, str]:
    """Name and address as they may stand in the header."""
    written = _value(header, address)
    local, _, domain = written.rpartition("@")
    # Without the space that it was given it would be another address.
    is_changed = written != nfc(address)
    if is_changed or not local or not domain or _NOT_IN_ADDRESSES.search(local + domain):
        raise Invalid({header: "Must be an e-mail address such as name@hospital.example."})
    return _value(header, name), written


def _value(header: str, value: str) -> str:
    value = nfc(value)
    # What is printable has no line ends, no controls and no space but the plain one: it needs no second look.
    if not value.isprintable() or "=?" in value:
        if problem := one_line_problem(value):
            raise Invalid({header: problem})
        return " ".join(value.split())
    # Runs of spaces do not survive folding: made one here, they read the same everywhere.
    return " ".join(value.split()) if "  " in value else value.strip()
