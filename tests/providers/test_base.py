from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from conference_orchestrator.providers.base import MeetingChanges, Secrets, to_the_minute
from conference_orchestrator.providers.mock import MockProvider


def test_a_move_needs_both_instants(spec):
    with pytest.raises(ValueError, match="change together"):
        MeetingChanges(starts_at=spec().starts_at)


def test_only_what_was_given_is_a_change(spec):
    assert MeetingChanges().given() == {}
    assert MeetingChanges(agenda=None, lobby=False).given() == {"agenda": None, "lobby": False}


def test_secrets_are_masked_in_every_text():
    secrets = Secrets(host_key="314159", password="opensesame", phone_password="27182818")
    assert f"{secrets} {secrets!r}" == "Secrets(********) Secrets(********)"


@pytest.mark.parametrize(
    ("setting", "shortcoming"),
    [
        ({"has_password": False}, "no-password"),
        ({"lobby": False}, "no-lobby"),
        ({"public": True}, "public"),
        ({"recording": True}, "recording"),
        ({"recording": None}, "recording"),
    ],
)
def test_each_wrong_setting_is_named(spec, setting, shortcoming):
    right = MockProvider().create(spec())
    assert right.shortcomings() == ()
    assert replace(right, **setting).shortcomings() == (shortcoming,)


def test_a_minute_is_the_same_in_every_zone():
    paris = datetime(2026, 11, 24, 11, 0, 59, 7, tzinfo=timezone(timedelta(hours=1)))
    assert to_the_minute(paris) == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert to_the_minute(paris).tzinfo is UTC


def test_a_meeting_without_a_zone_of_its_own_is_a_type_error(spec):
    with pytest.raises(TypeError):
        replace(MockProvider().create(spec()), ends_at=datetime(2026, 11, 24, 11, 0))  # noqa: DTZ001  - that is the point
