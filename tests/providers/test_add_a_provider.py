"""The page "Add a provider" tells the truth: what it says to write, installed as a package, passes the contract."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-provider.md"


@pytest.fixture
def package(tmp_path):
    """The files of the page, with the entry points of its pyproject.toml, as an installer would leave them."""
    for name, text in re.findall(
        r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    ):
        (tmp_path / name).write_text(text)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    installed = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    [(group, points)] = project["entry-points"].items()
    (installed / "entry_points.txt").write_text("\n".join([f"[{group}]", *(f"{n} = {p}" for n, p in points.items())]))
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return tmp_path


def outcome_of_tests(package, *chosen):
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "--tb=short",
            *chosen,
            "test_harbour.py",
        ],
        cwd=package,
        env=environment | {"PYTHONPATH": f"{package}{os.pathsep}{ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_example_of_the_page_passes_the_contract(package):
    outcome = outcome_of_tests(package)
    assert outcome.returncode == 0, outcome.stdout
    assert "passed" in outcome.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "test"),
    [
        ("if one.key == key", "if True", "test_only_the_exact_key_is_found"),
        ("            return False\n", "            return True\n", "test_a_meeting_is_cancelled_once"),
        ("may_make=True", "may_make=False", "test_a_lost_answer_leaves_open_what_was_done"),
        ("return to_the_minute(at).isoformat()", "return at.isoformat()", "test_a_naive_time_is_a_type_error"),
        (
            '        self._refuse("create", CAPABILITIES.obstacles(spec))\n',
            "",
            "test_what_cannot_be_right_costs_no_request",
        ),
    ],
    ids=["another key", "cancelled twice", "lost create", "naive time", "limits"],
)
def test_the_contract_sees_a_fault_put_into_the_example(package, right, wrong, test):
    adapter = package / "harbour_adapter.py"
    text = adapter.read_text()
    assert right in text, "the page has changed: the fault is not put in"
    adapter.write_text(text.replace(right, wrong))
    outcome = outcome_of_tests(package, "-k", test)
    assert outcome.returncode == 1, outcome.stdout
    assert f"::{test}" in outcome.stdout


def test_every_link_within_the_page_leads_somewhere():
    text = PAGE.read_text()
    headings = {f"#{line.lower().replace(' ', '-')}" for line in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert [link for link in links if link not in headings and not (PAGE.parent / link).is_file()] == []
