"""What in a free text tells who a patient is. There is no field for it, and in the text of a case it has no place.

A label says what a date or a number is: "born 3 April 2015" is refused. A number that stands alone may be a national
number, or anything else: of random ones more than a quarter have right check digits, so it is only asked about.
Dates and words that stand alone are not looked at: every case has dates, and no rule tells a name from a disease.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

from conference_orchestrator.kernel.text import nfc

BORN = "This looks like a patient's date of birth: say the age instead."
NAMED = "This looks like a patient's name: leave it out."
NUMBERED = "This looks like a patient's number: leave it out."

# Labels in the languages in which mails are written, and the names of numbers in those of Europe.
_BORN = (
    r"born(?: on)?|(?:date of )?birth(?: ?date)?|birthday|d\.?o\.?b\.?",
    r"geb\.|geboren(?: am)?|geburtsdatum|geburtstag|geb\.?-?datum",
    r"n[ée](?:e|\(e\))?s? le|date de naissance|ddn",
    r"nat[oa](?:/[oa]|\(a\))? il|data di nascita",
    r"nacid[oa](?:/a|\(a\))?(?: el)?|fecha de nacimiento|f\. ?nac\.?",
    r"ur\.|urodz(?:ony|ona)|data urodzenia",
    r"geboren(?: op)?|geboortedatum",
    r"nascid[oa](?:/a|\(a\))?(?: a| em)?|data de nasc(?:imento|\.)?",
)
_NAMED = (
    r"patient(?:['\u2019]?s)?(?: (?:full|first|last|given|family))? ?name|name of (?:the |our )?(?:patient|child)",
    r"patientenname|name (?:der|des) (?:patientin|patienten|kindes)",
    r"nom (?:du |de la |de l['\u2019] ?)(?:patiente?|malade|enfant)",
    r"nome (?:del(?:la)?|d[oa]) (?:paziente|bambin[oa]|doente|utente|paciente)",
    r"nombre del? (?:la )?paciente",
    r"imi[ęe] (?:i nazwisko|pacjenta|pacjentki)|nazwisko (?:pacjenta|pacjentki)",
    r"naam (?:van )?(?:de |het )?(?:pati[ëe]nt(?:e)?|kind)",
)
_NUMBERED = (
    r"patient (?:id|no|nr|number)|mrn|medical record|hospital (?:no|number)|nhs|ssn|social security|insurance|passport",
    r"pat(?:ienten)?\.?-?(?:nr|nummer|id)|versicherten-?(?:nr|nummer)|kvnr|sv-?nr|svnr|sozialversicherungsnummer",
    r"(?:num[ée]ro|n°|no) de s[ée]curit[ée] sociale|nir|nss|ipp|passeport|reisepass|passaporto?e?|pasaporte|paszport",
    r"codice fiscale|c\.f\.|dni|nie|nif|utente|nus|sns|pesel|bsn|paspoort",
    r"insz|niss|rijksregisternummer|cpr|personnummer|f[øo]dselsnummer|hetu|kennitala|ppsn?|isikukood|asmens kodas",
    r"personas kods|rodn[ée] [čc][ií]slo|cnp|egn|егн|jmbg|oib|em[šs]o|amka|αμκα|taj",
)
_OF_A_DATE = r"(?:0?[1-9]|[12]\d|3[01])"  # a day, or a month
_NUMERIC = (
    rf"(?:{_OF_A_DATE}[./ -]{_OF_A_DATE}[./ -](?:\d{{4}}|\d{{2}})|\d{{4}}[./-]{_OF_A_DATE}[./-]{_OF_A_DATE})"
    r"(?![./ -]?\d)"
)
_DAY = (
    rf"(?:{_NUMERIC}"
    r"|\d{1,2}(?:st|nd|rd|th|er|\.|º)?\s+(?:of |de )?[^\W\d_]{3,12}\.?,?\s+(?:de )?\d{4}"
    r"|[^\W\d_]{3,12}\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})\b"
)
_BETWEEN = r"[\s:=(,\u2013-]{0,4}(?:(?:is|was|on|the|am|ist|le|il|el|em|op|dnia)\s+)*"
_NUMBER = rf"[a-z]{{0,6}}[ ./-]?(?!{_NUMERIC})\d(?:[ ./-]?[a-z]?\d){{4,}}"
_WORDS = r"number|card|id|is|no|nr|num|n°|nº|código|kod|nummer|numéro|número|numer"
_COUNTED = rf"[\s:=#.\u2013-]{{0,4}}(?:(?:{_WORDS})[\s:=#.\u2013-]{{1,4}})*"


def _any(labels: tuple[str, ...]) -> str:
    return rf"(?<!\w)(?:{'|'.join(labels)})(?:(?<=\.)|(?!\w))"


_LABELLED = (
    (BORN, re.compile(_any(_BORN) + _BETWEEN + _DAY, re.IGNORECASE)),
    (NUMBERED, re.compile(_any(_NUMBERED) + _COUNTED + _NUMBER, re.IGNORECASE)),
)
_NAME = re.compile(rf"(?i:{_any(_NAMED)})[\s:=\u2013-]{{1,4}}(?i:(?:is|ist|est|è|es|to|é)\s+)?([^\W\d_]{{2,}})")

# The formats of python-stdnum in which people are numbered in Europe; Slovakia has that of Czechia.
_FORMATS = (
    "at.vnr",
    "be.nn",
    "bg.egn",
    "ch.ssn",
    "cz.rc",
    "de.idnr",
    "dk.cpr",
    "ee.ik",
    "es.dni",
    "es.nie",
    "fi.hetu",
    "fr.nir",
    "gb.nhs",
    "gr.amka",
    "hr.oib",
    "ie.pps",
    "is_.kennitala",
    "it.codicefiscale",
    "lt.asmens",
    "lv.pvn",
    "nl.bsn",
    "no.fodselsnummer",
    "pl.pesel",
    "pt.cc",
    "ro.cnp",
    "se.personnummer",
    "si.emso",
)
LEAST_DIGITS = 7
# A word with digits and signs in it, or groups of digits; a plus before it makes a telephone number of it.
_ALONE = re.compile(r"(?<![\w./+-])(?:\d+(?: \d+)+|[^\W_]+(?:[./-][^\W_]+)*)(?!\w)")


def labelled(text: str) -> str | None:
    """What is wrong with a text that names a patient's birth, name or number by a label; None when it may be stored."""
    text = nfc(text)
    for said, pattern in _LABELLED:
        if pattern.search(text):
            return said
    named = (found[1] for found in _NAME.finditer(text))
    return NAMED if any(word[0].isupper() for word in named) else None


def alone(text: str) -> str | None:
    """What to ask about a number that may be somebody's national number; None when there is none like that."""
    for number in _ALONE.findall(nfc(text)):
        if sum(map(str.isdigit, number)) < LEAST_DIGITS or re.fullmatch(_NUMERIC, number):
            continue
        if any(is_valid(number) for is_valid in _formats()):
            return f"The number that ends in {number[-3:]} may be somebody's national number"
    return None


@cache
def _formats() -> list[Callable[[str], bool]]:
    """Whether a text is a number of that format; loaded when the first case comes."""
    return [import_module(f"stdnum.{name}").is_valid for name in _FORMATS]
