"""A reference centre's webinar: asked for, approved for a time that a host is free for, or turned down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, update

from conference_orchestrator.flows import conferencing, hosting, webinars
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NoHostFree, NotFound, RuleBroken, Stale
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.hospitals import Hospital, hospital_network
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostBooking
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest
from tests.house import HELPDESK
from tests.scheduling.stage import ProviderWithHosts, Stage

START = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def entered(**changes: Any) -> dict[str, Any]:
    """What a reference centre types in."""
    return {
        "hospital": "porto",
        "kind": "webinar",
        "topic": "Late effects",
        "language": "en",
        "duration_minutes": 60,
        "preferred": [START],
        "expected_audience": 50,
    } | changes


def submitted(**changes: Any) -> WebinarRequest:
    return webinars.submit(entered(**changes), by=HELPDESK)


class TestSubmitting:
    def test_a_request_waits_for_the_helpdesk_and_the_helpdesk_is_told(self, stage: Stage) -> None:
        found = webinars.submit(entered(), by=stage.centre("porto"))
        assert (found.state, found.hospital.code, found.preferred) == ("submitted", "porto", ["2026-12-01T15:00:00Z"])
        (mail,) = stage.mails("desk-alert")
        assert mail["title"] == "A webinar request waits for approval"
        assert mail["detail"] == "Hospital of porto asks for a webinar: Late effects."

    def test_the_requester_is_a_speaker_of_the_hospital_when_nobody_signed_in_asks(self, stage: Stage) -> None:
        people = stage.people
        found = submitted(speakers=[str(people["zoé"].id), people["rui"].email])
        assert found.requester_id == people["rui"].id
        assert found.speakers == [str(people["zoé"].id), str(people["rui"].id)]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"hospital": "nowhere"}, "hospital"),
            ({"preferred": [START, datetime(2026, 11, 23, 9, 0, tzinfo=UTC)]}, "preferred"),
            ({"speakers": [str(uuid4())]}, "speakers"),
            ({"audience": {"networks": ["nowhere"]}}, "audience.networks"),
        ],
    )
    def test_what_does_not_fit_is_named_and_nothing_is_stored(
        self, stage: Stage, wrong: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            submitted(**wrong)
        assert list(refused.value.errors) == [field]
        assert (stage.house.count(WebinarRequest), stage.mails("all")) == (0, [])

    def test_a_centre_asks_for_itself(self, stage: Stage) -> None:
        with pytest.raises(Invalid, match="You ask for your own hospital"):
            webinars.submit(entered(), by=stage.centre("graz"))

    @pytest.mark.usefixtures("stage")
    def test_a_hospital_that_is_no_reference_centre_may_not_ask(self) -> None:
        with transaction():
            db.session.execute(update(Hospital).values(is_reference_centre=False))
        with pytest.raises(Invalid, match="Only the reference centre of a network"):
            submitted()

    def test_an_audience_is_sought_in_the_hospitals_own_networks_only(self, stage: Stage) -> None:
        with transaction():
            mine = hospital_network.c.hospital_id == stage.hospitals["graz"].id
            db.session.execute(delete(hospital_network).where(mine))
        with pytest.raises(Invalid, match="Only the reference centre of a network"):
            submitted(hospital="graz")
        found = submitted(audience={"networks": ["paedcan"], "countries": ["PT"]})
        assert found.audience == {"networks": [str(stage.network.id)], "countries": ["PT"], "specialties": []}


class TestApproving:
    def test_an_approved_webinar_gets_its_meeting_and_the_centre_is_told(self, stage: Stage) -> None:
        request = submitted(speakers=[str(stage.people["rui"].id)])
        found = webinars.approve(request.id, START, by=HELPDESK)
        assert (found.state, found.starts_at, found.decided_by) == ("approved", START, "helpdesk")
        assert found.conference is not None
        assert (found.conference.kind, found.conference.title) == ("webinar", "Late effects")
        assert (found.conference.starts_at, found.conference.ends_at) == (START, START + HOUR)
        assert found.conference.time_zone == "Europe/Lisbon"
        assert stage.tasks() == ["ensure-conference"]
        (mail,) = stage.mails("webinar-approved")
        assert (mail["to"], mail["topic"]) == ("rui@porto.example", "Late effects")

    def test_a_centre_that_named_nobody_is_answered_through_the_helpdesk(self, stage: Stage) -> None:
        webinars.approve(submitted().id, START, by=HELPDESK)
        (mail,) = stage.mails("webinar-approved")
        assert mail["to"] == "helpdesk@network.example"

    def test_the_audience_is_invited_once_the_meeting_has_its_link(self, stage: Stage) -> None:
        webinars.approve(submitted(speakers=[str(stage.people["zoé"].id)]).id, START, by=HELPDESK)
        stage.work()
        invited = {mail["to"]: mail["role"] for mail in stage.mails("invitation")}
        assert invited.pop("zoé@graz.example") == "speaker"
        assert (len(invited), set(invited.values())) == (4, {"audience"})

    @pytest.mark.parametrize(
        "at",
        [
            datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
            START + timedelta(days=600),
            START + timedelta(seconds=1),
            START + timedelta(microseconds=1),
        ],
    )
    def test_a_time_that_cannot_be_is_refused_by_name(self, stage: Stage, at: datetime) -> None:
        request = submitted()
        with pytest.raises(Invalid) as refused:
            webinars.approve(request.id, at, by=HELPDESK)
        assert list(refused.value.errors) == ["starts_at"]
        assert (webinars.get(request.id, by=HELPDESK).state, stage.house.count(Conference)) == ("submitted", 0)

    def test_a_request_is_decided_once(self, stage: Stage) -> None:
        request = submitted()
        webinars.approve(request.id, START, by=HELPDESK)
        for again in (
            lambda: webinars.approve(request.id, START + HOUR, by=HELPDESK),
            lambda: webinars.refuse(request.id, "No.", by=HELPDESK),
        ):
            with pytest.raises(RuleBroken, match="The request is already approved"):
                again()
        assert stage.house.count(Conference) == 1

    def test_a_request_that_changed_meanwhile_is_stale(self, stage: Stage) -> None:
        request = submitted()
        with pytest.raises(Stale):
            webinars.approve(request.id, START, by=HELPDESK, expected=request.version + 1)
        assert stage.house.count(Conference) == 0

    def test_a_hospital_that_left_its_networks_gets_a_clear_answer(self, stage: Stage) -> None:
        request = submitted()
        with transaction():
            db.session.execute(delete(hospital_network))
        with pytest.raises(RuleBroken, match="belongs to no network any more"):
            webinars.approve(request.id, START, by=HELPDESK)
        assert stage.house.count(Conference) == 0

    def test_places_and_materials_are_kept_as_they_were_asked_for(self, stage: Stage) -> None:
        asked = webinars.submit(
            entered(capacity=40, materials_url="https://slides.example/1"), by=stage.centre("porto")
        )
        assert (asked.capacity, asked.materials_url) == (40, "https://slides.example/1")
        changed = webinars.change(asked.id, {"capacity": None}, by=stage.centre("porto"), expected=asked.version)
        assert (changed.capacity, changed.materials_url) == (None, "https://slides.example/1")

    def test_before_the_approval_the_number_of_places_is_free(self, stage: Stage) -> None:
        request = submitted()
        for capacity in (40, 5, None, 1):
            assert webinars.change(request.id, {"capacity": capacity}, by=HELPDESK).capacity == capacity
        assert stage.mails("invitation-update") == []

    def test_another_centre_changes_nothing(self, stage: Stage) -> None:
        with pytest.raises(NotFound):
            webinars.change(submitted().id, {"capacity": 5}, by=stage.centre("graz"))

    @pytest.mark.usefixtures("stage")
    def test_what_was_refused_is_changed_no_more(self) -> None:
        request = submitted()
        webinars.refuse(request.id, "No.", by=HELPDESK)
        with pytest.raises(RuleBroken, match="is refused"):
            webinars.change(request.id, {"capacity": 5}, by=HELPDESK)


class TestHosts:
    @pytest.fixture
    def one_host(self, stage: Stage) -> Stage:
        stage.provide(ProviderWithHosts())
        hosting.add_host({"provider": "mock", "email": "ann@hosts.example", "capacity": 1, "kinds": []})
        return stage

    def test_the_host_is_taken_with_the_approval(self, one_host: Stage) -> None:
        found = webinars.approve(submitted().id, START, by=HELPDESK)
        assert found.conference is not None
        assert found.conference.host == "ann@hosts.example"
        assert one_host.house.count(HostBooking) == 1

    def test_when_every_host_is_busy_the_next_free_times_are_told_and_nothing_is_changed(self, one_host: Stage) -> None:
        webinars.approve(submitted().id, START, by=HELPDESK)
        second = submitted(topic="Another")
        one_host.tasks()
        with pytest.raises(NoHostFree) as refused:
            webinars.approve(second.id, START + timedelta(minutes=30), by=HELPDESK)
        assert refused.value.detail == (
            "Every host account is busy then; next free (Europe/Lisbon): "
            "01.12.2026 16:00, 01.12.2026 16:30, 01.12.2026 17:00."
        )
        proposals = [datetime.fromisoformat(at) for at in refused.value.extra["next_free"]]  # type: ignore[attr-defined]
        assert proposals == [START + HOUR, START + 1.5 * HOUR, START + 2 * HOUR]
        assert webinars.get(second.id, by=HELPDESK).state == "submitted"
        assert (one_host.house.count(Conference), one_host.tasks()) == (1, [])
        assert len(one_host.mails("webinar-approved")) == 1
        assert webinars.approve(second.id, proposals[0], by=HELPDESK).state == "approved"

    @pytest.mark.usefixtures("one_host")
    def test_the_reserve_hosts_only_what_is_urgent(self) -> None:
        hosting.add_host(
            {"provider": "mock", "email": "bea@hosts.example", "capacity": 1, "kinds": [], "is_reserve": True}
        )
        webinars.approve(submitted().id, START, by=HELPDESK)
        second = submitted(topic="Another")
        with pytest.raises(NoHostFree):
            webinars.approve(second.id, START, by=HELPDESK)
        found = webinars.approve(second.id, START, urgent=True, by=HELPDESK)
        assert found.conference is not None
        assert found.conference.host == "bea@hosts.example"

    def test_a_webinar_that_is_given_up_gives_its_host_back(self, one_host: Stage) -> None:
        found = webinars.approve(submitted().id, START, by=HELPDESK)
        assert found.conference is not None
        conferencing.cancel(found.conference.id, "The speaker is ill.", by=HELPDESK)
        one_host.work()
        assert webinars.get(found.id, by=HELPDESK).state == "cancelled"
        assert webinars.approve(submitted(topic="Another").id, START, by=HELPDESK).state == "approved"


class TestRefusing:
    def test_the_centre_is_told_the_reason(self, stage: Stage) -> None:
        request = submitted(speakers=[str(stage.people["rui"].id)])
        found = webinars.refuse(request.id, "The topic was covered in May.", by=HELPDESK)
        assert (found.state, found.reason, found.conference) == ("refused", "The topic was covered in May.", None)
        (mail,) = stage.mails("webinar-refused")
        assert (mail["to"], mail["reason"]) == ("rui@porto.example", "The topic was covered in May.")
        assert stage.tasks() == []


class TestScope:
    @pytest.mark.parametrize("role", [Role.CLINICIAN, Role.COORDINATOR, Role.ANONYMOUS])
    def test_a_request_does_not_exist_for_who_has_nothing_to_do_with_it(self, stage: Stage, role: Role) -> None:
        self.must_not_exist_for(
            Principal(role=role, clinician_id=stage.people["rui"].id, group_id=stage.group.id), submitted()
        )

    def test_a_request_does_not_exist_for_another_hospital(self, stage: Stage) -> None:
        self.must_not_exist_for(stage.centre("graz"), submitted())

    @pytest.mark.usefixtures("stage")
    def test_a_request_does_not_exist_for_the_helpdesk_of_another_network(self) -> None:
        self.must_not_exist_for(Principal(role=Role.HELPDESK, network_id=uuid4()), submitted())

    def must_not_exist_for(self, by: Principal, request: WebinarRequest) -> None:
        for step in (
            lambda: webinars.get(request.id, by=by),
            lambda: webinars.approve(request.id, START, by=by),
            lambda: webinars.refuse(request.id, "No.", by=by),
        ):
            with pytest.raises(NotFound, match="no such webinar request"):
                step()
        assert list(webinars.listed(Paging(), by=by).items) == []

    def test_its_hospital_and_the_helpdesk_see_it(self, stage: Stage) -> None:
        request, other = submitted(), submitted(hospital="graz")
        assert [one.id for one in webinars.listed(Paging(), by=stage.centre("porto")).items] == [request.id]
        assert {one.id for one in webinars.listed(Paging(), by=HELPDESK).items} == {request.id, other.id}
        webinars.refuse(other.id, "No.", by=HELPDESK)
        assert [one.id for one in webinars.listed(Paging(), by=HELPDESK, state="refused").items] == [other.id]


class TestAtOnce:
    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_of_five_webinars_at_one_hour_as_many_are_approved_as_there_are_hosts(self, stage: Stage) -> None:
        stage.provide(ProviderWithHosts())
        for name in ("ann", "bea"):
            hosting.add_host({"provider": "mock", "email": f"{name}@hosts.example", "capacity": 1, "kinds": []})
        wanted = [submitted(topic=f"Topic {n}").id for n in range(5)]
        db.session.remove()
        answers = stage.house.at_once(5, lambda n: webinars.approve(wanted[n], START, by=HELPDESK))
        approved = [answer for answer in answers if isinstance(answer, WebinarRequest)]
        assert {one.conference.host for one in approved if one.conference} == {"ann@hosts.example", "bea@hosts.example"}
        assert len(approved) == 2
        assert [type(answer) for answer in answers if answer not in approved] == [NoHostFree] * 3

    def test_a_request_that_two_decide_is_decided_once(self, stage: Stage) -> None:
        request_id = submitted().id
        db.session.remove()
        steps = [
            lambda: webinars.approve(request_id, START, by=HELPDESK),
            lambda: webinars.refuse(request_id, "No.", by=HELPDESK),
        ]
        answers = stage.house.at_once(2, lambda n: steps[n]())
        assert sum(isinstance(answer, RuleBroken) for answer in answers) == 1
        assert len(stage.mails("webinar-approved") + stage.mails("webinar-refused")) == 1
