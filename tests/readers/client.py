"""A calendar program as RFC 5546 describes it: it takes one object after the other, and shows what it holds then.

It works on lines and understands no time, so that the readers alone say when something is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Lines = list[str]


@dataclass
class Held:
    """What is held of one UID: the whole, and the sessions that were told by themselves, by their RECURRENCE-ID."""

    whole: Lines = field(default_factory=list)
    singles: dict[str, Lines] = field(default_factory=dict)


@dataclass
class Client:
    """`zones` are the time zones that the objects described, by name."""

    held: dict[str, Held] = field(default_factory=dict)
    zones: dict[str, Lines] = field(default_factory=dict)

    def take(self, calendar: bytes) -> None:
        """Do what the object asks for."""
        lines = re.sub(r"\r\n[ \t]", "", calendar.decode()).split("\r\n")
        self.zones |= {_value(zone, "TZID"): zone for zone in _blocks(lines, "VTIMEZONE")}
        events = _blocks(lines, "VEVENT")
        # The whole is told before its sessions, wherever it stands.
        for event in sorted(events, key=_recurrence):
            if "METHOD:CANCEL" in lines:
                self._cancel(_value(event, "UID"), _recurrence(event))
            else:
                self._request(_value(event, "UID"), _recurrence(event), event)

    def _request(self, uid: str, recurrence: str, event: Lines) -> None:
        if recurrence:
            self.held.setdefault(uid, Held()).singles[recurrence] = event
        else:
            self.held[uid] = Held(event)

    def _cancel(self, uid: str, recurrence: str) -> None:
        if not recurrence:
            self.held.pop(uid, None)
        elif uid in self.held:
            self.held[uid].singles.pop(recurrence, None)
            self.held[uid].whole.insert(-1, recurrence.replace("RECURRENCE-ID", "EXDATE", 1))

    def shown(self) -> bytes:
        """Everything it holds as one calendar."""
        inside = [line for zone in self.zones.values() for line in zone]
        for one in self.held.values():
            inside += [line for event in (one.whole, *one.singles.values()) for line in event]
        head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//client//EN", "METHOD:PUBLISH"]
        return "".join(f"{line}\r\n" for line in [*head, *inside, "END:VCALENDAR"]).encode()


def _blocks(lines: Lines, name: str) -> list[Lines]:
    starts = [number for number, line in enumerate(lines) if line == f"BEGIN:{name}"]
    return [lines[start : lines.index(f"END:{name}", start) + 1] for start in starts]


def _value(block: Lines, name: str) -> str:
    return next(line for line in block if re.match(f"{name}[;:]", line)).partition(":")[2]


def _recurrence(event: Lines) -> str:
    """The whole line, as it names the zone too; empty for the whole."""
    return next((line for line in event if line.startswith("RECURRENCE-ID")), "")
