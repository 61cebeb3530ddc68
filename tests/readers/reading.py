"""Readers that share no code with what writes our mails and calendars, each a program of its own in Los Angeles.

A floating time, a zone that is not understood or an hour of the writer's machine comes out wrong there.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any

from tests.conftest import absent

HERE = Path(__file__).parent
# Two come with the packages of the tests, the others are installed apart: see .ci/run.
CALENDAR_READERS = ("vobject", "ical", "libical", "ical.js")
LONGEST_RUN = 120  # seconds; only against hanging

Instants = tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True, kw_only=True)
class Event:
    """A VEVENT as a reader took it. `recurrence` is None without RECURRENCE-ID, and always from `ical`."""

    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    recurrence: datetime | None
    status: str
    organizer: str
    attendees: tuple[str, ...]
    summary: str


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """A calendar as a reader took it: `instants` is everything that it shows until 2031, each with its end.

    `forbidden` is what the reader's check of iTIP's rules found; only libical has one.
    """

    method: str
    events: tuple[Event, ...]
    instants: Instants
    forbidden: tuple[str, ...] = ()


def calendars(reader: str, objects: Sequence[bytes]) -> list[Calendar]:
    """The objects as that reader takes them, in one run of it. Fails with the reader's own words for one it cannot."""
    return [_calendar(answer) for answer in _answers(_command(reader), objects)]


def calendar_of(mail: bytes) -> bytes:
    """The calendar beside the text of a mail; empty where there is none."""
    parts = message_from_bytes(mail).walk()
    found = [part.get_payload(decode=True) for part in parts if part.get_content_type() == "text/calendar"]
    return b"".join(one for one in found if isinstance(one, bytes))


def mails(written: Sequence[bytes]) -> list[dict[str, Any]]:
    """The mails as mailparser takes them, see read.mjs; the content of each part as bytes."""
    found = _answers(_command("mailparser"), written)
    for mail in found:
        for part in mail["parts"]:
            part["content"] = base64.b64decode(part["content"])
    return found


def _command(reader: str) -> list[str]:
    if reader in {"vobject", "ical"}:
        return [sys.executable, "-m", f"tests.readers.with_{reader}"]
    if reader == "libical":
        if find_library("ical") is None:
            absent("readers", "the library libical is not installed")
        return [sys.executable, "-m", "tests.readers.with_libical"]
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules").is_dir():
        absent("readers", "node is not installed, or nobody ran `npm ci` in tests/readers")
    return [node, str(HERE / "read.mjs"), reader]


def _answers(command: list[str], sent: Sequence[bytes]) -> list[dict[str, Any]]:
    ran = subprocess.run(
        command,
        input="".join(base64.b64encode(one).decode() + "\n" for one in sent),
        cwd=HERE.parent.parent,
        env=os.environ | {"TZ": "America/Los_Angeles"},
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(found) == len(sent), ran.stderr
    wrong = [
        f"{answer['error']} in\n{one.decode()}" for answer, one in zip(found, sent, strict=True) if "error" in answer
    ]
    assert not wrong, f"{len(wrong)} cannot be read; the first: {wrong[0]}"
    return found


def _calendar(answer: dict[str, Any]) -> Calendar:
    return Calendar(
        method=answer["method"],
        events=tuple(_event(event) for event in answer["events"]),
        instants=tuple((_at(start), _at(end)) for start, end in answer["instants"]),
        forbidden=tuple(answer.get("forbidden", ())),
    )


def _event(event: dict[str, Any]) -> Event:
    recurrence = event.get("recurrence")
    return Event(
        uid=event["uid"],
        sequence=event["sequence"],
        starts_at=_at(event["starts"]),
        ends_at=_at(event["ends"]),
        recurrence=None if recurrence is None else _at(recurrence),
        status=event["status"],
        organizer=event["organizer"],
        attendees=tuple(event["attendees"]),
        summary=event["summary"],
    )


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
