"""The mails that left, as they lie in the Maildir: read as their recipients would read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from conference_orchestrator.demo.waiting import GaveUp, until


@dataclass(frozen=True)
class Mail:
    """One mail to one person. `method` is that of its calendar object, None without one."""

    kind: str
    name: str
    address: str
    method: str | None
    text: str

    def link(self, path: str) -> str:
        """The address in the mail whose path begins with `path`."""
        found = re.search(rf"https?://[^\s/]+{re.escape(path)}\S+", self.text)
        if found is None:
            raise GaveUp(f"The mail {self.kind} to {self.name} has no link to {path}.")
        return found[0]


class Mailbox:
    """Everybody's mail, since there is no mail server. What was taken out once does not come again."""

    def __init__(self, maildir: Path) -> None:
        self._new = maildir / "new"
        self._seen: set[str] = set()
        self._waiting: list[Mail] = []

    def take(self, kind: str, count: int = 1) -> list[Mail]:
        """The next mails of the kind, as soon as there are so many. GaveUp when they do not come."""

        def look() -> list[Mail] | None:
            self._collect()
            found = [mail for mail in self._waiting if mail.kind == kind][:count]
            return found if len(found) == count else None

        taken = until(look, f"{count} mails {kind}")
        self._waiting = [mail for mail in self._waiting if mail not in taken]
        return taken

    def _collect(self) -> None:
        for path in sorted(self._new.glob("*")):
            if path.name not in self._seen:
                self._seen.add(path.name)
                self._waiting.append(read(path))


def last(maildir: Path, kind: str) -> Mail | None:
    """The latest mail of the kind, None when there is none."""
    newest_first = sorted((maildir / "new").glob("*"), reverse=True)
    return next((mail for mail in map(read, newest_first) if mail.kind == kind), None)


def read(path: Path) -> Mail:
    """The mail in a file."""
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    to = message["To"].addresses[0]
    return Mail(
        kind=str(message["X-Conference-Kind"]),
        name=to.display_name,
        address=to.addr_spec,
        method=next((_method(part) for part in message.walk() if part.get_content_type() == "text/calendar"), None),
        text=body.get_content() if body else "",
    )


def _method(part: EmailMessage) -> str:
    return str(part["Content-Type"].params["method"])
