"""Rows, goals, medians: what a benchmark hands over, and how it is printed and written down.

Figures drift from run to run, so a claim is a ratio: ours and the limit are measured in turn, each pair of figures
gives a ratio, and the median of these ratios counts.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

LATEST = Path(__file__).with_name("latest.json")
ROUNDS = 5
COLUMNS = ("row", "work", "ours", "limit", "ours / limit", "goal", "reached")
REACHED = {True: "yes", False: "no", None: "-"}


class WrongOutcome(Exception):
    """The work was not done as it should be: a figure about it is worth nothing."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a row is to reach: a ratio to the limit, or a figure, of at least or at most so much; or nothing."""

    ratio_at_least: float | None = None
    ours_at_most: float | None = None
    ours_at_least: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The figures of one row in the order in which they were taken, those of the limit beside them."""

    row: str
    work: str
    unit: str
    ours: Sequence[float]
    limit: Sequence[float]
    goal: Goal

    @property
    def ratio(self) -> float:
        """Ours divided by the limit: the median of the pairs."""
        return median(ours / limit for ours, limit in zip(self.ours, self.limit, strict=True))

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is reached; None for a row that has none."""
        goal, ours = self.goal, median(self.ours)
        met = [
            goal.ratio_at_least is None or self.ratio >= goal.ratio_at_least,
            goal.ours_at_most is None or ours <= goal.ours_at_most,
            goal.ours_at_least is None or ours >= goal.ours_at_least,
        ]
        return all(met) if goal != Goal() else None

    @property
    def goal_in_words(self) -> str:
        """The goal as the table shows it."""
        if self.goal.ratio_at_least is not None:
            return f"ratio >= {self.goal.ratio_at_least:.2f}"
        if self.goal.ours_at_least is not None:
            return f"ours >= {self.goal.ours_at_least:g} {self.unit}"
        return "none" if self.goal.ours_at_most is None else f"ours <= {self.goal.ours_at_most:g} {self.unit}"


def table(measured: Iterable[Measured]) -> str:
    """The rows as a Markdown table whose columns stand below each other."""
    lines = [COLUMNS, *(_line(one) for one in measured)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    shown = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    shown.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def as_json(measured: Iterable[Measured], *, at: datetime) -> dict[str, Any]:
    """The same with the figure of every round, for those who compare runs."""
    rows = [
        {
            "row": one.row,
            "work": one.work,
            "unit": one.unit,
            "ours": {"median": median(one.ours), "rounds": list(one.ours)},
            "limit": {"median": median(one.limit), "rounds": list(one.limit)},
            "ratio": one.ratio,
            "goal": one.goal_in_words,
            "reached": one.is_reached,
        }
        for one in measured
    ]
    return {"measured_at": at.isoformat(timespec="seconds"), "rows": rows}


def write(measured: Sequence[Measured], *, to: Path = LATEST) -> None:
    """Keep the figures of this run as the latest."""
    to.write_text(json.dumps(as_json(measured, at=datetime.now(UTC)), indent=2) + "\n")


def end_in_order() -> None:
    """Let SIGTERM end this program as Ctrl-C does, with all that it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _line(one: Measured) -> tuple[str, ...]:
    ours, limit = (f"{median(figures):.3g} {one.unit}" for figures in (one.ours, one.limit))
    return (one.row, one.work, ours, limit, f"{one.ratio:.2f}", one.goal_in_words, REACHED[one.is_reached])
