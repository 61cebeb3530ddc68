"""A clinician about whom everything is kept that can be, entered through the API, and a search over every table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import inspect, select, text

from conference_orchestrator.app import engine_of
from conference_orchestrator.flows import answering, joining
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.sealing import unseal
from conference_orchestrator.ledger.invitations import Answer, Invitation
from tests.house import applicant
from tests.web.conftest import WEBINAR, Service, fill, request_for

ADDRESS, PHONE = "wilhelmina@klinika.example", "+48 22 999 0007"
NAMES = {"given_name": "Wilhelmina", "family_name": "Zażółć-Quist"}
# What must be found nowhere once she was erased.
TRACES = (*NAMES.values(), ADDRESS, PHONE, "Is the margin enough?")

KEY = {"Idempotency-Key": "once"}


def tell(service: Service) -> None:
    """Everything happens that leaves something of her behind: `wilhelmina` in the ids and the tokens."""
    fill(service)
    join(service, "wilhelmina", applicant(email=ADDRESS, phone=PHONE, share=["email", "phone"], **NAMES))
    # The list that comes with the instructions of who joins later tells about her.
    join(service, "olga", applicant(email="olga@szpital.example", given_name="Olga", family_name="Stein"))
    ids = service.ids
    service.tokens["wilhelmina"] = service.token("clinician", clinician=UUID(ids["wilhelmina"]), name="Wilhelmina's")
    feed = service.made("/feeds", {"name": "Wilhelmina's phone"}, by="wilhelmina")
    ids["feed"] = feed["url"].partition("/feeds/")[2]
    _meet(service)
    _speak_and_attend(service)
    work(service)
    with service.app.app_context():
        mine = select(Invitation.id).where(Invitation.clinician_id == UUID(ids["wilhelmina"]))
        for invitation in db.session.scalars(mine).all():
            answering.answer(links.token("answer", invitation), Answer.ACCEPTED)
    work(service)


def join(service: Service, name: str, entered: dict[str, Any]) -> None:
    """Register, confirm the address, be activated, as `name` in the ids."""
    service.post("/registrations", entered, by="anonymous")
    known = service.get("/registrations?state=address-pending").json["items"]
    registration = next(one["id"] for one in known if one["email"] == entered["email"])
    with service.app.app_context():
        joining.confirm(links.token("confirm", UUID(registration)))
    activation = f"/registrations/{registration}/activation"
    service.made(activation, {}, headers=KEY)
    service.ids[f"activation_of_{name}"] = activation
    people = service.get("/clinicians?limit=500").json["items"]
    service.ids[name] = next(one["id"] for one in people if one["email"] == entered["email"])


def _meet(service: Service) -> None:
    """She is a member, has a case in the other slot of the first session, and another case waits for a slot there."""
    member = {"clinician": service.ids["wilhelmina"], "role": "expert", "discipline": "radiology"}
    service.made("/expert-groups/{group}/members", member)
    group = service.get("/expert-groups/{group}")
    seen = {"If-Match": group.headers["ETag"]}
    changed = service.patch("/expert-groups/{group}", {"rules": {"offer_hours": 12}}, headers=seen)
    assert changed.status_code == 200
    session = service.get("/sessions/{session}").json
    service.ids["freed"] = session["slots"][1]["id"]
    asked = request_for(service, case_reference="CPMS-2", question="Is the margin enough?")
    own = service.made("/consultation-requests", asked | {"requester": service.ids["wilhelmina"]})
    service.ids["case"] = own["id"]
    _accept(service, own["id"], slot=service.ids["freed"])
    on = session["starts_at"][:10]
    next_in_line = service.made("/consultation-requests", request_for(service, case_reference="CPMS-3", latest_on=on))
    service.ids["waiting"] = next_in_line["id"]
    _accept(service, next_in_line["id"])


def _accept(service: Service, request_id: str, **where: Any) -> None:
    service.made(f"/consultation-requests/{request_id}/triage", {"decision": "accept"})
    service.made(f"/consultation-requests/{request_id}/allocation", where)


def _speak_and_attend(service: Service) -> None:
    """She speaks at one webinar, and is to attend another one whose places are limited to one."""
    spoken = WEBINAR | {"speakers": [service.ids["wilhelmina"]]}
    attended = WEBINAR | {"topic": "News", "capacity": 1}
    for name, wanted, starts_at in (
        ("spoken", spoken, "2026-12-01T15:00:00Z"),
        ("attended", attended, "2026-12-03T15:00:00Z"),
    ):
        made = service.made("/webinar-requests", wanted)
        service.made(f"/webinar-requests/{made['id']}/approval", {"starts_at": starts_at})
        service.ids[name] = made["id"]


def work(service: Service) -> None:
    """All that changes have brought about so far."""
    engine_of(service.app).run_due()


def kept(service: Service) -> dict[str, str]:
    """All that the database holds, as a text for each table, in lower case; sealed answers are opened."""
    with service.app.app_context():
        tables = inspect(db.engine).get_table_names()
        found = {
            table: "\n".join(" ".join(map(str, row)) for row in db.session.execute(text(f'SELECT * FROM "{table}"')))
            for table in tables
        }
        answers = db.session.execute(text("SELECT answer FROM idempotency_key WHERE answer IS NOT NULL")).scalars()
        found["idempotency_key"] = "\n".join(unseal("idempotency", answer) or "" for answer in answers)
        db.session.remove()
    return {table: rows.lower() for table, rows in found.items()}


def traces(service: Service, *, of: tuple[str, ...] = TRACES) -> dict[str, set[str]]:
    """In which tables each of the texts stands, plainly or as JSON writes it."""
    tables = kept(service)
    spelt = {one: {one.lower(), json.dumps(one)[1:-1].lower(), json.dumps(one.lower())[1:-1]} for one in of}
    return {
        one: {table for table, rows in tables.items() if any(way in rows for way in ways)}
        for one, ways in spelt.items()
    }


def mails_to(folder: Path, address: str) -> int:
    """How many mails in the Maildir go to the address."""
    heads = [one.read_text("utf-8", "replace").partition("\n\n")[0] for one in (folder / "mail" / "new").iterdir()]
    return sum(address in head for head in heads)
