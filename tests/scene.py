"""A network with expert groups, their rounds and cases: what tests of meetings, invitations and answers play in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import arranging, directory, joining, panels, rounds, webinars
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import sessions
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.sessions import Session
from tests.house import HELPDESK, House

MOST_TASKS = 500


class Scene:
    """Builds by the flows themselves; everybody is invented."""

    def __init__(self, house: House) -> None:
        self.house = house
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        self.hospital("porto", country="PT", time_zone="Europe/Lisbon")
        self.cases = 0

    def hospital(self, code: str, **changes: Any) -> None:
        entered = {"code": code, "name": f"Hospital {code}", "city": code, "networks": ["paedcan"]}
        usual = {"country": "PT", "time_zone": "Europe/Lisbon", "is_reference_centre": True}
        directory.add_hospital(entered | usual | changes, by=HELPDESK)

    def clinician(self, name: str, **changes: Any) -> Clinician:
        usual = {
            "network": "paedcan",
            "given_name": name.capitalize(),
            "family_name": "Ávila",
            "email": f"{name}@hospital.example",
            "hospital": "porto",
            "profession": "physician",
            "specialties": ["oncology"],
            "language": "en",
            "time_zone": "Europe/Lisbon",
        }
        return joining.enter(usual | changes, by=HELPDESK)

    def group(self, code: str, *experts: Clinician, name: str | None = None, at: time = time(11)) -> ExpertGroup:
        """A group that meets every Tuesday in Berlin, two slots of 20 minutes; the first expert leads it."""
        entered = {
            "network": "paedcan",
            "code": code,
            "name": name or code.capitalize(),
            "time_zone": "Europe/Berlin",
            "intake": "pre-selection",
        }
        made = directory.add_group(entered, by=HELPDESK)
        for number, expert in enumerate(experts):
            role = "expert" if number else "lead"
            directory.add_member(made.id, expert.id, role=role, by=HELPDESK)
        weekly = {
            "rule": "FREQ=WEEKLY;BYDAY=TU",
            "starts_on": date(2026, 11, 24),
            "start_time": at,
            "time_zone": "Europe/Berlin",
            "slots": 2,
            "slot_minutes": 20,
        }
        arranging.define_series(made.id, weekly, by=HELPDESK)
        return made

    def session(self, group: ExpertGroup, number: int = 0) -> Session:
        """The group's session of that number, the first to come being 0."""
        statement = select(Session.id).where(Session.group_id == group.id).order_by(Session.starts_at)
        return sessions.get(db.session.scalars(statement.offset(number)).first())

    def accepted(self, requester: Clinician, group: ExpertGroup, *, attendees: tuple[Clinician, ...] = ()) -> UUID:
        """A complete request that the group accepted."""
        self.cases += 1
        entered = {
            "group": group.code,
            "requester": requester.id,
            "case_reference": f"CPMS-{self.cases}",
            "question": "Which therapy?",
            "urgency": "routine",
            "consent_confirmed": True,
            "attendees": [person.id for person in attendees],
        }
        request = panels.submit(entered, by=HELPDESK).request
        return panels.triage(request.id, "accept", by=HELPDESK).request.id

    def allocated(
        self,
        requester: Clinician,
        group: ExpertGroup,
        *,
        session: int = 0,
        slot: int = 0,
        attendees: tuple[Clinician, ...] = (),
    ) -> UUID:
        """A request that holds that slot of that session."""
        request_id = self.accepted(requester, group, attendees=attendees)
        self.allocate(request_id, group, session=session, slot=slot)
        return request_id

    def allocate(self, request_id: UUID, group: ExpertGroup, *, session: int = 0, slot: int = 0) -> None:
        panels.allocate(request_id, slot_id=self.session(group, session).slots[slot].id, by=HELPDESK)

    def webinar(self, *, speakers: tuple[Clinician, ...] = (), **changes: Any) -> UUID:
        """A webinar request of the reference centre, not decided."""
        entered = {
            "hospital": "porto",
            "kind": "webinar",
            "topic": "New drugs in sarcoma",
            "language": "en",
            "duration_minutes": 60,
            "expected_audience": 50,
            "speakers": [person.id for person in speakers],
        }
        return webinars.submit(entered | changes, by=HELPDESK).id

    def approved(self, *, at: datetime = datetime(2026, 12, 3, 15, 0, tzinfo=UTC), **wanted: Any) -> UUID:
        """The same, approved for that time; the id of its conference."""
        request_id = self.webinar(**wanted)
        webinars.approve(request_id, at, by=HELPDESK)
        return db.session.scalars(select(Conference.id).where(Conference.webinar_request_id == request_id)).one()

    def conference(self, group: ExpertGroup, session: int = 0) -> Conference:
        """The conference of the group's session, as it is in the database now."""
        session_id = self.session(group, session).id
        return self.fresh(db.session.scalars(select(Conference.id).where(Conference.session_id == session_id)).one())

    def fresh(self, conference_id: UUID) -> Conference:
        """The conference as it is in the database now."""
        db.session.rollback()
        found = db.session.get(Conference, conference_id, populate_existing=True)
        assert found is not None
        return found

    def alerts(self) -> list[str]:
        """The titles of what the helpdesk was alerted to."""
        return [message.facts["title"] for message in self.house.messages("desk-alert")]

    def invitations(self) -> list[Message]:
        """The messages that carry a calendar object, in the order in which each person is to get them."""
        sent = [message for message in self.house.messages() if message.kind.startswith("invitation")]
        return sorted(sent, key=lambda message: (message.created_at, message.number))


def settle(house: House, *kinds: str, moving_the_clock: bool = True) -> int:
    """Run the tasks of those kinds until none is left, the clock moved on to those due later; how many that were.

    Fails after 500 tasks: what wakes itself without end is a fault.
    """
    ran = 0
    while task := next_task(house, *kinds):
        if task.due_at is not None and task.due_at > house.clock.at:
            if not moving_the_clock:
                return ran
            house.clock.at = task.due_at
        house.queue.tasks.remove(task)
        WORK[task.kind](task.payload)
        ran += 1
        assert ran < MOST_TASKS, f"the tasks do not come to an end; the last one is {task}"
    return ran


def next_task(house: House, *kinds: str) -> Any:
    """The task of those kinds that is due first; None when there is none."""
    waiting = [task for task in house.queue.tasks if task.kind in kinds]
    return min(waiting, key=lambda task: task.due_at or datetime(1970, 1, 1, tzinfo=UTC), default=None)


def move(scene: Scene, conference_id: UUID, by: timedelta) -> None:
    """Move the session of the conference."""
    conference = scene.fresh(conference_id)
    rounds.move(conference.session_id, conference.starts_at + by, by=HELPDESK)
