"""How every walk begins: one network, two groups, three hospitals, eight people; all slots of one group are given."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import arranging, directory, hosting, joining, panels
from conference_orchestrator.kernel.database import db
from tests.house import HELPDESK
from tests.walks.world import A_MINUTE, Beginning, World

HOSPITALS = {"porto": ("PT", "Europe/Lisbon"), "graz": ("AT", "Europe/Vienna"), "lyon": ("FR", "Europe/Paris")}
PEOPLE = {
    "rui": "porto",
    "ines": "porto",
    "jorg": "graz",
    "zoe": "graz",
    "lucja": "graz",
    "anna": "lyon",
    "emil": "lyon",
    "olga": "lyon",
}
REQUESTERS = ("rui", "ines", "jorg", "olga")
CHECKLIST = [{"code": "report", "label": "Pathology report", "kind": "flag", "required": True}]
# Freed slots of this one are offered.
BRAIN = {
    "code": "brain",
    "name": "Brain Tumour",
    "intake": "pre-selection",
    "rules": {"offer_hours": 24, "cut_off_hours": 12, "lead_hours": 2, "hospital_share": 0.5},
}
# This one watches its quorum, and asks its substitutes.
EWING = {
    "code": "ewing",
    "name": "Ewing",
    "intake": "direct",
    "quorum": {"minimum": 2, "disciplines": ["radiotherapy"], "invite_substitutes": True},
}
MEMBERS = {
    "brain": {"zoe": ("lead", "neurosurgery"), "lucja": ("expert", "radiotherapy"), "jorg": ("coordinator", None)},
    "ewing": {"anna": ("lead", "surgery"), "lucja": ("expert", "radiotherapy"), "emil": ("substitute", "radiotherapy")},
}
ROUNDS = {
    # Three sessions only: their slots are scarce.
    "brain": {
        "rule": "FREQ=WEEKLY;BYDAY=TU",
        "starts_on": date(2026, 9, 1),
        "ends_on": date(2026, 12, 8),
        "start_time": time(11),
    },
    "ewing": {"rule": "FREQ=WEEKLY;INTERVAL=4;BYDAY=FR", "starts_on": date(2026, 11, 27), "start_time": time(12, 30)},
}


def begin(world: World, kept_as: Path) -> Beginning:
    """Fill the world by the flows themselves, let all tasks run, and keep a copy of its file."""
    with world.app.app_context():
        known = _people_and_groups()
        _requests(world, known)
    world.run_due()
    with world.app.app_context():
        db.session.remove()
        db.engine.dispose()
    world.path.replace(kept_as)
    return Beginning(
        path=kept_as,
        at=world.now,
        provider=world.provider,
        tasks=tuple(world.queue.tasks),
        taken=tuple(world.mailbox.taken),
        known=known,
    )


def request(known: dict[str, UUID], group: str, number: int, **changes: Any) -> dict[str, Any]:
    """What a requester types in, complete."""
    return {
        "group": known[group],
        "requester": known[REQUESTERS[number % len(REQUESTERS)]],
        "case_reference": f"CPMS-{number}",
        "question": "Which therapy?",
        "urgency": "routine",
        "consent_confirmed": True,
        "checklist": {"report": True},
    } | changes


def _people_and_groups() -> dict[str, UUID]:
    directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
    for code, (country, zone) in HOSPITALS.items():
        entered = {"code": code, "name": f"Hospital of {code}", "city": code, "networks": ["paedcan"]}
        directory.add_hospital(entered | {"country": country, "time_zone": zone}, by=HELPDESK)
    known = {name: _person(name, hospital) for name, hospital in PEOPLE.items()}
    for number in (1, 2):
        account = {"provider": "mock", "email": f"host{number}@network.example", "capacity": 1}
        hosting.add_host(account | {"kinds": [], "is_active": True})
    for group in (BRAIN, EWING):
        entered = {"network": "paedcan", "time_zone": "Europe/Berlin", "checklist": CHECKLIST}
        code = str(group["code"])
        known[code] = directory.add_group(entered | group, by=HELPDESK).id
        for name, (role, discipline) in MEMBERS[code].items():
            directory.add_member(known[code], known[name], role=role, discipline=discipline, by=HELPDESK)
        rule = ROUNDS[code] | {"time_zone": "Europe/Berlin", "slots": 2, "slot_minutes": 20}
        known[f"{code}-round"] = arranging.define_series(known[code], rule, by=HELPDESK).id
    return known


def _person(name: str, hospital: str) -> UUID:
    entered = {
        "network": "paedcan",
        "given_name": name.capitalize(),
        "family_name": "Ávila",
        "email": f"{name}@hospital.example",
        "hospital": hospital,
        "profession": "physician",
        "specialties": ["oncology"],
        "language": "en",
    }
    return joining.enter(entered, by=HELPDESK).id


def _requests(world: World, known: dict[str, UUID]) -> None:
    """Six cases have the six slots of Brain Tumour, two wait for one; one of Ewing has a slot; one is undecided."""
    for number in range(8):
        world.house.clock.move_on(A_MINUTE)
        urgency = "urgent" if number % 3 == 0 else "routine"
        asked = panels.submit(request(known, "brain", number, urgency=urgency), by=HELPDESK).request.id
        panels.triage(asked, "accept", by=HELPDESK)
        panels.allocate(asked, by=HELPDESK)
    panels.submit(request(known, "ewing", 8, attendees=[known["ines"]]), by=HELPDESK)
    panels.submit(request(known, "brain", 9), by=HELPDESK)
