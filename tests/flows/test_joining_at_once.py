"""Joining when everybody comes at the same time, on both databases."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from conference_orchestrator.flows import directory, joining
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.errors import Conflict, RuleBroken
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork
from conference_orchestrator.network.registrations import Registration
from tests.house import HELPDESK, House, applicant, notice

pytestmark = pytest.mark.usefixtures("covid")


@pytest.fixture
def house_database(both_schemas: str) -> str:
    """SQLite and PostgreSQL."""
    return both_schemas


def pending(network: str) -> UUID:
    joining.register(applicant(network=network))
    waiting = select(Registration).where(Registration.state == "address-pending")
    return joining.confirm(links.token("confirm", db.session.scalars(waiting).one().id)).id


def test_ten_twins_are_one_registration_with_three_mails(house: House) -> None:
    assert house.at_once(10, lambda _: joining.register(applicant())) == [None] * 10  # type: ignore[func-returns-value]
    assert house.count(Registration) == 1
    assert len(house.messages("registration-received")) == 3


def test_twins_collide_once_the_protection_is_taken_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def unprotected(table: type[Model]) -> object:
        return insert(table) if table is Registration else insert_new(table)

    insert_new = joining.insert_new
    monkeypatch.setattr(joining, "insert_new", unprotected)
    answers = house.at_once(10, lambda _: joining.register(applicant()))  # type: ignore[func-returns-value]
    assert any(isinstance(answer, IntegrityError) for answer in answers), "the harness can no longer see the bug"


def test_twins_fill_a_mailbox_once_the_limit_is_taken_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MAILS_PER_ADDRESS", 100)
    house.at_once(10, lambda _: joining.register(applicant()))  # type: ignore[func-returns-value]
    assert len(house.messages("registration-received")) == 10, "the harness can no longer see the bug"


def test_two_helpdesks_who_activate_one_person_in_two_networks_make_one_clinician(house: House) -> None:
    directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
    directory.publish_notice(notice("privacy", network="paedcan"), by=HELPDESK)
    waiting = [pending("covid"), pending("paedcan")]
    answers = house.at_once(2, lambda n: joining.activate(waiting[n], by=HELPDESK))
    for number, answer in enumerate(answers):
        if isinstance(answer, Conflict):
            joining.activate(waiting[number], by=HELPDESK)
    assert (house.count(Clinician), house.count(ClinicianNetwork)) == (1, 2)
    assert len(house.messages("registration-activated")) == 2


def test_a_registration_that_two_decide_is_decided_once(house: House) -> None:
    registration = pending("covid")
    decide = [
        lambda: joining.activate(registration, by=HELPDESK),
        lambda: joining.refuse(registration, "No.", by=HELPDESK),
    ]
    answers = house.at_once(2, lambda n: decide[n]())
    assert sum(isinstance(answer, RuleBroken) for answer in answers) == 1
    assert len([m for m in house.messages() if m.kind in {"registration-activated", "registration-refused"}]) == 1
