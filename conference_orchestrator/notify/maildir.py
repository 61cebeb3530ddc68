"""Mail written to a Maildir: what an installation without a mail server has, under the same contract as SMTP."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from conference_orchestrator.notify.sending import Deferred, Lost, checked_address, nobody


class MaildirSender:
    """Writes each mail to `new/`, whole or not at all: a reader never sees half a mail, a crash never loses one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between two mails."""

    def send(
        self,
        from_address: str,
        to_address: str,
        data: bytes,
        *,
        next_to: Callable[[], str | None] = nobody,  # noqa: ARG002  - a disk is not waited for
    ) -> str:
        """Write one mail; the name of its file. Raises Refused for a wrong address, Deferred or Lost for the disk."""
        checked_address(from_address)
        checked_address(to_address)
        name = f"{time.time():.6f}.{secrets.token_hex(8)}.{socket.gethostname()}"
        draft, delivered = self._path / "tmp" / name, self._path / "new" / name
        try:
            for folder in ("tmp", "new", "cur"):
                (self._path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(draft, data)
            draft.rename(delivered)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise Deferred(f"the mail could not be written: {error}") from error
        try:
            _sync_folder(delivered.parent)
        except OSError as error:
            raise Lost(f"the mail may not outlast a crash: {error}") from error
        return f"written to {delivered.parent.name}/{name}"


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Make a rename into the folder durable; a file's own fsync does not."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
