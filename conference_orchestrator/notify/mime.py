"""One composed e-mail as the bytes that travel: the MIME recipe of calendar.md, with every header value checked.

The parts are written here and not by EmailMessage: its generator needs several milliseconds for a mail, breaks base64
and quoted-printable at the length of the line that a header may have, and draws other boundaries each time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from uuid import UUID

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.notify.composing import Attachment, Composed
from conference_orchestrator.notify.reader import Reader

MESSAGE_ID_LENGTH = 60
# RFC 5322, 2.1.1: so long a line may be. Calendar clients need Content-Type on one.
LONGEST_LINE = 998
# RFC 2047, 2: so long an encoded word may be, and what stands around its base64.
LONGEST_WORD, WORD = 75, "=?utf-8?b?{}?="

_SPECIALS = re.compile(r'[()<>@,:;.\\"\[\]]')
_ASCII = bytes(range(128))


def build(
    composed: Composed,
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
    people = {"From": _mailbox_of("From", sender), "To": _mailbox("To", reader.name, reader.address)}
    if reply_to != sender:
        people["Reply-To"] = _mailbox_of("Reply-To", reply_to)
    is_utf8 = not all(address.isascii() for _, address in people.values())
    headers = [_person(header, name, address, is_utf8=is_utf8) for header, (name, address) in people.items()]
    headers.append(_text("Subject", composed.subject, is_utf8=is_utf8))
    headers.append(f"Date: {_date(date)}")
    headers.append(f"Message-ID: {_value('Message-ID', message_id)}")
    if references:
        headers.append(f"References: {_value('References', references)}")
    headers.append("Auto-Submitted: auto-generated")
    headers.append(f"X-Conference-Kind: {_value('X-Conference-Kind', composed.kind)}")
    if unsubscribe_url is not None:
        headers.append(f"List-Unsubscribe: <{_value('List-Unsubscribe', unsubscribe_url)}>")
        headers.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    headers.append("MIME-Version: 1.0")
    boundary = f"=_{hashlib.sha256(message_id.encode()).hexdigest()[:32]}"
    return ("\r\n".join(headers) + "\r\n" + _body(composed, boundary)).encode()


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


def _body(composed: Composed, boundary: str) -> str:
    """Content-Type and all parts: the alternatives, and around them the attachments if there are any."""
    alternatives = [_text_part("plain", composed.text), _text_part("html", _in_ascii(composed.html))]
    if composed.calendar:
        kind = f'text/calendar; charset="utf-8"; method="{composed.calendar.method}"; component="VEVENT"'
        alternatives.append(_bytes_part(kind, composed.calendar.data))
    whole = _multipart("alternative", f"{boundary}a", alternatives)
    if not composed.attachments:
        return whole
    return _multipart("mixed", f"{boundary}m", [whole, *map(_attachment, composed.attachments)])


def _multipart(subtype: str, boundary: str, parts: list[str]) -> str:
    inside = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n{inside}--{boundary}--\r\n'


def _in_ascii(html: str) -> str:
    """The same HTML with other letters as references: it travels as it is, and no reader can take its charset wrongly.

    A style sheet knows no references; one with such letters stays as it is.
    """
    if not html[: html.rfind("</style>") + 1].isascii():
        return html
    return html.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _text_part(subtype: str, text: str) -> str:
    """The text as it is if it travels so; else in the shorter of the two encodings."""
    octets = text.replace("\n", "\r\n").encode()
    beyond_ascii = len(octets.translate(None, _ASCII))
    if not beyond_ascii and max(map(len, octets.split(b"\r\n"))) <= LONGEST_LINE:
        encoding, encoded = "7bit", octets
    elif 6 * beyond_ascii <= len(octets):
        encoding, encoded = "quoted-printable", binascii.b2a_qp(octets)
    else:
        encoding, encoded = "base64", _base64(octets)
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head + encoded.decode("ascii")


def _bytes_part(kind: str, data: bytes, *more: str) -> str:
    head = "\r\n".join([f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", *more])
    return f"{head}\r\n\r\n{_base64(data).decode('ascii')}"


def _attachment(attachment: Attachment) -> str:
    kind = _value("Content-Type", attachment.media_type)
    filename = _value("Content-Disposition", attachment.filename)
    if not re.fullmatch(r"[\w.-]+/[\w.+-]+", kind, re.ASCII) or not re.fullmatch(r"[\w. -]+", filename, re.ASCII):
        raise Invalid({"Content-Disposition": "A file needs a plain name and a media type such as application/ics."})
    return _bytes_part(kind, attachment.data, f'Content-Disposition: attachment; filename="{filename}"')


_date = lru_cache(maxsize=64)(format_datetime)


# The calendar object stands in the mail twice.
@lru_cache(maxsize=4)
def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _person(header: str, name: str, address: str, *, is_utf8: bool) -> str:
    if not name:
        return f"{header}: {address}"
    if _is_plain(name, is_utf8=is_utf8):
        shown = '"{}"'.format(re.sub(r'([\\"])', r"\\\1", name)) if _SPECIALS.search(name) else name
        return f"{header}: {shown} <{address}>"
    return f"{_encoded(header, name)} <{address}>"


@lru_cache(maxsize=64)
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


# Sender, subject and date are the same in each mail of a mailing, and the parser is slow.
@lru_cache(maxsize=8)
def _mailbox_of(header: str, mailbox: str) -> tuple[str, str]:
    return _mailbox(header, *parseaddr(mailbox))


def _mailbox(header: str, name: str, address: str) -> tuple[str, str]:
    """Name and address as they may stand in the header."""
    local, _, domain = _value(header, address).rpartition("@")
    if not local or not domain or re.search(r'[\s<>()\[\],:;"\\@]', local + domain):
        raise Invalid({header: "Must be an e-mail address such as name@hospital.example."})
    return _value(header, name), f"{local}@{domain}"


def _value(header: str, value: str) -> str:
    # What nearly every value is needs no look at each of its characters.
    if value.isascii() and value.isprintable() and "=?" not in value and "  " not in value:
        return value.strip()
    if problem := one_line_problem(value):
        raise Invalid({header: problem})
    # Runs of spaces do not survive folding: made one here, they read the same everywhere.
    return " ".join(nfc(value).split())
