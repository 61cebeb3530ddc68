"""Webinars invite the audience that was chosen, and the speakers."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import conferencing, directory, joining, webinars
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network import networks
from conference_orchestrator.network.clinicians import ClinicianNetwork
from conference_orchestrator.network.registrations import Registration
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House, applicant, notice
from tests.mails import WORK, Mails, erase
from tests.scene import Scene, settle

AT = datetime(2026, 12, 3, 15, 0, tzinfo=UTC)


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


def test_a_clinician_of_two_networks_is_invited_once(
    house: House, scene: Scene, audience: SimpleNamespace, mails: Mails
) -> None:
    scene.hospital("graz", country="AT", time_zone="Europe/Vienna", networks=["paedcan", "other"])
    other = networks.by_code("other")
    assert other is not None
    with transaction() as tx:
        place = ClinicianNetwork(clinician_id=audience.eva.id, network_id=other.id, activated_at=tx.now)
        db.session.add(place)
    scene.approved(hospital="graz", audience={"countries": ["AT"]})
    settle(house, *WORK)
    assert mails() == [("eva", "invitation", 0), ("max", "invitation", 0)]


def test_all_networks_of_the_hospital_are_the_audience_unless_some_are_named(
    house: House, scene: Scene, audience: SimpleNamespace, mails: Mails
) -> None:
    scene.hospital("graz", networks=["paedcan", "other"])
    scene.approved(hospital="graz")
    settle(house, *WORK)
    assert {who for who, _, _ in mails()} == {"eva", "foreign", "ines", "max", "rita"}
    scene.approved(hospital="graz", audience={"networks": ["other"]}, topic="Another")
    settle(house, *WORK)
    assert {who for who, _, _ in mails()} == {"foreign"}


def test_who_was_erased_and_whose_registration_is_pending_are_not_invited(
    house: House, scene: Scene, audience: SimpleNamespace, mails: Mails
) -> None:
    directory.publish_notice(notice("privacy", network="paedcan"), by=HELPDESK)
    new = {"network": "paedcan", "hospital": "wien", "email": "new@hospital.example"}
    joining.register(applicant(**new))
    pending = db.session.scalars(select(Registration)).one()
    joining.confirm(links.token("confirm", pending.id))
    erase(audience.max)
    scene.approved(speakers=(audience.eva,))
    settle(house, *WORK)
    assert mails() == [("eva", "invitation", 0), ("ines", "invitation", 0), ("rita", "invitation", 0)]


def test_a_speaker_who_was_erased_is_not_invited(
    house: House, scene: Scene, audience: SimpleNamespace, mails: Mails
) -> None:
    request_id = scene.webinar(speakers=(audience.eva,), audience={"countries": ["FR"]})
    erase(audience.eva)
    webinars.approve(request_id, AT, by=HELPDESK)
    settle(house, *WORK)
    assert mails() == []
