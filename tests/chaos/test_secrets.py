"""Secrets: the watch over the suite sees a leak, and a journey leaves none in database, mails, answers and logs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conference_orchestrator.flows import host_keys
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers.base import MeetingSpec, Secrets
from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.chaos.journey import CLIENT, CLIENT_SECRET, Journey
from tests.house import StandingClock
from tests.secrets import KNOWN

WRITTEN = ("conference", "provider_finding", "provider_state", "message", "invitation", "task", "mails", "answers")
ROOT = Path(__file__).parents[2]


def a_spec() -> MeetingSpec:
    """A meeting that somebody wants."""
    at = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
    return MeetingSpec(
        key="co-1",
        kind="meeting",
        title="Brain",
        agenda="",
        starts_at=at,
        ends_at=at + timedelta(hours=1),
        time_zone="UTC",
        host=None,
    )


class TestWatch:
    def test_a_test_that_shows_a_secret_in_whatever_way_fails_and_no_other(self) -> None:
        """The negative control of the watch over the whole suite."""
        words = ["-q", "-p", "no:cacheprovider", "-rA", "--color=no", "tests/chaos/leaks.py"]
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        reported = dict(re.findall(r"^(?:ERROR|FAILED) \S+::(\w+)()", ran.stdout, flags=re.MULTILINE))
        assert reported.keys() == {
            "test_that_prints_one",
            "test_that_logs_one",
            "test_that_logs_an_error_with_one",
            "test_whose_service_logs_one",
        }, ran.stdout
        assert "mock-password" not in "".join(line for line in ran.stdout.splitlines() if "shows a secret" in line)

    @pytest.mark.parametrize("text", ["at 10:00:00.654321", "a1-654321f", "1654321"])
    def test_digits_in_an_instant_or_an_id_are_no_host_key(self, text: str) -> None:
        KNOWN.add("654321")
        assert KNOWN.in_text(text) == []
        assert KNOWN.in_text(f"{text} 654321") == ["654321"]


def shown_in(everything: dict[str, str]) -> set[str]:
    """Where a secret stands."""
    return {where for where, text in everything.items() if KNOWN.in_text(text)}


@pytest.fixture
def journey(both_schemas: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journey]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    clock = StandingClock()
    with RunningSandbox(now=clock.now, clients={CLIENT: CLIENT_SECRET}, rotates=True) as sandbox:
        made = Journey(tmp_path, both_schemas, sandbox, clock)
        yield made
        with made.app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_a_journey_leaves_no_secret_in_database_mails_calendars_and_answers(journey: Journey) -> None:
    journey.run()
    everything = journey.everything()
    for meeting in journey.handed_out:
        handed_out = f"{meeting['host_key']} {meeting['password']} {meeting['phone_password']} {CLIENT_SECRET}"
        assert len(KNOWN.in_text(handed_out)) == 4, "nobody listens to the sandbox"
    assert not [where for where in WRITTEN if not everything[where]], "nothing was written there"
    assert "BEGIN:VCALENDAR" in everything["mails"]
    assert shown_in(everything) == set()


def leaky_seal(secrets: Secrets) -> str:
    return str(vars(secrets))


def test_a_secret_that_is_not_sealed_is_found_in_the_database(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the seal the same search finds it."""
    monkeypatch.setattr(host_keys, "sealed", leaky_seal)
    monkeypatch.setattr(host_keys, "host_key", lambda *_, **__: None)
    journey.run()
    assert shown_in(journey.everything()) == {"conference"}


def test_a_secret_in_a_title_is_found_in_mails_and_answers(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the rest: a secret that the provider gave shows wherever its title goes."""
    KNOWN.add("New drugs in sarcoma")
    journey.run()
    assert shown_in(journey.everything()) >= {"conference", "message", "mails", "answers"}
