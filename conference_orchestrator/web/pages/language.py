"""The language of a page: that of the person whose link leads there, as in the mail; all others are in English."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, g
from markupsafe import escape

from conference_orchestrator.notify import languages


def register(app: Flask) -> None:
    """Have the templates ask for each text in the language of the page; the catalogs are those of the mails."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    # Jinja takes a translation for HTML and escapes only what is put into it; ours are plain text.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        lambda message: str(escape(speaking()(message))),
        lambda one, many, number: str(escape(languages.translations(spoken()).ngettext(one, many, number))),
        newstyle=True,
    )
    app.context_processor(lambda: {"language": spoken()})


def speak(tag: str) -> str:
    """Show the page in the language of that tag (BCP 47) as far as we have it; the language."""
    g.language = languages.language_of(tag)
    return spoken()


def spoken() -> str:
    """The language of the page."""
    language: str = g.get("language", languages.SOURCE)
    return language


def speaking() -> Callable[[str], str]:
    """What gives a text in the language of the page."""
    return languages.translations(spoken()).gettext
