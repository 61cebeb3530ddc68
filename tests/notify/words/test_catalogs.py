from gettext import NullTranslations

import pytest
from babel.messages.pofile import read_po

from conference_orchestrator.notify import calendar, composing, languages
from conference_orchestrator.notify.sentences import SENTENCES
from tests.notify.words.keys import MAILS, faults, keys

EIGHT = {"en", "de", "fr", "it", "es", "pl", "nl", "pt"}
TRANSLATED = sorted(EIGHT - {"en"})
PLURAL = ("%(num)s item is still missing:", "%(num)s items are still missing:")


def read(language):
    with (languages.FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


@pytest.fixture
def german():
    return read("de")


def test_mails_are_written_in_eight_languages():
    assert languages.available() == EIGHT


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalog_has_every_key_and_agrees_with_its_source(language):
    assert faults(read(language)) == []


def test_a_missing_key_is_seen(german):
    german.delete("Topic")
    assert faults(german) == ["missing: Topic"]


def test_a_key_that_nobody_asks_for_is_seen(german):
    german.add("No mail says this", "Das steht nirgends")
    assert faults(german) == ["superfluous: No mail says this"]


@pytest.mark.parametrize("text", ["%(nam)s,", "Hallo,", "%(name)s %(name)s,", "Hallo %s,", "100 % %(name)s"])
def test_a_placeholder_that_differs_is_seen(german, text):
    german["Dear %(name)s,"].string = text
    assert [fault.partition(":")[0] for fault in faults(german)] == ["placeholders differ"]


@pytest.mark.parametrize("text", ["<b>Thema</b>", "Thema &amp; mehr", "Das\nThema", "{{ Thema }}"])
def test_a_text_that_is_not_plain_is_seen(german, text):
    german["Topic"].string = text
    assert [fault.partition(":")[0] for fault in faults(german)] == ["not plain text on one line"]


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_text_is_seen(german, text):
    german["Topic"].string = text
    assert "empty: Topic" in faults(german)


def test_a_fuzzy_text_is_seen(german):
    german["Topic"].flags.add("fuzzy")
    assert faults(german) == ["fuzzy: Topic"]


def test_a_plural_form_that_is_missing_is_seen():
    polish = read("pl")
    polish[PLURAL].string = polish[PLURAL].string[:2]
    assert faults(polish) == [f"2 plural forms, not 3: {PLURAL[0]}"]


def test_a_plural_rule_of_another_language_is_seen(german):
    german._plural_expr = "(n > 1)"
    assert faults(german) == ["the plural rule is not nplurals=2; plural=(n != 1);"]


class Recorder(NullTranslations):
    def __init__(self):
        super().__init__()
        self.asked = set()

    def gettext(self, message):
        self.asked.add(message)
        return message

    def ngettext(self, msgid1, msgid2, _):
        self.asked.add((msgid1, msgid2))
        return msgid1


@pytest.fixture
def asked(monkeypatch):
    """The texts that are asked for while mails are composed."""
    recorder = Recorder()
    composing._templates.cache_clear()
    for module in (languages, calendar):
        monkeypatch.setattr(module, "translations", lambda _: recorder)
    yield recorder.asked
    composing._templates.cache_clear()


def test_every_text_that_a_mail_asks_for_is_a_key(asked, examples, in_language):
    for example in examples.values():
        in_language(example, "de")
    assert asked <= keys(MAILS)
    assert len(asked) > 0.8 * len(keys(MAILS) - set(SENTENCES)), "the keys were not looked for where they are asked for"
