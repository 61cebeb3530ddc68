"""A storm at the provider: many conferences, a sandbox that fails as R06 says, and the real engine at work.

One factor scales what the service waits by its own choice: settling delays, waits, pauses of the circuit. What the
provider asks for with Retry-After is kept as it is.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from conference_orchestrator.app import create_app, engine_of
from conference_orchestrator.flows import circuits, conferencing, hosting, sweeping
from conference_orchestrator.flows.provider_steps import Outcome, Step
from conference_orchestrator.jobs.embedded import TaskRow
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.provider_findings import ProviderFinding
from conference_orchestrator.scheduling.provider_states import CreateAttempt
from conference_orchestrator.settings import Settings
from tests.chaos.figures import SCALE, Figures
from tests.scene import Scene

HOSTS = [f"{name}@hosts.example" for name in ("ann", "bea", "cleo", "dan", "eve")]
SEATS = 2
AT_ONCE = len(HOSTS) * SEATS
"""Conferences that begin together: as many as there are seats."""
FOREIGN = 10
"""Hours in which there are meetings that are not ours."""
TOKEN = "token-of-the-storm"
PATIENCE_SECONDS, MORE_FOR_EACH = 120, 3
"""How long anything may take, and how much longer for each conference: a guard against hanging."""

CREATES: Sequence[Mapping[str, Any]] = (
    {"fault": "apply-then-drop", "share": 0.25},
    {"status": 429, "retry_after": "1", "share": 0.15},
    {"status": 502, "applied": True, "share": 0.10},
    {"fault": "reset-in-body", "share": 0.05},
)
"""What goes wrong with creates: shares of all creates."""
READS: Sequence[Mapping[str, Any]] = ({"status": 429, "retry_after": "1", "share": 0.05},)
"""What goes wrong with looks."""


def scale_waits(patch: pytest.MonkeyPatch) -> None:
    """Let what the service waits by its own choice take a part of its time."""
    for name, module in (("SETTLING", conferencing), ("WAITS", conferencing), ("PAUSES", circuits)):
        patch.setattr(module, name, [wait / SCALE for wait in getattr(module, name)])
    patch.setattr(circuits, "LOOK", circuits.LOOK / SCALE)
    patch.setattr(sweeping, "LOOK_AGAIN", sweeping.LOOK_AGAIN / SCALE)


class Storm:
    """One run on a database and a sandbox of its own. `figures` are filled as it goes on."""

    def __init__(self, *, database: str, sandbox: RunningSandbox, folder: Path, conferences: int) -> None:
        self.sandbox = sandbox
        self.mail = folder / "mail" / "new"
        self.figures = Figures(conferences)
        settings = Settings(
            database_url=database,
            secret_key="only-for-tests",
            provider="webex",
            webex_url=sandbox.url,
            webex_token=TOKEN,
            mail_from="Helpdesk <helpdesk@network.example>",
        )
        self.app = create_app(settings, var=folder)
        self.foreign: list[dict[str, Any]] = []

    def prepare(self) -> None:
        """Host accounts, conferences that want a meeting, and meetings that are not ours."""
        first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
        with self.app.app_context():
            for email in HOSTS:
                hosting.add_host({"provider": "webex", "email": email, "capacity": SEATS, "kinds": []})
            scene = Scene(None)  # type: ignore[arg-type]  - it is about what is wanted alone
            speakers = (scene.clinician("ines"),)
            for name in ("anna", "emil"):
                scene.clinician(name)
            for number in range(self.figures.conferences):
                kind = "web-conference" if number % 10 else "webinar"
                scene.approved(at=first + timedelta(hours=number // AT_ONCE), kind=kind, speakers=speakers)
        for hour in range(FOREIGN):
            self._make_foreign(first + timedelta(hours=hour), HOSTS[hour % len(HOSTS)])
        self.foreign = self.sandbox.meetings()
        self.sandbox.requests.clear()

    def _make_foreign(self, starts_at: datetime, host: str) -> None:
        """By another client with a tag like ours, and by ours without a tag or with another."""
        body = {
            "title": "Not ours",
            "start": starts_at.isoformat(),
            "end": (starts_at + timedelta(hours=1)).isoformat(),
            "hostEmail": host,
            "sendEmail": False,
        }
        for token, tags in (("of-somebody-else", [f"co-{0:032}"]), (TOKEN, None), (TOKEN, ["of-another-tool"])):
            headers, said = {"Authorization": f"Bearer {token}"}, {**body, "integrationTags": tags}
            requests.post(f"{self.sandbox.url}meetings", json=said, headers=headers, timeout=30).raise_for_status()

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Count the faults that requests meet, and the meetings that are adopted."""
        take, act = self.sandbox.faults.take, conferencing.act

        def counting(method: str, path: str) -> Any:
            fault = take(method, path)
            if fault is not None:
                self.figures.faults[fault.fault or str(fault.status)] += 1
            return fault

        def noting(step: Step) -> Outcome:
            outcome = act(step)
            if step.do == "look" and step.ref is None and outcome.meeting is not None:
                self.figures.adopted += 1
            return outcome

        patch.setattr(self.sandbox.faults, "take", counting)
        patch.setattr(conferencing, "act", noting)

    def rage(self) -> None:
        """Let the engine work while the sandbox fails, until every conference is settled; then sweep twice."""
        began = time.monotonic()
        self._add_faults()
        engine = engine_of(self.app)
        engine.start()
        try:
            self._until(self._is_settled, "a settled state of every conference")
            self.sandbox.faults.clear()
            self._until(self._is_done, "the end of the work")
            self.figures.orphans_before_sweeps = len(self.orphans())
            for _ in range(2):
                with self.app.app_context():
                    conferencing.sweep()
                    sweeping.look_near()
                self._until(self._is_done, "the end of what a sweep brought about")
        finally:
            engine.stop()
        self.figures.seconds = time.monotonic() - began

    def _add_faults(self) -> None:
        for method, path, rules in (("POST", "/v1/meetings", CREATES), ("GET", "/v1/", READS)):
            left = 1.0
            for rule in rules:
                # The sandbox counts a rule's share from the requests that met none of the rules above it.
                share = {"share": rule["share"] / left}
                self.sandbox.faults.add(**{**rule, **share, "method": method, "path": path, "times": None})
                left -= rule["share"]

    def count(self) -> Figures:
        """The figures at the end of the run, but for the mails."""
        figures = self.figures
        with self.app.app_context():
            figures.states = Counter(one.state for one in conferences())
            is_open = ProviderFinding.resolved_at.is_(None)
            figures.findings = db.session.scalar(select(func.count()).select_from(ProviderFinding).where(is_open)) or 0
            by_host = select(CreateAttempt.host, func.count()).group_by(CreateAttempt.host)
            figures.creates_by_host = Counter({str(host): tries for host, tries in db.session.execute(by_host)})
        figures.requests = Counter(method for method, _, _ in self.sandbox.requests)
        figures.cancelled = figures.requests["DELETE"]
        figures.meetings, figures.orphans = len(self.ours()), len(self.orphans())
        figures.several = sum(tries > 1 for tries in Counter(map(key_of, self.ours())).values())
        known = {one["id"]: one for one in self.sandbox.meetings()}
        figures.foreign_touched = sum(known.get(one["id"]) != one for one in self.foreign)
        return figures

    def ours(self) -> list[dict[str, Any]]:
        """The meetings that were made since the preparation."""
        foreign = {one["id"] for one in self.foreign}
        return [one for one in self.sandbox.meetings() if one["id"] not in foreign]

    def orphans(self) -> list[str]:
        """The ids of those that no conference has."""
        with self.app.app_context():
            held = {one.meeting_id for one in conferences()}
        return [one["id"] for one in self.ours() if one["id"] not in held]

    def _is_settled(self) -> bool:
        with self.app.app_context():
            return {one.state for one in conferences()} <= {"ready", "degraded", "failed"}

    def _is_done(self) -> bool:
        with self.app.app_context():
            return not db.session.scalar(select(func.count()).select_from(TaskRow))

    def _until(self, reached: Callable[[], bool], what: str) -> None:
        seconds, pause = PATIENCE_SECONDS + MORE_FOR_EACH * self.figures.conferences, threading.Event()
        for _ in range(seconds * 5):
            if reached():
                return
            pause.wait(0.2)
        raise AssertionError(f"{what} did not come about within {seconds} s")


def conferences() -> Sequence[Conference]:
    """Every conference, as it is now."""
    return db.session.scalars(select(Conference)).all()


def key_of(meeting: Mapping[str, Any]) -> str:
    """The key that a meeting of ours carries."""
    ((key,),) = meeting["tags"].values()
    return str(key)
