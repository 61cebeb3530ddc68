"""The API of webinars: limited places, materials, the registration link, and who came."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.app import engine_of
from conference_orchestrator.flows import answering, attending
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.providers.base import Visit
from tests.attended_provider import AttendedProvider
from tests.web.conftest import WEBINAR, Service

PATH = "/webinar-requests/{webinar}"
AT = "2026-12-03T15:00:00Z"
SLIDES = "https://slides.example/lessons"


def work(service: Service) -> None:
    engine_of(service.app).run_due()


def change(service: Service, *, by: str = "helpdesk", **changes: object):
    etag = service.get(PATH, by=by).headers["ETag"]
    return service.patch(PATH, changes, by=by, headers={"If-Match": etag})


@pytest.fixture
def provider(service: Service) -> AttendedProvider:
    made = AttendedProvider()
    provider_named.fill(service.app, lambda _: made)
    return made


@pytest.fixture
def approved(service: Service, provider: AttendedProvider) -> Service:
    """The webinar has two places, and three clinicians are invited."""
    change(service, capacity=2)
    service.ids["held"] = service.made(f"{PATH}/approval", {"starts_at": AT})["conference"]
    work(service)
    return service


def accept(service: Service, *people: str) -> None:
    """These accept by the links of their invitations."""
    with service.app.app_context():
        for person in people:
            held = select(Invitation.id).where(
                Invitation.conference_id == UUID(service.ids["held"]),
                Invitation.clinician_id == UUID(service.ids[person]),
            )
            answering.answer(links.token("answer", db.session.scalars(held).one()), Answer.ACCEPTED)
    work(service)


class TestPlacesAndMaterials:
    def test_they_are_answered_as_they_were_asked_for(self, service):
        entered = WEBINAR | {"capacity": 3, "materials_url": SLIDES}
        asked = service.made("/webinar-requests", entered, by="reference-centre")
        assert (asked["capacity"], asked["materials_url"], asked["registration_url"]) == (3, SLIDES, None)
        assert asked["registrations"] == {"registered": 0, "waiting": 0, "capacity": 3}

    def test_without_them_there_is_no_limit_and_nothing_to_read(self, service):
        asked = service.made("/webinar-requests", WEBINAR)
        assert (asked["capacity"], asked["materials_url"]) == (None, None)
        assert asked["registrations"] == {"registered": 0, "waiting": 0, "capacity": None}

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("capacity", 0),
            ("capacity", -1),
            ("capacity", 1.5),
            ("capacity", True),
            ("capacity", "many"),
            ("materials_url", "http://slides.example/lessons"),
            ("materials_url", "ftp://slides.example/lessons"),
            ("materials_url", "javascript:alert(1)"),
            ("materials_url", "https://ann:secret@slides.example/"),
            ("materials_url", "https://ann@slides.example/"),
            ("materials_url", "https://"),
            ("materials_url", "https://[slides.example/"),
            ("materials_url", "https://slides.example/\nBcc: all@slides.example"),
            ("materials_url", f"https://slides.example/{'x' * 2000}"),
        ],
        ids=str,
    )
    def test_what_cannot_be_is_named_at_the_beginning_and_later(self, service, field, wrong):
        for answer in (
            service.post("/webinar-requests", WEBINAR | {field: wrong}),
            change(service, **{field: wrong}),
        ):
            assert (answer.status_code, list(answer.json["errors"])) == (422, [field])

    def test_the_centre_and_the_helpdesk_change_them(self, service):
        assert change(service, capacity=5, by="reference-centre").json["capacity"] == 5
        later = change(service, materials_url=SLIDES).json
        assert (later["capacity"], later["materials_url"]) == (5, SLIDES)
        assert change(service, materials_url=None, by="reference-centre").json["materials_url"] is None

    def test_nothing_else_is_changed(self, service):
        answer = change(service, topic="Another")
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["topic"])

    def test_a_change_needs_the_present_version(self, service):
        assert service.patch(PATH, {"capacity": 5}).status_code == 428
        etag = service.get(PATH).headers["ETag"]
        change(service, capacity=5)
        assert service.patch(PATH, {"capacity": 6}, headers={"If-Match": etag}).status_code == 412

    def test_fewer_places_than_are_taken_are_refused_by_name(self, approved):
        accept(approved, "requester", "expert")
        answer = change(approved, capacity=1, by="reference-centre")
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["capacity"])


class TestRegistrations:
    def test_the_centre_and_the_helpdesk_get_the_registration_link_and_the_auditor_does_not(self, approved):
        seen = {role: approved.get(PATH, by=role).json for role in ("helpdesk", "reference-centre", "auditor")}
        assert seen["helpdesk"]["registration_url"] == seen["reference-centre"]["registration_url"]
        assert "/w/" in seen["helpdesk"]["registration_url"]
        assert seen["auditor"]["registration_url"] is None
        (listed,) = approved.get("/webinar-requests", by="reference-centre").json["items"]
        assert listed == seen["reference-centre"]

    def test_a_webinar_that_was_given_up_has_no_link(self, approved):
        approved.made("/conferences/{held}/cancellation", {"reason": "The speaker is ill."})
        assert approved.get(PATH).json["registration_url"] is None

    def test_they_are_counted_and_the_etag_for_reading_follows(self, approved):
        before = approved.get(PATH).headers["ETag"]
        accept(approved, "requester", "expert", "colleague")
        answer = approved.get(PATH, headers={"If-None-Match": before})
        assert answer.status_code == 200
        assert answer.json["registrations"] == {"registered": 2, "waiting": 1, "capacity": 2}

    def test_an_urgent_approval_is_a_yes_or_no(self, service):
        answer = service.post(f"{PATH}/approval", {"starts_at": AT, "urgent": "very"})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["urgent"])
        assert service.made(f"{PATH}/approval", {"starts_at": AT, "urgent": True})["state"] == "approved"

    def test_the_participants_tell_who_may_still_register(self, approved):
        accept(approved, "requester")
        roles = {
            one["clinician"]: one["role"] for one in approved.get("/conferences/{held}/participants").json["items"]
        }
        assert roles == {
            approved.ids["requester"]: "audience",
            approved.ids["expert"]: "invited",
            approved.ids["colleague"]: "invited",
        }


class TestAttendance:
    ASK = "/conferences/{held}/attendance"

    @pytest.fixture
    def attended(self, approved: Service, provider: AttendedProvider) -> Service:
        """The requester, and an expert who shares no address, came with two devices and one."""
        start = datetime.fromisoformat(AT)

        def stay(name: str, address: str, joined: int, left: int) -> Visit:
            minutes = [start + timedelta(minutes=minute) for minute in (joined, left)]
            return Visit(name=name, email=address, joined_at=minutes[0], left_at=minutes[1])

        provider.visits = [
            stay("Requester", "requester@szpital.example", 0, 30),
            stay("Requester (phone)", "Requester@szpital.example", 20, 45),
            stay("Expert", "expert@szpital.example", 5, 60),
            stay("Somebody", "somebody@elsewhere.example", 10, 20),
        ]
        approved.clock.at = start + timedelta(hours=2)
        with approved.app.app_context():
            attending.gather()
        work(approved)
        return approved

    def test_before_the_end_there_is_none(self, approved):
        assert approved.get(self.ASK).json == {"state": "not-over", "items": [], "total": 0}

    def test_the_helpdesk_reads_who_came_and_how_long(self, attended):
        found = attended.get(self.ASK).json
        assert (found["state"], found["total"]) == ("complete", 3)
        assert found["items"][0] == {
            "clinician": attended.ids["requester"],
            "name": "Requester Großmann-Réné",
            "email": "requester@szpital.example",
            "joined_at": "2026-12-03T15:00:00Z",
            "left_at": "2026-12-03T15:45:00Z",
            "minutes": 45,
        }
        assert found["items"][2]["clinician"] is None
        assert [(one["name"], one["email"], one["minutes"]) for one in found["items"][1:]] == [
            ("Expert Großmann-Réné", "expert@szpital.example", 55),
            ("Somebody", "somebody@elsewhere.example", 10),
        ]

    def test_the_centre_reads_only_addresses_that_the_participant_list_shows(self, attended):
        found = attended.get(self.ASK, by="reference-centre").json["items"]
        assert [one["email"] for one in found] == ["requester@szpital.example", None, None]

    def test_the_auditor_reads_nobodys_name(self, attended):
        assert "Requester" not in attended.get(self.ASK, by="auditor").get_data(as_text=True)

    @pytest.mark.parametrize("role", ["clinician", "coordinator"])
    def test_it_does_not_exist_for_others(self, attended, role):
        assert attended.get(self.ASK, by=role).status_code == 404
