"""Mail over SMTP (RFC 5321), told apart exactly: refused, certainly not taken, or nobody knows.

Everything up to the last byte of the mail can be repeated without harm. Only an answer that is lost after the final
dot leaves it open whether the server has the mail, so that step is spoken here and not by `smtplib.sendmail`.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from conference_orchestrator.notify.sending import Deferred, Lost, Refused, checked_address
from conference_orchestrator.settings import SettingsError

_BROKEN = (OSError, smtplib.SMTPException, EOFError)
# RFC 5321, 4.2
_OK, _START_MAIL, _SERVICE_CLOSING = 250, 354, 421
_POSITIVE, _PERMANENT = 2, 5


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where and how to connect: `tls` is "implicit" (smtps), "starttls" or "none"."""

    host: str
    port: int
    tls: str
    user: str | None
    secret: str = field(repr=False)


def server_from(url: str) -> Server:
    """The server that an address such as `smtp://user:secret@host:587?tls=starttls` names.

    `smtp://` upgrades by STARTTLS unless told `tls=none`; `smtps://` speaks TLS from the first byte. Raises
    SettingsError for anything else.
    """
    parts = urlsplit(url)
    asked = parse_qs(parts.query).get("tls", ["starttls"])[-1]
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or asked not in {"starttls", "none"}:
        raise SettingsError("CO_SMTP_URL must look like smtp://user:secret@host:587?tls=starttls or smtps://host:465.")
    tls = "implicit" if parts.scheme == "smtps" else asked
    return Server(
        host=parts.hostname,
        port=parts.port or {"implicit": 465, "starttls": 587, "none": 25}[tls],
        tls=tls,
        user=unquote(parts.username) if parts.username else None,
        secret=unquote(parts.password or ""),
    )


class SmtpSender:
    """Sends over one connection, made with the first mail, and anew after it broke. `timeout`: seconds per step."""

    def __init__(self, url: str, *, timeout: float) -> None:
        self._server = server_from(url)
        self._timeout = timeout
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            try:
                self._connection.quit()
            except _BROKEN:
                self._connection.close()
            self._connection = None

    def send(self, from_address: str, to_address: str, data: bytes) -> str:
        """Hand over one mail for one recipient; the server's last answer. Raises Refused, Deferred or Lost."""
        sender, recipient = checked_address(from_address), checked_address(to_address)
        connection = self._ready()
        try:
            self._envelope(connection, sender, recipient)
            self._judge(connection.docmd("DATA"), wanted=_START_MAIL)
            connection.send(_on_the_wire(data))
        except _BROKEN as error:
            # The final dot was not sent whole, so the server cannot have taken the mail.
            self._drop()
            raise Deferred(f"the connection broke before the mail was handed over: {error}") from error
        return self._last_answer(connection)

    def _ready(self) -> smtplib.SMTP:
        """A connection in its first state: the one at hand if it still answers, else a new one."""
        if self._connection is not None:
            try:
                code, _ = self._connection.rset()
            except _BROKEN:
                code = 0
            if code == _OK:
                return self._connection
            self._drop()
        try:
            self._connection = self._connect()
        except _BROKEN as error:
            raise Deferred(f"no connection to {self._server.host}:{self._server.port}: {error}") from error
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        where, context = self._server, ssl.create_default_context()
        name = socket.gethostname()
        # A name without a dot is refused by many servers; the literal is always allowed (RFC 5321, 4.1.3).
        name = name if "." in name else "[127.0.0.1]"
        if where.tls == "implicit":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                where.host, where.port, name, timeout=self._timeout, context=context
            )
        else:
            connection = smtplib.SMTP(where.host, where.port, name, timeout=self._timeout)
        try:
            if where.tls == "starttls":
                connection.starttls(context=context)
            connection.ehlo_or_helo_if_needed()
            if where.user is not None:
                connection.login(where.user, where.secret)
        except _BROKEN:
            connection.close()
            raise
        return connection

    def _envelope(self, connection: smtplib.SMTP, sender: str, recipient: str) -> None:
        options = []
        if not (sender + recipient).isascii():
            if not connection.has_extn("smtputf8"):
                raise Refused(f"the server takes no address with such letters (SMTPUTF8): {recipient}")
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        self._judge(connection.mail(sender, options))
        self._judge(connection.rcpt(recipient))

    def _judge(self, answer: tuple[int, bytes], *, wanted: int | None = None) -> str:
        """The answer as text if it is the wanted one, any 2xx by default; else Refused for 5xx and Deferred."""
        code, said = answer[0], f"{answer[0]} {answer[1].decode('utf-8', 'replace')}"
        if code == wanted or (wanted is None and code // 100 == _POSITIVE):
            return said
        if code == _SERVICE_CLOSING:
            self._drop()
        raise Refused(said) if code // 100 == _PERMANENT else Deferred(said)

    def _last_answer(self, connection: smtplib.SMTP) -> str:
        try:
            answer = connection.getreply()
        except _BROKEN as error:
            self._drop()
            raise Lost(f"no answer after the mail was handed over: {error}") from error
        if answer[0] // 100 not in {2, 4, 5}:
            self._drop()
            raise Lost(f"an answer that means nothing after the mail was handed over: {answer[0]}")
        return self._judge(answer)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _on_the_wire(data: bytes) -> bytes:
    """The mail with CRLF only, leading dots doubled, and the final dot (RFC 5321, 4.5.2).

    A lone CR or LF is mended because servers disagree on whether it ends a line, and a mail could smuggle a second one.
    """
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
    stuffed = re.sub(rb"(?m)^\.", b"..", lines)
    return stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"
