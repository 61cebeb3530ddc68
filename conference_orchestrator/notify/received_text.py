"""Text and addresses that strangers wrote, read leniently and made safe to store and to show."""

from __future__ import annotations

import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header

from conference_orchestrator.kernel.text import nfc, one_line_problem

# Only charsets that mail is written in. Python knows others that take quadratic time or raise whatever they like.
_CHARSETS = re.compile(
    r"(us-)?ascii|utf-?8|utf-16(le|be)?|iso-8859-\d{1,2}|(windows|cp)-?125\d|koi8-[ru]|gbk|gb2312|gb18030|big5"
    r"|euc-(jp|kr)|shift_jis|iso-2022-jp"
)
# In these any bytes of UTF-8 would be read as something else, and theirs as UTF-8: the label decides.
_LABEL_DECIDES = re.compile(r"utf-16.*|iso-2022-jp")
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# RFC 5321, 4.5.3.1.3
_LONGEST_ADDRESS = 254


def decoded(data: bytes, charset: str | None) -> str:
    """The text, without its byte order mark. A charset that is missing, unknown or wrong does no harm to UTF-8."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    label = (charset or "").strip().lower()
    label = label if _CHARSETS.fullmatch(label) else "utf-8"
    for attempt in [label, "utf-8"] if _LABEL_DECIDES.fullmatch(label) else ["utf-8", label]:
        try:
            return data.decode(attempt)
        except (UnicodeError, LookupError):
            continue
    return data.decode("cp1252", "replace")


def safe_line(text: str, most: int) -> str:
    """The text as one line of at most `most` characters in which `one_line_problem` finds nothing wrong."""
    spaced = "".join(" " if _is_unsafe(character) else character for character in nfc(text[: 4 * most]))
    # A mail program would decode an encoded word once more, into characters that nobody looked at.
    return " ".join(spaced.replace("=?", "= ?").split())[:most].strip()


def header_text(value: str, most: int) -> str:
    """The value of a header as a safe line, with its encoded words (RFC 2047) decoded."""
    try:
        pieces = decode_header(value)
    except HeaderParseError:
        return safe_line(value, most)
    shown = (piece if isinstance(piece, str) else decoded(piece, charset) for piece, charset in pieces)
    return safe_line("".join(shown), most)


def plain_address(text: str) -> str | None:
    """The e-mail address in the form in which addresses are compared: NFC, lower case. None when it is none."""
    address = nfc(text.strip()[: _LONGEST_ADDRESS + 1]).lower()
    if len(address) > _LONGEST_ADDRESS or one_line_problem(address):
        return None
    return address if re.fullmatch(r"[^\s@<>\"(),:;\\]+@[^\s@<>\"(),:;\\]+", address) else None


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or one_line_problem(character) is not None
