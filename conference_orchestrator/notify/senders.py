"""Which way mail leaves: over SMTP, or into a folder where a try-out can look at it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from conference_orchestrator.notify.dkim import sign
from conference_orchestrator.notify.maildir import MaildirSender
from conference_orchestrator.notify.sending import MailSender
from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.settings import Settings

# Seconds that one step with the mail server may take. RFC 5321 (4.5.3.2) would wait for minutes; a lease would not.
TIMEOUT = 30.0


def open_sender(settings: Settings, *, maildir: Path) -> MailSender:
    """The sender that the settings ask for: the server of `CO_SMTP_URL`, else files under `maildir`.

    What goes to a server is signed where there is a key.
    """
    if not settings.smtp_url:
        return MaildirSender(maildir)
    signed = partial(sign, settings=settings) if settings.dkim_key else bytes
    return SmtpSender(settings.smtp_url, timeout=TIMEOUT, sign=signed)
