"""What somebody has changed stands in the audit: each flow that acts on somebody's word records it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FLOWS = sorted((Path(__file__).parents[2] / "conference_orchestrator" / "flows").glob("*.py"))
FORGETFUL = """
def move(session_id, *, by):
    with transaction() as tx:
        moving = locked(session_id, by=by)
        moving.move()
"""


def unrecorded(text: str) -> Iterator[str]:
    """The functions that are told who asks, open a transaction, and record nothing in it, nor call what does."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    recording = {"tx.record", *(one.name for one in functions if "tx.record" in called(one))}
    for one in functions:
        is_told_who = any(argument.arg == "by" for argument in [*one.args.args, *one.args.kwonlyargs])
        if is_told_who and "transaction" in called(one) and not recording & called(one):
            yield one.name


def called(function: ast.FunctionDef) -> set[str]:
    """What the function calls, as it is written there."""
    return {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}


def test_a_flow_that_forgets_it_is_seen() -> None:
    assert list(unrecorded(FORGETFUL)) == ["move"]
    assert list(unrecorded(FORGETFUL + '        tx.record("session.move", moving, by=by)\n')) == []


def test_every_flow_that_acts_on_somebodys_word_records_it() -> None:
    assert len(FLOWS) > 40
    assert {path.name: found for path in FLOWS if (found := list(unrecorded(path.read_text())))} == {}
