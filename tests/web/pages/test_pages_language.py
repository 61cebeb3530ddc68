"""A page behind the link of a mail speaks the reader's language, as the mail does; all others are in English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conference_orchestrator.notify import languages
from tests.web.pages.visiting import ANNA, speaking

TEMPLATES = Path(__file__).parents[3] / "conference_orchestrator" / "web" / "templates"
BY_LINK = (
    "_repair.html",
    "confirm.html",
    "entry.html",
    "invitation.html",
    "layout.html",
    "offer.html",
    "repaired.html",
    "series_invitation.html",
    "unsubscribe.html",
)
NAMES = {"API", "Conference", "orchestrator", "UTC"}


def words_of_one_language(template: str) -> set[str]:
    """What a template shows that nobody translates."""
    text = (TEMPLATES / template).read_text()
    text = re.sub(r"{% block width %}.*?{% endblock %}", " ", text)  # the name of a style
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", text, flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', text)
    return set(re.findall(r"[^\W\d_]{2,}", " ".join([re.sub(r"<[^>]*>", " ", text), *labels]))) - NAMES


@pytest.mark.parametrize("template", BY_LINK)
def test_nothing_on_a_page_behind_a_link_is_in_one_language_only(template: str) -> None:
    assert words_of_one_language(template) == set()


def test_a_word_of_one_language_is_seen() -> None:
    assert {"Please", "correct"} <= words_of_one_language("contact.html")


@pytest.mark.parametrize("language", sorted(languages.available() - {"en"}))
def test_an_invitation_is_shown_in_the_readers_language(invited, language):
    speaking(invited, language)
    page = invited.get(invited.answer_link(ANNA)).text
    gettext = languages.translations(language).gettext
    assert f'<html lang="{language}">' in page
    for said in ("Will you come?", "Session of an expert group", "Expert of the group", "Decline", "Your answer"):
        assert gettext(said) in page
        assert gettext(said) != said
        assert f">{said}<" not in page
    assert languages.day(invited.clock.at.date().replace(day=24), language) in page


def test_the_next_reader_gets_the_own_language(invited):
    speaking(invited, "de")
    assert "Nehmen Sie teil?" in invited.get(invited.answer_link(ANNA)).text
    speaking(invited, "sq")
    assert "Will you come?" in invited.get(invited.answer_link(ANNA)).text
    speaking(invited, "de")
    assert '<html lang="en">' in invited.get("/").text


def test_an_answer_is_said_in_the_readers_language(invited):
    speaking(invited, "de-AT")
    link = invited.answer_link(ANNA)
    invited.post(link, {"answer": "tentative"})
    page = invited.get(link).text
    assert '<span class="state tentative">Unter Vorbehalt</span>' in page
    assert "geantwortet am Montag, 23. November 2026, 09:00" in page


def test_what_is_put_into_a_text_is_escaped(invited):
    speaking(invited, "de", given_name="<b>Anna")
    page = invited.get(invited.answer_link(ANNA)).text
    assert "&lt;b&gt;Anna" in page
    assert "<b>Anna" not in page
