"""What mail servers tell of mail that did not arrive, or not yet (RFC 3464; qmail and Exim have their own manner).

Anybody can write such a mail. Believe it only where `original_message_id` is one that was sent to that recipient.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

from conference_orchestrator.notify.parts import Fields, Part, field, fields, opened
from conference_orchestrator.notify.received_text import plain_address, safe_line

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

LONGEST_DIAGNOSTIC = 300
MOST_BOUNCES = 200
_REPORTS = {"message/delivery-status", "message/global-delivery-status"}
_RETURNED = {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
_MESSAGE_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f]{1,253}>")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])", re.ASCII)
_STATUS_OF: dict[Action, str] = {"failed": "5.0.0", "delayed": "4.0.0"}
# The first words of qmail's bounces have been the same since 1997, and each recipient follows in angles.
_QMAIL = re.compile(r"\s*Hi\. This is the qmail-send program at ")
_QMAIL_RECIPIENT = re.compile(r"^<([^<>\s]+)>:\r?\n((?:(?!\r?$).*\n?)*)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Bounce:
    """What became of the mail to one recipient. `status` is a code of RFC 3463 such as "5.1.1"."""

    recipient: str
    action: Action
    status: str
    diagnostic: str
    original_message_id: str | None


def message_id(header: Fields, *names: str) -> str | None:
    """The first Message-ID in the first of these fields that has one."""
    heard = (_MESSAGE_ID.search(field(name, header)) for name in names)
    return next((one[0] for one in heard if one), None)


def bounces(header: Fields, parts: Sequence[Part]) -> tuple[Bounce, ...]:
    """What the mail tells of each recipient; empty when it is no bounce."""
    original = _original(header, parts)
    reports = [part.text() for part in parts if part.media_type in _REPORTS]
    # One after the other, so that what is beyond the bound is not looked at.
    reported = (_reported(fields(block), original) for report in reports for block in _blocks(report))
    found = reported if reports else iter([*_by_exim(header, parts, original), *_by_qmail(parts, original)])
    return tuple(islice(filter(None, found), MOST_BOUNCES))


def _blocks(report: str) -> list[str]:
    # A report may come inside a report; what counts are its lines about recipients.
    return re.split(r"\r?\n[ \t]*\r?\n", report)


def _reported(block: Fields, original: str | None) -> Bounce | None:
    named = (_recipient(field(name, block)) for name in ("original-recipient", "final-recipient"))
    recipient = next(filter(None, named), None)
    said = field("action", block).split()[:1]
    action = next((known for known in get_args(Action) if [known] == [word.lower() for word in said]), None)
    if recipient is None or action is None:
        return None
    diagnostic = field("diagnostic-code", block)
    status = _STATUS.search(field("status", block))
    return Bounce(
        recipient=recipient,
        action=action,
        status=status[1] if status else _status(diagnostic, action),
        diagnostic=safe_line(diagnostic.removeprefix("smtp;").removeprefix("SMTP;"), LONGEST_DIAGNOSTIC),
        original_message_id=original,
    )


def _recipient(value: str) -> str | None:
    kind, _, address = value.partition(";")
    return plain_address(address.strip().strip("<>")) if kind.strip().lower() in {"rfc822", "utf-8"} else None


def _status(diagnostic: str, action: Action) -> str:
    said = _STATUS.search(diagnostic)
    return said[1] if said else _STATUS_OF.get(action, "2.0.0")


def _by_exim(header: Fields, parts: Sequence[Part], original: str | None) -> list[Bounce]:
    """Exim names who it gave up on in a field of its own, also where it writes no report."""
    told = parts[0].text().replace("\r\n", "\n") if parts else ""
    return [
        # Its words on one recipient stand below the address, up to a blank line.
        _given_up(address, told.partition(f"  {address}\n")[2].partition("\n\n")[0], original)
        for address in map(plain_address, field("x-failed-recipients", header).split(","))
        if address
    ]


def _by_qmail(parts: Sequence[Part], original: str | None) -> list[Bounce]:
    text = parts[0].text() if parts else ""
    if not _QMAIL.match(text):
        return []
    told = text.partition("--- Below this line")[0]
    return [
        _given_up(address, diagnostic, original)
        for named, diagnostic in _QMAIL_RECIPIENT.findall(told)
        if (address := plain_address(named))
    ]


def _given_up(address: str, diagnostic: str, original: str | None) -> Bounce:
    return Bounce(
        recipient=address,
        action="failed",
        status=_status(diagnostic, "failed"),
        diagnostic=safe_line(diagnostic, LONGEST_DIAGNOSTIC),
        original_message_id=original,
    )


def _original(header: Fields, parts: Sequence[Part]) -> str | None:
    """The Message-ID of the mail that came back: from its copy, else from what the bounce refers to."""
    for part in parts:
        if part.media_type in _RETURNED and (found := message_id(opened(part.content())[0], "message-id")):
            return found
    below = parts[0].text().partition("--- Below this line")[2] if parts else ""
    copy = fields(below)
    return message_id(copy, "message-id") or message_id(header, "in-reply-to", "references")
