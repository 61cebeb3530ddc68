"""How times and dates are written: RFC 3339, and nothing else that ISO 8601 allows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from conference_orchestrator.flows import fields
from conference_orchestrator.flows.fields import Wrong

TEN = datetime(2026, 12, 9, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-12-09T10:00:00Z", TEN),
        ("2026-12-09t10:00:00z", TEN),
        ("2026-12-09T10:00Z", TEN),
        ("2026-12-09T11:00:00+01:00", TEN.astimezone(timezone(timedelta(hours=1)))),
        ("2026-12-09T10:00:00.123456789Z", TEN.replace(microsecond=123456)),
        (TEN, TEN),
    ],
)
def test_an_instant_is_written_with_any_offset(written: object, at: datetime) -> None:
    assert fields.instant(written) == at


@pytest.mark.parametrize(
    "written",
    [
        "2026-W50-3T10:00Z",
        "20261209T100000Z",
        "2026-12-09 10:00+01:00",
        "2026-12-09T10:00:00+0100",
        "2026-12-09T10:00:00+01",
        "2026-12-09T10Z",
        "2026-12-09",
        "2026-12-09T10:00:00,5Z",
        "2026-13-09T10:00:00Z",
        "2026-12-09T25:00:00Z",
        "२०२६-12-09T10:00:00Z",
        "2026-12-09T10:00:00Z\n",
    ],
)
def test_an_instant_is_written_in_no_other_way(written: str) -> None:
    with pytest.raises(Wrong, match="such as 2026-01-01T00:00:00Z"):
        fields.instant(written)


@pytest.mark.parametrize("naive", ["2026-12-09T10:00:00", "2026-12-09T10:00", datetime(2026, 12, 9)])  # noqa: DTZ001  - on purpose
def test_an_instant_without_its_offset_is_refused_for_that(naive: object) -> None:
    with pytest.raises(Wrong, match="with its offset"):
        fields.instant(naive)


def test_a_date_is_written_with_hyphens() -> None:
    assert fields.day("2026-12-09") == fields.day(date(2026, 12, 9)) == date(2026, 12, 9)
    for written in (
        "20261201",
        "2026-W49-2",
        "2026-W49",
        "2026-12-1",
        "2026-12-32",
        "2026-12-01T00:00:00Z",
        "२०२६-12-09",
    ):
        with pytest.raises(Wrong, match="such as 2026-09-01"):
            fields.day(written)
