"""Webinars invite the audience that was chosen, and the speakers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conference_orchestrator.flows import conferencing, directory
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails
from tests.scene import Scene, settle


@pytest.fixture
def audience(scene: Scene, provider: FaultyProvider) -> SimpleNamespace:
    """Clinicians of two countries and specialties, and one of another network."""
    scene.hospital("wien", country="AT", time_zone="Europe/Vienna")
    directory.add_network({"code": "other", "name": "Another network"}, by=HELPDESK)
    wien = {"hospital": "wien", "time_zone": "Europe/Vienna"}
    return SimpleNamespace(
        ines=scene.clinician("ines"),
        rita=scene.clinician("rita", specialties=["Radiology"]),
        eva=scene.clinician("eva", **wien),
        max=scene.clinician("max", **wien, specialties=["radiology", "surgery"]),
        foreign=scene.clinician("foreign", network="other"),
    )


@pytest.mark.parametrize(
    ("narrowed", "invited"),
    [
        ({}, {"ines", "rita", "eva", "max"}),
        ({"networks": ["paedcan"]}, {"ines", "rita", "eva", "max"}),
        ({"countries": ["AT"]}, {"eva", "max"}),
        ({"specialties": ["radiology"]}, {"rita", "max"}),
        ({"countries": ["PT"], "specialties": ["RADIOLOGY"]}, {"rita"}),
        ({"countries": ["FR"]}, set()),
    ],
)
def test_a_webinar_invites_the_audience_that_was_chosen(
    house: House, scene: Scene, audience: SimpleNamespace, mails: Mails, narrowed: dict[str, Any], invited: set[str]
) -> None:
    scene.approved(audience=narrowed)
    settle(house, *WORK)
    sent = mails.new()
    assert {m.name.split()[0].lower() for m in sent} == invited
    assert {(m.kind, m.facts["role"], m.facts["topic"]) for m in sent} <= {
        ("invitation", "audience", "New drugs in sarcoma")
    }


def test_speakers_are_invited_as_such_also_from_outside_the_audience(
    house: House, scene: Scene, audience: SimpleNamespace, mails: Mails
) -> None:
    scene.approved(speakers=(audience.eva, audience.ines), audience={"countries": ["AT"]})
    settle(house, *WORK)
    roles = {m.name.split()[0].lower(): m.facts["role"] for m in mails.new()}
    assert roles == {"eva": "speaker", "ines": "speaker", "max": "audience"}


def test_a_webinar_given_up_is_cancelled_for_all_who_hold_it(
    house: House, scene: Scene, audience: SimpleNamespace, mails: Mails
) -> None:
    conference_id = scene.approved()
    settle(house, *WORK)
    mails()
    conferencing.cancel(conference_id, "no speaker", by=HELPDESK)
    settle(house, *WORK)
    assert mails() == [(name, "invitation-cancel", 1) for name in ("eva", "ines", "max", "rita")]
