"""The suite that every adapter passes, shipped so that adapters of other packages can pass it too.

    class TestMyProvider(ProviderContract):
        @pytest.fixture
        def provider(self): ...     # a fresh adapter, which may talk to a sandbox

        @pytest.fixture
        def host(self): ...         # a host account at the provider, if it has such

        @pytest.fixture
        def other_host(self): ...   # a second one

What an adapter's capabilities rule out is skipped and says so; `left_out` lists it, so that a test can see to it that
nothing else is. Adapters that speak HTTP pass `contract_http` besides. Needs pytest, which the service itself does
not. It leaves meetings behind, some sixty days ahead and some in an hour.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from conference_orchestrator.providers.base import (
    Capabilities,
    ConferenceProvider,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
)
from conference_orchestrator.providers.contract_people import SOMEBODY, PeopleContract, assert_web_address
from conference_orchestrator.providers.contract_scene import DAY, HOUR, MakeSpec, left_out, needs
from conference_orchestrator.providers.errors import Invalid, NotFound

__all__ = ["ProviderContract", "left_out"]


class ProviderContract(PeopleContract):
    """What the flows rely on, one behaviour a test."""

    def test_a_created_meeting_is_the_one_that_was_wanted(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        meeting = provider.create(spec)
        assert (meeting.key, meeting.title) == (spec.key, spec.title)
        assert (meeting.starts_at, meeting.ends_at) == (spec.starts_at, spec.ends_at)
        assert meeting.starts_at.utcoffset() == timedelta(0)
        assert (meeting.ref.provider, meeting.ref.host) == (provider.name, spec.host)
        assert meeting.state == "scheduled"

    def test_a_created_meeting_has_a_web_address(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        assert_web_address(provider.create(wanted()).join_url)

    def test_a_created_meeting_has_the_right_settings(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        assert provider.create(wanted()).shortcomings() == ()

    def test_a_title_keeps_letters_of_every_script(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        title = "Sjögren · Łódź · Ελλάδα · България · 東京 · 👩‍⚕️"
        assert provider.create(wanted(title=title)).title == title

    def test_seconds_are_left_out_and_are_no_drift(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        late = timedelta(seconds=42, microseconds=5)
        meeting = provider.create(wanted(starts_at=spec.starts_at + late, ends_at=spec.ends_at + late))
        assert (meeting.starts_at, meeting.ends_at) == (spec.starts_at, spec.ends_at)

    @needs("webinar")
    def test_a_webinar_is_made(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted(kind="webinar", join_before_minutes=15)
        meeting = provider.create(spec)
        assert (meeting.title, meeting.starts_at, meeting.ends_at) == (spec.title, spec.starts_at, spec.ends_at)

    @pytest.mark.parametrize("broken", ["kind", "title", "no title", "agenda", "too short", "too long", "time_zone"])
    def test_a_limit_is_refused_and_nothing_is_made(
        self, provider: ConferenceProvider, wanted: MakeSpec, broken: str
    ) -> None:
        spec = wanted()
        with pytest.raises(Invalid) as told:
            provider.create(wanted(key=spec.key, **beyond_the_limits(provider.capabilities(), spec)[broken]))
        assert (told.value.provider, told.value.operation) == (provider.name, "create")
        assert provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at) == []

    def test_what_reaches_the_limits_is_made(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        limits, spec = provider.capabilities(), wanted()
        longest = spec.starts_at + timedelta(minutes=limits.max_minutes)
        full = wanted(title="ä" * limits.title_length, agenda="ä" * limits.agenda_length, ends_at=longest)
        assert provider.create(full).ends_at == longest
        shortest = spec.starts_at + timedelta(minutes=limits.min_minutes)
        assert provider.create(wanted(ends_at=shortest)).ends_at == shortest

    def test_a_naive_time_is_a_type_error(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        naive = spec.starts_at.replace(tzinfo=None)
        with pytest.raises(TypeError):
            provider.create(wanted(starts_at=naive))
        with pytest.raises(TypeError):
            provider.find(spec.key, spec.host, naive, spec.ends_at)
        with pytest.raises(TypeError):
            MeetingChanges(starts_at=naive, ends_at=spec.ends_at)

    def test_secrets_show_in_no_text_of_a_meeting(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        meeting = provider.create(wanted())
        secrets = [secret for secret in vars(meeting.secrets).values() if secret]
        shown = f"{meeting!r} {meeting} {meeting.secrets!r} {meeting.secrets}".replace(meeting.join_url, "")
        shown = shown.replace(repr(meeting.number), "").replace(meeting.ref.id, "")
        assert not [secret for secret in secrets if secret in shown]

    def test_threads_share_one_instance(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        specs = [wanted(title=f"Meeting {number}") for number in range(8)]
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(provider.create, specs))
        assert [(one.key, one.title) for one in made] == [(spec.key, spec.title) for spec in specs]
        assert len({one.ref for one in made}) == len(specs)

    @needs("native_idempotency")
    def test_creating_twice_with_one_key_makes_one_meeting(
        self, provider: ConferenceProvider, wanted: MakeSpec
    ) -> None:
        spec = wanted()
        assert provider.create(spec) == provider.create(spec)

    @needs("not native_idempotency")
    def test_creating_twice_with_one_key_makes_two_meetings(
        self, provider: ConferenceProvider, wanted: MakeSpec
    ) -> None:
        spec = wanted()
        assert provider.create(spec).ref != provider.create(spec).ref

    @needs("find_by_key")
    def test_all_meetings_of_a_key_are_found_two_months_ahead(
        self, provider: ConferenceProvider, wanted: MakeSpec
    ) -> None:
        spec = wanted()
        made = [provider.create(spec), provider.create(spec)]
        found = provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at)
        assert {meeting.ref for meeting in found} == {meeting.ref for meeting in made}
        assert all(meeting in made for meeting in found)

    @needs("find_by_key", "not native_idempotency", "small_pages")
    def test_meetings_on_the_third_page_are_found(
        self, provider: ConferenceProvider, wanted: MakeSpec, small_pages: int
    ) -> None:
        spec = wanted()
        refs = {provider.create(spec).ref for _ in range(2 * small_pages + 1)}
        assert {one.ref for one in provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at)} == refs

    @needs("find_by_key")
    def test_only_the_exact_key_is_found(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        for key in (f"{spec.key}0", spec.key[:-1], spec.key.upper()):
            provider.create(wanted(key=key))
        assert provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at) == []

    @needs("find_by_key")
    def test_only_meetings_of_the_right_host_are_found(
        self, provider: ConferenceProvider, wanted: MakeSpec, host: str, other_host: str
    ) -> None:
        spec = wanted(host=other_host)
        provider.create(spec)
        assert provider.find(spec.key, host, spec.starts_at, spec.ends_at) == []
        assert len(provider.find(spec.key, other_host, spec.starts_at, spec.ends_at)) == 1

    @needs("find_by_key")
    def test_all_meetings_with_a_key_of_ours_are_listed_and_no_others(
        self, provider: ConferenceProvider, wanted: MakeSpec
    ) -> None:
        spec = wanted(key=f"theirs-{uuid4().hex}")
        mine, theirs = {provider.create(wanted()).ref for _ in range(2)}, provider.create(spec).ref
        listed = {one.ref for one in provider.ours(spec.host, spec.starts_at, spec.ends_at)}
        assert mine <= listed
        assert theirs not in listed

    @needs("keeps_meetings")
    def test_a_meeting_is_read_by_its_reference(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        meeting = provider.create(wanted(title="Łódź · 東京"))
        assert provider.get(meeting.ref) == meeting

    @needs("keeps_meetings")
    def test_a_title_changes_and_the_rest_stays(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        after = provider.update(before.ref, MeetingChanges(title="Another title"))
        assert after.title == "Another title"
        assert (after.ref, after.key, after.starts_at, after.ends_at, after.join_url, after.lobby) == (
            (before.ref, before.key, before.starts_at, before.ends_at, before.join_url, before.lobby)
        )
        assert provider.get(before.ref) == after

    @needs("keeps_meetings")
    def test_a_meeting_moves_and_the_rest_stays(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        starts_at, ends_at = before.starts_at + 3 * DAY, before.ends_at + 3 * DAY + HOUR
        after = provider.update(before.ref, MeetingChanges(starts_at=starts_at, ends_at=ends_at))
        assert (after.starts_at, after.ends_at) == (starts_at, ends_at)
        assert (after.ref, after.title, after.join_url) == (before.ref, before.title, before.join_url)

    @needs("keeps_meetings")
    def test_a_change_of_nothing_changes_nothing(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        assert provider.update(before.ref, MeetingChanges()) == before

    @needs("keeps_meetings")
    def test_a_change_beyond_a_limit_changes_nothing(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        with pytest.raises(Invalid):
            provider.update(before.ref, MeetingChanges(title="x" * (provider.capabilities().title_length + 1)))
        assert provider.get(before.ref) == before

    @needs("keeps_meetings")
    def test_a_meeting_is_cancelled_once(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        meeting = provider.create(spec)
        assert provider.cancel(meeting.ref) is True
        assert provider.cancel(meeting.ref) is False
        assert provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at) == []
        with pytest.raises(NotFound):
            provider.get(meeting.ref)

    def test_a_meeting_that_nobody_made_is_not_found(self, provider: ConferenceProvider, host: str) -> None:
        nowhere = MeetingRef(provider.name, uuid4().hex, host)
        with pytest.raises(NotFound) as told:
            provider.get(nowhere)
        assert (told.value.provider, told.value.operation) == (provider.name, "get")
        with pytest.raises(NotFound):
            provider.update(nowhere, MeetingChanges(title="Another title"))
        with pytest.raises(NotFound):
            provider.join_link(nowhere, SOMEBODY, "attendee")
        assert provider.cancel(nowhere) is False

    @needs("not keeps_meetings")
    def test_before_people_come_there_is_nothing(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        meeting = provider.create(spec)
        assert provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at) == []
        assert provider.ours(spec.host, spec.starts_at, spec.ends_at) == []
        with pytest.raises(NotFound):
            provider.get(meeting.ref)
        with pytest.raises(NotFound):
            provider.update(meeting.ref, MeetingChanges(title="Another title"))
        assert provider.cancel(meeting.ref) is False

    @needs("not keeps_meetings")
    def test_created_again_at_another_time_it_keeps_its_address(
        self, provider: ConferenceProvider, wanted: MakeSpec
    ) -> None:
        before = provider.create(spec := wanted())
        after = provider.create(wanted(key=spec.key, title="Another title", starts_at=spec.starts_at + 3 * DAY))
        assert (after.title, after.starts_at, after.join_url) == (
            ("Another title", before.starts_at + 3 * DAY, before.join_url)
        )


def beyond_the_limits(limits: Capabilities, spec: MeetingSpec) -> dict[str, dict[str, object]]:
    """For each limit what breaks it, as fields of a spec."""
    minute = timedelta(minutes=1)
    return {
        "kind": {"kind": "gathering"},
        "title": {"title": "x" * (limits.title_length + 1)},
        "no title": {"title": " "},
        "agenda": {"agenda": "x" * (limits.agenda_length + 1)},
        "too short": {"ends_at": spec.starts_at + (limits.min_minutes - 1) * minute},
        "too long": {"ends_at": spec.starts_at + (limits.max_minutes + 1) * minute},
        "time_zone": {"time_zone": "Mars/Olympus"},
    }
