"""What a request lacks. Pure: the group's check list is data, the values are what the requester gave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

CONSENT = "consent"
LONGEST_TEXT = 500
HIGHEST_COUNT = 1_000_000
FILE_REFERENCE = "[A-Za-z0-9][A-Za-z0-9._:/-]{2,199}"


class Item(Protocol):
    """One thing that a group asks for: kind is flag, text, date, count, choice (of the options) or file-reference."""

    @property
    def code(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def options(self) -> Sequence[str]: ...


def problems(items: Sequence[Item], values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the values, by the dotted name of the field; empty when they can be stored."""
    asked = {item.code: item for item in items}
    found = {}
    for code, value in values.items():
        if code not in asked:
            found[f"checklist.{code}"] = "The group's check list has no such item."
        elif value is not None and (said := _problem(asked[code], value)):
            found[f"checklist.{code}"] = said
    return found


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the changes: a code that is not named keeps its value, None takes it back."""
    return {code: value for code, value in {**values, **changes}.items() if value is not None}


def imaging_problems(series: Sequence[Mapping[str, Any]], *, today: date) -> dict[str, str]:
    """What is wrong with the series of images, by the dotted name of the field; `today` is the group's."""
    return {
        f"imaging.{place}.acquired_on": "This date is still to come."
        for place, one in enumerate(series)
        if date.fromisoformat(one["acquired_on"]) > today
    }


def missing(items: Sequence[Item], values: Mapping[str, Any], *, consent_confirmed: bool) -> list[str]:
    """The codes of the required items that the values do not answer, and "consent" while it is not confirmed."""
    lacking = [item.code for item in items if item.required and not _answered(item.kind, values.get(item.code))]
    return lacking if consent_confirmed else [*lacking, CONSENT]


def _answered(kind: str, value: Any) -> bool:
    """A flag answers when it is set; a count of nought is an answer; an empty text is none."""
    return value is True if kind == "flag" else value is not None and value != ""


def _problem(item: Item, value: Any) -> str | None:
    match item.kind:
        case "flag":
            fits, wanted = isinstance(value, bool), "true or false"
        case "date":
            fits, wanted = _is_date(value), "a date such as 2026-11-24"
        case "count":
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            fits, wanted = is_whole and 0 <= value <= HIGHEST_COUNT, f"a whole number from 0 to {HIGHEST_COUNT}"
        case "choice":
            # An empty text, here and below, leaves the item open, as no answer does.
            fits, wanted = value in ("", *item.options), f"one of: {'; '.join(item.options)}"
        case "file-reference":
            fits = value == "" or _is_file_reference(value)
            wanted = "a reference such as CPMS/4711/report.pdf, never with a link or the file itself"
        case _:
            fits = isinstance(value, str) and len(value) <= LONGEST_TEXT
            wanted = f"a text of at most {LONGEST_TEXT} characters"
    return None if fits else f"This is answered with {wanted}."


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_file_reference(value: Any) -> bool:
    """Whether it is an opaque pointer: a link would lead readers to places that nobody looks after."""
    return isinstance(value, str) and re.fullmatch(FILE_REFERENCE, value) is not None and "://" not in value
