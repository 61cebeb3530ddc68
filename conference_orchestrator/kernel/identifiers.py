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
from unicodedata import category, decimal, normalize

BORN = "This looks like a patient's date of birth: say the age instead."
NAMED = "This looks like a patient's name: leave it out."
NUMBERED = "This looks like a patient's number: leave it out."

# Labels in the languages in which mails are written, and the names of numbers in those of Europe.
_BORN = (
    r"born(?: on)?|(?:date of )?birth(?: ?date)?|birthday|d\.?o\.?b\.?",
    r"geb\.?|geboren|geburtsdatum|geburtstag|geb\.?-?dat(?:um|\.)",
    r"n[ée](?:e|\(e\))?s?(?= (?:le|à|a|en)\b)|date de naissance|ddn",
    r"nat[oa](?:/[oa]|\(a\))?(?= (?:il|a)\b)|data di nascita",
    r"nacid[oa](?:/a|\(a\))?|fecha de nacimiento|f\. ?nac\.?",
    r"ur\.|urodz(?:ony|ona)|data urodzenia",
    r"geboortedatum",
    r"nascid[oa](?:/a|\(a\))?|data de nasc(?:imento|\.)?",
)
_NAMED = (
    r"patient(?:['\u2019]?s)?(?: (?:full|first|last|given|family))? ?name|name of (?:the |our )?(?:patient|child)",
    r"surname|(?:family|given|first|last) name",
    r"patientenname|name (?:der|des) (?:patientin|patienten|kindes)|nachname|vorname",
    r"nom (?:du |de la |de l['\u2019] ?)(?:patiente?|malade|enfant)|nom de famille|prénom",
    r"nome (?:del(?:la)?|d[oa]) (?:paziente|bambin[oa]|doente|utente|paciente|criança)|cognome|apelidos?",
    r"nombre del? (?:la )?(?:paciente|niñ[oa])|apellidos?",
    r"imi[ęe](?: i nazwisko)?(?: (?:pacjenta|pacjentki|dziecka))?|nazwisko(?: (?:pacjenta|pacjentki|dziecka))?",
    r"naam (?:van )?(?:de |het )?(?:pati[ëe]nt(?:e)?|kind)|achternaam|voornaam",
)
# What a form says in the place of a name.
_NO_NAME = (
    r"see|not|none|no|unknown|withheld|hidden|siehe|nicht|keine?|anonym\w*|anónim\w*|anônim\w*|anonim\w*|voir|non|"
    r"vedi|ver|véase|sin|sem|não|no|nessun\w*|patrz|nie|brak|zie|geen|niet|is|cpms"
)
_NUMBERED = (
    r"patient[ -]?(?:id|no|nr|number)|medical record|(?:hospital|case|record) (?:no|number)|social security|insurance",
    r"pat(?:ienten)?\.?-?(?:nr|nummer|id)|versicherten-?(?:nr|nummer)|fall-?(?:nr|nummer)|sozialversicherungsnummer",
    r"(?:num[ée]ro|n°|no) de s[ée]curit[ée] sociale|passport|passeport|reisepass|passaporto?e?|pasaporte|paszport",
    r"codice fiscale|c\.f\.|utente|pesel|paspoort|pati[ëe]ntnummer|burgerservicenummer|historia cl[íi]nica",
    r"kvnr|sv-?nr|rijksregisternummer|personnummer|f[øo]dselsnummer|hetu|kennitala|isikukood|asmens kodas",
    r"personas kods|rodn[ée] [čc][ií]slo|pps (?:no|number)|ppsn|jmbg|em[šs]o|amka|αμκα|егн",
)
# These are also words, or other things to a physician: as capitals, and before a number of seven digits or more.
_CAPITALS = (r"NHS|SSN|NIR|NSS|IPP|DNI|NIE|NIF|NUS|SNS|NHC|BSN|INSZ|NISS|CPR|CNP|EGN|OIB|TAJ",)
_OF_A_DATE = r"(?:0?[1-9]|[12]\d|3[01])"  # a day, or a month
_YEAR = r"(?:19|20)\d{2}"
_NUMERIC = (
    rf"(?:{_OF_A_DATE}[./ -] ?{_OF_A_DATE}[./ -] ?(?:{_YEAR}|\d{{2}})|{_YEAR}[./-]{_OF_A_DATE}[./-]{_OF_A_DATE})"
    r"(?![./ -]?\d)"
)
_MONTH = (
    r"(?:jan|gen|ene|sty|feb|f[ée]v|lut|mar|mär|mrt|maart|apr|avr|abr|kwi|ma[yijg]|mei|jun|jui|giu|cze|jul|lug|lip|aug|"
    r"ao[uû]|ago|sie|sep|set(?!tim)|wrz|okt|oct|ott|out|pa[źz]|nov|lis|de[cz]|déc|dic|gru)[^\W\d_]{0,9}"
)
_DAY = (
    rf"(?:{_NUMERIC}"
    rf"|{_OF_A_DATE}(?:st|nd|rd|th|er|\.|º)?[\s-]*(?:of |de )?{_MONTH}\.?,?[\s-]*(?:de )?{_YEAR}"
    rf"|{_MONTH}\s+{_OF_A_DATE}(?:st|nd|rd|th)?,?\s+{_YEAR}"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))\b"
)
_PLACE = r"(?:(?:in|à|a|en|w|em|te)\s+(?!\d)[^\W\d_]+(?:[ -][^\W\d_]+)?,?\s+)?"
_BETWEEN = (
    r"(?:\s*\([^()]{1,20}\))?[\s:=(,|*_\u2013-]{0,6}"
    rf"{_PLACE}(?:(?:is|was|on|the|am|ist|le|il|el|em|a|op|dnia)\s+)*"
)
# A year, or two as a range, is no number of anybody.
_NO_YEARS = rf"(?!{_YEAR}(?!\d)(?:\s?[/\u2013-]\s?(?:{_YEAR}|\d{{2}})(?!\d))?)(?!\d{{1,2}}/{_YEAR}(?!\d))"
_COUNTED = (
    r"[\s:=#.\u2013-]{0,4}"
    r"(?:(?:number|card|id|is|no|nr|num|n°|nº|código|kod|nummer|numéro|número|numer)[\s:=#.\u2013-]{1,4})*"
)


def _number(digits: int) -> str:
    """A number of at least so many digits, with the signs and letters that stand between them."""
    return rf"[a-z]{{0,6}}[ ./-]?(?!{_NUMERIC}){_NO_YEARS}\d(?:[ ./-]?[a-z]?\d){{{digits - 1},}}"


def _any(labels: tuple[str, ...]) -> str:
    return rf"(?<!\w)(?:{'|'.join(labels)})(?:(?<=\.)|(?!\w))"


_LABELLED = (
    (BORN, re.compile(_any(_BORN) + _BETWEEN + _DAY, re.IGNORECASE)),
    (NUMBERED, re.compile(_any(_NUMBERED) + _COUNTED + _number(5), re.IGNORECASE)),
    (NUMBERED, re.compile(rf"(?-i:{_any(_CAPITALS)}){_COUNTED}{_number(7)}", re.IGNORECASE)),
    (NUMBERED, re.compile(rf"(?<!\w)MRN(?!\w){_COUNTED}{_number(4)}", re.IGNORECASE)),
)
_NAME = re.compile(
    rf"(?i:{_any(_NAMED)})(?P<between>[\s:=\u2013-]{{1,4}})(?i:(?:is|ist|est|è|es|to|é)\s+)?"
    rf"(?i:(?!(?:{_NO_NAME})\b))(?P<word>[^\W\d_]{{2,}})"
)

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
LEAST_DIGITS, MOST_CHARACTERS = 7, 30
# A word with digits and signs in it, or groups of digits; a plus before it makes a telephone number of it.
_ALONE = re.compile(r"(?<![\w./+-])(?:\d+(?: \d+)+|[^\W_]+(?:[./-][^\W_]+)*)(?!\w)")


def labelled(text: str) -> str | None:
    """What is wrong with a text that names a patient's birth, name or number by a label; None when it may be stored."""
    text = _plain(text)
    for said, pattern in _LABELLED:
        if pattern.search(text):
            return said
    named = any(found["word"][0].isupper() or ":" in found["between"] for found in _NAME.finditer(text))
    return NAMED if named else None


def alone(text: str) -> str | None:
    """What to ask about a number that may be somebody's national number; None when there is none like that."""
    for number in _ALONE.findall(_plain(text)):
        signs = "".join(filter(str.isalnum, number))
        if not number.isascii() or len(number) > MOST_CHARACTERS or re.fullmatch(_NUMERIC, number):
            continue
        if sum(map(str.isdigit, signs)) >= LEAST_DIGITS and any(is_valid(number) for is_valid in _formats()):
            return f"The number that ends in {signs[-3:]} may be somebody's national number"
    return None


def _plain(text: str) -> str:
    """As people read it: without what cannot be seen, letters in one form, digits of all scripts as ours."""
    seen = (sign for sign in normalize("NFKC", text) if category(sign) != "Cf")
    return "".join(str(decimal(sign)) if sign.isdecimal() else sign for sign in seen)


@cache
def _formats() -> list[Callable[[str], bool]]:
    """Whether a text is a number of that format; loaded when the first case comes."""
    return [import_module(f"stdnum.{name}").is_valid for name in _FORMATS]
