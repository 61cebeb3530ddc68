"""The fields of the API's schemas: the readers of `flows/fields.py`, so that every way in refuses the same things."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, cast

from marshmallow import ValidationError
from marshmallow import fields as plain

from conference_orchestrator.flows import fields as readers
from conference_orchestrator.flows.fields import Reader, Wrong
from conference_orchestrator.kernel import identifiers
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import one_line_problem
from conference_orchestrator.kernel.times import rfc3339

# What a database can hold and arithmetic can bear, with room on both sides.
EARLIEST, LATEST = 1900, 2200


def read(reader: Reader, value: Any) -> Any:
    """What the reader makes of the value; ValidationError with its words when it is wrong."""
    try:
        return reader(value)
    except Wrong as wrong:
        raise ValidationError(str(wrong)) from wrong
    except Invalid as invalid:
        raise ValidationError([word for said in invalid.errors.values() for word in said]) from invalid


class _Word(plain.String):
    """A text that one of the readers reads."""

    reader: Reader

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> Any:
        return read(self.reader, value)


class OneLine(_Word):
    """A text of one line: no line breaks, control or bidi characters, mail-encoded words; NFC."""

    def __init__(self, most: int = 200, **more: Any) -> None:
        super().__init__(metadata={"minLength": 1, "maxLength": most}, **more)
        self.reader = readers.line(most)


class Text(_Word):
    """A text of several lines. Like one line, it holds no characters that nobody sees."""

    def __init__(self, most: int, **more: Any) -> None:
        super().__init__(metadata={"minLength": 1, "maxLength": most}, **more)
        self.most = most

    def reader(self, value: Any) -> str:
        """The text; Wrong when it is empty, too long, or holds invisible characters."""
        text: str = readers.text(self.most)(value)
        lines = value.replace("\r\n", "\n").replace("\t", " ").replace("=?", "").split("\n")
        if any(one_line_problem(line) for line in lines):
            raise Wrong("Must not contain control characters or characters that change the direction of writing.")
        return text


class FreeText(Text):
    """A text in which a case may be described. What tells who the patient is, by a label, is refused."""

    def reader(self, value: Any) -> str:
        """The text; Wrong also when it names a patient's birth, name or number."""
        return _without_identifiers(super().reader(value))


class FreeLine(OneLine):
    """The same in one line."""

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> Any:
        return read(_without_identifiers, super()._deserialize(value))


def _without_identifiers(text: str) -> str:
    if said := identifiers.labelled(text):
        raise Wrong(said)
    return text


class Code(_Word):
    """The short name of a network, hospital or group."""

    reader = staticmethod(readers.code)


class ItemCode(_Word):
    """The short name of a check-list item."""

    reader = staticmethod(readers.item_code)


class Reference(_Word):
    """A code or an id (of a clinician also the e-mail address) that names something else."""

    reader = staticmethod(readers.reference)


class Item(_Word):
    """One word of a list of words."""

    reader = staticmethod(readers.item)


class Email(_Word):
    """An e-mail address, canonical."""

    reader = staticmethod(readers.email)


class Language(_Word):
    """A language of two letters (ISO 639-1)."""

    reader = staticmethod(readers.language)


class Country(_Word):
    """A country of two letters (ISO 3166-1)."""

    reader = staticmethod(readers.country)


class Zone(_Word):
    """The name of an IANA time zone."""

    reader = staticmethod(readers.zone)


class Link(_Word):
    """An http or https address."""

    reader = staticmethod(readers.link)


class Choice(_Word):
    """One of the words of an enumeration."""

    def __init__(self, allowed: type[StrEnum], **more: Any) -> None:
        super().__init__(metadata={"enum": [str(word) for word in allowed]}, **more)
        self.reader = readers.choice(allowed)


class Count(plain.Integer):
    """A whole number."""

    def __init__(self, least: int = 0, most: int = readers.HIGHEST, **more: Any) -> None:
        super().__init__(metadata={"minimum": least, "maximum": most}, **more)
        self.reader = readers.count(least, most)

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> int:
        return cast("int", read(self.reader, value))


class Number(plain.Float):
    """A number that is not negative."""

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> float:
        return cast("float", read(readers.number, value))


class Flag(plain.Boolean):
    """True or false."""

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> bool:
        return cast("bool", read(readers.flag, value))


class Instant(plain.DateTime):
    """An instant: in with any offset (a naive time is refused), out as RFC 3339 in UTC with `Z`."""

    def _serialize(self, value: datetime | None, *_where: Any, **_more: Any) -> str | None:
        return None if value is None else rfc3339(value)

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> datetime:
        if not isinstance(value, str):
            raise ValidationError("Must be a time such as 2026-01-01T00:00:00Z.")
        at = read(readers.instant, value)
        try:
            at = at.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(f"Must lie between {EARLIEST} and {LATEST}.") from error
        return cast("datetime", _within_reach(at))


class Whole(plain.Nested):
    """An object that is entered whole, in a change too: what it lacks is missing."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, partial: Any = None, **_more: Any) -> Any:  # noqa: ARG002
        return super()._deserialize(value, attr, data, partial=False)


class Day(plain.Date):
    """A date without a time."""

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> date:
        return _within_reach(read(readers.day, value))


class WallTime(plain.Time):
    """A time of day as the clock on the wall shows it, written 11:00."""

    def _serialize(self, value: time | None, *_where: Any, **_more: Any) -> str | None:
        return None if value is None else f"{value:%H:%M}"

    def _deserialize(self, value: Any, *_where: Any, **_more: Any) -> Any:
        return read(readers.wall_time, value)


def _within_reach(on: date) -> date:
    if not EARLIEST <= on.year <= LATEST:
        raise ValidationError(f"Must lie between {EARLIEST} and {LATEST}.")
    return on
