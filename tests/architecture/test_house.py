"""The house's rules that no linter knows. Each rule is a function from a text to what is wrong with it, shown to bite
by a sample, and then asked about every file.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OURS = ["conference_orchestrator", "tests", "benchmarks", "config", "docs", "changes", "requirements", ".ci"]
PACKAGE = sorted((ROOT / "conference_orchestrator").rglob("*.py"))
PYTHON = [*PACKAGE, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
MOST_LINES = 400
HONEST = """
start = datetime(2026, 3, 29, tzinfo=UTC)
shown = zone.localize(wall + week)
wall = shown.replace(tzinfo=None)
heard = heard.replace(tzinfo=heard.tzinfo or UTC)
"""


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the last part of the called name: `localize` for `zone.localize(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func
            yield node, name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""


def foreign_tzinfo(text: str) -> list[str]:
    """A zone given as tzinfo: with one of pytz that is its offset of 1893. `kernel.times.instant` makes instants."""
    found = []
    for call, name in calls(ast.parse(text)):
        given = [keyword.value for keyword in call.keywords if keyword.arg == "tzinfo"]
        given += call.args[7:8] if name == "datetime" else call.args[2:3] if name == "combine" else []
        harmless = {"UTC", "None"}
        if isinstance(call.func, ast.Attribute):
            harmless.add(f"{ast.unparse(call.func.value)}.tzinfo or UTC")  # at.replace(tzinfo=at.tzinfo or UTC)
        found += [f"line {call.lineno}: {ast.unparse(zone)}" for zone in given if ast.unparse(zone) not in harmless]
    return found


def arithmetic_after_localizing(text: str) -> list[str]:
    """A duration added to a time that already has its offset: across a clock change the offset is the old one."""
    sums = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add | ast.Sub)]
    return [
        f"line {sum_.lineno}: {ast.unparse(sum_)}"
        for sum_ in sums
        for call, name in calls(sum_)
        if call in (sum_.left, sum_.right) and name in ("localize", "local")
    ]


def errors_swallowed(text: str) -> list[str]:
    """An `except` that does nothing; what may be ignored is named by `contextlib.suppress`."""
    return [
        f"line {node.lineno}: except with nothing to do"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(step, ast.Pass) or ast.unparse(step) == "..." for step in node.body)
    ]


def too_long(text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"{lines} lines, {MOST_LINES} at most"] if lines > MOST_LINES else []


def paths_of_a_machine(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(r"(?<![\w.\-/])/(root|home|work|Users)/", line)]


def addresses(text: str) -> list[str]:
    return [line for line in text.splitlines() if "://" in line]


RULES: dict[Callable[[str], list[str]], tuple[list[Path], list[str]]] = {
    foreign_tzinfo: (
        PACKAGE,
        [
            "datetime(2026, 3, 29, tzinfo=berlin)",
            "at.replace(tzinfo=pytz.timezone(name))",
            "datetime.combine(day, hour, zone)",
        ],
    ),
    arithmetic_after_localizing: (
        PACKAGE,
        ["zone.localize(wall) + timedelta(days=7)", "times.local(at, name) - week", "week + zone.localize(wall)"],
    ),
    errors_swallowed: (PYTHON, ["try:\n    f()\nexcept OSError:\n    pass", "try:\n    f()\nexcept OSError:\n    ..."]),
    too_long: ([path for path in PYTHON if "versions" not in path.parts], ["\n" * (MOST_LINES + 1)]),
    addresses: (LOCKS, ["--index-url " + "https:" + "//packages.example/simple"]),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule):
    files, _ = RULES[rule]
    assert files, "the rule is asked about something"
    found = {str(path.relative_to(ROOT)): rule(path.read_text()) for path in files}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("rule", "sample"), [(rule, sample) for rule, (_, samples) in RULES.items() for sample in samples]
)
def test_the_rule_sees_what_breaks_it(rule, sample):
    assert rule(sample)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_lets_honest_code_pass(rule):
    assert (
        rule("a = datetime(2026, 3, 29, tzinfo=UTC)\nb = zone.localize(wall + week)\nc = moment.replace(tzinfo=None)")
        == []
    )


def test_no_file_speaks_of_somebodys_machine():
    texts = [path for folder in OURS for path in (ROOT / folder).rglob("*") if path.is_file() and not skipped(path)]
    texts += [path for path in ROOT.iterdir() if path.is_file()]
    assert texts
    found = {str(path.relative_to(ROOT)): paths_of_a_machine(path.read_text(errors="ignore")) for path in texts}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    assert paths_of_a_machine("see " + "/home" + "/ann/notes.txt"), "the search finds what it looks for"


def skipped(path: Path) -> bool:
    return bool({"__pycache__", "vendor", "node_modules"} & set(path.parts))


@pytest.mark.parametrize(("lock", "extras"), [("run", {"postgres"}), ("dev", {"postgres", "test", "check"})])
def test_a_lock_holds_what_the_project_asks_for(lock, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    asked += [line for extra in extras for line in project["project"]["optional-dependencies"][extra]]
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / f"{lock}.lock").read_text(), re.MULTILINE))
    missing = [
        line
        for requirement, line in ((Requirement(line), line) for line in asked)
        if requirement.name != project["project"]["name"]
        and not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]
    assert missing == [], "run `make lock`"


def test_what_runs_is_locked_to_the_versions_that_are_tested():
    run, dev = ((ROOT / "requirements" / f"{name}.lock").read_text().splitlines() for name in ("run", "dev"))
    assert [line for line in run if "==" in line and line not in dev] == []
