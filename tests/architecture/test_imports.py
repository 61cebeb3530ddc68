"""Who may import whom, and the one home of each third-party library: the contracts in pyproject.toml hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# One sin against each contract, in a package that holds nothing else: where it is written, and what it imports.
SINS = {
    "Each layer imports only from those below": ("kernel/times.py", "conference_orchestrator.flows"),
    "Providers and notify get plain values: of the kernel they know only times, errors and text": (
        "providers/webex.py",
        "conference_orchestrator.kernel.database",
    ),
    "icalendar lives in notify.calendar": ("flows/inviting.py", "icalendar"),
    "dkim lives in notify.dkim": ("flows/delivering.py", "dkim"),
    "pytz lives in kernel.times": ("scheduling/recurrence.py", "pytz"),
    "holidays lives in scheduling.public_holidays": ("scheduling/planning.py", "holidays"),
    "stdnum lives in kernel.identifiers": ("scheduling/checklists.py", "stdnum"),
    "prometheus_client lives in insight.metrics": ("insight/standing.py", "prometheus_client"),
    "apscheduler lives in jobs.timetable": ("app.py", "apscheduler"),
    "requests lives in providers; the demonstration calls the public API with it": ("notify/smtp.py", "requests"),
    "marshmallow, flask-smorest and flask-wtf live in web": ("flows/panels.py", "marshmallow"),
    "flask lives in web and app; the kernel's handles, the sandbox and the demonstration stand on it": (
        "flows/joining.py",
        "flask",
    ),
    "flask-sqlalchemy lives in kernel.database": ("network/clinicians.py", "flask_sqlalchemy"),
    "sqlalchemy stays with the data, its flows and the jobs": ("web/api/requests.py", "sqlalchemy"),
}


@pytest.fixture
def skeleton(tmp_path):
    """A package with the rooms of ours and empty modules, checked by our contracts: all of them are kept."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    rooms = ["network", "scheduling", "ledger", "insight", "demo", "providers/sandbox"]
    for name in [
        "kernel/database.py",
        "settings.py",
        *(f"{room}/__init__.py" for room in rooms),
        *(n for n, _ in SINS.values()),
    ]:
        write(tmp_path, name, "")
    outcome = lint(tmp_path)
    assert outcome.returncode == 0, outcome.stdout
    return tmp_path


def write(folder, name, text):
    module = folder / "conference_orchestrator" / name
    module.parent.mkdir(parents=True, exist_ok=True)
    for package in module.relative_to(folder).parents[:-1]:
        (folder / package / "__init__.py").touch()
    module.write_text(text)


def lint(folder):
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_package_keeps_every_contract():
    outcome = lint(ROOT)
    assert outcome.returncode == 0, outcome.stdout


def test_every_contract_sees_a_sin_against_it(skeleton):
    for name, imported in SINS.values():
        write(skeleton, name, f"import {imported}\n")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    said = lint(skeleton).stdout
    assert [contract["name"] for contract in contracts if f"{contract['name']} BROKEN" not in said] == [], said


def test_a_room_that_the_architecture_does_not_know_is_seen(skeleton):
    write(skeleton, "utils/__init__.py", "")
    outcome = lint(skeleton)
    assert outcome.returncode != 0
    assert "utils" in outcome.stdout
