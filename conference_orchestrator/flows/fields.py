"""Reads what was entered, field by field: each reader gives the value to store or says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem, prose
from conference_orchestrator.kernel.times import is_zone
from conference_orchestrator.network.clinicians import canonical


class Wrong(Exception):
    """What is wrong with the form of one field, in words for the person who entered it."""


# Takes what was entered and gives the value to store, or says what is Wrong; Invalid when it knows where inside.
Reader = Callable[[Any], Any]


@dataclass(frozen=True)
class Field:
    """One field of a form: how it is read, whether it must be there, what holds without it."""

    read: Reader
    required: bool = True
    default: Callable[[], Any] = lambda: None


Form = Mapping[str, Field]
HIGHEST = 1_000_000
# RFC 3339, section 5.6, of which ISO 8601 is much wider. Seconds may be left out, as many programs do.
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
DATE_TIME = rf"{DATE}[Tt][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]+)?)?([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?"


def read(entered: Mapping[str, Any], form: Form, *, partial: bool = False) -> dict[str, Any]:
    """The values to store, defaults included; with `partial` only those that were entered.

    Invalid with everything that is wrong, under the dotted names of the fields; None counts as not entered, and in a
    partial form empties what is not required.
    """
    errors: dict[str, str | list[str]] = {name: "Unknown field." for name in entered if name not in form}
    values: dict[str, Any] = {}
    for name, field in form.items():
        value = entered.get(name)
        if value is None and partial and name not in entered:
            continue
        if value is None and field.required:
            errors[name] = "Missing data for required field."
        elif value is None:
            values[name] = field.default()
        else:
            _read_one(name, value, field.read, values, errors)
    if errors:
        raise Invalid(errors)
    return values


def _read_one(name: str, value: Any, reader: Reader, values: dict[str, Any], errors: dict[str, Any]) -> None:
    try:
        values[name] = reader(value)
    except Invalid as inner:
        errors.update({f"{name}.{place}" if place else name: said for place, said in inner.errors.items()})
    except Wrong as wrong:
        errors[name] = str(wrong)


def line(most: int = 200) -> Reader:
    """A text of one line with 1 to `most` characters."""

    def read_line(value: Any) -> str:
        if not isinstance(value, str):
            raise Wrong("Must be a text.")
        # Before the spaces at its ends are taken off: a line break is not a space that was typed by mistake.
        if problem := one_line_problem(value):
            raise Wrong(problem)
        text = nfc(value).strip()
        if not 1 <= len(text) <= most:
            raise Wrong(f"Must have 1 to {most} characters.")
        return text

    return read_line


def reference(value: Any) -> str:
    """A code or an id that names something else."""
    return str(value) if isinstance(value, UUID) else str(line(254)(value))


def pattern(expression: str, description: str) -> Reader:
    """A text that matches as a whole."""

    def read_pattern(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(expression, value):
            raise Wrong(f"Must be {description}.")
        return value

    return read_pattern


code = pattern("[A-Za-z0-9][A-Za-z0-9._/-]{0,63}", "1 to 64 letters, digits and . _ / - without spaces")
item_code = pattern("[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "1 to 64 letters, digits and _ -")
language = pattern("[a-z]{2}", "a language of two letters such as en (ISO 639-1)")


def country(value: Any) -> str:
    """An ISO 3166-1 alpha-2 code, in capitals."""
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{2}", value):
        raise Wrong("Must be a country of two letters such as PT (ISO 3166-1).")
    return value.upper()


def zone(value: Any) -> str:
    """The name of an IANA time zone."""
    if not isinstance(value, str) or not is_zone(value):
        raise Wrong(f"{value!r} is not an IANA time zone such as Europe/Berlin.")
    return value


def email(value: Any) -> str:
    """An e-mail address in its canonical form."""
    try:
        return canonical(line(254)(value), field="")
    except Invalid as error:
        raise Wrong(" ".join(error.errors[""])) from error


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Wrong("Must be true or false.")
    return value


def count(least: int = 0, most: int = HIGHEST) -> Reader:
    """A whole number."""

    def read_count(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Wrong(f"Must be a whole number from {least} to {most}.")
        return value

    return read_count


def choice(allowed: type[StrEnum]) -> Reader:
    """One of the words of an enumeration."""

    def read_choice(value: Any) -> str:
        if value not in list(allowed):
            raise Wrong(f"Must be one of {', '.join(allowed)}.")
        return str(value)

    return read_choice


def text(most: int) -> Reader:
    """A text of several lines."""

    def read_text(value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= most or not prose(value).strip():
            raise Wrong(f"Must be a text of 1 to {most} characters.")
        return prose(value)

    return read_text


def instant(value: Any) -> datetime:
    """An aware time: as such, or in RFC 3339."""
    try:
        at = datetime.fromisoformat(_written(value, DATE_TIME)) if isinstance(value, str) else value
    except ValueError as error:
        raise Wrong("Must be a time such as 2026-01-01T00:00:00Z.") from error
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise Wrong("Must be a time with its offset, such as 2026-01-01T00:00:00Z.")
    return at


def day(value: Any) -> date:
    """A date: as such, or in RFC 3339."""
    try:
        on = date.fromisoformat(_written(value, DATE)) if isinstance(value, str) else value
    except ValueError as error:
        raise Wrong("Must be a date such as 2026-09-01.") from error
    if not isinstance(on, date) or isinstance(on, datetime):
        raise Wrong("Must be a date such as 2026-09-01.")
    return on


def _written(value: str, expression: str) -> str:
    if not re.fullmatch(expression, value):
        raise ValueError(value)
    return value.upper()


def wall_time(value: Any) -> time:
    """A time of day on the wall: as such, or written "11:00"."""
    if isinstance(value, str) and re.fullmatch("[0-2][0-9]:[0-5][0-9]", value) and value < "24":
        return time.fromisoformat(value)
    if not isinstance(value, time) or value.tzinfo is not None or value.second or value.microsecond:
        raise Wrong("Must be a time of day such as 11:00.")
    return value


def link(value: Any) -> str:
    """An http or https address."""
    return str(pattern(r"https?://[^\s<>\"\\^`{|}]{1,2000}", "an address that begins with https://")(line(2000)(value)))


def many(reader: Reader, *, most: int = 100) -> Reader:
    """A list; what is wrong with an item is told under its position, counted from 0."""

    def read_many(value: Any) -> list[Any]:
        if isinstance(value, str) or not isinstance(value, Iterable) or isinstance(value, Mapping):
            raise Wrong("Must be a list.")
        items = list(value)
        if len(items) > most:
            raise Wrong(f"Must have at most {most} items.")
        positions = {str(i): Field(reader) for i in range(len(items))}
        return list(read({str(i): item for i, item in enumerate(items)}, positions).values())

    return read_many


def inner(form: Form) -> Reader:
    """Fields inside of a field."""

    def read_inner(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Wrong("Must be a set of named fields.")
        return read(value, form)

    return read_inner


def item(value: Any) -> str:
    """An item of a list of texts. In a CSV file a semicolon separates the items."""
    said = str(line(100)(value))
    if ";" in said:
        raise Wrong("Must not contain a semicolon; enter the parts one by one.")
    return said


def number(value: Any) -> int | float:
    """A number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= HIGHEST:
        raise Wrong(f"Must be a number from 0 to {HIGHEST}.")
    return value


def optional(reader: Reader) -> Field:
    """A field that may be missing."""
    return Field(reader, required=False)


def optional_list(reader: Reader) -> Field:
    """A list that is empty when it is missing."""
    return Field(many(reader), required=False, default=list)
