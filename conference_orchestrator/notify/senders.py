"""Which way mail leaves: over SMTP, or into a folder where a try-out can look at it."""

from __future__ import annotations

from pathlib import Path

from conference_orchestrator.notify.maildir import MaildirSender
from conference_orchestrator.notify.sending import MailSender
from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.settings import Settings

# Seconds that one step with the mail server may take. RFC 5321 (4.5.3.2) would wait for minutes; a lease would not.
TIMEOUT = 30.0


def open_sender(settings: Settings, *, maildir: Path) -> MailSender:
    """The sender that the settings ask for: the server of `CO_SMTP_URL`, else files under `maildir`."""
    return SmtpSender(settings.smtp_url, timeout=TIMEOUT) if settings.smtp_url else MaildirSender(maildir)
