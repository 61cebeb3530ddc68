"""Mail over SMTP (RFC 5321), told apart exactly: refused, certainly not taken, or nobody knows.

Everything up to the last byte of the mail can be repeated without harm. Only an answer that is lost after the final
dot leaves it open whether the server has the mail, so that step is spoken here and not by `smtplib.sendmail`.

A mail costs two writes and two reads where the server takes commands together (PIPELINING): MAIL, RCPT and DATA, and,
once all three are answered well, the mail itself. Where the next recipient is known, the first three follow the answer
to the mail before, and the server works on them while the caller writes down how that one ended.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from conference_orchestrator.notify.sending import Deferred, Lost, Refused, checked_address, nobody
from conference_orchestrator.notify.smtp_answers import CLOSING, Answer
from conference_orchestrator.notify.smtp_connection import BROKEN, Connection
from conference_orchestrator.settings import SettingsError

_LONE_OR_BEFORE_DOT = re.compile(rb"\n(?:(?<!\r\n)|\.)")
_RESET = ("RSET", b"RSET\r\n")


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
    """Sends over one connection, made with the first mail, and anew after it broke.

    `timeout`: seconds that one step may take. All steps of a mail together may take three times as long, so that a slow
    server cannot outlast the lease of whoever sends. `sign`: makes of a mail, with CRLF only, the one that is sent.
    """

    def __init__(self, url: str, *, timeout: float, sign: Callable[[bytes], bytes] = bytes) -> None:
        self._server = server_from(url)
        self._timeout = timeout
        self._sign = sign
        self._connection: Connection | None = None
        # After a refusal the server may still hold half an envelope.
        self._must_reset = False
        # From whom and to whom the mail is whose envelope was sent already.
        self._begun: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # In a mail that was begun the farewell would be its text.
        if self._connection is not None and self._begun is None:
            self._connection.until = time.monotonic() + self._timeout
            with contextlib.suppress(*BROKEN):
                self._connection.quit()
        self._drop()

    def send(
        self, from_address: str, to_address: str, data: bytes, *, next_to: Callable[[], str | None] = nobody
    ) -> str:
        """Hand over one mail for one recipient; the server's last answer. Raises Refused, Deferred or Lost."""
        sender, recipient = checked_address(from_address), checked_address(to_address)
        wire = on_the_wire(data, self._sign)
        # The third part is for the last answer.
        connection = self._ready_for_mail(sender, recipient, until=time.monotonic() + 2 * self._timeout)
        try:
            connection.write(wire)
        except BROKEN as error:
            # The final dot was not sent whole, so the server cannot have taken the mail.
            self._drop()
            raise Deferred(f"the connection broke before the mail was handed over: {error}") from error
        next_recipient = next_to()
        answer = self._last_answer(connection)
        self._begin(connection, sender, next_recipient)
        return answer

    def _begin(self, connection: Connection, sender: str, recipient: str | None) -> None:
        """Say the envelope of the next mail; its answers are read when that is sent."""
        if recipient is None or not connection.has_extn("pipelining"):
            return
        with contextlib.suppress(Refused):
            steps = self._steps(connection, sender, checked_address(recipient))
            self._begun = (sender, recipient)
            # What broke shows with the answers.
            with contextlib.suppress(*BROKEN):
                connection.write(b"".join(line for _, line in steps))

    def _ready_for_mail(self, sender: str, recipient: str, *, until: float) -> Connection:
        """A connection whose server took the envelope and waits for the mail. Raises Refused or Deferred."""
        if self._begun not in {None, (sender, recipient)}:
            self._drop()
        if (reused := self._connection) is not None:
            reused.until = until
            answers, trouble = self._envelope(reused, sender, recipient)
            if _is_begun(answers):
                return self._judged(reused, answers, trouble)
            # The server had closed between two mails; nothing of this one is in its hands.
            self._drop()
        self._connection = fresh = self._connected(until)
        return self._judged(fresh, *self._envelope(fresh, sender, recipient))

    def _connected(self, until: float) -> Connection:
        try:
            return self._connect(until)
        # Names and secrets that no command can carry are no ASCII: a UnicodeError.
        except (*BROKEN, UnicodeError) as error:
            raise Deferred(f"no connection to {self._server.host}:{self._server.port}: {error}") from error

    def _connect(self, until: float) -> Connection:
        where, name = self._server, socket.gethostname()
        # Reading the authorities that this machine trusts takes longer than a hundred mails.
        context = None if where.tls == "none" else ssl.create_default_context()
        connection = Connection(
            where.host,
            where.port,
            # A name without a dot is refused by many servers; the literal is always allowed (RFC 5321, 4.1.3).
            name=name if "." in name else "[127.0.0.1]",
            timeout=self._timeout,
            until=until,
            context=context if where.tls == "implicit" else None,
        )
        try:
            if where.tls == "starttls" and context is not None:
                connection.encrypt(context)
            connection.ehlo_or_helo_if_needed()
            if where.user is not None:
                connection.login(where.user, where.secret)
        except (*BROKEN, UnicodeError):
            connection.close()
            raise
        return connection

    def _envelope(self, connection: Connection, sender: str, recipient: str) -> tuple[list[Answer], Exception | None]:
        """The answers up to the first that ends it, and what broke the connection, if anything."""
        answers: list[Answer] = []
        steps = self._steps(connection, sender, recipient)
        is_said, self._begun, self._must_reset = self._begun is not None, None, False
        try:
            for said in connection.converse(steps, is_said=is_said):
                answers.append(said)
                if said.code == CLOSING or not (said.is_good or connection.has_extn("pipelining")):
                    break
        except BROKEN as error:
            return answers, error
        return answers, None

    def _steps(self, connection: Connection, sender: str, recipient: str) -> list[tuple[str, bytes]]:
        """What is said before the mail. Raises Refused where the server takes no such address."""
        options = _options(connection, sender, recipient)
        return [
            *([_RESET] if self._must_reset else []),
            ("MAIL", f"MAIL FROM:<{sender}>{options}\r\n".encode()),
            ("RCPT", f"RCPT TO:<{recipient}>\r\n".encode()),
            ("DATA", b"DATA\r\n"),
        ]

    def _judged(self, connection: Connection, answers: list[Answer], trouble: Exception | None) -> Connection:
        """The connection, if every answer was good. Else it is made fit for the next mail, or dropped, and raised."""
        bad = next((said for said in answers if not said.is_good), None)
        if bad is None and trouble is None:
            return connection
        if trouble is not None or (bad is not None and not bad.is_refusal) or any(said.ends_it for said in answers):
            self._drop()
        else:
            self._take_back(connection, answers)
        if bad is None:
            raise Deferred(f"the connection broke before the mail was handed over: {trouble}") from trouble
        raise bad.error()

    def _take_back(self, connection: Connection, answers: list[Answer]) -> None:
        """End a mail that was refused, also where the server asks for it all the same (RFC 2920, 3.1)."""
        self._must_reset = True
        good = {said.step for said in answers if said.is_good}
        if "DATA" not in good:
            return
        try:
            if "RCPT" in good:
                # It has a recipient, who would get an empty mail.
                raise ConnectionAbortedError
            connection.write(b".\r\n")
            connection.getreply()
        except BROKEN:
            self._drop()

    def _last_answer(self, connection: Connection) -> str:
        connection.until = time.monotonic() + self._timeout
        try:
            said = Answer(".", *connection.getreply())
        except BROKEN as error:
            self._drop()
            raise Lost(f"no answer after the mail was handed over: {error}") from error
        if said.is_good:
            return said.text
        self._must_reset = True
        if not said.is_refusal:
            self._drop()
        if said.means_nothing:
            raise Lost(f"an answer that means nothing after the mail was handed over: {said.text}")
        raise said.error()

    def _drop(self) -> None:
        self._must_reset, self._begun = False, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_begun(answers: list[Answer]) -> bool:
    """Whether the server took up the mail, be it to refuse it; it did not if it was about to close."""
    said = {one.step: one for one in answers}
    return "MAIL" in said and said["MAIL"].code != CLOSING and ("RSET" not in said or said["RSET"].is_good)


def _options(connection: Connection, sender: str, recipient: str) -> str:
    if (sender + recipient).isascii():
        return ""
    if not connection.has_extn("smtputf8"):
        raise Refused(f"the server takes no address with such letters (SMTPUTF8): {recipient}")
    return " SMTPUTF8 BODY=8BITMIME"


def on_the_wire(data: bytes, sign: Callable[[bytes], bytes] = bytes) -> bytes:
    """The mail with CRLF only, signed, with leading dots doubled, and the final dot (RFC 5321, 4.5.2)."""
    is_fit = _is_fit(data)
    signed = sign(data if is_fit else _with_crlf(data))
    if is_fit and signed is data:
        return data + b".\r\n"
    stuffed = signed.replace(b"\n.", b"\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"


def _is_fit(data: bytes) -> bool:
    """Whether every line ends with CRLF, and none begins with a dot: looking costs less than mending what is whole."""
    ends_well = data.endswith(b"\r\n") and data.count(b"\r") == data.count(b"\n")
    return ends_well and not data.startswith(b".") and _LONE_OR_BEFORE_DOT.search(data) is None


def _with_crlf(data: bytes) -> bytes:
    """The mail with CRLF only, and at its end.

    A lone CR or LF is mended because servers disagree on whether it ends a line, and a mail could smuggle a second one.
    """
    return b"\r\n".join(data.splitlines()) + b"\r\n"
