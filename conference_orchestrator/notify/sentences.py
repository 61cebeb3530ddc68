"""What the service itself gives as a reason or a label, in English as it is stored, said in the reader's language.

The facts of a mail hold these sentences as text, beside what people typed. A text is translated when it consists of
sentences that are known here and of nothing else: otherwise it stays as it is, in one language.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from conference_orchestrator.notify import languages


def _(sentence: str) -> str:
    """Marks a sentence for translation."""
    return sentence


SENTENCES = (
    # What a request lacks.
    _("The signed consent of the patient or the legal guardian"),
    # Why it waits.
    _("Every slot of the coming sessions is taken."),
    _("Every free slot that would suit is kept for %(requests)s further ahead in line."),
    _("No free slot lies within the dates that the request allows."),
    _("No free slot suits."),
    _("The request lacks: %(codes)s."),
    _("The session in which it had a slot was cancelled; it comes first when a slot is free."),
    _("The session in which it was offered a slot was cancelled."),
    _("The session in which it was offered a slot has moved."),
    _("The session did not reach its slot of %(moment)s."),
    _("The round has fewer slots now; it comes first when a slot is free."),
    _("The round has fewer slots now: the one that it was offered is gone."),
    # Why a free slot does not suit, and for how many of them that holds.
    _("The slot has passed."),
    _("The request may not be discussed before %(day)s."),
    _("The request may not be discussed after %(day)s."),
    _("It was offered before and not taken."),
    _("The requester is away on that day."),
    _("The group needs %(hours)s to prepare."),
    _("The deadline for that session was %(moment)s."),
    _("The slot is kept for emergencies until %(moment)s."),
    _("The hospital has its share of that session already: %(part)s of %(slots)s."),
    _("(%(slots)s)"),
    # Why a session does not take place.
    _("The round pauses."),
    _("Not on this date: the round skips it."),
    _("Not on this date: it is a public holiday (%(holidays)s)."),
    _("The round was changed."),
    # What stands where a network has no instructions of its own.
    _("Instructions"),
    _("You will be invited by e-mail."),
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# A placeholder, after `re.escape`.
ESCAPED = re.compile(r"%\\\((\w+)\\\)s")


@dataclass(frozen=True)
class _Value:
    """How a value is written in English, and what puts it into the words of a language."""

    pattern: str
    said: Callable[[str, str], str] = lambda value, _language: value


def in_words(said: str, language: str) -> str:
    """The text in that language when it is of our own sentences; else as it is."""
    words, translated, at = languages.translations(language), [], 0
    while at < len(said) and language != languages.SOURCE:
        sentence, found = _sentence(said, at)
        if found is None:
            return said
        values = {name: VALUES[name].said(value, language) for name, value in found.groupdict().items()}
        translated.append(words.gettext(sentence) % values)
        at = found.end()
    return " ".join(translated) or said


def _sentence(said: str, at: int) -> tuple[str, re.Match[str] | None]:
    """The sentence of ours that stands there; with None for one that is not of ours."""
    matches = ((sentence, pattern.match(said, at)) for sentence, pattern in _patterns())
    return next(((sentence, found) for sentence, found in matches if found), (said, None))


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """What finds each sentence in English, at the end of the text or with another one after it."""
    return [(sentence, re.compile(f"{_as_pattern(sentence)}(?: |$)")) for sentence in SENTENCES]


def _as_pattern(sentence: str) -> str:
    return ESCAPED.sub(lambda place: f"(?P<{place[1]}>{VALUES[place[1]].pattern})", re.escape(sentence))


def _day(value: str, language: str) -> str:
    return languages.day(datetime.strptime(value, "%d %B %Y").date(), language)  # noqa: DTZ007  - a date


def _moment(value: str, language: str) -> str:
    day, _comma, time = value.partition(" ")[2].partition(", ")
    return f"{_day(day, language)}, {time.replace('.', ':')}"


def _number(value: str, _language: str) -> str:
    number = value.partition(" ")[0]
    return str(NUMBERS.index(number)) if number in NUMBERS else number


# By the name of the placeholder. Counts are put in as digits alone: a translation needs no plural then.
VALUES = {
    "codes": _Value(r"[^.]+"),
    "day": _Value(r"\d+ [A-Z]\w+ \d{4}", _day),
    "holidays": _Value(r".+?"),
    "hours": _Value(r"[\d.]+ hours?", lambda value, _language: f"{value.partition(' ')[0]} h"),
    "moment": _Value(r"\w+day \d+ [A-Z]\w+ \d{4}, \d\d\.\d\d", _moment),
    "part": _Value(r"\w+", _number),
    "requests": _Value(r"\w+ requests?", _number),
    "slots": _Value(r"\w+ slots?", _number),
}
