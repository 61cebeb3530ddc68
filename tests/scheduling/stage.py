"""A network with an expert group that meets on Tuesdays at 11.00 in Berlin, two hospitals, and people who ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from conference_orchestrator.flows import (
    arranging,
    conferencing,
    directory,
    hosting,
    inviting,
    panels,
    rounds,
    standing,
)
from conference_orchestrator.flows.standing import RequestView
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network
from conference_orchestrator.providers.base import Capabilities
from conference_orchestrator.providers.mock import CAPABILITIES, MockProvider
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.house import HELPDESK, House

TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # The round's next start: 11.00 in Berlin.
WEEK = timedelta(weeks=1)
CHECKLIST = [
    {"code": "report", "label": "Pathology report", "kind": "flag", "required": True},
    {"code": "images", "label": "Number of images", "kind": "count", "required": True},
    {"code": "acquired", "label": "Date of acquisition", "kind": "date", "required": False},
]
ROUND = {
    "rule": "FREQ=WEEKLY;BYDAY=TU",
    "starts_on": date(2026, 9, 1),
    "start_time": time(11),
    "time_zone": "Europe/Berlin",
    "slots": 2,
    "slot_minutes": 20,
}


class ProviderWithHosts(MockProvider):
    """One that, like Webex, needs a host account for each meeting."""

    def capabilities(self) -> Capabilities:
        return replace(CAPABILITIES, needs_host=True)


@dataclass
class Stage:
    """What a test of the schedule holds in its hands."""

    house: House
    network: Network
    group: ExpertGroup
    hospitals: dict[str, Hospital]
    people: dict[str, Clinician]

    @property
    def coordinator(self) -> Principal:
        return Principal(role=Role.COORDINATOR, group_id=self.group.id)

    def centre(self, hospital: str) -> Principal:
        return Principal(role=Role.REFERENCE_CENTRE, hospital_id=self.hospitals[hospital].id)

    def clinician(self, name: str) -> Principal:
        return Principal(role=Role.CLINICIAN, clinician_id=self.people[name].id)

    def meet(self, **changes: Any) -> UUID:
        """Give the group its round."""
        return arranging.define_series(self.group.id, ROUND | changes, by=HELPDESK).id

    def entered(self, **changes: Any) -> dict[str, Any]:
        """What a requester types in, complete."""
        return {
            "group": "brain",
            "case_reference": "CPMS-1",
            "question": "Is surgery an option?",
            "urgency": "routine",
            "consent_confirmed": True,
            "checklist": {"report": True, "images": 120},
            "requester": self.people["rui"].id,
        } | changes

    def submitted(self, **changes: Any) -> UUID:
        return panels.submit(self.entered(**changes), by=HELPDESK).request.id

    def accepted(self, **changes: Any) -> UUID:
        return panels.triage(self.submitted(**changes), "accept", by=HELPDESK).request.id

    def allocated(self, **changes: Any) -> UUID:
        allocated = panels.allocate(self.accepted(**changes), by=HELPDESK)
        assert allocated.request.state == "allocated"
        return allocated.request.id

    def in_state(self, state: str) -> UUID:
        """A request brought to the state by the steps that lead there."""
        ways: dict[str, Callable[[], UUID]] = {
            "draft": lambda: self.submitted(checklist={}),
            "submitted": self.submitted,
            "returned": lambda: self.triaged("return"),
            "declined": lambda: self.triaged("decline"),
            "accepted": self.accepted,
            "allocated": self.allocated,
            "waiting": self.waiting,
            "discussed": self.discussed,
            "closed": lambda: panels.advised(self.discussed(), date(2026, 11, 24), by=HELPDESK).request.id,
            "withdrawn": lambda: panels.withdraw(self.submitted(), by=HELPDESK).request.id,
        }
        return ways[state]()

    def triaged(self, decision: str) -> UUID:
        return panels.triage(self.submitted(), decision, "Because.", by=HELPDESK).request.id

    def discussed(self) -> UUID:
        request_id = self.allocated()
        self.house.clock.move_on(timedelta(days=2))
        rounds.close_past()
        return request_id

    def waiting(self, **changes: Any) -> UUID:
        """A request that may be discussed on a day without a round only."""
        impossible = {"earliest_on": date(2026, 11, 25), "latest_on": date(2026, 11, 26)}
        waiting = panels.allocate(self.accepted(**impossible, **changes), by=HELPDESK)
        assert waiting.request.state == "waiting"
        return waiting.request.id

    def request(self, request_id: UUID) -> RequestView:
        return standing.view(request_id, by=HELPDESK)

    def sessions(self) -> list[Session]:
        return list(db.session.scalars(select(Session).order_by(Session.starts_at, Session.id)))

    def first(self) -> Session:
        return self.sessions()[0]

    def slots(self, session_id: UUID) -> list[Slot]:
        return list(db.session.scalars(select(Slot).where(Slot.session_id == session_id).order_by(Slot.number)))

    def tasks(self) -> list[str]:
        """The kinds of the tasks so far, mails aside; then they are forgotten."""
        found = [task.kind for task in self.house.queue.tasks if task.kind != "deliver"]
        self.house.queue.tasks.clear()
        return found

    def mails(self, kind: str) -> list[dict[str, Any]]:
        """To whom the mails of a kind go (`to`) and what they say; those of all kinds, of "all"."""
        found = self.house.messages(None if kind == "all" else kind)
        return [{"to": mail.address, "kind": mail.kind, **mail.facts} for mail in found]

    def work(self) -> None:
        """Do what changes brought about, until all meetings are made and all invitations written."""
        while self.house.queue.tasks:
            task = self.house.queue.tasks.pop(0)
            if task.kind == "ensure-conference":
                conferencing.ensure(UUID(task.payload["conference"]))
            elif task.kind == "issue-invitations":
                inviting.issue(UUID(task.payload["conference"]))

    def provide(self, provider: MockProvider) -> None:
        """Have meetings made by this one."""
        hosting.provider_named.fill(self.house.app, lambda _: provider)


def ask_for_more(stage: Stage, *, answered_by: UUID | None = None) -> None:
    """The group's check list grows by an item that nobody has answered, or only that request."""
    grown = [*CHECKLIST, {"code": "new", "label": "Second opinion", "kind": "flag", "required": True}]
    directory.change_group(stage.group.id, {"checklist": grown}, by=HELPDESK)
    answered = {"report": True, "images": 120, "new": True}
    with transaction():
        own = update(ConsultationRequest).where(ConsultationRequest.id == answered_by)
        db.session.execute(own.values(checklist=answered))


@pytest.fixture
def stage(house: House) -> Stage:
    network = directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
    hospitals = {code: _hospital(code, zone) for code, zone in (("porto", "Europe/Lisbon"), ("graz", "Europe/Vienna"))}
    group = _group("brain", "Brain Tumour")
    people = {
        name: _person(name, hospitals[where], network)
        for name, where in (
            ("rui", "porto"),
            ("inês", "porto"),
            ("jörg", "graz"),
            ("zoé", "graz"),
            ("łucja", "graz"),
        )
    }
    for name, role, discipline in (
        ("zoé", "lead", "neurosurgery"),
        ("łucja", "expert", "radiotherapy"),
        ("jörg", "coordinator", None),
    ):
        directory.add_member(group.id, people[name].id, role=role, discipline=discipline, by=HELPDESK)
    made = Stage(house, network, group, hospitals, people)
    made.provide(MockProvider())
    house.queue.tasks.clear()
    return made


@pytest.fixture
def round_of_tuesdays(stage: Stage) -> Stage:
    """The stage with the round of the group."""
    stage.meet()
    return stage


@pytest.fixture
def full(round_of_tuesdays: Stage) -> Stage:
    """The next session with two cases, its meeting made and everybody invited."""
    round_of_tuesdays.allocated(attendees=[str(round_of_tuesdays.people["inês"].id)])
    round_of_tuesdays.allocated(case_reference="CPMS-2", requester=round_of_tuesdays.people["jörg"].id)
    round_of_tuesdays.work()
    return round_of_tuesdays


@pytest.fixture
def other_group(stage: Stage) -> ExpertGroup:
    """Another group of the network, with a round of its own."""
    group = _group("ewing", "Ewing")
    arranging.define_series(group.id, ROUND, by=HELPDESK)
    return group


def _hospital(code: str, zone: str) -> Hospital:
    entered = {
        "code": code,
        "name": f"Hospital of {code}",
        "city": code,
        "country": "PT",
        "time_zone": zone,
        "is_reference_centre": True,
        "networks": ["paedcan"],
    }
    return directory.add_hospital(entered, by=HELPDESK)


def _group(code: str, name: str) -> ExpertGroup:
    entered = {
        "network": "paedcan",
        "code": code,
        "name": name,
        "time_zone": "Europe/Berlin",
        "intake": "pre-selection",
        "quorum": {"minimum": 2, "disciplines": ["neurosurgery", "radiotherapy"]},
        "checklist": CHECKLIST,
    }
    return directory.add_group(entered, by=HELPDESK)


def _person(name: str, hospital: Hospital, network: Network) -> Clinician:
    with transaction() as tx:
        person = Clinician(
            given_name=name.title(),
            family_name="Großmann",
            email=f"{name}@{hospital.code}.example",
            hospital_id=hospital.id,
            hospital_name=hospital.name,
            country="PT",
            profession="physician",
            specialties=["neurosurgery"],
            language="en",
            time_zone=hospital.time_zone,
            share=[],
        )
        person.networks = [ClinicianNetwork(network_id=network.id, activated_at=tx.now)]
        db.session.add(person)
    return person
