"""The languages of our words: which one a mail is written in, its catalog, and how it writes days and places.

The source language stands in the templates and in the code. Every other is one file `translations/<language>.po`,
read as it is. A language without a file gets the source language for the whole mail: words and dates agree.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import format_date, get_timezone_location
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from conference_orchestrator.kernel.times import local, zone

SOURCE = "en"
FOLDER = Path(__file__).parent / "translations"

# Babel's "pt" is Brazil's, where Lisbon's words and places differ; its "en" is that of the United States.
_LOCALES = {"pt": "pt_PT", "en": "en_GB"}
# The others write the day as Babel's full form has it.
_SOURCE_DAY = "EEEE d MMMM y"


@cache
def available() -> frozenset[str]:
    """The languages that a mail can be written in."""
    return frozenset({SOURCE, *(path.stem for path in FOLDER.glob("*.po"))})


def language_of(tag: str) -> str:
    """The language for a reader with this BCP 47 tag: "de" for "de-AT", the source language for one without a file."""
    language = tag.replace("_", "-").partition("-")[0].lower()
    return language if language in available() else SOURCE


@cache
def translations(language: str) -> NullTranslations:
    """The catalog of a language that is available; that of the source language returns what it is asked for."""
    if language == SOURCE:
        return NullTranslations()
    with (FOLDER / f"{language}.po").open("rb") as source:
        catalog = read_po(source, locale=language)
    # The standard library reads only the compiled form; it evaluates the plural rule of the file.
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)


@lru_cache(maxsize=4096)
def day(on: date, language: str) -> str:
    """The day in words, such as "Tuesday 24 November 2026"."""
    written = _SOURCE_DAY if language == SOURCE else "full"
    return format_date(on, written, locale=_locale(language))


def listed(words: list[str], language: str) -> str:
    """The words in a row: "one, two and three"."""
    return format_list(words, locale=_locale(language))


@lru_cache(maxsize=4096)
def city(time_zone: str, language: str) -> str | None:
    """The city that a zone is named after, as the language writes it; None for a zone that names none."""
    if "/" not in time_zone or time_zone.startswith("Etc/"):
        return None
    # Typed for the zones of the standard library; it takes ours as well.
    return get_timezone_location(zone(time_zone), locale=_locale(language), return_city=True)


def place(at: datetime, time_zone: str, language: str) -> str:
    """A zone as people know it, and how far it is from UTC at that instant: "Berlin, UTC+1", "UTC-3".

    Abbreviations such as CST or IST stand for several zones and are never shown.
    """
    offset = local(at, time_zone).utcoffset() or timedelta()
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    distance = f"UTC{'-' if offset < timedelta() else '+'}{hours}" + (f":{minutes:02}" if minutes else "")
    name = city(time_zone, language)
    return f"{name}, {distance}" if name else distance


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES.get(language, language))
