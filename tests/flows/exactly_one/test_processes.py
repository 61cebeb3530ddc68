"""Two processes and eight threads make one meeting; a kill between the provider's answer and our commit costs none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, sweeping
from conference_orchestrator.flows.hosting import ensure_later
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.scheduling.provider_findings import ProviderFinding
from tests.chaos.naive import create_without_looking
from tests.flows.exactly_one import worker
from tests.house import House
from tests.scene import Scene, settle

ENSURE = "ensure-conference"
ROOT = Path(__file__).parents[3]
PROCESSES = 2
KILLS = 50
FIRST = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WAIT_SECONDS = 120


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def started(
    house: House, sandbox: RunningSandbox, what: str, ids: Sequence[UUID], *, protected: bool = True
) -> subprocess.Popen[str]:
    database = db.engine.url.render_as_string(hide_password=False)
    words = [database, sandbox.url, house.clock.at.isoformat(), what, *map(str, ids)]
    without = "" if protected else "protection"
    return subprocess.Popen(
        [sys.executable, worker.__file__, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CO_TEST_WITHOUT": without},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def race(house: House, sandbox: RunningSandbox, wanted: UUID, *, protected: bool = True) -> None:
    """Let all threads of all processes ensure the conference at once, while a create takes its time to answer."""
    sandbox.faults.add(method="POST", times=None, delay=1)
    workers = [started(house, sandbox, "race", [wanted], protected=protected) for _ in range(PROCESSES)]
    for one in workers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in workers:
        one.communicate(timeout=WAIT_SECONDS)


def test_two_processes_of_eight_threads_on_one_intent_post_once(
    house: House, scene: Scene, sandbox: RunningSandbox, wanted: UUID
) -> None:
    race(house, sandbox, wanted)
    assert sandbox.count("POST") == 1
    settle(house, ENSURE)
    (meeting,) = sandbox.meetings()
    conference = scene.fresh(wanted)
    assert (conference.state, conference.meeting_id) == ("ready", meeting["id"])
    assert sandbox.count("POST") == 1


def test_they_post_more_than_once_when_lease_and_look_are_taken_away(
    house: House, sandbox: RunningSandbox, wanted: UUID
) -> None:
    """The negative control: the crowd is one that would make several."""
    race(house, sandbox, wanted, protected=False)
    assert sandbox.count("POST") > 1, "the harness can no longer see the fault it guards against"


def killed(house: House, scene: Scene, sandbox: RunningSandbox, times: int) -> list[UUID]:
    """So many conferences, each with a process that died after its meeting was made."""
    ids = [scene.approved(at=FIRST + timedelta(hours=2 * number)) for number in range(times)]
    dying = started(house, sandbox, "kill", ids)
    dying.communicate(timeout=WAIT_SECONDS)
    assert dying.returncode == 0, "not every process was killed"
    assert len(sandbox.meetings()) == times
    assert {scene.fresh(one).meeting_id for one in ids} == {None}, "none of them came to commit"
    house.clock.move_on(conferencing.LEASE)
    house.queue.tasks[:] = [ensure_later(one) for one in ids]
    return ids


@pytest.mark.usefixtures("webex")
def test_killed_fifty_times_between_answer_and_commit_fifty_meetings_are_adopted(
    house: House, scene: Scene, sandbox: RunningSandbox
) -> None:
    ids = killed(house, scene, sandbox, KILLS)
    settle(house, ENSURE)
    assert sandbox.count("POST") == KILLS
    meetings = {meeting["id"]: tuple(*meeting["tags"].values()) for meeting in sandbox.meetings()}
    adopted = [scene.fresh(one) for one in ids]
    assert {one.meeting_id: (one.key,) for one in adopted} == meetings
    assert Counter(one.state for one in adopted) == {"ready": KILLS}
    sweeping.look_near()
    assert house.count(ProviderFinding) == 0, "no orphan, nothing gone, nothing changed"


@pytest.mark.usefixtures("webex")
def test_without_the_look_each_kill_would_leave_a_meeting_behind(
    house: House, scene: Scene, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: what the look prevents is there to be seen."""
    killed(house, scene, sandbox, 3)
    create_without_looking(monkeypatch)
    settle(house, ENSURE)
    assert len(sandbox.meetings()) == 6
