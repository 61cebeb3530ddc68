"""What an erasure ends and empties, table by table; what everybody sees of it over HTTP stands in tests/web."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import absences, access, addresses, calendars, directory, erasing, joining, rostering
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.insight import invariants
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.errors import Conflict, NotFound, Stale
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import suppressions
from conference_orchestrator.ledger.inbound import InboundMail
from conference_orchestrator.ledger.series_calendars import SeriesInvitation
from conference_orchestrator.ledger.suppressions import Reason, Scope, Suppression
from conference_orchestrator.network import clinicians, erased_addresses, tokens
from conference_orchestrator.network.clinicians import Clinician, ClinicianAddress
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup, Membership
from conference_orchestrator.network.registrations import Registration
from conference_orchestrator.scheduling.attendances import Attendance
from conference_orchestrator.scheduling.rosters import Absence, Substitute
from tests.faulty_provider import FaultyProvider
from tests.flows.registrants import open_webinar
from tests.house import HELPDESK, House, applicant, notice
from tests.mails import WORK, Mails
from tests.scene import Scene, settle


@pytest.fixture
def scene(house: House) -> Scene:
    provider = FaultyProvider()
    provider_named.fill(house.app, lambda _: provider)
    return Scene(house)


@pytest.fixture
def anna(scene: Scene) -> Clinician:
    return scene.clinician("anna")


def erase(person: Clinician) -> None:
    erasing.erase(person.id, by=HELPDESK)


def write(*rows: Model) -> None:
    with transaction():
        db.session.add_all(rows)


def the(model: type[Any], *conditions: Any) -> Any:
    """The one row of the table, as it is in the database now."""
    db.session.rollback()
    return db.session.scalars(select(model).where(*conditions).execution_options(populate_existing=True)).one()


def mail(address: str | None, **changes: Any) -> InboundMail:
    usual = {"mailbox": "desk", "validity": 1, "number": 1, "kind": "other", "state": "open", "message_id": "<1@x>"}
    return InboundMail(address=address, **usual | {"subject": "From Anna Ávila", "detail": "A person wrote."} | changes)


class TestTakingPart:
    def test_memberships_end_today_and_the_rosters_follow(self, house: House, scene: Scene, anna: Clinician) -> None:
        group = scene.group("brain", scene.clinician("emil"), anna)
        before = len(house.queue.of_kind("refresh-group"))
        erase(anna)
        assert the(Membership, Membership.clinician_id == anna.id).until_on == date(2026, 11, 23)
        assert house.queue.of_kind("refresh-group")[before:] == [{"group": str(group.id)}]

    def test_the_place_of_a_substitute_is_given_up_in_what_is_to_come(
        self, house: House, scene: Scene, anna: Clinician
    ) -> None:
        group = scene.group("brain", scene.clinician("emil"))
        for number in (0, 1):
            rostering.add_substitute(scene.session(group, number).id, anna.id, by=HELPDESK)
        house.clock.at = scene.session(group).ends_at
        erase(anna)
        assert the(Substitute).session_id == scene.session(group).id

    def test_who_holds_the_series_as_one_object_holds_it_no_more_and_is_not_told(
        self, house: House, scene: Scene, anna: Clinician
    ) -> None:
        group = scene.group("brain", anna)
        calendars.choose(group.id, anna.id, CalendarStyle.SERIES, by=HELPDESK)
        settle(house, *WORK)
        assert the(SeriesInvitation).method == "REQUEST"
        mails = Mails(house)
        mails()
        erase(anna)
        settle(house, *WORK)
        assert (the(SeriesInvitation).method, mails()) == ("CANCEL", [])

    def test_the_place_at_a_webinar_goes_to_the_next_in_line(self, house: House, scene: Scene) -> None:
        webinar = open_webinar(house, scene, capacity=1)
        for name in ("anna", "emil"):
            house.clock.move_on(timedelta(minutes=1))
            webinar.answer(name)
        assert webinar.position("emil") == 1
        erasing.erase(webinar.people["anna"], by=HELPDESK)
        webinar.settle()
        place = webinar.view("emil").place
        assert place is not None
        assert place.is_held

    def test_afterwards_every_invariant_holds(self, house: House, scene: Scene, anna: Clinician) -> None:
        group = scene.group("brain", scene.clinician("emil"), anna)
        scene.allocated(anna, group)
        settle(house, *WORK)
        erase(anna)
        settle(house, *WORK)
        assert invariants.violations() == []


class TestAddresses:
    def test_every_address_that_was_hers_is_remembered_and_none_is_kept(self, house: House, anna: Clinician) -> None:
        addresses.add(anna.id, "anna@second.example", by=HELPDESK)
        joining.change(anna.id, {"email": "anna@third.example"}, by=HELPDESK)
        erase(anna)
        assert house.count(ClinicianAddress) == 0
        known = {name: erased_addresses.is_erased(f"anna@{name}.example") for name in ("second", "third", "other")}
        assert known == {"second": True, "third": True, "other": False}

    def test_an_address_that_is_another_clinicians_by_now_stays_that_ones(self, scene: Scene, anna: Clinician) -> None:
        scene.accepted(anna, scene.group("brain", scene.clinician("emil")))  # so mails went to the old address
        joining.change(anna.id, {"email": "anna@third.example"}, by=HELPDESK)
        heir = scene.clinician("heir", email="anna@hospital.example")
        erase(anna)
        assert not erased_addresses.is_erased("anna@hospital.example")
        assert the(Clinician, Clinician.id == heir.id).email == "anna@hospital.example"

    def test_what_was_suppressed_goes_with_its_address(self, house: House, anna: Clinician) -> None:
        with transaction() as tx:
            suppressions.add(anna.email, Scope.REMINDERS, Reason.UNSUBSCRIBED, at=tx.now)
        erase(anna)
        assert house.count(Suppression) == 0

    def test_a_group_whose_contact_it_was_has_none_and_the_helpdesk_is_told(
        self, scene: Scene, anna: Clinician
    ) -> None:
        group = scene.group("brain", scene.clinician("emil"))
        directory.change_group(group.id, {"contact_email": anna.email}, by=HELPDESK)
        erase(anna)
        assert the(ExpertGroup).contact_email is None
        (alert,) = [one.facts["detail"] for one in scene.house.messages("desk-alert")]
        assert alert == "Brain has no contact address any more: enter another one."


class TestNotes:
    def test_absences_are_deleted(self, house: House, anna: Clinician) -> None:
        absences.add(date(2026, 12, 1), date(2026, 12, 9), clinician=anna.id, by=HELPDESK)
        erase(anna)
        assert house.count(Absence) == 0

    @pytest.mark.parametrize(
        "seen",
        [{"email": "anna@hospital.example", "name": "Anna A."}, {"name": "Anna Ávila"}],
        ids=["by-address", "by-name"],
    )
    def test_who_was_there_is_nobody_by_name(self, house: House, scene: Scene, anna: Clinician, seen: Any) -> None:
        conference = scene.approved()
        write(Attendance(conference_id=conference, joined_at=house.clock.at, left_at=None, **seen))
        erase(anna)
        stay = the(Attendance)
        assert (stay.name, stay.email, stay.joined_at) == ("", None, house.clock.at)

    def test_a_mail_that_came_from_the_person_is_empty_and_waits_for_nobody(self, anna: Clinician) -> None:
        write(mail("Anna@Hospital.example"))
        erase(anna)
        left = the(InboundMail)
        assert (left.address, left.subject, left.detail, left.message_id, left.state) == (None, "", "", None, "done")

    def test_a_mail_of_somebody_else_that_names_the_person_stays_without_the_name(self, anna: Clinician) -> None:
        write(mail("emil@hospital.example", detail="Anna Ávila <anna@hospital.example> is away."))
        erase(anna)
        left = the(InboundMail)
        said = ("From (erased)", "(erased) <(erased)> is away.", "open")
        assert (left.subject, left.detail, left.state) == said

    def test_a_token_of_the_person_in_whatever_role_opens_nothing(self, scene: Scene, anna: Clinician) -> None:
        group = scene.group("brain", anna)
        _, secret = access.create(role="coordinator", group=group.code, clinician=anna.id)
        assert tokens.principal_of(secret, at=scene.house.clock.at) is not None
        erase(anna)
        assert tokens.principal_of(secret, at=scene.house.clock.at) is None


class TestRegistrations:
    def test_one_that_is_open_is_closed_and_not_decided_any_more(self, anna: Clinician) -> None:
        directory.add_network({"code": "covid", "name": "COVID19 Clinicians Network"}, by=HELPDESK)
        directory.publish_notice(notice("privacy"), by=HELPDESK)
        joining.register(applicant(email=anna.email, hospital="porto"))
        joining.confirm(links.token("confirm", the(Registration).id))
        erase(anna)
        left = the(Registration)
        assert (left.state, left.family_name, left.phone) == ("refused", "", None)
        with pytest.raises(Conflict):
            joining.activate(left.id, by=HELPDESK)


class TestWhoMay:
    def test_a_version_that_is_not_the_present_one_is_refused(self, anna: Clinician) -> None:
        with pytest.raises(Stale):
            erasing.erase(anna.id, by=HELPDESK, expected=anna.version + 1)
        assert clinicians.by_ids([anna.id]) != {}

    def test_the_helpdesk_of_another_network_does_not_find_the_person(self, anna: Clinician) -> None:
        other = directory.add_network({"code": "other", "name": "Another network"}, by=HELPDESK)
        with pytest.raises(NotFound):
            erasing.erase(anna.id, by=Principal(role=Role.HELPDESK, network_id=other.id))

    @pytest.mark.usefixtures("house")
    def test_nobody_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            erasing.erase(UUID(int=1), by=HELPDESK)
