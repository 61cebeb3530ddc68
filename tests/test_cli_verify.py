"""`verify` on the command line: what it prints, where, and the status it ends with."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import requests
from sqlalchemy import select

from conference_orchestrator import settings as all_settings
from conference_orchestrator.app import create_app, engine_of
from conference_orchestrator.flows import webinars
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.scheduling.conferences import Conference
from tests.house import HELPDESK
from tests.test_cli import Ended, _logging_as_before, network, run

__all__ = ["_logging_as_before", "network", "run"]

DEAD = UUID(int=7)
LOST_INDEX = "protection-missing: uq_allocation_slot of table allocation: the database refuses less than it must"


def in_the_database(*statements: str) -> None:
    with closing(sqlite3.connect("var/conference.db")) as connection:
        connection.executescript(";".join(statements))


def a_web_conference() -> tuple[UUID, str]:
    """A coming one, its meeting made by the provider of the settings; its id and that of the meeting."""
    app = create_app(all_settings.load(os.environ))
    with app.app_context():
        asked = {"hospital": "lisbon-santa-luzia", "kind": "web-conference", "topic": "New drugs", "language": "en"}
        request = webinars.submit(asked | {"duration_minutes": 60, "expected_audience": 20}, by=HELPDESK)
        at = (datetime.now(UTC) + timedelta(days=3)).replace(second=0, microsecond=0)
        webinars.approve(request.id, at, by=HELPDESK)
        db.session.remove()
        engine_of(app).run_due()
        made = db.session.scalars(select(Conference)).one()
        assert made.meeting_id is not None
        db.session.remove()
        db.engine.dispose()
    return made.id, made.meeting_id


@pytest.fixture
def sandbox(network: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    """A provider that can be asked."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RunningSandbox() as running:
        monkeypatch.setenv("CO_PROVIDER", "webex")
        monkeypatch.setenv("CO_WEBEX_URL", running.url)
        monkeypatch.setenv("CO_WEBEX_TOKEN", "token-of-the-test")
        yield running


def remove_meeting(sandbox: RunningSandbox, meeting_id: str) -> None:
    """What somebody does who tidies up at the provider."""
    with requests.Session() as http:
        http.trust_env = False
        headers = {"Authorization": "Bearer token-of-the-test"}
        assert http.delete(f"{sandbox.url}meetings/{meeting_id}", headers=headers, timeout=10).status_code == 204


def test_where_all_is_well_nothing_is_said(network: Callable[..., Ended]) -> None:
    assert network("verify") == Ended(0, "", "")
    assert network("verify", "--repair") == Ended(0, "", "")


def test_a_database_of_another_version_is_one_line(run: Callable[..., Ended]) -> None:
    assert run("db", "upgrade").status == 0
    in_the_database("UPDATE alembic_version SET version_num = '0001'", "DROP TABLE conference")
    for arguments in (["verify"], ["verify", "--repair"]):
        ended = run(*arguments)
        assert (ended.status, ended.err) == (1, "")
        assert ended.out.startswith("schema-differs: ")
        assert len(ended.out.splitlines()) == 1


def test_a_database_that_cannot_be_used_is_an_error(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CO_DATABASE_URL", "sqlite:////nowhere/at/all/x.db")
    ended = run("verify")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("The database cannot be used: ")


def test_what_only_a_person_can_mend_stays_a_violation(network: Callable[..., Ended]) -> None:
    in_the_database("DROP INDEX uq_allocation_slot")
    assert network("verify") == Ended(1, f"{LOST_INDEX}\n", "")
    assert network("verify", "--repair") == Ended(1, f"{LOST_INDEX}\nleft: {LOST_INDEX}\n", "")


def test_what_is_mended_is_a_violation_no_more(network: Callable[..., Ended]) -> None:
    values = f"'{DEAD.hex}', '2026-11-23 09:00:00', '2026-11-23 09:00:00', 'extend-rounds', '{{}}', 10, 'dead', 5"
    columns = "id, created_at, due_at, kind, payload, rank, state, attempts"
    in_the_database(f"INSERT INTO task ({columns}) VALUES ({values})")
    said = f"task-dead: task {DEAD} (extend-rounds) was put aside after 5 attempts\n"
    assert network("verify") == Ended(1, said, "")
    repaired = network("verify", "--repair")
    assert repaired == Ended(0, f"{said}repair: task {DEAD} (extend-rounds): runs again\n", "")
    assert network("verify", "--repair") == Ended(0, "", "")


def test_meetings_in_memory_are_named_beside_the_result(network: Callable[..., Ended]) -> None:
    a_web_conference()
    assert network("verify") == Ended(0, "", "mock: meetings live in the serving process, not asked\n")


def test_a_meeting_that_is_gone_at_the_provider_is_made_again(
    network: Callable[..., Ended], sandbox: RunningSandbox
) -> None:
    conference_id, meeting_id = a_web_conference()
    assert network("verify") == Ended(0, "", "")
    remove_meeting(sandbox, meeting_id)
    said = f"meeting-missing: conference {conference_id}: there is no meeting {meeting_id}\n"
    assert network("verify") == Ended(1, said, "")
    repaired = network("verify", "--repair")
    assert repaired == Ended(0, f"{said}repair: conference {conference_id}: its meeting is made again\n", "")


def test_a_provider_that_cannot_be_reached_is_a_violation(
    network: Callable[..., Ended], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_web_conference()
    monkeypatch.setenv("CO_WEBEX_URL", "http://127.0.0.1:9/v1/")
    ended = network("verify")
    assert ended.status == 1
    assert ended.out.startswith("webex: cannot be asked: ")
    assert ended.out.endswith(" (meetings not looked at: 1)\n")
    repaired = network("verify", "--repair").out.splitlines()
    assert [line.split("be asked")[0] for line in repaired] == ["webex: cannot ", "left: webex: cannot "]
