"""The mailbox over IMAP (RFC 3501).

Mails are fetched without being marked, so none is lost when the process dies before its commit. A step with the server
is bounded in bytes and in time, whatever the server sends.
"""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from conference_orchestrator.notify.bounded_imap import BoundedImap, BoundedImapOverTls
from conference_orchestrator.notify.mailbox import (
    LARGEST_MAIL,
    Mail,
    Mailbox,
    MailboxRefused,
    MailboxUnavailable,
    MailKey,
)
from conference_orchestrator.notify.parts import LONGEST_HEADER
from conference_orchestrator.notify.received_text import safe_line
from conference_orchestrator.settings import SettingsError

# imaplib raises ValueError for answers beyond ASCII and for numbers that are none, TypeError for a literal that it did
# not expect.
_BROKEN = (OSError, imaplib.IMAP4.error, EOFError, ValueError, TypeError)
# A mail at which the connection broke this often is to blame itself.
_ATTEMPTS = 2
# After so many mails without one that could be had, no more are tried.
_WITHHELD_BY_THE_SERVER = 5
_TLS = {"starttls", "none"}
# Peeking leaves it unmarked; one byte more than is wanted shows that a mail is too large.
_WANTED = f"(UID BODY.PEEK[]<0.{LARGEST_MAIL + 1}>)"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Where the mails lie: `tls` is "implicit" (imaps), "starttls" or "none"."""

    host: str
    port: int
    tls: str
    user: str
    secret: str = field(repr=False)
    name: str


def folder_from(url: str) -> Folder:
    """The folder that an address such as `imaps://user:secret@host/INBOX` names; INBOX when it names none.

    `imap://` upgrades by STARTTLS unless told `tls=none`. Raises SettingsError for anything else.
    """
    parts = urlsplit(url)
    asked = parse_qs(parts.query).get("tls", ["starttls"])[-1]
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username or asked not in _TLS:
        raise SettingsError(
            "CO_IMAP_URL must look like imaps://user:secret@host/INBOX "
            "or imap://user:secret@host:143/INBOX?tls=starttls."
        )
    user, secret, name = (unquote(part or "") for part in (parts.username, parts.password, parts.path[1:]))
    # A line break in one of them would begin another command.
    if not f"{user}{secret}{name}".isascii() or not f"{user}{secret}{name}".isprintable():
        raise SettingsError("CO_IMAP_URL: user, secret and folder may have only letters and signs of ASCII.")
    tls = "implicit" if parts.scheme == "imaps" else asked
    return Folder(
        host=parts.hostname,
        port=parts.port or (993 if tls == "implicit" else 143),
        tls=tls,
        user=user,
        secret=secret,
        name=name or "INBOX",
    )


def open_mailbox(url: str, *, timeout: float = 30.0) -> Mailbox:
    """The folder that `url` names, connected to when it is first used. `timeout`: seconds of silence that are borne."""
    return ImapMailbox(folder_from(url), timeout=timeout)


class ImapMailbox:
    """One folder over one connection, made anew after it broke."""

    def __init__(self, folder: Folder, *, timeout: float) -> None:
        self._folder = folder
        self._timeout = timeout
        self._connection: BoundedImap | None = None
        self._validity = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            with contextlib.suppress(*_BROKEN):
                self._connection.begin_step()
                self._connection.logout()
            self._drop()

    def new(self, limit: int) -> Iterator[Mail]:
        """The mails that are not marked as seen, oldest first. Raises MailboxUnavailable or MailboxRefused."""
        numbers = sorted(self._asked(_search))
        validity = self._validity
        handed_out, withheld = 0, list[Mail]()
        for number in numbers[:limit]:
            mail = self._fetched(MailKey(validity, number))
            if mail is None:
                continue
            if mail.whole or mail.data:
                handed_out += 1
                yield mail
            else:
                withheld.append(mail)
            # A mail is to blame only where others can be had; else it is the server, and nothing is given up.
            if len(withheld) == _WITHHELD_BY_THE_SERVER and not handed_out:
                break
        if withheld and not handed_out:
            raise MailboxUnavailable("the mail server hands out none of its mails")
        yield from withheld

    def done(self, key: MailKey) -> None:
        """Mark the mail as seen. Raises MailboxUnavailable or MailboxRefused."""
        self._ready()
        if key.validity == self._validity:
            self._asked(lambda imap: imap.uid("STORE", str(key.number), "+FLAGS.SILENT", r"(\Seen)"))

    def _fetched(self, key: MailKey) -> Mail | None:
        """The mail; None when it is gone meanwhile."""
        for _ in range(_ATTEMPTS):
            self._ready()
            if key.validity != self._validity:
                raise MailboxUnavailable("the folder was renumbered meanwhile")
            try:
                return _mail(key, self._asked(lambda imap: imap.uid("FETCH", str(key.number), _WANTED)))
            except MailboxUnavailable:
                # Once more over a new connection: `_ready` ends it all when there is none to be had.
                continue
            except MailboxRefused:
                break
        return Mail(key=key, data=b"", whole=False)

    def _asked(self, command: Callable[[BoundedImap], tuple[str, list[Any]]]) -> list[Any]:
        """What the server answers. Raises MailboxRefused when it says no, MailboxUnavailable when it breaks off."""
        imap = self._ready()
        try:
            imap.begin_step()
            said, data = command(imap)
        except _BROKEN as error:
            self._drop()
            raise _translated(error) from error
        if said != "OK":
            raise MailboxRefused(f"the mail server refused: {_shown(data[-1:])}")
        return data

    def _ready(self) -> BoundedImap:
        """The connection at hand, else a new one."""
        if self._connection is None:
            try:
                self._connection, self._validity = _connected(self._folder, timeout=self._timeout)
            except _BROKEN as error:
                raise _translated(error) from error
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*_BROKEN):
                self._connection.shutdown()
            self._connection = None


def _connected(where: Folder, *, timeout: float) -> tuple[BoundedImap, int]:
    """A connection with the folder open, and the folder's UIDVALIDITY."""
    context = ssl.create_default_context()
    if where.tls == "implicit":
        imap: BoundedImap = BoundedImapOverTls(where.host, where.port, ssl_context=context, timeout=timeout)
    else:
        imap = BoundedImap(where.host, where.port, timeout=timeout)
    try:
        if where.tls == "starttls":
            imap.starttls(ssl_context=context)
        _log_in(imap, where)
        return imap, _opened(imap, where.name)
    except (*_BROKEN, MailboxRefused):
        with contextlib.suppress(OSError):
            imap.shutdown()
        raise


def _log_in(imap: BoundedImap, where: Folder) -> None:
    imap.begin_step()
    try:
        imap.login(_quoted(where.user), where.secret)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        said = _shown(error.args)
        # RFC 5530: whoever checks the secret cannot be reached.
        if "[UNAVAILABLE]" in said:
            raise imap.abort(said) from error
        raise MailboxRefused(f"the mail server refused the login: {said}") from error


def _opened(imap: BoundedImap, name: str) -> int:
    imap.begin_step()
    said, data = imap.select(_quoted(name))
    if said != "OK":
        raise MailboxRefused(f"the mail server refused the folder {name}: {_shown(data[-1:])}")
    _, told = imap.response("UIDVALIDITY")
    if not told[-1]:
        raise MailboxRefused(f"the mail server does not number the mails in {name} for good (UIDVALIDITY)")
    return int(told[-1])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _search(imap: BoundedImap) -> tuple[str, list[Any]]:
    said, data = imap.uid("SEARCH", "UNSEEN", "UNDELETED")
    if said != "OK":
        return said, data
    if any(isinstance(line, tuple) for line in data):
        raise imap.abort("the server answers SEARCH with a literal")
    return said, [int(number) for line in data if line for number in line.split()]


def _mail(key: MailKey, answer: Sequence[Any]) -> Mail | None:
    """The mail in the answer to FETCH; None when there is none in it."""
    for item in answer:
        told, data = item if isinstance(item, tuple) else (item or b"", b"")
        if b"BODY[]" in told:
            whole = isinstance(item, tuple) and len(data) <= LARGEST_MAIL
            return Mail(key=key, data=data if whole else data[:LONGEST_HEADER], whole=whole)
    return None


def _translated(error: BaseException) -> MailboxUnavailable | MailboxRefused:
    if isinstance(error, imaplib.IMAP4.readonly):
        return MailboxRefused("the mail server lets nothing be marked as seen in this folder")
    return MailboxUnavailable(f"no connection to the mailbox: {_shown(error.args)}")


def _shown(told: Sequence[Any]) -> str:
    """What the server or the system said, short enough for a log."""
    words = (one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in told)
    return safe_line(" ".join(words), 200)
