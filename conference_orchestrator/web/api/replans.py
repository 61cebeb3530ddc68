"""/replans: proposals which waiting requests get which free slots."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import replanning
from conference_orchestrator.scheduling.replans import Replan
from conference_orchestrator.web.fields import Instant, Reference
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Nothing, Resource, expected, versioned
from conference_orchestrator.web.policy import allow, principal

replans_api = Resource("replans", "Who of a waiting list would get which free slot, applied on a person's word.")


class ReplanEntry(Form):
    """The group whose waiting list is to be looked at."""

    group = Reference(required=True)


class ProposedMoveSchema(Schema):
    """A waiting request and the slot that it would get; `waiting_position` is its place in line now."""

    request = fields.UUID()
    waiting_position = fields.Integer()
    slot = fields.UUID()
    session = fields.UUID()
    starts_at = fields.String()
    reasons = fields.List(fields.String())


class UnplacedSchema(Schema):
    """A request that goes on waiting, and why."""

    request = fields.UUID()
    reason = fields.String()


class ReplanSchema(Schema):
    """A proposal; applied, it has `applied_at`."""

    id = fields.UUID()
    group = fields.UUID(attribute="group_id")
    moves = fields.List(fields.Nested(ProposedMoveSchema))
    unplaced = fields.List(fields.Nested(UnplacedSchema))
    created_at = Instant()
    applied_at = Instant(allow_none=True)


@replans_api.post("/replans")
@allow("replan.propose")
@once
@replans_api.arguments(ReplanEntry)
@replans_api.response(201, ReplanSchema)
def propose(entered: Json) -> Replan:
    """Propose slots for the group's waiting list; nothing is changed by it."""
    return versioned(replanning.propose(entered["group"], by=principal()))


@replans_api.get("/replans/<uuid:replan_id>")
@allow("replan.propose")
@replans_api.response(200, ReplanSchema)
def one(replan_id: UUID) -> Replan:
    """Read one proposal."""
    return versioned(replanning.one(replan_id, by=principal()))


@replans_api.post("/replans/<uuid:replan_id>/application")
@allow("replan.apply")
@replans_api.arguments(Nothing)
@replans_api.response(200, ReplanSchema)
def apply(_nothing: Json, replan_id: UUID) -> Replan:
    """Apply a proposal as a whole; 409 when the list or the slots changed since."""
    return versioned(replanning.apply(replan_id, by=principal(), expected=expected()))
