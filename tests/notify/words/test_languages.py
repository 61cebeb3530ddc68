import dataclasses
import re
from datetime import UTC, date, datetime

import pytest

from conference_orchestrator.notify import kinds, languages
from conference_orchestrator.notify.composing import compose
from tests.notify.examples import EXAMPLES
from tests.notify.words.keys import keys

OFFICIAL = {"bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr"} | {
    "hu",
    "it",
    "lt",
    "lv",
    "mt",
    "nl",
    "pl",
    "pt",
    "ro",
    "sk",
    "sl",
    "sv",
}
TRANSLATED = sorted(languages.available() - {"en"})
NOVEMBER, JUNE = datetime(2026, 11, 24, 10, 0, tzinfo=UTC), datetime(2026, 6, 23, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_ch", "de"),
        ("pt-BR", "pt"),
        ("en-US", "en"),
        ("el", "en"),
        ("deu", "en"),
        ("", "en"),
        ("../de", "en"),
    ],
)
def test_a_tag_stands_for_its_language_and_the_source_for_those_that_we_lack(tag, language):
    assert languages.language_of(tag) == language


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Tuesday 24 November 2026"),
        ("de", "Dienstag, 24. November 2026"),
        ("fr", "mardi 24 novembre 2026"),
        ("it", "martedì 24 novembre 2026"),
        ("es", "martes, 24 de noviembre de 2026"),
        ("pl", "wtorek, 24 listopada 2026"),
        ("nl", "dinsdag 24 november 2026"),
        ("pt", "terça-feira, 24 de novembro de 2026"),
    ],
)
def test_a_day_is_written_as_the_language_writes_it(language, said):
    assert languages.day(date(2026, 11, 24), language) == said


@pytest.mark.parametrize(
    ("at", "zone", "language", "said"),
    [
        (NOVEMBER, "Europe/Lisbon", "pl", "Lizbona, UTC+0"),
        (JUNE, "Europe/Lisbon", "de", "Lissabon, UTC+1"),
        (NOVEMBER, "America/New_York", "pt", "Nova Iorque, UTC-5"),
        (NOVEMBER, "Asia/Kolkata", "en", "Kolkata, UTC+5:30"),
        (NOVEMBER, "Pacific/Marquesas", "en", "Marquesas, UTC-9:30"),
        (NOVEMBER, "Etc/GMT+3", "en", "UTC-3"),
        (NOVEMBER, "UTC", "fr", "UTC+0"),
        (JUNE, "CET", "en", "UTC+2"),
    ],
)
def test_a_zone_is_told_by_its_city_and_its_distance_from_utc(at, zone, language, said):
    assert languages.place(at, zone, language) == said


@pytest.mark.parametrize("language", TRANSLATED)
def test_words_dates_and_the_attribute_agree(in_language, language):
    mail = in_language(EXAMPLES["invitation"], language)
    assert f'<html lang="{language}">' in mail.html
    assert languages.day(date(2026, 11, 24), language) in mail.subject
    gettext = languages.translations(language).gettext
    greeting = gettext("Dear %(name)s,") % {"name": "Prof. Anna Weber"}
    assert greeting in mail.text
    assert greeting in mail.html


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_of_the_source_is_left_in_a_mail(examples, in_language, language):
    long = [key for key in keys() if isinstance(key, str) and len(key) > 20]
    starts = [re.split(r"%\(", key)[0] for key in long]
    for name, example in examples.items():
        if name != "desk-alert":
            mail = in_language(example, language)
            assert [start for start in starts if len(start) > 20 and start in mail.text] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_calendar_speaks_the_readers_language(in_language, language):
    lines = in_language(EXAMPLES["invitation.requester"], language).calendar.data.replace(b"\r\n ", b"").decode()
    gettext = languages.translations(language).gettext
    title = gettext("%(name)s: discussion of your case") % {"name": "Brain Tumour"}
    assert f"SUMMARY:{title} PT-2026/0147\r\n" in lines
    assert gettext("Join: %(url)s").partition("%")[0] in lines


def test_a_language_that_we_lack_gets_the_whole_mail_in_the_source(example, in_language):
    assert in_language(example, "el") == in_language(example, "en")


def test_the_helpdesk_is_told_in_the_source_whoever_reads_it(in_language):
    assert in_language(EXAMPLES["desk-alert"], "de") == in_language(EXAMPLES["desk-alert"], "en")


@pytest.mark.parametrize(("missing", "said"), [(1, "1 pozycji. Prosimy o jej"), (2, "2 pozycji. Prosimy o ich")])
def test_a_plural_follows_the_rule_of_the_language(in_language, missing, said):
    facts, reader = EXAMPLES["request-received.incomplete"]
    mail = in_language((dataclasses.replace(facts, missing=("X",) * missing), reader), "pl")
    assert said in mail.text


def test_a_word_of_an_older_message_stays_as_it_is(event_facts, anna):
    facts = kinds.InvitationUpdate(**event_facts(what_changed=("time", "host")))
    assert "Neu: die Zeit und host." in compose(facts, dataclasses.replace(anna, language="de")).text


@pytest.mark.parametrize("language", sorted(OFFICIAL - {"en"}))
def test_each_official_language_needs_no_more_than_a_file(written, in_language, language):
    written(language, lambda text: f"~{text}")
    for name in ("invitation-update", "request-received.incomplete"):
        mail = in_language(EXAMPLES[name], f"{language}-XX")
        assert f'<html lang="{language}">' in mail.html
        assert "~Dear " in mail.text
    assert "~Dear " not in in_language(EXAMPLES["invitation"], "sq").text


def test_a_translation_is_escaped_once_and_so_is_what_is_put_into_it(written, in_language):
    written("de", lambda text: f"<b>&{text}")
    facts, reader = EXAMPLES["registration-activated"]
    mail = in_language((facts, dataclasses.replace(reader, name="A <i>& B")), "de")
    assert "&lt;b&gt;&amp;Dear A &lt;i&gt;&amp; B," in mail.html
    assert "<b>&Dear A <i>& B," in mail.text
    assert '<a href="mailto:helpdesk@network.example"' in mail.html


@pytest.mark.parametrize("language", ["en", "de", "pl"])
def test_what_is_personal_stands_in_a_mail_as_it_is_and_changes_nothing_else(example, in_language, language):
    facts, reader = example
    personal = {"join_url": "https://a.example/J", "answer_url": "https://a.example/A", "given_name": "Q"}
    mine = {name: value for name, value in personal.items() if getattr(facts, name, None)}
    longer = {name: f"{value}-of-somebody-{'else' * 30}" for name, value in mine.items()}
    one = dataclasses.replace(reader, name="NAME", address="one@a.example")
    other = dataclasses.replace(reader, name=f"Dr. {'Maria ' * 30}Ø", address="other@a.example")
    short = in_language((dataclasses.replace(facts, **mine), one), language)
    long = in_language((dataclasses.replace(facts, **longer), other), language)
    for part in ("subject", "text", "html"):
        said = getattr(short, part).replace("NAME", other.name).replace(one.address, other.address)
        for name, value in mine.items():
            said = re.sub(rf"(?<![A-Za-z]){re.escape(value)}(?![A-Za-z])", longer[name], said)
        assert said == getattr(long, part)
