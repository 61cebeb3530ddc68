"""Faults by script: which requests and events go wrong, and how. The package's docstring tells the form."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any, Literal

BROKEN_ANSWERS = ("drop-before-apply", "apply-then-drop", "reset-in-body", "empty-object", "html", "endless", "large")
BROKEN_EVENTS = ("drop", "duplicate", "hold-back")
WAYS = ("status", "delay", "list_lag", "bytes_per_second", "fault", "event")

Script = Literal["request", "event"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule: which requests or events it meets, and exactly one of the ways in `WAYS`."""

    method: str | None = None
    path: str = "/v1/"
    times: int | None = 1
    share: float | None = None
    status: int | None = None
    retry_after: str | None = None
    body: str | None = None
    applied: bool = False
    delay: float | None = None
    list_lag: int | None = None
    bytes_per_second: float | None = None
    fault: str | None = None
    event: str | None = None

    def __post_init__(self) -> None:
        if len([name for name in WAYS if getattr(self, name) is not None]) != 1:
            raise ValueError(f"a fault has exactly one of {', '.join(WAYS[:-1])} and {WAYS[-1]}")
        _must_be_one_of("fault", self.fault, BROKEN_ANSWERS)
        _must_be_one_of("event", self.event, BROKEN_EVENTS)
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError(f"share must lie between 0 and 1, not {self.share}")
        if self.bytes_per_second is not None and self.bytes_per_second <= 0:
            raise ValueError(f"bytes_per_second must be more than 0, not {self.bytes_per_second}")

    def meets(self, script: Script, method: str, path: str) -> bool:
        """Whether a request, or an event named by its resource and what happened, is one of those that go wrong."""
        if (script == "event") is not (self.event is not None):
            return False
        return self.method in {None, method} and path.startswith(self.path)

    @property
    def prevents(self) -> bool:
        """Whether the request is not carried out."""
        return self.fault == "drop-before-apply" or (self.status is not None and not self.applied)


class Faults:
    """The rules in force; each wears out after its number of times. Safe for threads.

    `seed` decides which requests a rule with a share meets: the same requests in the same order meet the same.
    """

    def __init__(self, seed: int = 0) -> None:
        self._left: list[tuple[Fault, int | None]] = []
        self._chance = Random(seed)  # noqa: S311  - nothing secret: it has to repeat
        self._lock = Lock()

    def add(self, **rule: Any) -> None:
        """Add a rule at the end. ValueError when it names no fault, or more than one."""
        fault = Fault(**({"path": ""} if "event" in rule else {}) | rule)
        with self._lock:
            self._left.append((fault, fault.times))

    def clear(self) -> None:
        """Forget all rules, so that everything goes well from now on."""
        with self._lock:
            self._left.clear()

    def read(self, path: Path) -> None:
        """Add the rules of a file. ValueError, naming the rule, when the file is not of the form told above."""
        known = {field.name for field in fields(Fault)}
        rules = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rules, list):
            raise ValueError(f"{path}: faults are a JSON list of rules")  # noqa: TRY004  - the file is wrong, not the call
        for number, rule in enumerate(rules, start=1):
            if not isinstance(rule, dict) or rule.keys() - known:
                raise ValueError(f"{path}: rule {number} is not an object with only {', '.join(sorted(known))}")
            try:
                self.add(**rule)
            except ValueError as error:
                raise ValueError(f"{path}: rule {number}: {error}") from None

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, used up once; None when all goes well."""
        return self._take("request", method, path)

    def take_for_event(self, resource: str, happened: str) -> Fault | None:
        """The fault that this event meets, used up once; None when all goes well."""
        return self._take("event", "EVENT", f"{resource}/{happened}")

    def _take(self, script: Script, method: str, path: str) -> Fault | None:
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if left == 0 or not fault.meets(script, method, path) or not self._by_chance(fault):
                    continue
                self._left[index] = (fault, None if left is None else left - 1)
                return fault
        return None

    def _by_chance(self, fault: Fault) -> bool:
        return fault.share is None or self._chance.random() < fault.share


def _must_be_one_of(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
