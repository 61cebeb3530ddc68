from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from conference_orchestrator.providers.base import MeetingChanges
from conference_orchestrator.providers.contract import ProviderContract
from conference_orchestrator.providers.errors import NotFound
from conference_orchestrator.providers.mock import MockProvider


class TestMock(ProviderContract):
    @pytest.fixture
    def provider(self):
        return MockProvider()


def test_after_a_restart_the_same_conference_gets_the_same_meeting_again(spec):
    before = MockProvider().create(spec())
    assert MockProvider().create(spec()) == before


def test_after_a_restart_nothing_is_left(spec):
    meeting = MockProvider().create(spec())
    restarted = MockProvider()
    assert restarted.find(spec().key, spec().host, spec().starts_at, spec().ends_at) == []
    assert restarted.cancel(meeting.ref) is False
    with pytest.raises(NotFound):
        restarted.update(meeting.ref, MeetingChanges(title="Another"))


def test_a_key_with_odd_letters_stays_within_the_path_of_the_link(spec):
    assert MockProvider().create(spec(key="../a?b")).join_url == "https://mock.example/..%2Fa%3Fb"


def test_fifty_threads_with_one_key_get_one_meeting(spec):
    provider = MockProvider()
    with ThreadPoolExecutor(50) as threads:
        meetings = list(threads.map(lambda n: provider.create(spec(title=f"Attempt {n}")), range(50)))
    assert len({meeting.title for meeting in meetings}) == 1
