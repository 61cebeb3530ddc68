"""What there is to translate, taken from the templates and the code, and what is wrong with a catalog."""

import functools
import re
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.plurals import get_plural
from jinja2 import Environment

PACKAGE = Path(__file__).parents[3] / "conference_orchestrator"
MAILS = ("notify/**/*.jinja", "notify/*.py")
PAGES = ("web/templates/*.html", "web/pages/words.py")
FUNCTIONS = {"_": None, "gettext": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"%\(\w+\)s|%.?")

Key = str | tuple[str, str]


@functools.cache
def keys(of: tuple[str, ...] = MAILS + PAGES) -> frozenset[Key]:
    """Every text of ours in these files that a translator writes: one, or singular and plural."""
    found: set[Key] = set()
    reader = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    for path in [path for names in of for path in sorted(PACKAGE.glob(names))]:
        if path.suffix == ".py":
            with path.open("rb") as source:
                found |= {_key(message) for _, message, _, _ in extract("python", source, keywords=FUNCTIONS)}
        else:
            found |= {_key(message) for _, _, message in reader.extract_translations(path.read_text())}
    return frozenset(found)


def _key(message: str | tuple[str | None, ...]) -> Key:
    """Of what stands between the brackets, the texts: Jinja also counts the named values, and gives None for each."""
    texts = [message] if isinstance(message, str) else [text for text in message if text is not None]
    return texts[0] if len(texts) == 1 else (texts[0], texts[1])


def faults(catalog: Catalog) -> list[str]:
    """What is wrong with a catalog, one line for each fault."""
    entries = [message for message in catalog if message.id]
    given: set[Key] = {tuple(one.id) if isinstance(one.id, list | tuple) else one.id for one in entries}
    wrong = [f"missing: {key}" for key in sorted(keys() - given, key=str)]
    wrong += [f"superfluous: {key}" for key in sorted(given - keys(), key=str)]
    if catalog.fuzzy:
        wrong.append("the header is marked as fuzzy")
    if (rule := get_plural(catalog.locale)) and (catalog.num_plurals, catalog.plural_expr) != (rule[0], rule[1]):
        wrong.append(f"the plural rule is not {rule}")
    for message in entries:
        wrong += _faults_of(message, catalog.num_plurals)
    return wrong


def _faults_of(message: Message, forms: int) -> list[str]:
    sources = message.id if isinstance(message.id, list | tuple) else (message.id,)
    texts = message.string if isinstance(message.string, list | tuple) else (message.string,)
    wrong = ["fuzzy"] if message.fuzzy else []
    if len(sources) > 1 and len(texts) != forms:
        wrong.append(f"{len(texts)} plural forms, not {forms}")
    wanted = sorted(PLACEHOLDER.findall(sources[-1]))
    for text in texts:
        if not text.strip():
            wrong.append("empty")
        elif sorted(PLACEHOLDER.findall(text)) != wanted:
            wrong.append(f"placeholders differ: {text}")
        if re.search(r"[<>\n]|&\w+;|\{\{|\{%", text):
            wrong.append(f"not plain text on one line: {text}")
        if text != text.strip():
            wrong.append(f"a space at an end: {text!r}")
    return [f"{fault}: {sources[0]}" for fault in wrong]
