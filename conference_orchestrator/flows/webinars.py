"""Webinars and web conferences: a reference centre asks, the helpdesk approves a time, the audience is invited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import delivering, hosting, inviting, registering
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger.messages import Recipient
from conference_orchestrator.network import clinicians, hospitals, networks
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import webinar_registrations, webinar_requests
from conference_orchestrator.scheduling.series import FARTHEST
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest


def submit(entered: Mapping[str, Any], *, by: Principal) -> WebinarRequest:
    """Ask for a webinar or a web conference. Invalid unless for a reference centre, the asker's own."""
    with transaction() as tx:
        hospital = hospitals.find(entered["hospital"])
        if by.role == Role.REFERENCE_CENTRE and hospital.id != by.hospital_id:
            raise Invalid({"hospital": "You ask for your own hospital."})
        if not hospital.is_reference_centre or not hospital.networks:
            raise Invalid({"hospital": "Only the reference centre of a network may ask for a web conference."})
        speakers = [clinicians.find(one, field="speakers", visible_to=by) for one in entered.get("speakers", [])]
        preferred = entered.get("preferred", [])
        if any(at <= tx.now for at in preferred):
            raise Invalid({"preferred": "A preferred time has passed already."})
        if any(at > tx.now + FARTHEST for at in preferred):
            raise Invalid({"preferred": "A preferred time is more than 18 months away."})
        own = [speaker.id for speaker in speakers if speaker.hospital_id == hospital.id]
        request = WebinarRequest(
            hospital_id=hospital.id,
            requester_id=by.clinician_id or next(iter(own), None),
            kind=entered["kind"],
            topic=entered["topic"],
            preferred=[rfc3339(at) for at in preferred],
            **_usual(entered, hospital),
            audience=_audience(entered.get("audience", {}), hospital),
            speakers=[str(speaker.id) for speaker in speakers],
            credits=entered.get("credits"),
            capacity=entered.get("capacity"),
            materials_url=entered.get("materials_url"),
            created_at=tx.now,
        )
        db.session.add(request)
        db.session.flush()
        tx.record("webinar.submit", request, by=by)
        delivering.tell_helpdesk(
            tx,
            "A webinar request waits for approval",
            f"{hospital.name} asks for a {request.kind}: {request.topic}.",
            path="/",
            cause=f"webinar:{request.id}:submitted",
        )
    return get(request.id, by=by)


def change(
    request_id: UUID, changes: Mapping[str, Any], *, by: Principal, expected: int | None = None
) -> WebinarRequest:
    """Other materials, which those who have the link are told, or another number of places, which the line moves up to.

    RuleBroken when it is over or not held, Invalid for fewer places than are taken.
    """
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        places, materials = request.capacity, request.materials_url
        taken = webinar_registrations.counts([request.id])[request.id][webinar_registrations.State.REGISTERED]
        request.change(changes, registered=taken, now=tx.now)
        tx.record("webinar.change", request, by=by)
        if request.capacity != places:
            registering.promote(request)
            registering.issue_later(tx, request)
        # That there are none any more is told nobody.
        if request.materials_url not in {None, materials}:
            inviting.tell_materials(tx, request)
    return get(request_id, by=by)


def approve(
    request_id: UUID, starts_at: datetime, *, urgent: bool = False, by: Principal, expected: int | None = None
) -> WebinarRequest:
    """Hold it at that time: the host account is taken, the meeting is made, the audience is invited.

    An urgent one may also take an account of the reserve. NoHostFree, with the next possible times, when every host
    account is busy then.
    """
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.approve(starts_at, by=by, at=tx.now)
        tx.record("webinar.approve", request, by=by)
        hosting.want_for_webinar(tx, request, starts_at, urgent=urgent)
        facts = kinds.WebinarApproved(
            topic=request.topic,
            starts_at=starts_at,
            ends_at=starts_at + request.length,
            time_zone=request.hospital.time_zone,
        )
        _tell(tx, request, facts)
    return get(request_id, by=by)


def refuse(request_id: UUID, reason: str, *, by: Principal, expected: int | None = None) -> WebinarRequest:
    """Turn the request down, with the reason that the centre is told."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.refuse(reason, by=by, at=tx.now)
        tx.record("webinar.refuse", request, by=by)
        _tell(tx, request, kinds.WebinarRefused(topic=request.topic, reason=reason))
    return get(request_id, by=by)


def get(request_id: UUID, *, by: Principal) -> WebinarRequest:
    """One request within the asker's scope."""
    return webinar_requests.get(request_id, visible_to=by)


def listed(paging: Paging, *, by: Principal, state: str | None = None) -> Page[WebinarRequest]:
    """Requests within the asker's scope, oldest first."""
    return webinar_requests.listed(paging, visible_to=by, state=state)


def _locked(request_id: UUID, *, by: Principal, expected: int | None) -> WebinarRequest:
    request = webinar_requests.get(request_id, visible_to=by, lock=True)
    request.must_match(expected)
    return request


def _usual(entered: Mapping[str, Any], hospital: Hospital) -> dict[str, Any]:
    """What the request says, else what the hospital's network has as usual; Invalid, naming the field, for neither."""
    usual = hospital.networks[0].web_conference
    names = ("language", "duration_minutes", "expected_audience")
    values = {name: entered.get(name, usual.get(name)) for name in names}
    if missing := [name for name, value in values.items() if value is None]:
        raise Invalid(dict.fromkeys(missing, "Missing data: the network has no usual value for this."))
    return values


def _audience(wanted: Mapping[str, Any], hospital: Hospital) -> dict[str, Any]:
    """Whom the centre wants to reach: within its own networks only, by country and specialty."""
    own = {network.id for network in hospital.networks}
    named = [networks.find(one, field="audience.networks").id for one in wanted.get("networks", [])]
    if foreign := set(named) - own:
        raise Invalid({"audience.networks": f"{len(foreign)} of these networks are not the hospital's own."})
    return {
        "networks": [str(network_id) for network_id in named],
        "countries": list(wanted.get("countries", [])),
        "specialties": list(wanted.get("specialties", [])),
    }


def _tell(tx: Transaction, request: WebinarRequest, facts: kinds.Facts) -> None:
    to = _contact(request)
    delivering.tell(tx, delivering.draft(facts, to=to, cause=f"webinar:{request.id}:{facts.kind}"))


def _contact(request: WebinarRequest) -> Recipient:
    """Who asked; a centre that asked without naming anybody is answered through the helpdesk."""
    known = clinicians.by_ids([request.requester_id]) if request.requester_id else {}
    person = next(iter(known.values()), None)
    return delivering.to_clinician(person) if person else delivering.to_helpdesk()
