"""Everything about a person, as JSON, to the person and to the helpdesk."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import absences, access, exporting, feeding
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.flows.personal_data import HOLDINGS
from conference_orchestrator.kernel.audit import AuditEntry
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network.clinicians import Clinician
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.mails import WORK
from tests.scene import Scene, settle


@pytest.fixture
def scene(house: House) -> Scene:
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    return Scene(house)


@pytest.fixture
def anna(scene: Scene) -> Clinician:
    """A member with a case of the own, an absence, a feed and a token."""
    person = scene.clinician("anna", phone="+351 21 555 0100")
    group = scene.group("brain", scene.clinician("emil"), person)
    scene.allocated(person, group)
    scene.allocated(scene.clinician("ines"), group, slot=1)
    absences.add(date(2026, 12, 1), date(2026, 12, 9), clinician=person.id, by=HELPDESK)
    settle(scene.house, *WORK)
    return person


def exported(person: Clinician, *, by: Principal = HELPDESK) -> dict[str, Any]:
    return exporting.everything_about(person.id, by=by)


def test_every_table_that_holds_something_personal_is_in_it(anna: Clinician) -> None:
    tables = exported(anna)["tables"]
    assert {holding.model.__tablename__ for holding in HOLDINGS} <= tables.keys()
    assert tables["clinician"][0]["phone"] == "+351 21 555 0100"
    assert [row["question"] for row in tables["consultation_request"]] == ["Which therapy?"]
    assert [(row["from_on"], row["until_on"]) for row in tables["absence"]] == [("2026-12-01", "2026-12-09")]


def test_what_the_person_did_is_in_it_under_the_id(anna: Clinician) -> None:
    tables = exported(anna)["tables"]
    assert {row["clinician_id"] for row in tables["membership"]} == {str(anna.id)}
    assert sorted(row["role"] for row in tables["invitation"]) == ["expert", "requester"]
    assert len(tables["allocation"]) == 1
    assert {(row["kind"], row["state"]) for row in tables["message"]} >= {("invitation", "queued")}
    assert f"clinician:{anna.id}" in {row["subject"] for row in tables["audit"]}


def test_nothing_is_about_anybody_else(anna: Clinician) -> None:
    told = json.dumps(exported(anna))
    assert "anna@hospital.example" in told
    assert "emil@hospital.example" not in told
    assert "ines@hospital.example" not in told


def test_ids_of_groups_and_networks_have_their_names_beside(anna: Clinician) -> None:
    assert set(exported(anna)["names"].values()) == {"Brain", "ERN PaedCan", "Hospital porto"}


def test_instants_are_in_utc(anna: Clinician) -> None:
    told = exported(anna)
    assert told["exported_at"] == "2026-11-23T09:00:00Z"
    assert all(row["created_at"].endswith("Z") for row in told["tables"]["message"])


def test_no_word_that_opens_something_and_no_hash_of_one_is_in_it(anna: Clinician) -> None:
    feed, url = feeding.open_feed("Phone", clinician=anna.id, by=HELPDESK)
    token, secret = access.create(role="clinician", clinician=anna.id, name="Laptop")
    told = json.dumps(exported(anna))
    assert all(name in told for name in ("Phone", "Laptop"))
    word = url.rpartition("/")[2].removesuffix(".ics")
    assert [one for one in (word, secret, feed.sha256, token.sha256) if one in told] == []


def test_it_is_noted_in_the_audit(anna: Clinician) -> None:
    exported(anna)
    noted = select(AuditEntry).where(AuditEntry.action == "clinician.export")
    assert [entry.subject for entry in db.session.scalars(noted)] == [f"clinician:{anna.id}"]


def test_a_clinician_reads_the_own_and_nobody_elses(anna: Clinician, scene: Scene) -> None:
    own = Principal(role=Role.CLINICIAN, clinician_id=anna.id)
    assert exported(anna, by=own)["tables"]["clinician"][0]["id"] == str(anna.id)
    with pytest.raises(NotFound):
        exported(scene.clinician("olga"), by=own)
