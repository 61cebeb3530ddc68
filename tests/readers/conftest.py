"""Every mail that the tests of the readers look at, made once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from conference_orchestrator.notify import mime
from conference_orchestrator.notify.composing import compose
from conference_orchestrator.notify.kinds import EventFacts, Facts
from conference_orchestrator.notify.reader import Reader
from tests.notify.examples import EXAMPLES
from tests.readers.life_cycle import ANSWERS_TO, BEGINNING, SENDER, LifeCycle, Sent, lived
from tests.readers.reading import CALENDAR_READERS


@pytest.fixture(params=CALENDAR_READERS)
def reader(request: pytest.FixtureRequest) -> str:
    """The name of a calendar reader, one after the other."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def life_cycle(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> LifeCycle:
    return lived(f"sqlite:///{shutil.copy(migrated_file, tmp_path_factory.mktemp('life') / 'cycle.db')}")


@pytest.fixture(scope="session")
def mails(life_cycle: LifeCycle) -> list[Sent]:
    """A mail of every kind, and those of a whole life cycle."""
    return [*_examples(), *life_cycle.sent]


def _examples() -> list[Sent]:
    """Each example for its own reader, and for readers of two languages that need other letters.

    Those with one object each: what series look like to readers is tested in test_series.
    """
    made: list[Sent] = []
    for name, (facts, reader) in EXAMPLES.items():
        if isinstance(facts, EventFacts) and facts.series is not None:
            continue
        for language in dict.fromkeys([reader.language, "pl", "fr"]):
            made.append(_sent(f"example {name} in {language}", facts, replace(reader, language=language), len(made)))
    return made


def _sent(step: str, facts: Facts, reader: Reader, number: int) -> Sent:
    data = mime.build(
        mime.encoded(compose(facts, reader)),
        sender=SENDER,
        reply_to=ANSWERS_TO,
        reader=reader,
        message_id=f"<{number}@network.example>",
        date=getattr(facts, "dtstamp", BEGINNING),
    )
    return Sent(step=step, reader=reader, data=data, facts=facts)
