"""Public holidays of countries, from the `holidays` library; it is loaded only for series that name countries.

Only what is a holiday in the whole country counts, not what is one in a region of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from types import ModuleType


def is_known(country: str) -> bool:
    """Whether the holidays of the country (ISO 3166-1 alpha-2, in capitals) are known."""
    return country in _library().list_supported_countries(include_aliases=False)


def names(countries: Iterable[str], days: Iterable[date]) -> dict[date, list[str]]:
    """Which of the days are holidays: each with its English names, such as "DE: Christmas Day", by country."""
    listed = list(countries)
    found: dict[date, list[str]] = {}
    for on in days if listed else ():
        named = [f"{country}: {name}" for country in listed if (name := _of_year(country, on.year).get(on))]
        if named:
            found[on] = named
    return found


@cache
def _of_year(country: str, year: int) -> dict[date, str]:
    library = _library()
    # Not every country has its names in American English; one without any language has them in English.
    languages = getattr(library, country).supported_languages
    english = next((code for code in ("en_US", *languages) if code in languages and code.startswith("en")), None)
    return dict(library.country_holidays(country, years=year, language=english))


def _library() -> ModuleType:
    import holidays  # noqa: PLC0415  - large, and most installations never ask for it

    return holidays
