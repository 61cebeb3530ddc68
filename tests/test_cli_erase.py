"""Requests of data protection on the command line: `erase` and `access-export`."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.test_cli import Ended, _logging_as_before, network, run

__all__ = ["_logging_as_before", "network", "run"]

ADDRESS = "agnes.koszegi@fuzfa.example"
Run = Callable[..., Ended]


class Terminal(io.StringIO):
    """Somebody sits there and types."""

    def isatty(self) -> bool:
        return True


def known() -> list[str]:
    with closing(sqlite3.connect("var/conference.db")) as connection:
        return [email for (email,) in connection.execute("SELECT email FROM clinician ORDER BY email")]


def test_a_clinician_is_erased_by_address_and_the_rest_stays(network: Run) -> None:
    before = known()
    assert ADDRESS in before
    ended = network("erase", ADDRESS, "--yes")
    assert (ended.status, ended.err) == (0, "")
    left = known()
    assert set(before) - set(left) == {ADDRESS}
    identifier = ended.out.split()[-1].rstrip(".")
    assert set(left) - set(before) == {f"{identifier}@erased.invalid"}


def test_a_clinician_is_erased_by_id_once(network: Run) -> None:
    exported = json.loads(network("access-export", ADDRESS).out)
    (record,) = exported["tables"]["clinician"]
    assert network("erase", record["id"], "--yes").status == 0
    again = network("erase", record["id"], "--yes")
    assert (again.status, again.out) == (1, "")
    assert "There is no clinician" in again.err


def test_where_nobody_sits_it_does_what_it_is_told(network: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert network("erase", ADDRESS).status == 0
    assert ADDRESS not in known()


@pytest.mark.parametrize(
    ("typed", "status", "is_left"),
    [("y\n", 0, False), ("n\n", 1, True), ("\n", 1, True)],
    ids=["yes", "no", "return"],
)
def test_on_a_terminal_it_asks_first(
    network: Run, monkeypatch: pytest.MonkeyPatch, typed: str, status: int, is_left: bool
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    ended = network("erase", ADDRESS)
    assert ended.status == status
    assert ADDRESS in ended.out + ended.err, "the question names the person"
    assert (ADDRESS in known()) == is_left


def test_the_access_export_is_json_alone(network: Run) -> None:
    ended = network("access-export", ADDRESS)
    assert (ended.status, ended.err) == (0, "")
    assert json.loads(ended.out)["tables"]["clinician"][0]["email"] == ADDRESS
    assert ended.out.startswith('{\n  "exported_at"')


def test_somebody_unknown_is_one_line(network: Run) -> None:
    ended = network("access-export", "nobody@hospital.example")
    assert (ended.status, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1
