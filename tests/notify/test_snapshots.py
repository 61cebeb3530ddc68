"""Every e-mail as a person gets it. CO_TEST_UPDATE_SNAPSHOTS=1 writes the files anew: read the difference."""

import dataclasses
import os
from pathlib import Path

from conference_orchestrator.notify.composing import TEMPLATES, compose
from conference_orchestrator.notify.kinds import KINDS
from conference_orchestrator.notify.languages import available

SNAPSHOTS = Path(__file__).parent / "snapshots"
# Besides the source: a language near to it, and one with other plurals and cases. Of the rest the subjects are kept.
WHOLE = ("de", "pl")
# What every kind needs, for both forms.
SHARED = {"text", "html"}


def snapshots_of(name, facts, reader):
    mail = compose(facts, reader)
    files = {f"{name}.txt": f"Subject: {mail.subject}\n\n{mail.text}".encode(), f"{name}.html": mail.html.encode()}
    return files | ({f"{name}.ics": mail.calendar.data} if mail.calendar else {})


def in_language(examples, language):
    return {name: (facts, dataclasses.replace(reader, language=language)) for name, (facts, reader) in examples.items()}


def subjects(examples):
    lines = [
        f"{language} {name}: {compose(facts, reader).subject}\n"
        for language in sorted(available() - {"en", *WHOLE})
        for name, (facts, reader) in in_language(examples, language).items()
        if facts.kind != "desk-alert"
    ]
    return "".join(lines).encode()


def test_every_email_reads_as_it_was_approved(examples):
    written = {"subjects.txt": subjects(examples)}
    for name, (facts, reader) in examples.items():
        written |= snapshots_of(name, facts, reader)
        if name == facts.kind != "desk-alert":
            for language in WHOLE:
                written |= snapshots_of(f"{name}.{language}", facts, dataclasses.replace(reader, language=language))
    if os.environ.get("CO_TEST_UPDATE_SNAPSHOTS") == "1":
        for old in SNAPSHOTS.iterdir():
            old.unlink()
        for name, data in written.items():
            (SNAPSHOTS / name).write_bytes(data)
    approved = {path.name: path.read_bytes() for path in SNAPSHOTS.iterdir()}
    assert sorted(written) == sorted(approved)
    for name, data in written.items():
        assert data.decode() == approved[name].decode(), name


def test_every_kind_has_an_example(examples):
    assert {facts.kind for facts, _ in examples.values()} == set(KINDS)


def test_every_folder_of_templates_belongs_to_a_kind():
    assert {path.name for path in TEMPLATES.iterdir() if path.is_dir()} == set(KINDS) | SHARED
