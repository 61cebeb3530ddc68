"""A small IMAP4rev1 server on the loopback: one account, one folder, and the faults that a test asks for.

A fault replaces the good answer to a command: bytes are sent as they are (`{tag}` is the command's), None closes the
connection, SILENCE says nothing, and bytes that do not end a line close it after them.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SILENCE = b""
USER, SECRET = 'desk "one"@network.example', 'a:b/c "and\\more'
WELL = "IMAP4rev1"


@dataclass(frozen=True)
class Endless:
    """Sends the same line until the client has had enough."""

    line: bytes


@dataclass(frozen=True)
class Trickle:
    """Sends its bytes one by one, with a pause that is shorter than any time-out."""

    data: bytes
    pause: float = 0.02


class ImapServer:
    def __init__(
        self,
        mails: Mapping[int, bytes] = {},
        *,
        certificate: Path | None = None,
        starttls: bool = False,
        faults: Mapping[str, list[Any]] = {},
        poisoned: Mapping[int, Any] = {},
    ) -> None:
        self.mails = dict(mails)
        self.seen: set[int] = set()
        self.validity: int | None = 1795
        self.folder = "INBOX"
        self.commands: list[str] = []
        self.connections = 0
        self._faults = {step: list(answers) for step, answers in faults.items()}
        self._poisoned = dict(poisoned)
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if certificate:
            self._tls.load_cert_chain(certificate)
        self._tls_at_once = bool(certificate) and not starttls
        self._capabilities = f"{WELL} STARTTLS LOGINDISABLED" if starttls else WELL
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        # A closed listener does not wake a thread that waits in accept(); shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.settimeout(10)
            self.connections += 1
            with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
                opened.enter_context(peer)
                _Talk(self, peer, opened).run()


class _Talk:
    """One connection."""

    def __init__(self, server: ImapServer, peer: socket.socket, opened: contextlib.ExitStack) -> None:
        self.server, self.peer, self.opened = server, peer, opened
        self.state = "greeted"
        self.stream: Any = None

    def run(self) -> None:
        if self.server._tls_at_once:
            self.encrypt()
        self.stream = self.opened.enter_context(self.peer.makefile("rwb"))
        going = self.answer("greeting", "*", lambda _tag, _rest: b"* OK loopback ready\r\n")
        while going and (line := self.stream.readline()):
            tag, name, rest = (*line.decode().strip().split(" ", 2), "")[:3]
            self.server.commands.append(line.decode().strip())
            step = (rest.split()[0] if name.upper() == "UID" else name).lower()
            going = self.answer(step, tag, getattr(self, f"on_{step}", self.unknown), rest)
            if step == "starttls" and going:
                self.server._capabilities = WELL
                self.encrypt()
                self.stream = self.opened.enter_context(self.peer.makefile("rwb"))
            if step == "logout":
                return

    def encrypt(self) -> None:
        self.peer = self.opened.enter_context(self.server._tls.wrap_socket(self.peer, server_side=True))

    def answer(self, step: str, tag: str, good: Callable[[str, str], bytes], rest: str = "") -> bool:
        """Whether the connection stays open. Where a fault is planned, nothing else happens."""
        planned = self.server._faults.get(step)
        number = int(rest.split()[1]) if step == "fetch" else 0
        poisoned = number in self.server._poisoned
        fault = self.server._poisoned[number] if poisoned else planned.pop(0) if planned else good(tag, rest)
        if isinstance(fault, Endless):
            while not self.server._stopping.is_set():
                self.peer.sendall(fault.line * 1000)
        if isinstance(fault, Trickle):
            for byte in fault.data.replace(b"{tag}", tag.encode()):
                self.peer.sendall(bytes([byte]))
                self.server._stopping.wait(fault.pause)
            return True
        if fault is None:
            return False
        said = fault.replace(b"{tag}", tag.encode())
        self.peer.sendall(said)
        return not said or said.endswith(b"\r\n")

    def unknown(self, tag: str, _rest: str) -> bytes:
        return f"{tag} BAD unknown command\r\n".encode()

    def on_capability(self, tag: str, _rest: str) -> bytes:
        return f"* CAPABILITY {self.server._capabilities}\r\n{tag} OK done\r\n".encode()

    def on_starttls(self, tag: str, _rest: str) -> bytes:
        return f"{tag} OK begin\r\n".encode()

    def on_login(self, tag: str, rest: str) -> bytes:
        said = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', rest)]
        if said != [USER, SECRET] or "LOGINDISABLED" in self.server._capabilities:
            return f"{tag} NO [AUTHENTICATIONFAILED] wrong user or secret\r\n".encode()
        self.state = "logged in"
        return f"{tag} OK welcome\r\n".encode()

    def on_select(self, tag: str, rest: str) -> bytes:
        if self.state == "greeted":
            return f"{tag} BAD log in first\r\n".encode()
        if rest != f'"{self.server.folder}"':
            return f"{tag} NO [NONEXISTENT] no such folder\r\n".encode()
        self.state = "selected"
        validity = f"* OK [UIDVALIDITY {self.server.validity}] valid\r\n" if self.server.validity else ""
        return (
            f"* {len(self.server.mails)} EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen \\Deleted)\r\n{validity}"
            f"{tag} OK [READ-WRITE] selected\r\n"
        ).encode()

    def on_search(self, tag: str, rest: str) -> bytes:
        assert rest == "SEARCH UNSEEN UNDELETED"
        # The order of an answer to SEARCH is the server's affair.
        waiting = sorted(set(self.server.mails) - self.server.seen, reverse=True)
        return f"* SEARCH {' '.join(map(str, waiting))}".strip().encode() + f"\r\n{tag} OK done\r\n".encode()

    def on_fetch(self, tag: str, rest: str) -> bytes:
        asked = re.fullmatch(r"FETCH (\d+) \(UID BODY(\.PEEK)?\[\]<0\.(\d+)>\)", rest)
        assert asked, rest
        assert self.state == "selected"
        number = int(asked[1])
        # Whatever happens in the folder may be told in between.
        chat = f"* {len(self.server.mails)} EXISTS\r\n* 1 FETCH (FLAGS (\\Recent) UID 99999)\r\n".encode()
        if number not in self.server.mails:
            return chat + f"{tag} OK nothing\r\n".encode()
        if not asked[2]:
            self.server.seen.add(number)
        data = self.server.mails[number][: int(asked[3])]
        head = f"* {number} FETCH (UID {number} BODY[]<0> {{{len(data)}}}\r\n".encode()
        return chat + head + data + f")\r\n{tag} OK done\r\n".encode()

    def on_store(self, tag: str, rest: str) -> bytes:
        asked = re.fullmatch(r"STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", rest)
        assert asked, rest
        self.server.seen.add(int(asked[1]))
        return f"{tag} OK done\r\n".encode()

    def on_logout(self, tag: str, _rest: str) -> bytes:
        return f"* BYE see you\r\n{tag} OK done\r\n".encode()
