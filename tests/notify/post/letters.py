"""The mails of `samples/`, written by hand in the manner of mail programs and servers, and what most of them say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conference_orchestrator.notify.calendar_answers import CalendarAnswer
from conference_orchestrator.notify.replies import Inbound, read

SAMPLES = Path(__file__).parent / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.eml"))
SESSION = "5f1f6a52-9c53-7c1e-8a54-0d7a9f3f0001@conference.example"
SERIES = "5f1f6a52-9c53-7c1e-8a54-0d7a9f3f0900@conference.example"
INVITATION = "<0190f3a04c1d7b3e9a51c0ffee000001@conference.example>"
INES, JONAS, LUCA = (
    "ines.costa@hospital-norte.example",
    "jonas.weber@klinik-sued.example",
    "luca.rossi@ospedale.example",
)
PIET = "piet.de.vries@umc.example"
OUR_SERVER = "mx.network.example"


def sample(name: str) -> bytes:
    """The mail as it lies in a mailbox: the files have the line ends of this repository."""
    return (SAMPLES / f"{name}.eml").read_bytes().replace(b"\n", b"\r\n")


def heard(name: str) -> Inbound:
    return read(sample(name), trusted=OUR_SERVER)


def at(month: int, day: int, *time: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, *time, tzinfo=UTC)


def answer(said: str, **more: Any) -> CalendarAnswer:
    """The answer of Inês about the session; what is given differs."""
    ordinary = {
        "method": "REPLY",
        "uid": SESSION,
        "recurrence_at": None,
        "recurrence_on": None,
        "sequence": 0,
        "stamp": at(11, 18, 9),
        "attendee": INES,
        "comment": None,
        "proposed_starts_at": None,
        "proposed_ends_at": None,
        "problem": None,
    }
    return CalendarAnswer(**{**ordinary, "said": said, **more})
