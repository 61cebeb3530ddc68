"""The suite that every adapter passes, shipped so that adapters of other packages can pass it too.

    class TestMyProvider(ProviderContract):
        @pytest.fixture
        def provider(self): ...     # a fresh adapter, which may talk to a sandbox

        @pytest.fixture
        def host(self): ...         # a host account at the provider, if it has such

        @pytest.fixture
        def other_host(self): ...   # a second one

Needs pytest, which the service itself does not. It leaves meetings behind, some sixty days ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from conference_orchestrator.providers.base import (
    ConferenceProvider,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
    to_the_minute,
)
from conference_orchestrator.providers.errors import Invalid, NotFound

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MakeSpec = Callable[..., MeetingSpec]


class ProviderContract:
    """What the flows rely on, one behaviour a test."""

    @pytest.fixture
    def provider(self) -> ConferenceProvider:
        """The adapter under test."""
        raise NotImplementedError("override the fixture `provider`")

    @pytest.fixture
    def host(self) -> str:
        """A host account at the provider; one that has none takes any."""
        return "first@hosts.example"

    @pytest.fixture
    def other_host(self) -> str:
        """Another host account at the provider."""
        return "second@hosts.example"

    @pytest.fixture
    def wanted(self, host: str) -> MakeSpec:
        """Makes specs with a fresh key; keyword arguments replace what is said here."""
        starts_at = to_the_minute(datetime.now(UTC)) + 60 * DAY

        def make(**instead: object) -> MeetingSpec:
            usual: dict[str, object] = {
                "key": f"co-{uuid4().hex}",
                "kind": "meeting",
                "title": "Expert group meeting",
                "agenda": "Two cases of twenty minutes.",
                "starts_at": starts_at,
                "ends_at": starts_at + HOUR,
                "time_zone": "Europe/Berlin",
                "host": host,
                "join_before_minutes": 10,
            }
            return MeetingSpec(**(usual | instead))  # type: ignore[arg-type]

        return make

    def test_a_created_meeting_is_the_one_that_was_wanted(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        meeting = provider.create(spec)
        assert (meeting.key, meeting.title) == (spec.key, spec.title)
        assert (meeting.starts_at, meeting.ends_at) == (spec.starts_at, spec.ends_at)
        assert meeting.starts_at.utcoffset() == timedelta(0)
        assert (meeting.ref.provider, meeting.ref.host) == (provider.name, spec.host)
        assert meeting.state == "scheduled"

    def test_a_created_meeting_has_a_web_address_to_join(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        link = urlsplit(provider.create(wanted()).join_url)
        assert link.scheme in {"https", "http"}
        assert link.hostname

    def test_a_created_meeting_has_the_right_settings(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        assert provider.create(wanted()).shortcomings() == ()

    def test_a_title_keeps_letters_of_every_script(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        title = "Sjögren · Łódź · Ελλάδα · България · 東京 · 👩‍⚕️"
        meeting = provider.create(wanted(title=title))
        assert provider.get(meeting.ref).title == title

    def test_seconds_are_left_out_and_are_no_drift(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        late = timedelta(seconds=42, microseconds=5)
        meeting = provider.create(wanted(starts_at=spec.starts_at + late, ends_at=spec.ends_at + late))
        assert (meeting.starts_at, meeting.ends_at) == (spec.starts_at, spec.ends_at)

    def test_a_meeting_is_read_by_its_reference(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        meeting = provider.create(wanted())
        assert provider.get(meeting.ref) == meeting

    def test_a_meeting_two_months_ahead_is_found_by_its_key(
        self, provider: ConferenceProvider, wanted: MakeSpec
    ) -> None:
        meeting = provider.create(spec := wanted())
        assert provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at) == [meeting]

    def test_only_the_exact_key_is_found(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        spec = wanted()
        for key in (f"{spec.key}0", spec.key[:-1], spec.key.upper()):
            provider.create(wanted(key=key))
        assert provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at) == []

    def test_only_meetings_of_the_right_host_are_found(
        self, provider: ConferenceProvider, wanted: MakeSpec, host: str, other_host: str
    ) -> None:
        spec = wanted(host=other_host)
        provider.create(spec)
        assert provider.find(spec.key, host, spec.starts_at, spec.ends_at) == []
        assert len(provider.find(spec.key, other_host, spec.starts_at, spec.ends_at)) == 1

    def test_creating_twice_with_one_key_is_what_the_capabilities_say(
        self, provider: ConferenceProvider, wanted: MakeSpec
    ) -> None:
        spec = wanted()
        refs = {provider.create(spec).ref, provider.create(spec).ref}
        found = provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at)
        assert {meeting.ref for meeting in found} == refs
        assert len(refs) == (1 if provider.capabilities().native_idempotency else 2)

    def test_a_title_changes_and_the_rest_stays(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        after = provider.update(before.ref, MeetingChanges(title="Another title"))
        assert after.title == "Another title"
        assert (after.ref, after.key, after.starts_at, after.ends_at, after.join_url, after.lobby) == (
            (before.ref, before.key, before.starts_at, before.ends_at, before.join_url, before.lobby)
        )
        assert provider.get(before.ref) == after

    def test_a_meeting_moves_and_the_rest_stays(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        starts_at, ends_at = before.starts_at + 3 * DAY, before.ends_at + 3 * DAY + HOUR
        after = provider.update(before.ref, MeetingChanges(starts_at=starts_at, ends_at=ends_at))
        assert (after.starts_at, after.ends_at) == (starts_at, ends_at)
        assert (after.ref, after.title, after.join_url) == (before.ref, before.title, before.join_url)

    def test_an_agenda_can_be_cleared(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        assert provider.update(before.ref, MeetingChanges(agenda=None)) == before

    def test_a_change_of_nothing_changes_nothing(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        assert provider.update(before.ref, MeetingChanges()) == before

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
        assert provider.cancel(nowhere) is False

    @pytest.mark.parametrize("broken", ["kind", "title", "no title", "agenda", "too short", "too long", "time_zone"])
    def test_a_limit_is_refused_and_nothing_is_made(
        self, provider: ConferenceProvider, wanted: MakeSpec, broken: str
    ) -> None:
        limits, spec = provider.capabilities(), wanted()
        minute = timedelta(minutes=1)
        beyond: dict[str, dict[str, object]] = {
            "kind": {"kind": "gathering"},
            "title": {"title": "x" * (limits.title_length + 1)},
            "no title": {"title": " "},
            "agenda": {"agenda": "x" * (limits.agenda_length + 1)},
            "too short": {"ends_at": spec.starts_at + (limits.min_minutes - 1) * minute},
            "too long": {"ends_at": spec.starts_at + (limits.max_minutes + 1) * minute},
            "time_zone": {"time_zone": "Mars/Olympus"},
        }
        with pytest.raises(Invalid):
            provider.create(wanted(key=spec.key, **beyond[broken]))
        assert provider.find(spec.key, spec.host, spec.starts_at, spec.ends_at) == []

    def test_what_reaches_the_limits_is_made(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        limits, spec = provider.capabilities(), wanted()
        longest = spec.starts_at + timedelta(minutes=limits.max_minutes)
        full = wanted(title="ä" * limits.title_length, agenda="ä" * limits.agenda_length, ends_at=longest)
        assert provider.create(full).ends_at == longest
        shortest = spec.starts_at + timedelta(minutes=limits.min_minutes)
        assert provider.create(wanted(ends_at=shortest)).ends_at == shortest

    def test_a_change_beyond_a_limit_changes_nothing(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        before = provider.create(wanted())
        with pytest.raises(Invalid):
            provider.update(before.ref, MeetingChanges(title="x" * (provider.capabilities().title_length + 1)))
        assert provider.get(before.ref) == before

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
