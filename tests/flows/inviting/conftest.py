"""A group of experts and two who ask; the mails of it."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest

from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup
from tests.faulty_provider import FaultyProvider
from tests.flows.inviting.series_mails import choose
from tests.house import House
from tests.mails import WORK, Mails
from tests.scene import Scene, settle


@pytest.fixture
def scene(house: House) -> Scene:
    return Scene(house)


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    made = FaultyProvider()
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def people(scene: Scene, provider: FaultyProvider) -> SimpleNamespace:
    """Two experts, a coordinator, and two who ask."""
    return SimpleNamespace(**{name: scene.clinician(name) for name in ("anna", "emil", "carla", "ines", "olga")})


@pytest.fixture
def group(scene: Scene, people: SimpleNamespace) -> ExpertGroup:
    return scene.group("brain", people.anna, people.emil)


@pytest.fixture
def request_id(house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup) -> UUID:
    """A request that holds the first slot of the first session; everybody is invited."""
    made = scene.allocated(people.ines, group)
    settle(house, *WORK)
    return made


@pytest.fixture
def mails(house: House) -> Mails:
    return Mails(house)


@pytest.fixture
def invited(request_id: UUID, mails: Mails) -> Mails:
    """The same, after the first invitations."""
    mails()
    return mails


@pytest.fixture
def anna_by_series(
    house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails
) -> SimpleNamespace:
    """Anna holds the series as one object, Emil its sessions; nobody has a case yet."""
    choose(group, people.anna.id, CalendarStyle.SERIES)
    settle(house, *WORK)
    return people
