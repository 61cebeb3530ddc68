from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.errors import NotFound
from conference_orchestrator.providers.rooms import Room

MINUTES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  - bounds
    lambda at: at.replace(second=0, microsecond=0)
)
KEYS = st.from_regex(r"[a-z0-9][a-z0-9-]{1,99}", fullmatch=True)
TITLES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=128)


@given(KEYS, TITLES, MINUTES, MINUTES)
def test_all_that_is_needed_later_is_known_again_by_the_reference(key, title, starts_at, ends_at):
    room = Room(key=key, title=title, starts_at=starts_at, ends_at=ends_at)
    assert Room.known(MeetingRef("jitsi", room.id, None), "get") == room


@given(KEYS, TITLES, MINUTES, MINUTES)
def test_an_id_is_safe_in_an_address_and_in_a_query(key, title, starts_at, ends_at):
    room = Room(key=key, title=title, starts_at=starts_at, ends_at=ends_at)
    assert not set(room.id) & set("/\\?&#%+ \"'<>")


@given(st.text())
def test_any_other_id_is_not_found(text):
    with pytest.raises(NotFound):
        Room.known(MeetingRef("jitsi", text, None), "get")
