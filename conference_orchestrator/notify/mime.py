"""One composed e-mail as the bytes that travel: the MIME recipe of calendar.md, with every header value checked."""

from __future__ import annotations

from datetime import datetime
from email.header import Header
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from uuid import UUID

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.notify.composing import Attachment, CalendarPart, Composed
from conference_orchestrator.notify.reader import Reader

MESSAGE_ID_LENGTH = 60


class _Policy(EmailPolicy):
    """Every header on one line, which calendar clients need for Content-Type, but words beyond ASCII folded.

    EmailPolicy writes an encoded word as long as the line, where RFC 2047 (2) allows 75 characters, and at a shorter
    line it loses spaces between two words of a name; the older Header class does neither.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        if self.utf8 or value.isascii() or name not in {"From", "To", "Reply-To", "Subject"}:
            return super().fold_binary(name, value)
        text, rest = value, ""
        if isinstance(value, AddressHeader):
            (mailbox,) = value.addresses
            text, rest = mailbox.display_name, f" <{mailbox.addr_spec}>"
        words = Header(text, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")
        return f"{name}: {words}{rest}\r\n".encode("ascii")


_POLICY = _Policy(linesep="\r\n", max_line_length=998, cte_type="7bit")


def build(
    composed: Composed,
    *,
    sender: str,
    reply_to: str,
    reader: Reader,
    message_id: str,
    references: str | None = None,
    date: datetime,
) -> bytes:
    """The whole mail, CRLF, ASCII (UTF-8 in the headers only if an address needs it, RFC 6532).

    `sender` and `reply_to` are mailboxes such as "Helpdesk <helpdesk@network.example>"; `references` is the Message-ID
    of the first invitation of the same UID to this reader. Raises Invalid, naming the header, for a value that could
    start another header or show another text than the one sent.
    """
    people = {"From": _mailbox("From", *parseaddr(sender)), "To": _mailbox("To", reader.name, reader.address)}
    if reply_to != sender:
        people["Reply-To"] = _mailbox("Reply-To", *parseaddr(reply_to))
    mail = EmailMessage(policy=_POLICY)
    for header, mailbox in people.items():
        mail[header] = mailbox
    mail["Subject"] = _value("Subject", composed.subject)
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = _value("Message-ID", message_id)
    if references:
        mail["References"] = _value("References", references)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Conference-Kind"] = _value("X-Conference-Kind", composed.kind)
    mail.set_content(composed.text, charset="utf-8")
    mail.add_alternative(composed.html, subtype="html", charset="utf-8")
    if composed.calendar:
        _add_calendar(mail, composed.calendar)
    for attachment in composed.attachments:
        _attach(mail, attachment)
    return mail.as_bytes(policy=_POLICY.clone(utf8=not all(mailbox.addr_spec.isascii() for mailbox in people.values())))


def message_id(row_id: UUID, domain: str) -> str:
    """The Message-ID of a message row: always the same for it, at most 60 characters with its brackets.

    Of a long domain the labels nearest to the root are kept; the row's id alone makes the whole unique.
    """
    domain = domain.encode("idna").decode("ascii").lower()
    room = MESSAGE_ID_LENGTH - len(f"<{row_id.hex}@>")
    while len(domain) > room and "." in domain:
        domain = domain.partition(".")[2]
    return f"<{row_id.hex}@{domain[:room].strip('-')}>"


def _add_calendar(mail: EmailMessage, calendar: CalendarPart) -> None:
    parameters = {"charset": "utf-8", "method": calendar.method, "component": "VEVENT"}
    mail.add_alternative(calendar.data, maintype="text", subtype="calendar", cte="base64", params=parameters)


def _attach(mail: EmailMessage, attachment: Attachment) -> None:
    maintype, _, subtype = _value("Content-Type", attachment.media_type).partition("/")
    filename = _value("Content-Disposition", attachment.filename)
    mail.add_attachment(attachment.data, maintype=maintype, subtype=subtype, filename=filename)


def _mailbox(header: str, name: str, address: str) -> Address:
    local, _, domain = _value(header, address).rpartition("@")
    if not local or not domain or any(c.isspace() or c in '<>()[],:;"\\@' for c in local + domain):
        raise Invalid({header: "Must be an e-mail address such as name@hospital.example."})
    return Address(display_name=_value(header, name), username=local, domain=domain)


def _value(header: str, value: str) -> str:
    if problem := one_line_problem(value):
        raise Invalid({header: problem})
    # Runs of spaces do not survive folding: made one here, they read the same everywhere.
    return " ".join(nfc(value).split())
