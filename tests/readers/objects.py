"""A calendar as components and properties (RFC 5545, 3.1), read strictly and without icalendar: what is not exactly as
the RFC has it is a fault, where other readers forgive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

LONGEST_LINE = 75  # octets, without the line break
_PARAMETER = r";[A-Za-z0-9-]+=(?:\"[^\"\x00-\x1f\x7f]*\"|[^\";:,\x00-\x1f\x7f]*)(?:,(?:\"[^\"]*\"|[^\";:,]*))*"
_LINE = re.compile(rf"(?P<name>[A-Za-z0-9-]+)(?P<parameters>(?:{_PARAMETER})*):(?P<value>[^\x00-\x08\x0a-\x1f\x7f]*)")


@dataclass(frozen=True)
class Property:
    """One content line; the values of its parameters are without their quotation marks."""

    name: str
    parameters: dict[str, str]
    value: str

    @property
    def wall(self) -> datetime:
        """Its date and time as written, without a zone. Raises ValueError for anything else."""
        return datetime.strptime(self.value.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007  - a wall time

    @property
    def is_utc(self) -> bool:
        return re.fullmatch(r"\d{8}T\d{6}Z", self.value) is not None and "TZID" not in self.parameters


@dataclass
class Component:
    """What stands between BEGIN and END."""

    name: str
    properties: list[Property] = field(default_factory=list)
    inside: list[Component] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        return [one for one in self.properties if one.name == name]

    def value(self, name: str) -> str | None:
        """The value of the only property of that name; None when there is none or more than one."""
        found = self.all(name)
        return found[0].value if len(found) == 1 else None

    def components(self, name: str) -> list[Component]:
        return [one for one in self.inside if one.name == name]

    def everything(self) -> list[Component]:
        """Itself and all that stands in it."""
        return [self, *(found for one in self.inside for found in one.everything())]


def form_faults(data: bytes) -> list[str]:
    """What is wrong with the lines themselves."""
    found = []
    if re.search(rb"(?<!\r)\n", data):
        found.append("a line ends with a bare LF")
    if re.search(rb"\r(?!\n)", data):
        found.append("a bare CR")
    if not data.endswith(b"\r\n"):
        found.append("the last line has no end")
    found += [f"{len(line)} octets in a line" for line in data.split(b"\r\n") if len(line) > LONGEST_LINE]
    return found


def read(data: bytes) -> Component:
    """The one calendar in `data`. Raises ValueError, saying what is wrong, for a line or a nesting that is not one."""
    outermost = Component("")
    # What any reader takes for the end of a line ends one here, U+2028 too.
    stack = [outermost]
    for line in re.sub(rb"\r?\n[ \t]", b"", data).decode().splitlines():
        found = property_of(line)
        if found.name == "BEGIN":
            stack[-1].inside.append(Component(found.value))
            stack.append(stack[-1].inside[-1])
        elif found.name != "END":
            stack[-1].properties.append(found)
        elif stack.pop().name != found.value:
            raise ValueError(f"END:{found.value} where another component is open")
    if stack != [outermost] or outermost.properties or [one.name for one in outermost.inside] != ["VCALENDAR"]:
        raise ValueError("not exactly one VCALENDAR")
    return outermost.inside[0]


def property_of(line: str) -> Property:
    """One content line, unfolded. Raises ValueError for what is none."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"not a property: {line!r}")
    parameters = (one[1:].partition("=") for one in re.findall(_PARAMETER, match["parameters"]))
    return Property(
        match["name"].upper(), {name.upper(): value.replace('"', "") for name, _, value in parameters}, match["value"]
    )


def utc(text: str) -> datetime:
    """20261124T100000Z as an instant."""
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
