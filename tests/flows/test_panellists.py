"""Speakers of a webinar are known to the provider as panellists, and of the audience nothing leaves the house."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import attending, inviting
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.providers.errors import AuthError, Invalid, ProviderError, RateLimited, Transient
from tests.attended_provider import AttendedProvider
from tests.faulty_provider import FaultyProvider
from tests.house import House
from tests.scene import Scene, settle

WORK = ("ensure-conference", "issue-invitations", "invite-panellists")


@pytest.fixture
def provider(house: House) -> AttendedProvider:
    made = AttendedProvider()
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def scene(house: House, provider: AttendedProvider) -> Scene:
    return Scene(house)


@pytest.fixture
def webinar(scene: Scene) -> UUID:
    """With two speakers and two more clinicians, who are its audience."""
    speakers = (scene.clinician("anna"), scene.clinician("emil"))
    scene.clinician("ines")
    scene.clinician("olga")
    return scene.approved(speakers=speakers)


def test_once_the_meeting_stands_its_speakers_and_nobody_else_are_panellists(
    house: House, scene: Scene, provider: AttendedProvider, webinar: UUID
) -> None:
    settle(house, *WORK)
    meeting = scene.fresh(webinar).meeting_id
    assert provider.invited == [
        (meeting, "panellist", "Anna Ávila", "anna@hospital.example"),
        (meeting, "panellist", "Emil Ávila", "emil@hospital.example"),
    ]
    assert not provider.sees_transaction_open


def test_done_again_it_changes_nothing(house: House, provider: AttendedProvider, webinar: UUID) -> None:
    settle(house, *WORK)
    attending.invite_panellists(webinar, attempt=1)
    assert (len(provider.invited), provider.count("invite")) == (2, 2)


def test_invitations_that_concern_no_speaker_do_not_ask_again(
    house: House, scene: Scene, provider: AttendedProvider, webinar: UUID
) -> None:
    settle(house, *WORK)
    scene.clinician("rita")
    inviting.issue(webinar)
    settle(house, *WORK)
    assert provider.count("invite") == 1


@pytest.mark.parametrize("error", [Transient, RateLimited])
def test_a_passing_failure_is_tried_again(
    house: House, provider: AttendedProvider, webinar: UUID, error: type[ProviderError]
) -> None:
    provider.fail("invite", error, times=3)
    settle(house, *WORK)
    assert (provider.count("invite"), len(provider.invited)) == (4, 2)


def test_the_wait_that_the_provider_asks_for_is_kept(house: House, provider: AttendedProvider, webinar: UUID) -> None:
    settle(house, "ensure-conference", "issue-invitations")
    before = house.clock.at
    provider.fail("invite", RateLimited, retry_after=900)
    settle(house, *WORK)
    assert house.clock.at >= before + timedelta(seconds=900)
    assert len(provider.invited) == 2


def test_after_the_last_failure_the_helpdesk_is_told_once(
    house: House, scene: Scene, provider: AttendedProvider, webinar: UUID
) -> None:
    provider.fail("invite", Transient, times=None)
    settle(house, *WORK)
    assert provider.count("invite") == 6
    attending.invite_panellists(webinar, attempt=6)
    settle(house, *WORK)
    assert scene.alerts().count("Speakers are not known to the provider") == 1


@pytest.mark.parametrize("error", [Invalid, AuthError])
def test_what_does_not_pass_is_told_at_once(
    house: House, scene: Scene, provider: AttendedProvider, webinar: UUID, error: type[ProviderError]
) -> None:
    provider.fail("invite", error)
    settle(house, *WORK)
    assert provider.count("invite") == 1
    assert "Speakers are not known to the provider" in scene.alerts()


def test_a_provider_without_such_a_list_is_not_asked(house: House, webinar: UUID) -> None:
    plain = FaultyProvider()
    provider_named.fill(house.app, lambda _: plain)
    settle(house, *WORK)
    assert plain.count("create") == 1
    assert plain.count("invite") == 0


def test_a_web_conference_has_no_panellists(house: House, scene: Scene, provider: AttendedProvider) -> None:
    scene.approved(kind="web-conference", speakers=(scene.clinician("anna"),))
    settle(house, *WORK)
    assert provider.count("invite") == 0


def test_after_the_end_nobody_is_made_a_panellist(
    house: House, scene: Scene, provider: AttendedProvider, webinar: UUID
) -> None:
    settle(house, "ensure-conference", "issue-invitations")
    house.clock.at = scene.fresh(webinar).ends_at
    settle(house, *WORK)
    assert provider.count("invite") == 0
