"""The command line: what it prints, where, and the status it ends with."""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import structlog

from conference_orchestrator import cli

CONFIG = Path(__file__).parents[1] / "config"
HOSPITALS = "code,name,city,country,time_zone,is_reference_centre,networks\n"


@dataclass
class Ended:
    status: int
    out: str
    err: str


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    """A command sets logging up for its process; the other tests of this one go on as if it had not."""
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], _logging_as_before: None
) -> Callable[..., Ended]:
    """Runs one command in a folder of its own, with no settings but those of the test."""
    for name in [name for name in os.environ if name.startswith("CO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run_one(*arguments: str) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run_one


@pytest.fixture
def network(run: Callable[..., Ended]) -> Callable[..., Ended]:
    """The same, on a database with the PaedCan network."""
    assert run("db", "upgrade").status == 0
    assert run("load", str(CONFIG / "paedcan.toml")).status == 0
    return run


def commands(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        found.append((*before, name))
        if isinstance(command, click.Group):
            found += commands(command, (*before, name))
    return found


@pytest.mark.parametrize("command", commands(cli.cli), ids=" ".join)
def test_every_command_has_help(run: Callable[..., Ended], command: tuple[str, ...]) -> None:
    ended = run(*command, "--help")
    assert ended.status == 0
    assert len(ended.out.splitlines()) > 3
    assert ended.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "nonsense"),
        (["web", "--port", "0"], "--port"),
        (["token", "create"], "--role"),
        (["import", "patients", "x.csv"], "patients"),
    ],
)
def test_wrong_use_ends_with_2_and_one_line(run: Callable[..., Ended], arguments: list[str], said: str) -> None:
    ended = run(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_setting_that_nobody_knows_stops_every_start(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CO_PROVIDR", "webex")
    ended = run("settings")
    assert ended.status == 1
    assert ended.err.startswith("CO_PROVIDR is not a setting")


@pytest.mark.parametrize(
    ("name", "value"),
    [("CO_ENGINE", "procrastinate"), ("CO_IMAP_URL", "imaps://mail.example"), ("CO_PROVIDER", "nobody")],
)
def test_what_cannot_be_done_is_refused_by_name(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    ended = run("load", "x.toml")
    assert ended.status == 1
    assert name in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_database_without_schema_is_named_with_the_way_out(run: Callable[..., Ended]) -> None:
    Path("var").mkdir()
    ended = run("token", "list")
    assert ended.status == 1
    assert "conference-orchestrator db upgrade" in ended.err


def test_an_unreachable_database_is_one_line(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CO_DATABASE_URL", "sqlite:////nowhere/at/all/x.db")
    ended = run("token", "list")
    assert ended.status == 1
    assert len(ended.err.splitlines()) == 1


def test_settings_are_shown_with_their_origin_and_secrets_masked(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CO_WEBEX_TOKEN", "very-secret")
    ended = run("settings")
    assert "very-secret" not in ended.out
    assert "CO_WEBEX_TOKEN=********  (environment)" in ended.out
    assert "CO_PROVIDER=mock  (default)" in ended.out


def test_a_token_stands_alone_on_the_last_line_and_can_be_revoked(network: Callable[..., Ended]) -> None:
    made = network("token", "create", "--role", "coordinator", "--group", "ewing", "--name", "rounds", "--days", "3")
    secret = made.out.splitlines()[-1]
    assert len(secret) > 30
    assert " " not in secret
    listed = network("token", "list").out
    assert secret not in listed
    assert "rounds" in listed
    token_id = listed.split()[0]
    assert network("token", "revoke", token_id).status == 0
    assert network("token", "revoke", "00000000-0000-0000-0000-000000000000").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--role", "emperor"],
        ["--role", "coordinator"],
        ["--role", "coordinator", "--group", "nobody"],
        ["--role", "clinician", "--clinician", "no.body@nowhere.example"],
    ],
)
def test_a_token_for_nobody_is_refused_in_one_line(network: Callable[..., Ended], arguments: list[str]) -> None:
    ended = network("token", "create", *arguments)
    assert (ended.status, ended.out, len(ended.err.splitlines())) == (1, "", 1)


def test_loading_again_adds_nothing(network: Callable[..., Ended]) -> None:
    again = network("load", str(CONFIG / "paedcan.toml"))
    assert again.out.startswith("0 added, 0 changed, ")


def test_what_is_exported_can_be_imported_again(network: Callable[..., Ended]) -> None:
    for kind in ("hospitals", "clinicians", "groups"):
        assert network("export", kind, f"{kind}.csv").status == 0
        assert len(list(csv.reader(io.StringIO(Path(f"{kind}.csv").read_text(encoding="utf-8"))))) > 3
        again = network("import", kind, f"{kind}.csv")
        assert (again.status, again.out[:19]) == (0, "0 added, 0 changed,"), again.err


def test_a_refused_row_is_one_line_and_nothing_is_stored(network: Callable[..., Ended]) -> None:
    rows = [
        "bruges,Ziekenhuis Brugge,Brugge,BE,Europe/Brussels,no,paedcan",
        "ghent,Ziekenhuis Gent,Gent,BE,Europe/Nowhere,no,paedcan",
        f"liege,{'x' * 300},Liège,BE,Europe/Brussels,no,paedcan",
    ]
    Path("new.csv").write_text(HOSPITALS + "\n".join(rows), encoding="utf-8")
    ended = network("import", "hospitals", "new.csv")
    assert ended.status == 1
    lines = ended.err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("line 3: time_zone")
    assert lines[1].startswith("line 4: name")
    assert "bruges" not in network("export", "hospitals", "-").out


def test_a_file_in_latin_1_is_refused_in_one_line(network: Callable[..., Ended]) -> None:
    Path("old.csv").write_bytes((HOSPITALS + "koeln,Klinik Köln,Köln,DE,Europe/Berlin,no,paedcan").encode("latin-1"))
    ended = network("import", "hospitals", "old.csv")
    assert ended.status == 1
    assert len(ended.err.splitlines()) == 1
    assert "UTF-8" in ended.err


def test_a_dry_run_stores_nothing(network: Callable[..., Ended]) -> None:
    Path("new.csv").write_text(HOSPITALS + "bruges,Brugge,Brugge,BE,Europe/Brussels,no,paedcan", encoding="utf-8")
    assert network("import", "hospitals", "new.csv", "--dry-run").out.startswith("1 added")
    assert "bruges" not in network("export", "hospitals", "-").out


def test_a_revision_that_nobody_knows_is_one_clear_line(run: Callable[..., Ended]) -> None:
    assert run("db", "upgrade").status == 0
    ended = run("db", "downgrade", "nonsense")
    assert (ended.status, ended.out, len(ended.err.splitlines())) == (1, "", 1)
    assert "'nonsense'" in ended.err
    assert run("db", "check").status == 0


def test_the_schema_is_checked_and_can_be_taken_back(run: Callable[..., Ended]) -> None:
    assert run("db", "upgrade").status == 0
    assert run("db", "check").status == 0
    assert run("db", "downgrade", "base").status == 0
    ended = run("db", "check")
    assert ended.status == 1
    assert "db upgrade" in ended.err
