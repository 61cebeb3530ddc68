"""The registration form as data: its choices, what was entered, in the flow's words, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from werkzeug.datastructures import MultiDict

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.times import is_zone

Choices = Sequence[tuple[str, str]]

LABELS = {
    "given_name": "Given name",
    "family_name": "Family name",
    "email": "E-mail address",
    "phone": "Phone number",
    "profession": "Profession",
    "specialties": "Specialties",
    "hospital": "Hospital",
    "hospital_name": "Name of your hospital",
    "country": "Country",
    "language": "Language",
    "time_zone": "Time zone",
    "share": "What colleagues see of you",
    "privacy_version": "Privacy statement",
    "altcha": "Check against automatic registrations",
}
LINES = (
    "given_name",
    "family_name",
    "email",
    "phone",
    "profession",
    "hospital",
    "hospital_name",
    "country",
    "language",
    "time_zone",
)
# What to do about a field that was left empty, where "Please fill this in." would not help.
WHEN_EMPTY = {
    "hospital_name": "Choose your hospital from the list, or enter its name.",
    "country": "Choose your hospital from the list, or a country.",
    "language": "Please choose one.",
    "time_zone": "Please choose one: only a hospital from the list brings its own.",
    "privacy_version": "Please read the privacy statement and accept it.",
    "altcha": "Tick the box and wait until it is verified.",
}
# The languages of the Union, then those of its neighbours in the reference networks.
LANGUAGES = (
    *("bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "it", "lt", "lv", "mt", "nl"),
    *("pl", "pt", "ro", "sk", "sl", "sv", "is", "no", "uk"),
)
# Codes of Babel's list that are no country: parts of one, unions, the United Nations, test regions, the unknown one.
NO_COUNTRY = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
CONTINENTS = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")


@dataclass(frozen=True)
class Form:
    """What was entered and what is wrong with it, field by field."""

    values: MultiDict[str, str] = field(default_factory=MultiDict)
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)


def entered(network: str, values: MultiDict[str, str]) -> dict[str, Any]:
    """The fields of a registration with the network of that code. An empty field was not entered.

    The version counts as accepted only together with the tick beside it.
    """
    return {
        "network": network,
        **{name: values.get(name, "") if values.get(name, "").strip() else None for name in LINES},
        "specialties": [part.strip() for part in re.split("[,;\n]", values.get("specialties", "")) if part.strip()],
        "share": values.getlist("share"),
        "privacy_version": values.get("privacy_version") if values.get("privacy_accepted") else None,
    }


def rejected(values: MultiDict[str, str], error: Invalid) -> Form:
    """The form to show again. What is wrong inside of a list is told at the list."""
    said: dict[str, list[str]] = {}
    for place, messages in error.errors.items():
        said.setdefault(place.partition(".")[0], []).extend(messages)
    given = entered("", values) | {"altcha": values.get("altcha")}
    empty = {name for name in said if not given.get(name)}
    told = {
        name: [WHEN_EMPTY.get(name, "Please fill this in.")] if name in empty else messages
        for name, messages in said.items()
    }
    in_order = sorted(told, key=lambda name: [*LABELS, name].index(name))
    return Form(values, {name: told[name] for name in in_order})


def language_name(code: str) -> str:
    """The language by its own name, "Deutsch" for "de"; the code itself when it has none."""
    known = Locale.parse(code, sep="-") if code in LANGUAGES else None
    name = known.get_display_name() if known else None
    return name[:1].upper() + name[1:] if name else code


@cache
def languages() -> Choices:
    """The languages to choose from, each by its own name."""
    return sorted(((code, language_name(code)) for code in LANGUAGES), key=lambda choice: choice[1].casefold())


@cache
def countries() -> Choices:
    """The countries of ISO 3166-1 with their English names, by name."""
    names = Locale("en").territories.items()
    found = [(code, name) for code, name in names if re.fullmatch("[A-Z]{2}", code) and code not in NO_COUNTRY]
    return sorted(found, key=lambda choice: choice[1])


@cache
def zones() -> Choices:
    """The time zones that people live in, by name."""
    lived_in = sorted(name for name in available_timezones() if name.startswith(CONTINENTS) and is_zone(name))
    return [(name, name.replace("_", " ")) for name in [*lived_in, "UTC"]]
