"""What a request lacks. Pure: the group's check list is data, the values are what the requester gave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

CONSENT = "consent"
LONGEST_TEXT = 500
HIGHEST_COUNT = 1_000_000


class Item(Protocol):
    """One thing that a group asks for: kind is flag, text, date or count."""

    @property
    def code(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def required(self) -> bool: ...


def problems(items: Sequence[Item], values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the values, by the dotted name of the field; empty when they can be stored."""
    kinds = {item.code: item.kind for item in items}
    found = {}
    for code, value in values.items():
        if code not in kinds:
            found[f"checklist.{code}"] = "The group's check list has no such item."
        elif value is not None and (said := _problem(kinds[code], value)):
            found[f"checklist.{code}"] = said
    return found


def missing(items: Sequence[Item], values: Mapping[str, Any], *, consent_confirmed: bool) -> list[str]:
    """The codes of the required items that the values do not answer, and "consent" while it is not confirmed."""
    lacking = [item.code for item in items if item.required and not _answered(item.kind, values.get(item.code))]
    return lacking if consent_confirmed else [*lacking, CONSENT]


def _answered(kind: str, value: Any) -> bool:
    """A flag answers when it is set; a count of nought is an answer; an empty text is none."""
    return value is True if kind == "flag" else value is not None and value != ""


def _problem(kind: str, value: Any) -> str | None:
    match kind:
        case "flag" if not isinstance(value, bool):
            return "This is answered with true or false."
        case "text" if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            return f"This is answered with a text of at most {LONGEST_TEXT} characters."
        case "date" if not _is_date(value):
            return "This is answered with a date such as 2026-11-24."
        case "count" if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= HIGHEST_COUNT:
            return "This is answered with a whole number."
    return None


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
