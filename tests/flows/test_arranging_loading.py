"""The rounds of a configuration file: the fields of the API, and the same refusals."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conference_orchestrator.flows import arranging, loading
from conference_orchestrator.kernel.errors import Invalid
from tests.house import HELPDESK
from tests.scheduling.stage import Stage

FILE = """
[[groups]]
network = "paedcan"
code = "brain"
name = "Brain Tumour"
time_zone = "Europe/Berlin"
intake = "pre-selection"

[[groups.series]]
rule = "FREQ=WEEKLY;BYDAY=TU"
starts_on = 2026-09-01
start_time = 11:00:00
time_zone = "Europe/Berlin"
slots = 2
slot_minutes = 20
"""
MORE = 'break_minutes = 5\nhost_margin_minutes = 10\nholidays = { countries = ["pt"], action = "skip" }\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rounds.toml"


def test_a_round_of_a_file_has_breaks_a_margin_and_holidays(stage: Stage, file: Path) -> None:
    file.write_text(FILE + MORE)
    loading.load(file)
    (found,) = arranging.series_of(stage.group.id, by=HELPDESK).items
    assert (found.break_minutes, found.host_margin_minutes) == (5, 10)
    assert found.holidays == {"countries": ["PT"], "action": "skip"}
    assert [session.occurrence_on for session in stage.sessions()[:2]] == [date(2026, 11, 24), date(2026, 12, 15)]


def test_without_them_it_has_none(stage: Stage, file: Path) -> None:
    file.write_text(FILE)
    loading.load(file)
    (found,) = arranging.series_of(stage.group.id, by=HELPDESK).items
    assert (found.break_minutes, found.host_margin_minutes, found.holidays) == (0, 0, None)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ('holidays = { countries = ["XX"], action = "skip" }', "holidays.countries"),
        ('holidays = { countries = [], action = "skip" }', "holidays.countries"),
        ('holidays = { countries = ["PT"], action = "drop" }', "holidays.action"),
        ("break_minutes = 61", "break_minutes"),
    ],
)
@pytest.mark.usefixtures("stage")
def test_what_is_wrong_is_told_by_its_place_and_field(file: Path, wrong: str, field: str) -> None:
    file.write_text(FILE + wrong)
    with pytest.raises(Invalid) as refused:
        loading.load(file)
    assert [name.split(": ")[-1] for name in refused.value.errors] == [field]
