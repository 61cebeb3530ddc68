"""Catalogs that stand only in a test, and mails in each language."""

import dataclasses

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from conference_orchestrator.notify import composing, languages
from conference_orchestrator.notify.composing import compose
from tests.notify.words.keys import keys


def forget():
    for cached in (languages.available, languages.translations, composing._templates):
        cached.cache_clear()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a catalog, in which `words` makes a translation of each text; it is the only one there is."""

    def write(language, words):
        catalog = Catalog(locale=language)
        for key in keys():
            one = isinstance(key, str)
            catalog.add(key, words(key) if one else tuple(words(key[1]) for _ in range(catalog.num_plurals)))
        with (tmp_path / f"{language}.po").open("wb") as file:
            write_po(file, catalog)
        forget()

    monkeypatch.setattr(languages, "FOLDER", tmp_path)
    yield write
    monkeypatch.undo()
    forget()


@pytest.fixture
def in_language():
    """The mail of an example in a language."""

    def composed(example, language):
        facts, reader = example
        return compose(facts, dataclasses.replace(reader, language=language))

    return composed
