"""What a run of the storm came to, and how it is printed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SCALE = 60
QUOTA = 100
"""Meetings that Webex lets a user create in a day; creates that fail count too."""


@dataclass
class Figures:
    """The counts of one run. An orphan is a meeting of ours that no conference has."""

    conferences: int
    states: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    creates_by_host: Counter[str] = field(default_factory=Counter)
    adopted: int = 0
    orphans_before_sweeps: int = 0
    cancelled: int = 0
    meetings: int = 0
    orphans: int = 0
    several: int = 0
    foreign_touched: int = 0
    findings: int = 0
    mails: int = 0
    links: int = 0
    dead_links: int = 0
    seconds: float = 0.0

    @property
    def most_creates(self) -> int:
        """How many creates the host with the most of them saw."""
        return max(self.creates_by_host.values(), default=0)

    def __str__(self) -> str:
        said = {
            "conferences": f"{self.conferences} ({_listed(self.states)})",
            "waits scaled by": f"1/{SCALE}, Retry-After kept",
            "requests": f"{self.requests.total()} ({_listed(self.requests)})",
            "faults met": f"{self.faults.total()} ({_listed(self.faults)})",
            "creates": f"{self.requests['POST']}, at most {self.most_creates} for one host, {QUOTA} allowed",
            "adopted by their key": self.adopted,
            "meetings": self.meetings,
            "orphans before the sweeps": self.orphans_before_sweeps,
            "duplicates cancelled": self.cancelled,
            "orphans after two sweeps": self.orphans,
            "conferences with several": self.several,
            "findings left open": self.findings,
            "foreign meetings touched": self.foreign_touched,
            "invitations mailed": f"{self.mails}, {self.links} links in them, {self.dead_links} dead",
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(f"{name:<28}{value}" for name, value in said.items())


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
