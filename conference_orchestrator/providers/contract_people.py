"""The part of the shipped contract about people: their links, who comes, who was there, what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args
from urllib.parse import urlsplit

import pytest

from conference_orchestrator.providers.base import ConferenceProvider, MeetingChanges, MeetingSpec, Person, Role
from conference_orchestrator.providers.contract_scene import ContractScene, MakeSpec, SignedEvent, needs
from conference_orchestrator.providers.errors import BadSignature, Invalid

SOMEBODY, SOMEBODY_ELSE = Person("Ada Byron", "ada@clinic.example"), Person("Emil Berg", "emil@clinic.example")


class PeopleContract(ContractScene):
    """One behaviour a test."""

    def test_everybody_gets_a_web_address_to_join(self, provider: ConferenceProvider, imminent: MeetingSpec) -> None:
        meeting = provider.create(imminent)
        for role in get_args(Role):
            assert_web_address(provider.join_link(meeting.ref, SOMEBODY, role))

    @needs("personal_links")
    def test_each_person_and_role_has_a_link_of_its_own(
        self, provider: ConferenceProvider, imminent: MeetingSpec
    ) -> None:
        meeting = provider.create(imminent)
        links = {
            provider.join_link(meeting.ref, SOMEBODY, "attendee"),
            provider.join_link(meeting.ref, SOMEBODY_ELSE, "attendee"),
            provider.join_link(meeting.ref, SOMEBODY, "moderator"),
            meeting.join_url,
        }
        assert len(links) == 4, "a link is that of somebody else"  # noqa: PLR2004

    @needs("invitees")
    def test_people_are_made_known_and_twice_is_no_error(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        meeting = provider.create(wanted())
        for people in ([SOMEBODY], [SOMEBODY, SOMEBODY_ELSE], []):
            provider.invite(meeting.ref, people, role="attendee")
        assert provider.get(meeting.ref) == meeting

    @needs("not invitees")
    def test_who_is_to_come_is_refused_to_be_told(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        with pytest.raises(Invalid):
            provider.invite(provider.create(wanted()).ref, [SOMEBODY], role="attendee")

    @needs("attendance")
    def test_who_was_at_a_coming_meeting_is_not_known_yet(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        meeting = provider.create(wanted())
        attendance = provider.attendance(meeting.ref, meeting.starts_at, meeting.ends_at)
        assert (attendance.visits, attendance.is_complete) == ((), False), "not ready is not nobody"

    @needs("not attendance")
    def test_who_was_there_is_refused_to_be_told(self, provider: ConferenceProvider, wanted: MakeSpec) -> None:
        meeting = provider.create(wanted())
        with pytest.raises(Invalid):
            provider.attendance(meeting.ref, meeting.starts_at, meeting.ends_at)

    @needs("not events")
    def test_events_are_refused(self, provider: ConferenceProvider) -> None:
        with pytest.raises(Invalid):
            provider.listen("https://meetings.example/hooks")
        with pytest.raises(Invalid):
            provider.parse_event({}, b"{}")

    @needs("events")
    @pytest.mark.parametrize("body", [b"", b"{}", b"\xff"], ids=["nothing", "an object", "no text"])
    def test_an_event_without_a_signature_is_refused(self, provider: ConferenceProvider, body: bytes) -> None:
        with pytest.raises(BadSignature):
            provider.parse_event({}, body)

    @needs("events", "signed_event")
    def test_an_event_is_the_same_when_it_is_sent_again(
        self, provider: ConferenceProvider, signed_event: SignedEvent
    ) -> None:
        headers, body = signed_event
        in_capitals = {name.upper(): value for name, value in headers.items()}
        assert provider.parse_event(headers, body) == provider.parse_event(in_capitals, body)

    @needs("events", "signed_event")
    def test_an_event_with_a_changed_byte_is_refused(
        self, provider: ConferenceProvider, signed_event: SignedEvent
    ) -> None:
        headers, body = signed_event
        with pytest.raises(BadSignature):
            provider.parse_event(headers, body[:-1] + bytes([body[-1] ^ 1]))

    @needs("keeps_meetings", "mails")
    def test_the_provider_mails_nobody(
        self, provider: ConferenceProvider, wanted: MakeSpec, mails: Callable[[], Sequence[object]]
    ) -> None:
        meeting = provider.create(wanted())
        provider.update(meeting.ref, MeetingChanges(title="Another title"))
        if provider.capabilities().invitees:
            provider.invite(meeting.ref, [SOMEBODY], role="attendee")
        provider.cancel(meeting.ref)
        assert list(mails()) == []


def assert_web_address(link: str) -> None:
    """AssertionError unless a browser can go there."""
    parts = urlsplit(link)
    assert parts.scheme in {"https", "http"}
    assert parts.hostname
