"""Who holds a round as one object sees after each change the sessions that there are, as do those who hold each."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.readers import reading
from tests.readers.client import Client
from tests.readers.lint import calendar_faults
from tests.readers.series_life import UNTIL, Calendars, lived_in_series


@pytest.fixture(scope="module")
def found(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Calendars:
    return lived_in_series(f"sqlite:///{shutil.copy(migrated_file, tmp_path_factory.mktemp('series') / 'life.db')}")


def shown(seen: reading.Calendar) -> reading.Instants:
    return tuple(one for one in seen.instants if one[0] < UNTIL)


def test_every_reader_shows_after_each_step_the_sessions_that_there_are(reader: str, found: Calendars) -> None:
    seen = reading.calendars(reader, [look.calendar for look in found.looks])
    wrong = {
        (look.step, look.name): sorted(set(shown(one)) ^ set(look.meant))
        for look, one in zip(found.looks, seen, strict=True)
        if shown(one) != look.meant
    }
    assert wrong == {}


def test_the_steps_change_what_there_is_to_see(found: Calendars) -> None:
    counted: dict[str, list[int]] = {}
    for look in found.looks:
        counted.setdefault(look.name, []).append(len(look.meant))
    # Written by hand: 26 Tuesdays from October 13 to April 6; one and then another is cancelled, three are paused.
    assert counted["carla"] == [26, 26, 26, 25, 24, 21, 24, 24, 24, 24, 24]
    assert counted["emil"] == [26, 26, 26, 25, 24, 21, 24, 24, 24, 24, 0]
    assert counted["anna"] == [0, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3]


def test_each_object_passes_our_lint_and_the_check_of_itip(found: Calendars) -> None:
    sent = [data for _, data in found.sent]
    assert [faults for data in sent if (faults := calendar_faults(data))] == []
    assert {seen.forbidden for seen in reading.calendars("libical", sent)} == {()}


def test_nobody_gets_a_lower_sequence_after_a_higher_one(found: Calendars) -> None:
    last: dict[tuple[str, str], int] = {}
    for (name, _), seen in zip(found.sent, reading.calendars("vobject", [data for _, data in found.sent]), strict=True):
        for event in seen.events:
            assert event.sequence >= last.get((name, event.uid), 0)
            last[name, event.uid] = event.sequence


def _without_exceptions(data: bytes) -> bytes:
    return re.sub(rb"EXDATE[^\r]*\r\n", b"", data)


def _without_cancellations(data: bytes) -> bytes:
    return b"" if b"METHOD:CANCEL" in data else data


@pytest.mark.parametrize(("name", "spoiled"), [("carla", _without_exceptions), ("emil", _without_cancellations)])
def test_a_calendar_that_is_not_told_what_is_left_out_shows_it(
    found: Calendars, name: str, spoiled: Callable[[bytes], bytes]
) -> None:
    client = Client()
    for to, data in found.sent:
        if to == name:
            client.take(spoiled(data))
    (seen,) = reading.calendars("vobject", [client.shown()])
    look = [look for look in found.looks if look.name == name][-1]
    assert set(shown(seen)) - set(look.meant)
