"""A real SMTP server on loopback that keeps what it is sent and lets a test await it."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Self

import vobject
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

WAIT_SECONDS = 60


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived: to whom the envelope said, what it is, and the calendar object in it."""

    to: str
    message: EmailMessage

    @property
    def kind(self) -> str:
        return str(self.message["X-Conference-Kind"])

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    @property
    def calendar_parts(self) -> list[EmailMessage]:
        wanted = {"text/calendar", "application/ics"}
        return [part for part in self.message.walk() if part.get_content_type() in wanted]  # type: ignore[misc]

    @property
    def event(self) -> Any:
        """The one VEVENT, read by vobject, which shares no code with the writer."""
        calendar = vobject.readOne(self.calendar_parts[0].get_payload(decode=True).decode())  # type: ignore[union-attr]
        assert [child.name for child in calendar.components()] == ["VEVENT"]
        return calendar.vevent

    @property
    def method(self) -> str:
        """METHOD of the MIME header; the one in the body must be the same."""
        part = self.calendar_parts[0]
        said = str(part.get_param("method"))
        calendar = vobject.readOne(part.get_payload(decode=True).decode())  # type: ignore[union-attr]
        assert calendar.method.value == said
        return said

    @property
    def sequence(self) -> int:
        return int(self.event.sequence.value)

    @property
    def uid(self) -> str:
        return str(self.event.uid.value)

    @property
    def window(self) -> tuple[datetime, datetime]:
        return self.event.dtstart.value.astimezone(UTC), self.event.dtend.value.astimezone(UTC)


class Mailbox:
    """The server and everything that it took, in order."""

    def __init__(self, port: int = 0) -> None:
        self.mails: list[Mail] = []
        self._arrived = threading.Condition()
        self._port = port
        self._controller: Controller | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Begin (again) to take mails, always on the same port."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port or _free_port())
        self._controller.start()
        self._port = self._controller.port

    def close(self) -> None:
        """Refuse connections."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._port}?tls=none"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  - aiosmtpd's
        assert len(envelope.rcpt_tos) == 1, "one recipient per mail"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)  # type: ignore[arg-type]
        with self._arrived:
            self.mails.append(Mail(envelope.rcpt_tos[0], message))  # type: ignore[arg-type]
            self._arrived.notify_all()
        return "250 taken"

    def of(self, kind: str, *, to: str | None = None) -> list[Mail]:
        with self._arrived:
            return [mail for mail in self.mails if mail.kind == kind and to in {None, mail.to}]

    def await_(self, enough: Callable[[], bool], what: str) -> None:
        """Wait until the mails that arrived are enough."""
        with self._arrived:
            if not self._arrived.wait_for(enough, WAIT_SECONDS):
                kinds = [(mail.kind, mail.to) for mail in self.mails]
                raise AssertionError(f"{what} did not come; what came: {kinds}")

    def await_kind(self, kind: str, number: int = 1, *, to: str | None = None) -> list[Mail]:
        """Wait until that many mails of the kind (to that address) have arrived."""
        self.await_(lambda: len(self.of(kind, to=to)) >= number, f"{number} x {kind} to {to or 'anybody'}")
        return self.of(kind, to=to)


def _free_port() -> int:
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
