"""/sessions: the dated meetings of groups, their slots, and what happens when one moves or falls out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from marshmallow import Schema, fields

from conference_orchestrator.flows import access, expecting, rounds
from conference_orchestrator.flows.expecting import Risk
from conference_orchestrator.flows.rounds import SessionView, Touched
from conference_orchestrator.kernel.times import local
from conference_orchestrator.scheduling.sessions import Slot
from conference_orchestrator.web.fields import FreeText, Instant, Reference
from conference_orchestrator.web.kit import (
    Form,
    Json,
    Paged,
    Resource,
    expected,
    items,
    listing,
    paging,
    versioned,
)
from conference_orchestrator.web.policy import allow, principal

sessions_api = Resource("sessions", "Dated meetings of expert groups, with numbered slots for one case each.")


class SlotSchema(Schema):
    """A part of a session for one case. `request` is null for who may not look at that request."""

    id = fields.UUID()
    number = fields.Integer()
    starts_at = Instant()
    ends_at = Instant()
    state = fields.String(metadata={"enum": ["free", "offered", "taken"]})
    request = fields.UUID(allow_none=True)


class QuorumForecastSchema(Schema):
    """How many experts must confirm, how many did, and which disciplines lack."""

    needed = fields.Integer()
    accepted = fields.Integer()
    declined = fields.Integer()
    absent = fields.Integer()
    missing_disciplines = fields.List(fields.String())


class SessionSchema(Schema):
    """A session. `local_start` is the start as the clocks of its own zone show it, with their offset."""

    id = fields.UUID()
    group = fields.UUID()
    series = fields.UUID()
    starts_at = Instant()
    ends_at = Instant()
    time_zone = fields.String()
    local_start = fields.String()
    state = fields.String(metadata={"enum": ["planned", "held", "cancelled"]})
    reason = fields.String(allow_none=True)
    slots = fields.List(fields.Nested(SlotSchema))
    holidays = fields.List(fields.String(), metadata={"description": "Public holidays that fall on its date."})
    conference = fields.UUID(allow_none=True)
    quorum = fields.Nested(QuorumForecastSchema)
    risk = fields.String(allow_none=True, metadata={"enum": [*(str(risk) for risk in Risk), None]})


class MovedSchema(SessionSchema):
    """A session as it was moved. `warnings` tell which of its experts are expected elsewhere at the same time."""

    warnings = fields.List(fields.String())


class TouchedSchema(Schema):
    """Whom a change would touch; `warnings` tell which experts would be expected elsewhere at the same time."""

    sessions = fields.List(fields.UUID())
    requests = fields.List(fields.UUID())
    people = fields.Integer()
    mails = fields.Integer()
    warnings = fields.List(fields.String())


class SessionQuery(Paged):
    """Which sessions; without from and to those that have not ended."""

    group = Reference()
    from_at = Instant(data_key="from")
    until_at = Instant(data_key="to")


class Look(Form):
    """Whether to tell only whom it would touch."""

    preview = fields.Boolean(truthy={"true", "1"}, falsy={"false", "0"})


class Move(Form):
    """The new start; the end comes from the slots."""

    starts_at = Instant(required=True)


class Cancellation(Form):
    """Why; everyone invited is told."""

    reason = FreeText(2000, required=True)


@sessions_api.get("/sessions")
@allow("session.read")
@sessions_api.query(SessionQuery)
@sessions_api.response(200, listing(SessionSchema))
def listed(query: Json) -> Json:
    """List the sessions by start; without from and to those that have not ended."""
    page = rounds.listed(paging(query), by=principal(), **query)
    visible = _visible(page.items)
    return items(page, lambda view: _shown(view, visible))


@sessions_api.get("/sessions/<uuid:session_id>")
@allow("session.read")
@sessions_api.response(200, SessionSchema)
def one(session_id: UUID) -> Json:
    """Read one session."""
    return _answer(rounds.session(session_id, by=principal()))


@sessions_api.post("/sessions/<uuid:session_id>/move")
@allow("session.change")
@sessions_api.arguments(Move)
@sessions_api.query(Look)
@sessions_api.response(200, MovedSchema, description="With preview=true: whom it would touch.")
def move(entered: Json, query: Json, session_id: UUID) -> Json | Response:
    """Hold the session at another time, with its cases; everyone invited gets the update."""
    look = query.get("preview", False)
    moved = rounds.move(session_id, entered["starts_at"], by=principal(), expected=expected(), preview=look)
    return _touched(moved) if isinstance(moved, Touched) else _answer(moved) | {"warnings": moved.warnings}


@sessions_api.post("/sessions/<uuid:session_id>/cancellation")
@allow("session.change")
@sessions_api.arguments(Cancellation)
@sessions_api.query(Look)
@sessions_api.response(200, SessionSchema, description="With preview=true: whom it would touch.")
def cancel(entered: Json, query: Json, session_id: UUID) -> Json | Response:
    """Do not hold the session: its meeting goes, everyone invited is told, its requests wait first in line."""
    look = query.get("preview", False)
    cancelled = rounds.cancel(session_id, entered["reason"], by=principal(), expected=expected(), preview=look)
    return _touched(cancelled) if isinstance(cancelled, Touched) else _answer(cancelled)


def _touched(touched: Touched) -> Response:
    return jsonify(TouchedSchema().dump(touched))


def _answer(view: SessionView) -> Json:
    return versioned(_shown(view, _visible([view])), view.session)


def _visible(views: Sequence[SessionView]) -> set[UUID]:
    held = {slot.allocation.request_id for view in views for slot in view.session.slots if slot.allocation}
    return access.visible_requests(held, by=principal())


def _shown(view: SessionView, visible: set[UUID]) -> dict[str, Any]:
    session = view.session
    return {
        "id": session.id,
        "group": session.group_id,
        "series": session.series_id,
        "starts_at": session.starts_at,
        "ends_at": session.ends_at,
        "time_zone": session.time_zone,
        "local_start": local(session.starts_at, session.time_zone).isoformat(),
        "state": session.state,
        "reason": session.reason,
        "slots": [_slot(slot, visible) for slot in session.slots],
        "holidays": session.holidays,
        "conference": session.conference.id if session.conference else None,
        "quorum": view.quorum,
        "risk": expecting.risk(session, view.quorum),
    }


def _slot(slot: Slot, visible: set[UUID]) -> dict[str, Any]:
    held = slot.allocation
    return {
        "id": slot.id,
        "number": slot.number,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "state": "free" if held is None else "taken" if held.is_firm else "offered",
        "request": held.request_id if held is not None and held.request_id in visible else None,
    }
