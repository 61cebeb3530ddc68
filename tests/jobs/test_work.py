"""Every kind of task that anybody enqueues has somebody who does it, and understands what it carries."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import conference_orchestrator
from conference_orchestrator.flows import attending, conferencing, delivering, directory, hosting, inviting, joining
from conference_orchestrator.jobs.timetable import EVERY
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.transaction import Transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.networks import Network

PACKAGE = Path(conference_orchestrator.__file__).parent


def kinds_in(text: str) -> Iterator[str | None]:
    """The kind of each Task that the text makes; None where it is not written down there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Task":
            kind = next((keyword.value for keyword in node.keywords if keyword.arg == "kind"), None)
            yield kind.value if isinstance(kind, ast.Constant) else None


def test_every_kind_that_is_enqueued_is_done() -> None:
    found = {path.relative_to(PACKAGE).as_posix(): list(kinds_in(path.read_text())) for path in PACKAGE.rglob("*.py")}
    enqueued = {kind for kinds in found.values() for kind in kinds}
    assert {path for path, kinds in found.items() if None in kinds} == {"jobs/timetable.py"}, (
        "only the timer enqueues by a name that stands elsewhere"
    )
    assert enqueued - {None} | EVERY.keys() == WORK.keys()


def test_the_search_sees_every_way_to_make_a_task() -> None:
    text = "tx.after(Task(kind='a', lock=x))\nlater = outbox.Task(payload={}, kind='b')\nTask(kind=name)"
    assert sorted(kinds_in(text), key=str) == [None, "a", "b"]


def test_each_task_calls_its_flow_with_what_it_carries(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    for module, name in [
        (conferencing, "ensure"),
        (inviting, "issue"),
        (inviting, "refresh_group"),
        (delivering, "deliver"),
        (joining, "send_instructions"),
        (attending, "invite_panellists"),
    ]:
        monkeypatch.setattr(module, name, lambda *given, _name=name, **named: calls.append((_name, given, named)))
    one, two = uuid4(), uuid4()
    tx = Transaction(now=None)
    directory.refresh(tx, one)
    tasks: list[Task] = [
        hosting.ensure_later(one),
        hosting.issue_later(one),
        *tx.tasks,
        delivering.deliver_later([one, two]),
        joining._welcome_task(Clinician(id=one), Network(id=two), "because"),
        attending.invite_panellists_later(one),
    ]
    for task in tasks:
        WORK[task.kind](task.payload)
    assert calls == [
        ("ensure", (one,), {}),
        ("issue", (one,), {}),
        ("refresh_group", (one,), {}),
        ("deliver", ([one, two],), {}),
        ("send_instructions", (one, two), {"cause": "because"}),
        ("invite_panellists", (one,), {"attempt": 1}),
    ]


def test_the_timers_work_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    flows = WORK["sweep-conferences"].__globals__
    for module, name in [
        ("arranging", "extend"),
        ("offering", "expire_offers"),
        ("watching", "watch_quorum"),
        ("attending", "gather"),
        ("sweeping", "look_near"),
        ("sweeping", "look_far"),
        ("provider_events", "listen"),
        ("reading_post", "read_post"),
        ("reminding", "remind"),
        ("rounds", "close_past"),
        ("conferencing", "sweep"),
        ("delivering", "deliver_overdue"),
        ("joining", "escalate"),
        ("bookkeeping", "prune"),
        ("digesting", "send"),
    ]:
        monkeypatch.setattr(flows[module], name, lambda name=name: done.append(name))
    for name in EVERY:
        WORK[name]({})
    assert sorted(done) == [
        "close_past",
        "deliver_overdue",
        "escalate",
        "expire_offers",
        "extend",
        "gather",
        "listen",
        "look_far",
        "look_near",
        "prune",
        "read_post",
        "remind",
        "send",
        "sweep",
        "watch_quorum",
    ]
