"""Mails that come back to us, written as mail programs write them."""

from __future__ import annotations

from datetime import datetime

HELPDESK = "helpdesk@network.example"


def reply(
    uid: str,
    said: str,
    attendee: str,
    *,
    stamp: datetime | None,
    sequence: int = 0,
    sender: str | None = None,
    method: str = "REPLY",
    comment: str | None = None,
    more: tuple[str, ...] = (),
    header: tuple[str, ...] = (),
) -> bytes:
    """An answer of the attendee; `more` stands in the event, `header` in the mail's."""
    event = [
        f"UID:{uid}",
        f"SEQUENCE:{sequence}",
        *([f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}"] if stamp else []),
        *([f"COMMENT:{comment}"] if comment else []),
        f"ATTENDEE;PARTSTAT={said}:mailto:{attendee}",
        *more,
    ]
    return calendar_mail([event], sender=sender or attendee, method=method, header=header)


def calendar_mail(
    events: list[list[str]], *, sender: str, method: str = "REPLY", header: tuple[str, ...] = ()
) -> bytes:
    """A mail with these events in one calendar object."""
    lines = ["BEGIN:VCALENDAR", "PRODID:-//Example//Calendar//EN", "VERSION:2.0", f"METHOD:{method}"]
    for event in events:
        lines += ["BEGIN:VEVENT", *event, "END:VEVENT"]
    return mail(
        [*lines, "END:VCALENDAR"],
        f'Content-Type: text/calendar; charset="utf-8"; method="{method}"',
        *header,
        sender=sender,
        subject="Accepted: Brain Tumour",
    )


def mail(body: list[str], *header: str, sender: str, subject: str = "Hello") -> bytes:
    """A mail from that address to the helpdesk."""
    lines = [
        *header,
        f"From: Somebody <{sender}>",
        f"To: Helpdesk <{HELPDESK}>",
        f"Subject: {subject}",
        "MIME-Version: 1.0",
        "",
        *body,
        "",
    ]
    return "\r\n".join(lines).encode()


def bounce(
    recipient: str,
    message_id: str | None,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    said: str = "550 5.1.1 no such user",
) -> bytes:
    """A delivery status notification (RFC 3464) about one recipient, with the header of what came back."""
    report = [
        "--b",
        "Content-Type: text/plain",
        "",
        "It could not be delivered.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.hospital.example",
        "",
        f"Final-Recipient: rfc822; {recipient}",
        f"Action: {action}",
        f"Status: {status}",
        f"Diagnostic-Code: smtp; {said}",
    ]
    copy = ["--b", "Content-Type: text/rfc822-headers", "", f"Message-ID: {message_id}", f"To: {recipient}", ""]
    return mail(
        [*report, "", *(copy if message_id else []), "--b--"],
        'Content-Type: multipart/report; report-type="delivery-status"; boundary="b"',
        "Auto-Submitted: auto-replied",
        sender="mailer-daemon@mx.hospital.example",
        subject="Undelivered Mail Returned to Sender",
    )


def absence(sender: str) -> bytes:
    """What a mail program answers by itself while its owner is away."""
    return mail(["I am away."], "Auto-Submitted: auto-replied", sender=sender, subject="Out of office")
