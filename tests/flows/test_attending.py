"""Who came: asked of the provider after the end until its list is complete, matched with who was invited."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import attending, conferencing, erasing, webinars
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician, ClinicianAddress
from conference_orchestrator.providers.base import MeetingRef, Visit
from conference_orchestrator.providers.errors import Transient
from conference_orchestrator.scheduling.attendances import Attendance
from conference_orchestrator.settings import SettingsError
from tests.attended_provider import AttendedProvider
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.mails import erase
from tests.scene import Scene, settle

WORK = ("ensure-conference", "issue-invitations", "take-attendance")
HOUR = timedelta(hours=1)


@pytest.fixture
def provider(house: House) -> AttendedProvider:
    made = AttendedProvider()
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def scene(house: House, provider: AttendedProvider) -> Scene:
    made = Scene(house)
    for name, share in (("anna", ["email"]), ("ines", [])):
        made.clinician(name, share=share)
    return made


@pytest.fixture
def webinar(house: House, scene: Scene) -> UUID:
    """Ready, everybody invited."""
    made = scene.approved()
    settle(house, *WORK)
    return made


@pytest.fixture
def over(house: House, scene: Scene, webinar: UUID) -> UUID:
    """The same, twenty minutes after its end."""
    house.clock.at = scene.fresh(webinar).ends_at + timedelta(minutes=20)
    conferencing.sweep()
    return webinar


def visit(
    scene: Scene, conference_id: UUID, name: str, *, email: str | None = None, joined: int = 0, left: int | None = 60
) -> Visit:
    """A stay from so many minutes after the start until so many."""
    start: datetime = scene.fresh(conference_id).starts_at
    return Visit(
        name=name,
        email=email,
        joined_at=start + timedelta(minutes=joined),
        left_at=None if left is None else start + timedelta(minutes=left),
    )


def gather(house: House) -> None:
    attending.gather()
    settle(house, *WORK)


def seen(conference_id: UUID, *, by: Principal = HELPDESK) -> list[tuple[str, str | None, int]]:
    """Name, address and minutes as the asker sees them."""
    found = attending.attendance(conference_id, by=by)
    return [(one.name, one.email, one.presence.minutes) for one in found.items]


def state(conference_id: UUID) -> str:
    db.session.rollback()
    return attending.attendance(conference_id, by=HELPDESK).state


class TestGathering:
    def test_who_was_invited_is_known_by_the_address_others_by_what_they_typed(
        self, house: House, scene: Scene, provider: AttendedProvider, over: UUID
    ) -> None:
        provider.visits = [
            visit(scene, over, "Anna (Porto)", email="ANNA@hospital.example"),
            visit(scene, over, "A guest", email="guest@elsewhere.example", joined=5, left=20),
            visit(scene, over, "Phone", joined=10, left=None),
        ]
        gather(house)
        assert seen(over) == [
            ("Anna Ávila", "anna@hospital.example", 60),
            ("A guest", "guest@elsewhere.example", 15),
            ("Phone", None, 50),
        ]
        assert state(over) == "complete"
        assert not provider.sees_transaction_open

    def test_a_further_address_of_somebody_invited_counts(
        self, house: House, scene: Scene, provider: AttendedProvider, over: UUID
    ) -> None:
        with transaction():
            anna = known("anna")
            db.session.add(ClinicianAddress(clinician_id=anna.id, email="anna@clinic.example"))
        provider.visits = [
            visit(scene, over, "A.", email="anna@clinic.example", left=30),
            visit(scene, over, "Anna", email="anna@hospital.example", joined=20, left=40),
        ]
        gather(house)
        assert seen(over) == [("Anna Ávila", "anna@hospital.example", 40)]

    def test_who_was_not_invited_is_told_by_what_was_typed_though_known_to_us(
        self, house: House, scene: Scene, provider: AttendedProvider, over: UUID
    ) -> None:
        scene.clinician("vera")
        provider.visits = [visit(scene, over, "V.", email="vera@hospital.example")]
        gather(house)
        (found,) = attending.attendance(over, by=HELPDESK).items
        assert (found.name, found.presence.clinician_id) == ("V.", None)

    @pytest.mark.parametrize(("minutes", "until"), [(0, 0), (10, 0), (20, 5), (90, 75), (400, 360)])
    def test_the_meeting_is_asked_for_by_its_id_from_an_hour_before_as_far_as_its_list_is_settled(
        self, house: House, scene: Scene, provider: AttendedProvider, over: UUID, minutes: int, until: int
    ) -> None:
        conference = scene.fresh(over)
        assert conference.state == "held"
        house.clock.at = conference.ends_at + timedelta(minutes=minutes)
        gather(house)
        latest = conference.ends_at + timedelta(minutes=until)
        assert provider.asked == [(MeetingRef("mock", "meeting-001", None), conference.starts_at - HOUR, latest)]

    def test_a_list_that_is_not_complete_is_asked_for_again_and_replaced(
        self, house: House, scene: Scene, provider: AttendedProvider, over: UUID
    ) -> None:
        provider.is_complete = False
        provider.visits = [visit(scene, over, "Anna", left=None)]
        gather(house)
        assert (state(over), len(seen(over))) == ("gathering", 1)
        provider.is_complete = True
        provider.visits = [visit(scene, over, "Anna", left=30), visit(scene, over, "Ines")]
        gather(house)
        assert (state(over), len(seen(over)), house.count(Attendance)) == ("complete", 2, 2)

    def test_a_complete_list_is_not_asked_for_again(self, house: House, provider: AttendedProvider, over: UUID) -> None:
        for _ in range(3):
            gather(house)
        attending.take(over)
        assert provider.count("attendance") == 1

    def test_nobody_came_is_told_from_not_yet_known(self, house: House, provider: AttendedProvider, over: UUID) -> None:
        provider.is_complete = False
        gather(house)
        assert state(over) == "gathering"
        provider.is_complete = True
        gather(house)
        assert (state(over), seen(over)) == ("complete", [])

    def test_a_failure_leaves_what_is_known_and_the_timer_comes_again(
        self, house: House, scene: Scene, provider: AttendedProvider, over: UUID
    ) -> None:
        provider.is_complete = False
        provider.visits = [visit(scene, over, "Anna")]
        gather(house)
        provider.is_complete = True
        provider.fail("attendance", Transient)
        gather(house)
        assert (state(over), len(seen(over))) == ("gathering", 1)
        gather(house)
        assert state(over) == "complete"

    def test_before_the_end_nobody_is_asked(self, house: House, provider: AttendedProvider, webinar: UUID) -> None:
        gather(house)
        assert (state(webinar), provider.count("attendance")) == ("not-over", 0)

    def test_after_two_days_nobody_is_asked_any_more(
        self, house: House, provider: AttendedProvider, over: UUID
    ) -> None:
        provider.is_complete = False
        gather(house)
        house.clock.move_on(timedelta(hours=48))
        gather(house)
        assert (state(over), provider.count("attendance")) == ("unavailable", 1)

    def test_a_provider_that_tells_nothing_is_not_asked(self, house: House, over: UUID) -> None:
        silent = FaultyProvider()
        provider_named.fill(house.app, lambda _: silent)
        gather(house)
        assert (state(over), silent.calls) == ("unavailable", [])

    def test_a_provider_that_is_set_up_no_more_is_no_obstacle(self, house: House, over: UUID) -> None:
        def gone(_name: str) -> Any:
            raise SettingsError("CO_PROVIDER: there is no such provider.")

        provider_named.fill(house.app, gone)
        gather(house)
        assert state(over) == "unavailable"

    def test_of_what_was_cancelled_there_is_no_attendance(
        self, house: House, provider: AttendedProvider, webinar: UUID
    ) -> None:
        conferencing.cancel(webinar, "The speaker is ill.", by=HELPDESK)
        settle(house, *WORK)
        assert state(webinar) == "unavailable"
        house.clock.move_on(timedelta(days=11))
        gather(house)
        assert provider.count("attendance") == 0


class TestScope:
    @pytest.fixture
    def attended(self, house: House, scene: Scene, provider: AttendedProvider, over: UUID) -> UUID:
        provider.visits = [
            visit(scene, over, "Anna", email="anna@hospital.example"),
            visit(scene, over, "Ines", email="ines@hospital.example", joined=1),
            visit(scene, over, "Guest", email="guest@elsewhere.example", joined=2),
        ]
        gather(house)
        return over

    def test_a_centre_sees_the_addresses_of_its_own_people_and_those_that_others_share(
        self, house: House, scene: Scene, provider: AttendedProvider
    ) -> None:
        scene.hospital("wien", country="AT", time_zone="Europe/Vienna")
        for name, share in (("eva", []), ("max", ["email"])):
            scene.clinician(name, hospital="wien", share=share)
        over = scene.approved()
        settle(house, *WORK)
        house.clock.at = scene.fresh(over).ends_at
        names = ("anna", "ines", "eva", "max", "guest")
        provider.visits = [
            visit(scene, over, name, email=f"{name}@hospital.example", joined=number)
            for number, name in enumerate(names)
        ]
        gather(house)
        assert {name.split()[0]: email for name, email, _ in seen(over, by=centre(scene, over))} == {
            "Anna": "anna@hospital.example",
            "Ines": "ines@hospital.example",
            "Eva": None,
            "Max": "max@hospital.example",
            "guest": None,
        }

    def test_another_centre_and_a_clinician_see_nothing(self, attended: UUID) -> None:
        for by in (
            Principal(role=Role.REFERENCE_CENTRE, hospital_id=uuid4()),
            Principal(role=Role.CLINICIAN, clinician_id=uuid4()),
            Principal(role=Role.COORDINATOR, group_id=uuid4()),
            Principal(role=Role.HELPDESK, network_id=uuid4()),
        ):
            with pytest.raises(NotFound):
                attending.attendance(attended, by=by)

    def test_the_auditor_sees_everybody_masked(self, attended: UUID) -> None:
        assert seen(attended, by=Principal(role=Role.AUDITOR)) == [
            ("A*** Á***", "a***@***", 60),
            ("I*** Á***", "i***@***", 59),
            ("G***", None, 58),
        ]

    def test_who_was_erased_is_not_shown(self, attended: UUID) -> None:
        erase(known("ines"))
        db.session.rollback()
        assert [name for name, _, _ in seen(attended)] == ["Anna Ávila", "Guest"]

    def test_a_list_that_is_taken_anew_after_an_erasure_brings_nobody_back(
        self, house: House, scene: Scene, provider: AttendedProvider, over: UUID
    ) -> None:
        provider.is_complete = False
        provider.visits = [visit(scene, over, "Ines at home", email="INES@hospital.example")]
        gather(house)
        assert stays() == [("Ines at home", "ines@hospital.example")]
        erasing.erase(known("ines").id, by=HELPDESK)
        gather(house)
        assert stays() == [("", None)]


def stays() -> list[tuple[str, str | None]]:
    """Name and address of every stay, as they are kept."""
    db.session.rollback()
    return [(one.name, one.email) for one in db.session.scalars(select(Attendance))]


def known(name: str) -> Clinician:
    return db.session.scalars(select(Clinician).where(Clinician.email == f"{name}@hospital.example")).one()


def centre(scene: Scene, conference_id: UUID) -> Principal:
    """The reference centre whose webinar it is."""
    request_id = scene.fresh(conference_id).webinar_request_id
    assert request_id is not None
    return Principal(role=Role.REFERENCE_CENTRE, hospital_id=webinars.get(request_id, by=HELPDESK).hospital_id)
