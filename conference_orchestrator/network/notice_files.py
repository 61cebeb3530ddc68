"""Files of notices, such as a form to print: kept as what they say to be, given out unchanged."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Model
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import one_line_problem

LARGEST = 10 * 1024 * 1024
LONGEST_NAME = 100
ZIP = b"PK\x03\x04"
# What may be given out, with how its name ends and how its bytes begin. Nothing of it is shown inside a page.
KINDS = {
    "application/pdf": (".pdf", b"%PDF-"),
    "image/png": (".png", b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": (".jpg", b"\xff\xd8\xff"),
    "application/vnd.oasis.opendocument.text": (".odt", ZIP),
    "application/vnd.oasis.opendocument.spreadsheet": (".ods", ZIP),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (".docx", ZIP),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (".xlsx", ZIP),
}


class NoticeFile(Model):
    """The file of a notice; like its text it never changes: another file is another version."""

    __tablename__ = "notice_file"

    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notice.id"), primary_key=True)
    created_at: Mapped[datetime]
    media_type: Mapped[str]
    name: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    # Read only where it is given out.
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)


def made(content: bytes, *, media_type: str, name: str | None, title: str, at: datetime) -> NoticeFile:
    """The file of a notice with that title. Invalid when it is not what it says to be, empty, or named dangerously.

    Without a name it gets one that is made of the title.
    """
    ending, beginning = KINDS[media_type]
    if not content.startswith(beginning):
        raise Invalid({"file": f"This is not a file of the type {media_type}."})
    if len(content) > LARGEST:
        raise Invalid({"file": f"A file has at most {LARGEST // 1024 // 1024} MB."})
    return NoticeFile(
        created_at=at,
        media_type=media_type,
        name=_name(name, ending=ending)
        if name
        else f"{re.sub(r'[^A-Za-z0-9]+', '-', title).strip('-') or 'file'}{ending}",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def _name(name: str, *, ending: str) -> str:
    problem = one_line_problem(name)
    if problem or re.search(r'[/\\:"<>|?*%]', name) or name.startswith(".") or len(name) > LONGEST_NAME:
        raise Invalid({"Content-Disposition": problem or "A name of at most 100 characters, without signs of a path."})
    return name if name.lower().endswith((ending, ".jpeg" if ending == ".jpg" else ending)) else f"{name}{ending}"
