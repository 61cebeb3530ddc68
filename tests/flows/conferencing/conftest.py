"""A provider that fails as it is told, and a conference whose meeting nobody has made yet."""

from __future__ import annotations

from uuid import UUID

import pytest

from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.network.expert_groups import ExpertGroup
from tests.faulty_provider import FaultyProvider
from tests.house import House
from tests.scene import Scene


@pytest.fixture
def scene(house: House) -> Scene:
    return Scene(house)


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    made = FaultyProvider()
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def group(scene: Scene, provider: FaultyProvider) -> ExpertGroup:
    """A group with one case in its first session, whose meeting nobody has made yet."""
    ines = scene.clinician("ines")
    made = scene.group("brain", scene.clinician("anna"), scene.clinician("emil"))
    scene.allocated(ines, made)
    return made


@pytest.fixture
def conference_id(scene: Scene, group: ExpertGroup) -> UUID:
    return scene.conference(group).id
