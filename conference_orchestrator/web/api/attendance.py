"""/conferences/{id}/attendance: who came to a conference, as its provider noted it."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import attending
from conference_orchestrator.web.fields import Instant
from conference_orchestrator.web.kit import Json, Resource
from conference_orchestrator.web.policy import allow, principal

attendance_api = Resource("attendance", "Who came to a conference, as its provider noted it.")


class PresenceSchema(Schema):
    """One person who was there. `clinician` is null for who was none of the invited, `left_at` without a noted end."""

    clinician = fields.UUID(attribute="presence.clinician_id", allow_none=True)
    name = fields.String()
    email = fields.String(allow_none=True)
    joined_at = Instant(attribute="presence.joined_at")
    left_at = Instant(attribute="presence.left_at", allow_none=True)
    minutes = fields.Integer(attribute="presence.minutes")


class AttendanceSchema(Schema):
    """Who came, in order of the arrivals; final once it is complete. Two devices of one person count once."""

    state = fields.String(metadata={"enum": ["not-over", "gathering", "complete", "unavailable"]})
    items = fields.List(fields.Nested(PresenceSchema))
    total = fields.Integer()


@attendance_api.get("/conferences/<uuid:conference_id>/attendance")
@allow("attendance.read")
@attendance_api.response(200, AttendanceSchema)
def one(conference_id: UUID) -> Json:
    """Read who came."""
    found = attending.attendance(conference_id, by=principal())
    return {"state": found.state, "items": found.items, "total": len(found.items)}
