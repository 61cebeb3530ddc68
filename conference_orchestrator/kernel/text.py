"""What text may hold: the rule for one-line texts, one spelling of each character, control characters out of prose.

Names, titles and references end up in mail headers and calendar properties. A line break there starts a new header, a
bidi control shows a reader another text than the one sent, and an encoded word (RFC 2047) is decoded into characters
that nobody checked: Pythons before the fix of CVE-2024-6923 write such a word's line break into the header.
"""

from __future__ import annotations

import re
import unicodedata

# The characters with the Unicode property Bidi_Control.
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# The categories Cc and Cs but for the line feed and the tab.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


def nfc(value: str) -> str:
    """The text in Unicode normalization form C, in which it is stored and sent."""
    return unicodedata.normalize("NFC", value)


def one_line_problem(value: str) -> str | None:
    """What is wrong with a one-line text, in words for the person who typed it; None when it may be used."""
    value = nfc(value)
    if not (value.isascii() and value.isprintable()) and (problem := _character_problem(value)):
        return problem
    # An encoded word spans from "=?" to the next "?="; the find keeps this linear in the length of the text.
    start = value.find("=?")
    if start >= 0 and "?=" in value[start + 2 :]:
        return "Must not contain mail-encoded words (=?...?=)."
    return None


def _character_problem(value: str) -> str | None:
    if re.search("[\r\n\x0b\x0c\x85\u2028\u2029]", value):
        return "Must be one line, without line breaks."
    if {unicodedata.category(character) for character in value} & {"Cc", "Cs"}:
        return "Must not contain control characters."
    if _BIDI_CONTROLS.search(value):
        return "Must not contain characters that change the direction of writing."
    return None


def prose(value: str) -> str:
    """Text of several lines as it may be sent: NFC, lines ended by a line feed, no control character but the tab."""
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", nfc(value)))
